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
		"tombstones": len(s.gone.young) + len(s.gone.old),
	}
	if s.alarm != nil {
		sizes["alarms"] = 1
	}
	for _, q := range s.queues {
		sizes["lanes"] += len(q.lanes)
		sizes["aside"] += len(q.aside)
		sizes["receivers"] += len(q.receivers)
		sizes["dead letters"] += len(q.dead)
		sizes["dedupe keys"] += q.keys.len()
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

// Woken publishes envelopes and tells how many receivers that woke, before any
// of them has its turn.
func (s *Store) Woken(envs ...stem.Envelope) (woken int) {
	first := s.newEntries(envs)
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
