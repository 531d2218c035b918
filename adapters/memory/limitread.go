package memory

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gostem/gostem/stem/limit"
)

var _ limit.Reader = (*Store)(nil)

// ReadBuckets answers the state of buckets.
func (s *Store) ReadBuckets(ctx context.Context, buckets ...limit.Bucket) ([]limit.State, error) {
	for _, bucket := range buckets {
		if err := bucket.Validate(); err != nil {
			return nil, err
		}
	}
	now, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	states := make([]limit.State, len(buckets))
	for i, bucket := range buckets {
		if state := s.buckets[bucket]; state != nil {
			states[i] = limit.State{Next: max(state.Next-now.micros(), 0), Penalty: max(state.Penalty-now.micros(), 0)}
		}
	}
	return states, nil
}

// ReadPlaces answers who holds places of tasks.
func (s *Store) ReadPlaces(ctx context.Context, tasks ...string) ([][]limit.Holder, error) {
	now, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	holders := make([][]limit.Holder, len(tasks))
	for i, task := range tasks {
		held := s.places[task]
		for _, session := range slices.Sorted(maps.Keys(held)) {
			if p := held[session]; p.until > now {
				holders[i] = append(holders[i], limit.Holder{Session: session, N: p.n, Lapses: time.Duration(p.until - now)})
			}
		}
	}
	return holders, nil
}
