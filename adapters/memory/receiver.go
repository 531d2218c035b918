package memory

import (
	"slices"

	"github.com/gostem/gostem/stem"
)

// receiver is a call of Receive that waits. Two rules see to it that none waits
// beside work, and that few are woken for nothing:
//
//   - Who puts an envelope into a lane, or sets the lane aside, promises it to
//     one receiver that knows its schema and has not been promised all that it
//     asked for, and wakes it (call).
//   - Who has had its turn, with or without a delivery, looks whether its queues
//     offer something to another receiver, and wakes that one (pass).
//
// A promise is no claim: who comes first takes. What comes without a call, a
// delay that ends or a session that lapses, the alarm rings for.
type receiver struct {
	request  stem.ReceiveRequest
	woken    chan struct{} // holds one wake-up
	promised int
}

func newReceiver(request stem.ReceiveRequest) *receiver {
	return &receiver{request: request, woken: make(chan struct{}, 1)}
}

// wake ends the receiver's wait; what it finds it takes itself.
func (r *receiver) wake() {
	select {
	case r.woken <- struct{}{}:
	default: // it has not yet seen the last one
	}
}

// wants reports whether the receiver may take an entry. What its own session
// left behind when it lapsed it does not take over.
func (r *receiver) wants(e *entry) bool {
	return e.suits(tasteOf(&r.request)) && (e.holder == nil || e.holder.id != r.request.Session.ID)
}

// promise wakes the receiver for one more envelope.
func (s *Store) promise(r *receiver) {
	if r.promised++; r.promised == 1 {
		r.wake()
	}
	if r.promised >= r.request.Max {
		s.delist(r)
	}
}

// call promises an entry that has come into a lane to the receiver that has
// waited longest among those that want it.
func (q *queue) call(e *entry) {
	if q.paused {
		return
	}
	for _, r := range q.receivers {
		if r.wants(e) {
			q.store.promise(r)
			return
		}
	}
}

// pass ends a receiver's turn: it wakes one more at each of its queues, if there
// is something for it. That one passes on in its turn.
func (s *Store) pass(request *stem.ReceiveRequest) {
	for _, name := range request.Queues {
		if q := s.queues[name]; q != nil && len(q.receivers) > 0 {
			q.recall(tasteOf(request)) // somebody else may have set aside what was promised to this one
			q.callNext()
		}
	}
}

// callNext wakes the receiver that has waited longest among those to whom the
// queue offers something and nobody has promised anything.
func (q *queue) callNext() {
	for _, r := range q.receivers {
		if r.promised == 0 && q.offers(r) {
			q.store.promise(r)
			return
		}
	}
}

// offers reports whether a receiver would find something in the lanes.
func (q *queue) offers(r *receiver) bool {
	if q.paused {
		return false
	}
	for i := range q.tiers {
		for _, l := range q.tiers[i].lanes.items {
			if l.item.offers(r) {
				return true
			}
		}
	}
	return false
}

// enlist lets a receiver wait at its queues.
func (s *Store) enlist(r *receiver, now instant) {
	if s.watched == nil {
		s.watched = make(map[*queue]struct{})
	}
	for _, name := range r.request.Queues {
		q := s.queue(name)
		q.receivers = append(q.receivers, r)
		s.watched[q] = struct{}{}
		s.wakeAt(q.ripe(), now)
	}
	s.watchLapses(now)
}

// delist ends a receiver's wait at its queues, if it does wait there.
func (s *Store) delist(r *receiver) {
	for _, name := range r.request.Queues {
		q := s.queues[name]
		if q == nil {
			continue
		}
		q.receivers = slices.DeleteFunc(q.receivers, func(other *receiver) bool { return other == r })
		if len(q.receivers) == 0 {
			delete(s.watched, q)
		}
	}
	if len(s.watched) == 0 {
		s.silence()
	}
}
