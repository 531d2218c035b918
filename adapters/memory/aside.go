package memory

import "github.com/gostem/gostem/stem"

// aside is the lanes of a queue that are set aside, by task.
type aside struct {
	lanes map[string]map[*lane]struct{}
	count int
}

func (a *aside) add(l *lane) {
	if a.lanes == nil {
		a.lanes = make(map[string]map[*lane]struct{})
	}
	task := l.schema.Task
	if a.lanes[task] == nil {
		a.lanes[task] = make(map[*lane]struct{})
	}
	a.lanes[task][l] = struct{}{}
	a.count++
}

func (a *aside) remove(l *lane) {
	task := l.schema.Task
	delete(a.lanes[task], l)
	if len(a.lanes[task]) == 0 {
		delete(a.lanes, task)
	}
	a.count--
}

// setAside takes the lane out of its tier until a receiver comes that knows its
// task and schema, and calls one that waits already: it has not yet been told of what
// ripened just now.
func (l *lane) setAside() {
	l.queue.tiers[l.priority].lanes.remove(l)
	l.queue.aside.add(l)
	l.aside = true
	l.queue.call(l.peek())
}

func (l *lane) recall() {
	l.queue.aside.remove(l)
	l.aside = false
	l.rank()
}

// recall puts the lanes back that suit a receiver and that were set aside. Their
// envelopes have kept their places.
func (q *queue) recall(t taste) {
	if t.tasks != nil && t.tasks.Len() < q.aside.count/len(q.tiers) {
		// More is set aside than the receiver knows, perhaps a million bogus names
		// or schemas: look up what it knows.
		for task, read := range t.tasks.All() {
			if !t.full(task) {
				q.recallTask(task, read)
			}
		}
		return
	}
	for _, lanes := range q.aside.lanes {
		for l := range lanes {
			if l.suits(t) {
				l.recall()
			}
		}
	}
}

// recallTask puts the lanes of one task back, those of the schemas that are read;
// nil for all.
func (q *queue) recallTask(task string, read []uint64) {
	if q.aside.lanes[task] == nil {
		return
	}
	if read == nil {
		for l := range q.aside.lanes[task] {
			l.recall()
		}
		return
	}
	q.recallSchema(stem.TaskSchema{Task: task})
	for _, fingerprint := range read {
		q.recallSchema(stem.TaskSchema{Task: task, Fingerprint: fingerprint})
	}
}

func (q *queue) recallSchema(schema stem.TaskSchema) {
	for priority := range q.tiers {
		if l := q.lanes[laneKey{priority, schema}]; l != nil && l.aside {
			l.recall()
		}
	}
}
