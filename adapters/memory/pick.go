package memory

import (
	"cmp"
	"slices"

	"github.com/gostem/gostem/stem"
)

// pick is what one attempt to receive has found so far.
type pick struct {
	request *stem.ReceiveRequest
	entries []*entry
	bytes   int
	// ripening is how many delayed entries may still be moved under this lock.
	// A million may come due at once, and of a task that nobody here knows.
	ripening int
	taste    taste // what more there may be
	done     bool  // there shall be no more
}

// mostRipened bounds how many delayed entries move under one lock.
const mostRipened = 1024

// pick takes out of line what a request gets, for lend to lend. The slice is
// good until the next pick.
func (s *Store) pick(request *stem.ReceiveRequest, session *session, now instant) []*entry {
	p := pick{request: request, entries: s.picked[:0], ripening: mostRipened, taste: tasteOf(request).own()}
	if request.Recover {
		session.pickForgotten(&p)
	}
	for _, name := range request.Queues {
		if q := s.queues[name]; q != nil && !p.done {
			q.pick(&p, now)
		}
	}
	s.picked = p.entries
	return p.entries
}

// pickForgotten picks what the session holds and its worker does not know of.
// Here no answer is ever lost, but a caller may have thrown one away.
func (s *session) pickForgotten(p *pick) {
	known := make(map[*entry]struct{}, len(p.request.Held))
	for i := range p.request.Held {
		if e, ok := s.store.loaned(&p.request.Held[i]); ok && e.current(&p.request.Held[i]) {
			known[e] = struct{}{}
		}
	}
	var forgotten []*entry
	for _, e := range s.held {
		if _, ok := known[e]; !ok && !e.queue.paused && e.suits(p.taste) && slices.Contains(p.request.Queues, e.queue.name) {
			forgotten = append(forgotten, e)
		}
	}
	slices.SortFunc(forgotten, func(a, b *entry) int { return cmp.Compare(a.place, b.place) })
	for _, e := range forgotten {
		if !e.suits(p.taste) {
			continue // of its task no more may be lent
		}
		if p.done || !p.fits(e) {
			p.done = true
			return
		}
		p.add(e)
	}
}

// pick takes from the queue what the request wants: from the tier of the highest
// rank first, and from another only when that is dry.
func (q *queue) pick(p *pick, now instant) {
	q.recall(p.taste)
	if q.paused {
		return
	}
	if p.request.AgeAfter > 0 {
		for _, priority := range q.aged(p, now) {
			q.pickFrom(&q.tiers[priority], p, now)
		}
		return
	}
	for i := len(q.tiers) - 1; i >= 0; i-- {
		q.pickFrom(&q.tiers[i], p, now)
	}
}

// pickFrom takes from one tier, until it is dry.
func (q *queue) pickFrom(t *tier, p *pick, now instant) {
	for !p.done {
		moved := q.ripen(t, min(p.ripening, p.request.Max), now)
		p.ripening -= moved
		t.pick(p)
		if p.done || moved == 0 {
			return
		}
		p.done = p.ripening == 0
	}
}

// aged gives the priorities in the order of their ranks, the highest first.
func (q *queue) aged(p *pick, now instant) (order [stem.MaxPriority + 1]int) {
	var ranks [stem.MaxPriority + 1]instant
	for priority := range q.tiers {
		ranks[priority] = instant(priority)
		if e := q.next(&q.tiers[priority], p, now); e != nil {
			ranks[priority] += (now - e.due) / instant(p.request.AgeAfter)
		}
		order[stem.MaxPriority-priority] = priority
	}
	slices.SortStableFunc(order[:], func(a, b int) int { return cmp.Compare(ranks[b], ranks[a]) })
	return order
}

// next gives the entry that the tier would lend first, or nil.
func (q *queue) next(t *tier, p *pick, now instant) *entry {
	for {
		if l := t.suitable(p.taste); l != nil {
			return l.peek()
		}
		moved := q.ripen(t, min(p.ripening, 1), now)
		if p.ripening -= moved; moved == 0 {
			return nil
		}
	}
}

// suitable gives the first of the tier's lanes of which a receiver may be lent something, or nil, and
// sets those aside that come before.
func (t *tier) suitable(taste taste) *lane {
	for t.lanes.len() > 0 {
		l := t.lanes.top()
		if l.suits(taste) {
			return l
		}
		l.setAside()
	}
	return nil
}

// pick takes from the tier's lanes.
func (t *tier) pick(p *pick) {
	for !p.done {
		l := t.suitable(p.taste)
		if l == nil {
			return
		}
		if !p.fits(l.peek()) {
			p.done = true // the next one stays next: no smaller one overtakes it
			return
		}
		p.add(l.pop())
	}
}

// fits reports whether an entry's payload may still come along; the first may
// always.
func (p *pick) fits(e *entry) bool {
	return p.request.MaxBytes <= 0 || len(p.entries) == 0 || len(e.envelope.Payload) <= p.request.MaxBytes-p.bytes
}

func (p *pick) add(e *entry) {
	p.entries = append(p.entries, e)
	p.bytes += len(e.envelope.Payload)
	p.taste.lent(e.envelope.Task)
	p.done = len(p.entries) == p.request.Max
}
