package memory

import (
	"context"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// HastenTasks makes delayed and retrying tasks due now.
func (s *Store) HastenTasks(ctx context.Context, tasks ...ops.Task) error {
	return s.change(ctx, tasks, func(e *entry, state ops.State, now instant) error {
		if state != ops.Delayed && state != ops.Retrying {
			return ops.ErrGone
		}
		e.leaveDelayed()
		e.queue.put(e, 0, now)
		return nil
	})
}

// DeleteTasks deletes tasks that wait.
func (s *Store) DeleteTasks(ctx context.Context, tasks ...ops.Task) error {
	return s.change(ctx, tasks, func(e *entry, state ops.State, now instant) error {
		if state == ops.Delayed || state == ops.Retrying {
			e.leaveDelayed()
		} else {
			e.lane().discard(e)
		}
		e.letGo(&stem.Settlement{Verdict: stem.VerdictAck, Cancelled: true}, now)
		return nil
	})
}

func (e *entry) leaveDelayed() { e.queue.tiers[e.envelope.Priority].delayed.remove(e) }

// change does something with those of the tasks that still wait where they were listed, and names the others.
func (s *Store) change(ctx context.Context, tasks []ops.Task, do func(e *entry, state ops.State, now instant) error) error {
	var found []*entry
	return s.each(ctx, len(tasks), func(i int, now instant) error {
		if found == nil {
			s.rescue(now)
			found = s.lookUp(tasks, now)
		}
		e := found[i]
		if e == nil {
			return ops.ErrGone
		}
		found[i] = nil
		return do(e, tasks[i].State, now)
	})
}

// lookUp gives the entries of tasks, and nil for each that is not there any more, or is there twice.
func (s *Store) lookUp(tasks []ops.Task, now instant) []*entry {
	found := make([]*entry, len(tasks))
	lanes, delayed := make(map[*lane]map[int64]int), make(map[*tier]map[int64]int)
	spots := make([]spot, len(tasks))
	for i := range tasks {
		t := &tasks[i]
		at, ok := parseSpot(string(t.State), t.Place)
		if !ok || t.Envelope == nil || s.queues[t.Queue] == nil {
			continue
		}
		spots[i] = at
		switch q := s.queues[t.Queue]; {
		case t.State == ops.Ready || t.State == ops.Unknown:
			l := q.lanes[laneKey{t.Priority, stem.TaskSchema{Task: t.Task, Fingerprint: t.Fingerprint}}]
			if l != nil && l.aside == (t.State == ops.Unknown) {
				add(lanes, l, at[1], i)
			}
		case (t.State == ops.Delayed || t.State == ops.Retrying) && at[0] > int64(now) && t.Priority >= 0 && t.Priority <= stem.MaxPriority:
			add(delayed, &q.tiers[t.Priority], at[2], i)
		}
	}
	for l, wanted := range lanes {
		l.find(wanted, func(i int, e *entry) {
			if e.holder == nil && e.number == spots[i][2] {
				found[i] = e
			}
		})
	}
	for t, wanted := range delayed {
		for _, d := range t.delayed.items {
			if i, ok := wanted[d.order]; ok && d.rank == spots[i][0] {
				found[i] = d.item
			}
		}
	}
	return found
}

// add notes that something is wanted of a place. Who is named twice is found once.
func add[K comparable](wanted map[K]map[int64]int, of K, by int64, i int) {
	if wanted[of] == nil {
		wanted[of] = make(map[int64]int)
	}
	if _, twice := wanted[of][by]; !twice {
		wanted[of][by] = i
	}
}

// find shows those of the lane's entries whose places are wanted.
func (l *lane) find(wanted map[int64]int, show func(i int, e *entry)) {
	left := len(wanted)
	see := func(place int64, e *entry) {
		if i, ok := wanted[place]; ok {
			show(i, e)
			left--
		}
	}
	for i := range l.returned.items {
		see(l.returned.items[i].rank, l.returned.items[i].item)
	}
	for e := l.first; e != nil && left > 0; e = e.next {
		if !e.deleted {
			see(e.place, e)
		}
	}
}
