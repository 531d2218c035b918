package stem_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// A worker that ends by itself when all that was due is done.
func ExampleWorkerConfig_stopAfterIdle() {
	var tasks stem.Registry
	def := number(&tasks, func(_ context.Context, n int) (int, error) {
		fmt.Println("task", n)
		return n, nil
	})
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := stem.WithClient(context.Background(), client)
	if _, err := def.EnqueueMany(ctx, []int{1, 2, 3}); err != nil {
		fmt.Println(err)
		return
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{Slots: 1, StopAfterIdle: 100 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(worker.Run(ctx))
	// Output:
	// task 1
	// task 2
	// task 3
	// <nil>
}

// Within a queue a higher priority goes first, whenever it was enqueued.
func ExamplePriority() {
	var tasks stem.Registry
	def := number(&tasks, func(_ context.Context, n int) (int, error) {
		fmt.Println("priority", n)
		return n, nil
	})
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := stem.WithClient(context.Background(), client)
	for _, n := range []int{0, 5, 9} {
		if _, err := def.Enqueue(ctx, n, stem.Priority(n)); err != nil {
			fmt.Println(err)
			return
		}
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{Slots: 1, StopAfterIdle: 100 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(worker.Run(ctx))
	// Output:
	// priority 9
	// priority 5
	// priority 0
	// <nil>
}

// A worker that serves three queues by weight, and in each lets priorities rise by one
// for each minute that their first task waits.
func ExampleWorkerConfig_queueWeights() {
	var tasks stem.Registry
	def := number(&tasks, same)
	ctx, stop := start(&tasks, stem.WorkerConfig{
		QueueWeights: map[string]int{"critical": 6, "default": 3, "low": 1},
		AgeAfter:     time.Minute,
	})
	defer stop()

	job, _ := def.Enqueue(ctx, 7, stem.OnQueue("low"), stem.Priority(9))
	fmt.Println(job.Wait(ctx)) // low has all of the worker while the others are empty
	// Output: 7 <nil>
}

// A paused queue takes tasks in, and lends none until it is resumed.
func ExampleClient_Pause() {
	var tasks stem.Registry
	def := number(&tasks, same)
	store := new(memory.Store)
	client, err := stem.NewClient(store, stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := stem.WithClient(context.Background(), client)
	work := func() {
		worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{StopAfterIdle: 100 * time.Millisecond})
		if err == nil {
			err = worker.Run(ctx)
		}
		counts, _ := store.CountQueue(ctx, "default")
		fmt.Println("ready:", counts.Ready, "paused:", counts.Paused, err)
	}

	if err := client.Pause(ctx, "default"); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := def.Enqueue(ctx, 7); err != nil {
		fmt.Println(err)
		return
	}
	work()
	if err := client.Resume(ctx, "default"); err != nil {
		fmt.Println(err)
		return
	}
	work()
	// Output:
	// ready: 1 paused: true <nil>
	// ready: 0 paused: false <nil>
}
