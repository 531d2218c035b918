package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// batchSize is how many tasks a call enqueues where it is not the measure's.
const batchSize = 1000

// enqueue enqueues one task a call, from so many goroutines.
func enqueue(producers int) func(context.Context, *bench) (figures, error) {
	return func(ctx context.Context, b *bench) (figures, error) {
		if err := b.Enqueue(ctx, firstTask); err != nil { // what is done once is done
			return figures{}, err
		}
		if err := b.meter.start(ctx); err != nil {
			return figures{}, err
		}
		until := time.Now().Add(b.For)
		n, err := b.produce(ctx, producers, func() bool { return time.Now().Before(until) })
		if err != nil {
			return figures{}, err
		}
		return b.meter.stop(ctx, n)
	}
}

// produce enqueues from so many goroutines while more says so, and tells how many tasks.
func (b *bench) produce(ctx context.Context, producers int, more func() bool) (int64, error) {
	var count atomic.Int64
	err := together(producers, func() error {
		for more() {
			if err := b.Enqueue(ctx, firstTask+int32(count.Add(1))); err != nil {
				return err
			}
		}
		return nil
	})
	return count.Load(), err
}

// batch enqueues so many tasks a call, from one goroutine.
func batch(size int32) func(context.Context, *bench) (figures, error) {
	return func(ctx context.Context, b *bench) (figures, error) {
		if err := b.Enqueue(ctx, firstTask); err != nil {
			return figures{}, err
		}
		if err := b.meter.start(ctx); err != nil {
			return figures{}, err
		}
		n := int32(0)
		for until := time.Now().Add(b.For); time.Now().Before(until); n += size {
			if err := b.EnqueueMany(ctx, firstTask+n, firstTask+n+size, time.Time{}); err != nil {
				return figures{}, err
			}
		}
		return b.meter.stop(ctx, int64(n))
	}
}

// fill enqueues n tasks, as quickly as it goes.
func (b *bench) fill(ctx context.Context, n int64, due time.Time) error {
	var next atomic.Int64
	return together(16, func() error {
		for {
			from := next.Add(batchSize) - batchSize
			if from >= n {
				return nil
			}
			if err := b.EnqueueMany(ctx, firstTask+int32(from), firstTask+int32(min(from+batchSize, n)), due); err != nil {
				return err
			}
		}
	})
}

// together does something in n goroutines and answers an error of one, if any has one.
func together(n int, do func() error) error {
	errs := make(chan error, n)
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			if err := do(); err != nil {
				errs <- err
			}
		})
	}
	all.Wait()
	close(errs)
	return <-errs
}
