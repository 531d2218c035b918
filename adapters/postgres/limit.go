package postgres

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// TakeTurns takes turns by one call of a function.
func (s *Store) TakeTurns(ctx context.Context, turns ...limit.Turn) ([]time.Duration, error) {
	for i := range turns {
		if err := turns[i].Validate(); err != nil {
			return nil, err
		}
	}
	waits := make([]time.Duration, len(turns))
	groups := limit.Alike(turns)
	n := len(groups)
	if n == 0 {
		return waits, nil
	}
	counts, buckets, intervals, tolerances, reserved := make([]int32, n), make([]string, n), make([]int64, n), make([]int64, n), make([]bool, n)
	for g, group := range groups {
		t := &turns[group[0]]
		counts[g], buckets[g], intervals[g], tolerances[g], reserved[g] = int32(len(group)), string(t.Bucket), micros(t.Interval), micros(t.Tolerance), t.Reserved
	}
	var answer []int64
	err := s.repeated(ctx, "take turns", func(ctx context.Context) error {
		return s.on.query(ctx, func(scan func(...any) error) error { return scan(&answer) }, s.sql.turns, s.offset.Load(), micros(limit.LongestWait),
			listOf(counts), listOf(buckets), listOf(intervals), listOf(tolerances), listOf(reserved))
	})
	switch {
	case err != nil:
		return nil, err
	case answer == nil:
		return waits, nil // nobody has to wait
	case len(answer) != len(turns):
		return nil, s.failed("take turns", errAnswer)
	}
	for j, i := range slices.Concat(groups...) {
		waits[i] = time.Duration(answer[j]) * time.Microsecond
	}
	return waits, nil
}

// Penalize lets nobody have a turn in a bucket for a time.
func (s *Store) Penalize(ctx context.Context, bucket limit.Bucket, d time.Duration) error {
	if err := bucket.Validate(); err != nil {
		return err
	}
	return s.repeated(ctx, "penalize", func(ctx context.Context) error {
		return s.on.exec(ctx, s.sql.penalize, s.offset.Load(), string(bucket), min(micros(d), micros(limit.LongestWait)))
	})
}

// HoldPlaces holds places by one call of a function.
func (s *Store) HoldPlaces(ctx context.Context, session stem.Session, holds ...stem.Hold) ([]stem.Held, error) {
	if err := session.Validate(); err != nil {
		return nil, err
	}
	n := len(holds)
	tasks, limits, wanted := make([]string, n), make([]int32, n), make([]int32, n)
	for i := range holds {
		if err := holds[i].Validate(); err != nil {
			return nil, err
		}
		tasks[i], limits[i], wanted[i] = holds[i].Task, int32(min(holds[i].Limit, math.MaxInt32)), int32(min(holds[i].N, math.MaxInt32))
	}
	held := make([]stem.Held, n)
	err := s.repeated(ctx, "hold places", func(ctx context.Context) error {
		return s.on.query(ctx, func(scan func(...any) error) error {
			var place, has, free int
			if err := scan(&place, &has, &free); err != nil {
				return err
			}
			if place >= n {
				return errAnswer
			}
			held[place] = stem.Held{N: has, Free: free}
			return nil
		}, s.sql.places, s.offset.Load(), session.ID, micros(session.Lease), listOf(tasks), listOf(limits), listOf(wanted))
	})
	if err != nil {
		return nil, err
	}
	return held, nil
}
