package stem_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// A task that has taken three processes down is set aside without another run, with its
// original bytes.
func ExampleWorkerConfig_maxInterruptions() {
	var tasks stem.Registry
	def := number(&tasks, same)
	store := new(memory.Store)
	client, err := stem.NewClient(store, stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	job, err := def.Via(client).Enqueue(ctx, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 3 { // processes that take it and are heard of no more
		crashed := stem.Session{ID: fmt.Sprint("process-", i), Lease: 20 * time.Millisecond}
		if _, err := store.Receive(ctx, stem.ReceiveRequest{Session: crashed, Queues: []string{"default"}, Max: 1}); err != nil {
			fmt.Println(err)
		}
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{MaxInterruptions: 3, StopAfterIdle: 100 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(worker.Run(ctx))
	_, err = job.Wait(ctx)
	var failed *stem.TaskError
	fmt.Println(errors.As(err, &failed), failed.Failure.Kind, failed.Failure.Message)
	letters, _ := store.DeadLetters(ctx, "default", 10)
	fmt.Println(len(letters), "dead letter")
	// Output:
	// <nil>
	// true poison 3 runs in a row were cut short by a crash or a lost lease
	// 1 dead letter
}

// What no worker knows is not failed: it waits, and is counted by its name.
func ExampleQueueCounter() {
	var tasks stem.Registry
	number(&tasks, same)
	store := new(memory.Store)
	client, err := stem.NewClient(store, stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if _, err := client.EnqueueRaw(ctx, "another.team's", []byte{0xc0}); err != nil {
		fmt.Println(err)
		return
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{StopAfterIdle: 100 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(worker.Run(ctx))
	counter, _ := stem.As[stem.QueueCounter](store) // of any broker that can count
	counts, err := counter.CountQueue(ctx, "default")
	fmt.Println(counts.Unknown, counts.Dead, err)
	// Output:
	// <nil>
	// map[another.team's:1] 0 <nil>
}
