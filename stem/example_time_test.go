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

// A run that takes too long is cancelled, and its error counts as a failure.
func ExampleTimeout() {
	var tasks stem.Registry
	def := number(&tasks, func(ctx context.Context, n int) (int, error) {
		<-ctx.Done() // what a call with ctx waits for
		return 0, context.Cause(ctx)
	}, stem.Timeout(time.Minute), stem.MaxRetries(0))
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	job, _ := def.Enqueue(ctx, 1, stem.Timeout(10*time.Millisecond))
	_, err := job.Wait(ctx)
	var failed *stem.TaskError
	fmt.Println(errors.As(err, &failed), failed.Failure.Kind, failed.Failure.Message)
	// Output: true timeout timeout of 10ms: stem: the task ran into its timeout
}

// A reminder for later, which is of no use once it is too late. Here no worker comes in time.
func ExampleExpiresIn() {
	var tasks stem.Registry
	def := number(&tasks, same)
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	job, err := def.Via(client).Enqueue(context.Background(), 1, stem.Delay(10*time.Millisecond), stem.ExpiresIn(20*time.Millisecond))
	if err != nil {
		fmt.Println(err)
		return
	}
	time.Sleep(50 * time.Millisecond)
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{StopAfterIdle: 100 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(worker.Run(context.Background()))
	_, err = job.Wait(context.Background())
	var end *stem.TaskError
	fmt.Println(errors.Is(err, stem.ErrCancelled), errors.As(err, &end), end.Failure.Kind)
	// Output:
	// <nil>
	// true true expired
}
