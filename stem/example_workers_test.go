package stem_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// What workers say of themselves, which any program that reaches the store can read.
func ExampleClient_Workers() {
	var tasks stem.Registry
	began := make(chan struct{})
	def := number(&tasks, func(ctx context.Context, n int) (int, error) {
		close(began)
		<-ctx.Done()
		return n, ctx.Err()
	})
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := stem.WithClient(context.Background(), client)
	if _, err := def.Enqueue(ctx, 7); err != nil {
		fmt.Println(err)
		return
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{Name: "web-1", Slots: 4, HeartbeatInterval: time.Second})
	if err != nil {
		fmt.Println(err)
		return
	}
	ended := make(chan error)
	go func() { ended <- worker.Run(ctx) }()
	<-began
	for told := false; !told; time.Sleep(50 * time.Millisecond) { // until its next heartbeat
		workers, err := client.Workers(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, w := range workers {
			if told = w.RunningCount > 0; told {
				fmt.Println(w.Name, w.Queues, w.RunningCount, "of", w.Slots, "slots busy with", w.Running[0].Task)
			}
		}
	}
	worker.Stop(stem.StopSoft)
	<-ended
	if workers, err := client.Workers(ctx); err == nil {
		fmt.Println("stopped:", workers[0].Stopped)
	}
	// Output:
	// web-1 [default] 1 of 4 slots busy with number
	// stopped: true
}

// The number of slots can be set while the worker runs, also by a handler.
func ExampleWorker_SetSlots() {
	var tasks stem.Registry
	var worker *stem.Worker
	def := number(&tasks, func(_ context.Context, n int) (int, error) {
		if n == 1 {
			return n, worker.SetSlots(8)
		}
		return n, nil
	})
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := stem.WithClient(context.Background(), client)
	if _, err := def.Enqueue(ctx, 1); err != nil {
		fmt.Println(err)
		return
	}
	worker, err = stem.NewWorker(client, &tasks, stem.WorkerConfig{Slots: 2, StopAfterIdle: 100 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := worker.Run(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println(worker.Slots(), "slots")
	// Output: 8 slots
}

// A worker that has one slot at rest and takes up to ten when tasks wait.
func ExampleAutoscale() {
	var tasks stem.Registry
	def := number(&tasks, func(_ context.Context, n int) (int, error) {
		time.Sleep(100 * time.Millisecond)
		return n, nil
	})
	most := 0
	observer := stem.ObserverFunc(func(_ context.Context, e stem.Event) {
		if e, ok := e.(stem.SlotsChanged); ok {
			most = max(most, e.To)
		}
	})
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{Observer: observer, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := stem.WithClient(context.Background(), client)
	if _, err := def.EnqueueMany(ctx, make([]int, 100)); err != nil {
		fmt.Println(err)
		return
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{
		Autoscale:     &stem.Autoscale{Max: 10, UpCooldown: 100 * time.Millisecond},
		StopAfterIdle: 100 * time.Millisecond,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := worker.Run(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println("up to", most, "slots")
	// Output: up to 10 slots
}
