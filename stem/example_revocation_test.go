package stem_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// A revoked task that waits in its queue never starts.
func ExampleJob_Revoke() {
	var tasks stem.Registry
	begun, end := make(chan struct{}, 2), make(chan struct{})
	def := number(&tasks, func(_ context.Context, n int) (int, error) {
		begun <- struct{}{}
		<-end
		return n, nil
	})
	ctx, stop := start(&tasks, stem.WorkerConfig{Slots: 1, Prefetch: 1})
	defer stop()

	first, _ := def.Enqueue(ctx, 1)
	second, _ := def.Enqueue(ctx, 2)
	<-begun // the one slot is taken, so the second task waits in its queue
	if err := second.Revoke(ctx, stem.RevokeReason("ordered twice")); err != nil {
		fmt.Println(err)
		return
	}
	close(end)
	fmt.Println(first.Wait(ctx))
	_, err := second.Wait(ctx)
	var cancelled *stem.TaskError
	fmt.Println(errors.Is(err, stem.ErrCancelled), errors.As(err, &cancelled))
	fmt.Println(cancelled.Failure.Kind, "-", cancelled.Failure.Message)
	// Output:
	// 1 <nil>
	// true true
	// revoked - revoked before it started: ordered twice
}

// An id can be revoked before it is enqueued, by whoever knows its queue.
func ExampleClient_Revoke() {
	var tasks stem.Registry
	def := number(&tasks, same)
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(stem.WithClient(context.Background(), client))
	var running sync.WaitGroup
	running.Go(func() { _ = worker.Run(ctx) })
	defer running.Wait()
	defer stop()

	if err := client.Revoke(ctx, stem.DefaultQueue, "invoice-2024-07"); err != nil {
		fmt.Println(err)
		return
	}
	job, _ := def.Enqueue(ctx, 7, stem.WithID("invoice-2024-07"))
	_, err = job.Wait(ctx)
	fmt.Println(errors.Is(err, stem.ErrCancelled))
	// Output: true
}

// What a task has enqueued, and what that enqueues, is revoked with it.
func ExampleWithDescendants() {
	var tasks stem.Registry
	children, end := make(chan stem.Job[int], 1), make(chan struct{})
	var def *stem.TaskDefinition[int, int]
	def = number(&tasks, func(ctx context.Context, n int) (int, error) {
		child, err := def.Enqueue(ctx, n+1)
		children <- child
		<-end
		return n, err
	})
	ctx, stop := start(&tasks, stem.WorkerConfig{Slots: 1, Prefetch: 1})
	defer stop()

	parent, _ := def.Enqueue(ctx, 1)
	child := <-children
	if err := parent.Revoke(ctx, stem.WithDescendants()); err != nil {
		fmt.Println(err)
		return
	}
	close(end)
	fmt.Println(parent.Wait(ctx)) // it was done before it heard of that
	_, err := child.Wait(ctx)
	fmt.Println(errors.Is(err, stem.ErrCancelled))
	// Output:
	// 1 <nil>
	// true
}
