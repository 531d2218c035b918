package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// drain works until the store says that nothing is left of what was enqueued before.
func drain(slots int) func(context.Context, *bench) (figures, error) {
	return func(ctx context.Context, b *bench) (figures, error) {
		n := b.prepared(slots)
		if err := b.meter.start(ctx); err != nil {
			return figures{}, err
		}
		count, err := b.workOff(ctx, slots, n)
		if err != nil {
			return figures{}, err
		}
		if err := b.untilNothingIsLeft(ctx); err != nil {
			return figures{}, err
		}
		f, err := b.meter.stop(ctx, n)
		if more := count.Load() - n; more > 0 && err == nil {
			err = fmt.Errorf("%d of %d tasks ran twice", more, n)
		}
		return f, err
	}
}

// workOff works until n tasks have run, or more; the worker goes on.
func (b *bench) workOff(ctx context.Context, slots int, n int64) (*atomic.Int64, error) {
	count := new(atomic.Int64)
	done := make(chan struct{})
	ended := b.work(ctx, nil, slots, func(int32) {
		if count.Add(1) == n {
			close(done)
		}
	})
	select {
	case <-done:
		return count, nil
	case err := <-ended:
		return count, fmt.Errorf("the worker has ended after %d of %d tasks: %w", count.Load(), n, err)
	case <-ctx.Done():
		return count, fmt.Errorf("%d of %d tasks have run: %w", count.Load(), n, ctx.Err())
	}
}

// untilNothingIsLeft asks the store every millisecond; its questions do not count.
func (b *bench) untilNothingIsLeft(ctx context.Context) error {
	for {
		var left int64
		err := b.meter.aside(ctx, func() (err error) {
			left, err = b.Left(ctx)
			return err
		})
		if err != nil || left == 0 {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// pile enqueues n tasks, fewer where measures are short.
func pile(n int64) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error {
		return b.fill(ctx, max(topOfPile, int64(float64(n)*min(1, b.For.Seconds()))), time.Time{})
	}
}

// topOfPile is how many tasks are worked off of any pile.
const topOfPile = 10_000

// fromPile tells how quick the first of many tasks are.
func fromPile(ctx context.Context, b *bench) (figures, error) {
	if err := b.meter.start(ctx); err != nil {
		return figures{}, err
	}
	if _, err := b.workOff(ctx, 100, topOfPile); err != nil {
		return figures{}, err
	}
	return b.meter.stop(ctx, topOfPile)
}
