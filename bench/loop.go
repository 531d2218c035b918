package main

import (
	"context"
	"fmt"
	"os"
	"sync"
)

// settled is how many tasks a hand-written loop settles by one pipeline, script or statement.
const settled = 500

// loop is a hand-written worker: fetch puts tasks into a channel until ctx ends, handlers run them, and what they have
// done is gathered and settled.
type loop[T any] struct {
	fetch  func(ctx context.Context, tasks chan<- T) error
	settle func(ctx context.Context, done []T) error
}

// work runs it until ctx ends. Slots 0 are 20.
func (l loop[T]) work(ctx context.Context, slots int, run func(T)) error {
	settling := newGather(settled, func(done []T) error {
		if err := l.settle(context.WithoutCancel(ctx), done); err != nil {
			fmt.Fprintln(os.Stderr, "settle:", err)
		}
		return nil
	})
	if slots == 0 {
		slots = 20
	}
	tasks := make(chan T, 2*slots)
	var handlers sync.WaitGroup
	for range slots {
		handlers.Go(func() {
			for t := range tasks {
				run(t)
				settling.in <- parcel[T]{item: t}
			}
		})
	}
	err := l.fetch(ctx, tasks)
	close(tasks)
	handlers.Wait()
	return err
}
