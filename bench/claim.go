package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// claimer is a system of which single claims can be timed.
type claimer interface {
	// Claim takes up to 256 tasks, and tells how many, and how to settle them.
	Claim(ctx context.Context) (n int, settle func(context.Context) error, err error)
}

// claims tells how long claims take while many tasks wait, and how much longer than where few do.
func claims(ctx context.Context, b *bench) (figures, error) {
	few, err := b.claimFor(ctx, func() error { return b.EnqueueMany(ctx, firstTask, firstTask+fetched, time.Time{}) })
	if err != nil {
		return figures{}, err
	}
	if err := b.fill(ctx, b.Backlog, time.Time{}); err != nil {
		return figures{}, err
	}
	if err := b.meter.start(ctx); err != nil {
		return figures{}, err
	}
	many, err := b.claimFor(ctx, func() error { return nil })
	if err != nil {
		return figures{}, err
	}
	f, err := b.meter.stop(ctx, int64(len(many)))
	f.P50, f.P95, f.P99 = percentiles(many)
	_, _, p99 := percentiles(few)
	f.Slower, f.Rate = f.P99/p99, 0
	return f, err
}

// claimFor times claims, prepares each and settles what it has taken. The first ten do not count: the server
// prepares for what it is asked.
func (b *bench) claimFor(ctx context.Context, prepare func() error) ([]time.Duration, error) {
	system, ok := b.system.(claimer)
	if !ok {
		return nil, fmt.Errorf("%s has no claims to be timed", b.System)
	}
	var took []time.Duration
	for until := time.Now().Add(2 * b.For); len(took) < 20 || time.Now().Before(until); {
		if err := prepare(); err != nil {
			return nil, err
		}
		start := time.Now()
		n, settle, err := system.Claim(ctx)
		took = append(took, time.Since(start))
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, errors.New("nothing is left to claim: more must wait")
		}
		if err := settle(ctx); err != nil {
			return nil, err
		}
	}
	return took[10:], nil
}
