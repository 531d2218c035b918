package memory

import (
	"time"

	"github.com/gostem/gostem/stem"
)

// queue is where the envelopes of one name wait.
type queue struct {
	store *Store
	name  string

	tiers   [stem.MaxPriority + 1]tier // by priority
	lanes   map[laneKey]*lane          // all lanes, also empty ones
	sweepAt int                        // how many lanes there must be before empty ones are looked for
	aside   aside                      // those set aside
	running int                        // how many envelopes are on loan and not in line
	paused  bool                       // nothing is lent

	keys      shelf[string] // dedupe keys, each with the id that stands
	holds     shelf[hold]   // unique keys
	revoked   revocations
	dead      []deadLetter // the oldest first
	receivers []*receiver  // those that wait, the oldest first
}

// tier is what waits at one priority.
type tier struct {
	lanes   heap[*lane]  // by the place of who is next in it; without those set aside
	delayed heap[*entry] // by when they are due
}

type laneKey struct {
	priority int
	schema   stem.TaskSchema
}

// queue gives the queue of a name.
func (s *Store) queue(name string) *queue {
	if q := s.queues[name]; q != nil {
		return q
	}
	if s.queues == nil {
		s.queues = make(map[string]*queue)
	}
	if len(s.queues) >= s.sweepAt {
		// Names may come and go, so idle queues are let go; to look for them
		// whenever their number has doubled costs nothing to speak of.
		now := s.now()
		for name, q := range s.queues {
			if q.idle(now) {
				delete(s.queues, name)
			}
		}
		s.sweepAt = 2*len(s.queues) + 64
	}
	q := &queue{store: s, name: name, lanes: make(map[laneKey]*lane)}
	s.queues[name] = q
	return q
}

// idle reports whether the queue holds nothing and nobody waits for it.
func (q *queue) idle(now instant) bool {
	q.keys.sweep(now, q.keys.len(), nil)
	q.holds.sweep(now, q.holds.len(), nil)
	if q.holds.len() > 0 || q.paused || q.running > 0 || len(q.dead) > 0 || len(q.receivers) > 0 || q.aside.count > 0 || q.keys.len() > 0 || !q.revoked.idle(now) {
		return false
	}
	for i := range q.tiers {
		if q.tiers[i].lanes.len() > 0 || q.tiers[i].delayed.len() > 0 {
			return false
		}
	}
	return true
}

// lane gives the lane of a task and schema at a priority.
func (q *queue) lane(priority int, schema stem.TaskSchema) *lane {
	key := laneKey{priority, schema}
	if l := q.lanes[key]; l != nil {
		return l
	}
	if len(q.lanes) >= q.sweepAt {
		for key, l := range q.lanes {
			if l.length == 0 {
				delete(q.lanes, key)
			}
		}
		q.sweepAt = 2*len(q.lanes) + 64
	}
	l := &lane{queue: q, schema: schema, priority: priority, at: nowhere}
	q.lanes[key] = l
	return l
}

// put lets an entry wait until it has been due from a delay on, and calls a
// receiver where that is now.
func (q *queue) put(e *entry, delay time.Duration, now instant) {
	e.due = now.plus(max(delay, 0))
	if e.due > now {
		q.tiers[e.envelope.Priority].delayed.push(e, int64(e.due))
		if len(q.receivers) > 0 {
			q.store.wakeAt(e.due, now)
		}
		return
	}
	e.lane().append(e)
	q.call(e)
}

// putBack gives an entry its old place in line, and calls a receiver.
func (q *queue) putBack(e *entry) {
	e.lane().restore(e)
	q.call(e)
}

// ripen moves delayed entries that are due into their lanes, at most so many,
// and answers how many it has moved. They get the last places: who is due
// later stands behind, as if it had been published then.
func (q *queue) ripen(t *tier, most int, now instant) (moved int) {
	for moved < most && t.delayed.len() > 0 && t.delayed.rank() <= int64(now) {
		e := t.delayed.pop()
		e.lane().append(e)
		moved++
	}
	return moved
}
