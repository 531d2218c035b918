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

// A program that works until it is told to stop. The first SIGINT or SIGTERM lets
// handlers finish, the second cancels them, the third waits for nobody.
func ExampleRunUntilSignal() {
	// main would call this.
	run := func(tasks *stem.Registry) error {
		client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{})
		if err != nil {
			return err
		}
		worker, err := stem.NewWorker(client, tasks, stem.WorkerConfig{Grace: 20 * time.Second})
		if err != nil {
			return err
		}
		return stem.RunUntilSignal(context.Background(), worker)
	}
	if err := run(new(stem.Registry)); err != nil {
		fmt.Println(err)
	}
	// Output: stem: NewWorker: no task is registered: call the generated Register, or stem.Handle, first
}

// A handler that is cancelled by a stop gives its task back by returning an error.
// That costs no attempt, and the task runs again elsewhere.
func ExampleWorker_Stop() {
	started := make(chan struct{})
	long := stem.DefineNoArgs(stem.TaskSpec{Name: "index.rebuild"}, stem.NoneCodec())
	var tasks stem.Registry
	err := stem.HandleNoArgs(&tasks, long, func(ctx context.Context) (stem.None, error) {
		close(started)
		<-ctx.Done() // a step of the work would look at ctx too
		fmt.Println(context.Cause(ctx))
		return stem.None{}, ctx.Err()
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	store := new(memory.Store)
	client, err := stem.NewClient(store, stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	stopped := make(chan error)
	go func() { stopped <- worker.Run(context.Background()) }()

	if _, err := long.Via(client).Enqueue(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	<-started
	worker.Stop(stem.StopSoft)
	fmt.Println("stopped:", <-stopped)
	counts, err := store.CountQueue(context.Background(), stem.DefaultQueue)
	fmt.Println("waiting:", counts.Ready, err)
	// Output:
	// stem: the worker is shutting down
	// stopped: <nil>
	// waiting: 1 <nil>
}

// A handler may wait for the tasks that it enqueues, however few slots there are: it
// lends its slot while it waits.
func ExampleJob_Wait_insideAHandler() {
	countDown := stem.Define(stem.TaskSpec{Name: "count.down"}, text, text)
	var tasks stem.Registry
	err := stem.Handle(&tasks, countDown, func(ctx context.Context, left string) (string, error) {
		if left == "" {
			return "done", nil
		}
		child, err := countDown.Enqueue(ctx, left[1:])
		if err != nil {
			return "", err
		}
		below, err := child.Wait(ctx)
		return left[:1] + " " + below, err
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := start(&tasks, stem.WorkerConfig{Slots: 1})
	defer stop()
	job, err := countDown.Enqueue(ctx, "54321")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(job.Wait(ctx))
	// Output: 5 4 3 2 1 done <nil>
}

// How a wait can end.
func ExampleJob_Wait() {
	check := stem.Define(stem.TaskSpec{Name: "card.check", Options: []stem.Option{stem.MaxRetries(0)}}, text, text)
	var tasks stem.Registry
	err := stem.Handle(&tasks, check, func(_ context.Context, card string) (string, error) {
		if card == "4000" {
			return "", errors.New("card declined")
		}
		return "fine", nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	wait := func(patience time.Duration, card string, opts ...stem.Option) {
		job, err := check.Enqueue(ctx, card, opts...)
		if err != nil {
			fmt.Println(err)
			return
		}
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		result, err := job.Wait(ctx)
		var failed *stem.TaskError
		switch {
		case err == nil:
			fmt.Println("succeeded:", result)
		case errors.Is(err, stem.ErrCancelled):
			fmt.Println("cancelled")
		case errors.As(err, &failed):
			fmt.Println("failed:", failed.Failure.Message)
		case errors.Is(err, stem.ErrResultExpired):
			fmt.Println("it ended, and its result is no longer kept")
		case errors.Is(err, stem.ErrNoResult):
			fmt.Println("no result yet")
		default:
			fmt.Println(err)
		}
	}
	wait(time.Minute, "4242")
	wait(time.Minute, "4000")
	wait(time.Minute, "4242", stem.Delay(time.Millisecond), stem.ExpiresIn(time.Microsecond))
	wait(time.Millisecond, "4242", stem.Delay(time.Hour))
	// Output:
	// succeeded: fine
	// failed: card declined
	// cancelled
	// no result yet
}

// A result is kept for a day, for as long as the task or the call says, or not at all.
func ExampleKeepResult() {
	report := stem.DefineNoArgs(stem.TaskSpec{Name: "report", Options: []stem.Option{stem.KeepResult(7 * 24 * time.Hour)}}, text)
	var tasks stem.Registry
	if err := stem.HandleNoArgs(&tasks, report, func(context.Context) (string, error) { return "all is well", nil }); err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()
	for _, opt := range []stem.Option{nil, stem.KeepResult(time.Hour), stem.IgnoreResult()} {
		job, err := report.Enqueue(ctx, opt)
		if err != nil {
			fmt.Println(err)
			return
		}
		_, err = job.Wait(ctx)
		status, _ := job.Status(ctx)
		fmt.Println(status.Keep, errors.Is(err, stem.ErrResultIgnored))
	}
	// Output:
	// 168h0m0s false
	// 1h0m0s false
	// 0s true
}
