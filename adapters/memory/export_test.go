package memory

import (
	"context"

	"github.com/gostem/gostem/stem"
)

// Footprint says how much the store remembers, by kind. What is zero is left out.
func (s *Store) Footprint() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	sizes := map[string]int{
		"queues": len(s.queues), "sessions": len(s.sessions), "lapses": s.lapses.len(), "watched": len(s.watched),
		"results": s.results.len(), "result rows": len(s.results.rows), "watchers": len(s.watchers),
		"tombstones": s.gone.count, "buckets": len(s.buckets), "places": len(s.places),
	}
	if s.alarm != nil {
		sizes["alarms"] = 1
	}
	for _, q := range s.queues {
		sizes["lanes"] += len(q.lanes)
		sizes["aside"] += q.aside.count
		sizes["receivers"] += len(q.receivers)
		sizes["dead letters"] += len(q.dead)
		sizes["dedupe keys"] += q.keys.len()
		sizes["revocations"] += q.revoked.tasks.len() + q.revoked.families.len()
		sizes["running"] += q.running
		for i := range q.tiers {
			sizes["delayed"] += q.tiers[i].delayed.len()
		}
		for _, l := range q.lanes {
			sizes["due"] += l.length
		}
	}
	for _, session := range s.sessions {
		sizes["held"] += len(session.held)
	}
	for kind, n := range sizes {
		if n == 0 {
			delete(sizes, kind)
		}
	}
	return sizes
}

// Room is how many items there is room for in the heaps and tables, used or not.
func (s *Store) Room() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := cap(s.lapses.items) + cap(s.results.order.items)
	for _, shard := range s.results.items.shards {
		room += len(shard.slots)
	}
	for _, q := range s.queues {
		for i := range q.tiers {
			room += cap(q.tiers[i].delayed.items) + cap(q.tiers[i].lanes.items)
		}
		for _, l := range q.lanes {
			room += cap(l.returned.items)
		}
	}
	return room
}

// WakenBy publishes envelopes and tells how many receivers that woke, before any
// of them has its turn.
func (s *Store) WakenBy(envs ...stem.Envelope) (woken int) {
	first := newEntries(envs)
	now, err := s.begin(context.Background())
	if err != nil {
		panic(err)
	}
	defer s.mu.Unlock()
	waiting := map[*receiver]bool{}
	for q := range s.watched {
		for _, r := range q.receivers {
			waiting[r] = true
		}
	}
	for e := first; e != nil; {
		next := e.next
		e.next = nil
		s.publish(e, now)
		e = next
	}
	for r := range waiting {
		if r.promised > 0 {
			woken++
		}
	}
	return woken
}

// Turn is one turn of a receiver, nil for its first. Between the turns of real
// ones anything may happen; here a test says what.
func (s *Store) Turn(ctx context.Context, req stem.ReceiveRequest, r *Receiver) ([]stem.Delivery, *Receiver, error) {
	return s.receive(ctx, &req, r)
}

// Moved tells how many delayed envelopes a request moves under one lock.
func (s *Store) Moved(req stem.ReceiveRequest) (moved int) {
	now, err := s.begin(context.Background())
	if err != nil {
		panic(err)
	}
	defer s.mu.Unlock()
	s.pick(&req, s.open(&req.Session, now), now)
	for _, q := range s.queues {
		for _, l := range q.lanes {
			moved += l.length
		}
	}
	return moved
}

// Receiver is a call of Receive between two turns.
type Receiver = receiver

// Woken reports whether the receiver is to have a turn, which it then must have.
func (r *Receiver) Woken() bool {
	select {
	case <-r.woken:
		return true
	default:
		return false
	}
}

// Stranded counts the receivers that wait beside something that they would get.
func (s *Store) Stranded() (stranded int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for q := range s.watched {
		for _, r := range q.receivers {
			if s.misses(q, r) {
				stranded++
			}
		}
	}
	return stranded
}

func (s *Store) misses(q *queue, r *receiver) bool {
	if q.paused {
		return false
	}
	now := s.now()
	for _, l := range q.lanes {
		if l.offers(r) {
			return true
		}
	}
	for i := range q.tiers {
		for _, delayed := range q.tiers[i].delayed.items {
			if delayed.rank <= int64(now) && r.wants(delayed.item) {
				return true
			}
		}
	}
	for _, session := range s.sessions {
		for _, e := range session.held {
			lapsed := now >= session.lapse() && now >= session.renewed.plus(e.envelope.Visibility)
			if e.queue == q && lapsed && r.wants(e) {
				return true
			}
		}
	}
	return false
}
