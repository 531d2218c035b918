package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// undone is how many tasks produceAndWork lets wait.
const undone = 5000

// produceAndWork has 16 producers and 100 handlers in one process. It counts once the first task has run.
func produceAndWork(ctx context.Context, b *bench) (figures, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	room, first := make(chan struct{}, undone), make(chan struct{})
	var count atomic.Int64
	worker := b.work(ctx, nil, 100, func(int32) {
		if count.Add(1) == 1 {
			close(first)
		}
		<-room
	})
	producers := make(chan error, 1)
	go func() {
		_, err := b.produce(ctx, 16, func() bool {
			room <- struct{}{}
			return true
		})
		producers <- err
	}()
	select {
	case <-first:
	case err := <-producers:
		return figures{}, fmt.Errorf("the producers have ended: %w", err)
	}
	before := count.Load()
	if err := b.meter.start(ctx); err != nil {
		return figures{}, err
	}
	select {
	case <-time.After(b.For):
		return b.meter.stop(ctx, count.Load()-before)
	case err := <-producers:
		return figures{}, fmt.Errorf("the producers have ended: %w", err)
	case err := <-worker:
		return figures{}, fmt.Errorf("the worker has ended: %w", err)
	}
}

// schedule enqueues tasks that are due all at the same time.
func schedule(ctx context.Context, b *bench) error { return b.fill(ctx, b.prepared(100), b.Due) }

// scheduled has a worker wait for them, and tells how quick they are from the first to the last.
func scheduled(ctx context.Context, b *bench) (figures, error) {
	n := b.prepared(100)
	var count atomic.Int64
	var first time.Time
	done := make(chan time.Time, 1)
	ended := b.work(ctx, nil, 100, func(int32) {
		switch count.Add(1) {
		case 1:
			first = time.Now()
		case n:
			done <- time.Now()
		}
	})
	ahead := time.Until(b.Due) - 100*time.Millisecond
	if ahead < 0 {
		return figures{TooLate: true}, nil
	}
	time.Sleep(ahead)
	if err := b.meter.start(ctx); err != nil {
		return figures{}, err
	}
	select {
	case last := <-done:
		f, err := b.meter.stop(ctx, n)
		f.Rate = float64(n-1) / last.Sub(first).Seconds()
		return f, err
	case err := <-ended:
		return figures{}, fmt.Errorf("the worker has ended: %w", err)
	}
}

// latency enqueues so many tasks a second, whether those before have run or not, and tells how long after the
// call their handlers begin. Worker and client have their default settings.
func latency(rate int) func(context.Context, *bench) (figures, error) {
	return func(ctx context.Context, b *bench) (figures, error) {
		n := int(2 * b.For.Seconds() * float64(rate))
		called, begun := make([]time.Time, n), make([]time.Time, n)
		var running sync.WaitGroup
		running.Add(n + 1)
		b.work(ctx, nil, 0, func(task int32) {
			if i := int(task - firstTask); i < n {
				begun[i] = time.Now()
			}
			running.Done()
		})
		if err := b.Enqueue(ctx, firstTask+int32(n)); err != nil {
			return figures{}, err
		}
		time.Sleep(500 * time.Millisecond) // the worker has started
		if err := b.meter.start(ctx); err != nil {
			return figures{}, err
		}
		err := openLoop(n, time.Second/time.Duration(rate), func(i int) error {
			called[i] = time.Now()
			return b.Enqueue(ctx, firstTask+int32(i))
		})
		if err != nil {
			return figures{}, err
		}
		running.Wait()
		f, err := b.meter.stop(ctx, int64(n))
		waits := make([]time.Duration, n)
		for i := range waits {
			waits[i] = begun[i].Sub(called[i])
		}
		f.P50, f.P99 = percentiles(waits)
		f.Rate = 0
		return f, err
	}
}

// openLoop does something n times, each at its time, whether those before are done or not.
func openLoop(n int, every time.Duration, do func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	start := time.Now()
	for i := range n {
		time.Sleep(time.Until(start.Add(time.Duration(i) * every)))
		all.Go(func() { errs[i] = do(i) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// percentiles gives the median and the 99th percentile of waits, in milliseconds.
func percentiles(waits []time.Duration) (p50, p99 float64) {
	slices.Sort(waits)
	in := func(d time.Duration) float64 { return d.Seconds() * 1000 }
	return in(waits[len(waits)/2]), in(waits[len(waits)*99/100])
}
