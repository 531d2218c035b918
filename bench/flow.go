package main

import (
	"context"
	"fmt"
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
