package main

import (
	"context"
	"fmt"
	"time"
)

// idle tells what a worker asks that has nothing to do, for each of so many queues.
func idle(queues int) func(context.Context, *bench) (figures, error) {
	return func(ctx context.Context, b *bench) (figures, error) {
		names := []string{"default"}
		for len(names) < queues {
			names = append(names, fmt.Sprint("queue-", len(names)))
		}
		ran := make(chan struct{})
		ended := b.work(ctx, names, 0, func(int32) { close(ran) })
		time.Sleep(b.For) // it has started
		if err := b.meter.start(ctx); err != nil {
			return figures{}, err
		}
		time.Sleep(14 * b.For) // longer than what it does now and then
		f, err := b.meter.stop(ctx, 1)
		if err != nil {
			return figures{}, err
		}
		passed := 1 / f.Rate // in seconds
		f = figures{Tasks: 1, Idle: f.Commands / passed / float64(queues), ByCommand: f.ByCommand}
		if err := b.Enqueue(ctx, firstTask); err != nil {
			return figures{}, err
		}
		select {
		case <-ran: // it was there all the time
			return f, nil
		case err := <-ended:
			return figures{}, fmt.Errorf("the worker has ended: %w", err)
		case <-ctx.Done():
			return figures{}, ctx.Err()
		}
	}
}

// stored tells how much a task takes on the server that waits. Its payload does not count.
func stored(ctx context.Context, b *bench) (figures, error) {
	bytes, err := b.meter.gauge.stored(ctx)
	n := b.prepared(100)
	return figures{Tasks: n, Stored: float64(bytes)/float64(n) - payloadSize}, err
}
