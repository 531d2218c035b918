package stem_test

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// A handler that is warned stops where it is and goes on in its next run, before its
// time is over and its work would be lost.
func ExampleSoftTimeoutReached() {
	index := stem.DefineNoArgs(stem.TaskSpec{
		Name:    "pages.index",
		Options: []stem.Option{stem.SoftTimeout(10 * time.Millisecond), stem.Timeout(time.Minute)},
	}, stem.NoneCodec())
	warned := false
	var tasks stem.Registry
	err := stem.HandleNoArgs(&tasks, index, func(ctx context.Context) (stem.None, error) {
		if warned {
			fmt.Println("going on where the first run has stopped")
			return stem.None{}, nil
		}
		select { // between two pages
		case <-stem.SoftTimeoutReached(ctx):
			fmt.Println("warned, and not cancelled:", ctx.Err())
			warned = true
			return stem.None{}, stem.Snooze(0) // costs no attempt
		case <-ctx.Done():
			return stem.None{}, ctx.Err()
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
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
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error)
	go func() { done <- worker.Run(ctx) }()

	job, err := index.Via(client).Enqueue(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = job.Wait(ctx)
	cancel()
	fmt.Println(err, <-done)
	// Output:
	// warned, and not cancelled: <nil>
	// going on where the first run has stopped
	// <nil> <nil>
}
