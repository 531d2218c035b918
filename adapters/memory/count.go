package memory

import (
	"context"

	"github.com/gostem/gostem/stem"
)

// CountQueue counts what lies in a queue. What a lapsed session holds counts as
// ready once it may be taken over. Delayed envelopes that have come due together
// and not been moved yet are counted one by one; all other counts are at hand.
func (s *Store) CountQueue(ctx context.Context, queue string) (stem.QueueCounts, error) {
	now, err := s.begin(ctx)
	if err != nil {
		return stem.QueueCounts{}, err
	}
	defer s.mu.Unlock()
	s.rescue(now)
	q := s.queues[queue]
	if q == nil {
		return stem.QueueCounts{}, nil
	}
	return q.count(now), nil
}

func (q *queue) count(now instant) stem.QueueCounts {
	counts := stem.QueueCounts{Running: q.running, Dead: len(q.dead), Paused: q.paused}
	for _, l := range q.lanes {
		if !l.aside {
			counts.Ready += l.length
			continue
		}
		if counts.Unknown == nil {
			counts.Unknown = make(map[stem.TaskSchema]int)
		}
		counts.Unknown[l.schema] += l.length
	}
	for i := range q.tiers {
		delayed := &q.tiers[i].delayed
		due := delayed.countTo(int64(now))
		counts.Ready += due
		counts.Delayed += delayed.len() - due
	}
	return counts
}
