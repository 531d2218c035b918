package postgres

import (
	"context"
	"time"

	"github.com/gostem/gostem/stem/limit"
)

var _ limit.Reader = (*Store)(nil)

// ReadBuckets reads buckets by one statement.
func (s *Store) ReadBuckets(ctx context.Context, buckets ...limit.Bucket) ([]limit.State, error) {
	names := make([]string, len(buckets))
	for i, bucket := range buckets {
		if err := bucket.Validate(); err != nil {
			return nil, err
		}
		names[i] = string(bucket)
	}
	states := make([]limit.State, len(buckets))
	err := s.repeated(ctx, "read buckets", func(ctx context.Context) error {
		return s.on.query(ctx, func(scan func(...any) error) error {
			var n, next, penalty int64
			if err := scan(&n, &next, &penalty); err != nil {
				return err
			}
			states[n-1] = limit.State{Next: time.Duration(next) * time.Microsecond, Penalty: time.Duration(penalty) * time.Microsecond}
			return nil
		}, s.sql.readBuckets, s.offset.Load(), listOf(names))
	})
	if err != nil {
		return nil, err
	}
	return states, nil
}

// ReadPlaces reads places by one statement.
func (s *Store) ReadPlaces(ctx context.Context, tasks ...string) (holders [][]limit.Holder, err error) {
	err = s.repeated(ctx, "read places", func(ctx context.Context) error {
		holders = make([][]limit.Holder, len(tasks)) // anew: it may be repeated
		return s.on.query(ctx, func(scan func(...any) error) error {
			var n, left int64
			var h limit.Holder
			if err := scan(&n, &h.Session, &h.N, &left); err != nil {
				return err
			}
			h.Lapses = time.Duration(left) * time.Microsecond
			holders[n-1] = append(holders[n-1], h)
			return nil
		}, s.sql.readPlaces, s.offset.Load(), listOf(append([]string{}, tasks...)))
	})
	if err != nil {
		return nil, err
	}
	return holders, nil
}
