package stem_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

var errRefused = errors.New("the card was refused")

// A service that says when to come back is taken at its word.
func ExampleRetryAfter() {
	var tasks stem.Registry
	def := number(&tasks, func(ctx context.Context, n int) (int, error) {
		if info, _ := stem.Info(ctx); info.Attempt == 1 {
			return 0, stem.RetryAfter(10*time.Millisecond, errors.New("429 Too Many Requests"))
		}
		return n, nil
	})
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	job, _ := def.Enqueue(ctx, 1)
	fmt.Println(job.Wait(ctx))
	record, _ := job.Status(ctx)
	fmt.Println("attempt", record.Attempt)
	// Output:
	// 1 <nil>
	// attempt 2
}

// What the task waits for is not there yet. That is no failure, and costs no attempt.
func ExampleSnooze() {
	var tasks stem.Registry
	def := number(&tasks, func(ctx context.Context, n int) (int, error) {
		if info, _ := stem.Info(ctx); info.Snoozes < 2 {
			return 0, stem.Snooze(10 * time.Millisecond)
		}
		return n, nil
	}, stem.MaxRetries(0))
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	job, _ := def.Enqueue(ctx, 1)
	fmt.Println(job.Wait(ctx))
	record, _ := job.Status(ctx)
	fmt.Println("attempt", record.Attempt, "after", record.Snoozes, "snoozes")
	// Output:
	// 1 <nil>
	// attempt 1 after 2 snoozes
}

// Errors of a kind that no retry mends are named once, for all of the handler.
func ExampleRetryIf() {
	var tasks stem.Registry
	def := number(&tasks, func(context.Context, int) (int, error) { return 0, fmt.Errorf("pay: %w", errRefused) })
	err := tasks.Configure(def, stem.RetryIf(func(err error) bool { return !errors.Is(err, errRefused) }))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	job, _ := def.Enqueue(ctx, 1)
	_, err = job.Wait(ctx)
	var failed *stem.TaskError
	fmt.Println(errors.As(err, &failed), failed.Attempt, failed.Failure.Message)
	// Output: true 1 pay: the card was refused
}

// A policy knows the error, and can wait for as long as that says.
func ExampleRetryWith() {
	var tasks stem.Registry
	errBusy := errors.New("busy")
	def := stem.DefineNoArgs(stem.TaskSpec{Name: "sync"}, stem.NoneCodec())
	run := func(context.Context) (stem.None, error) { return stem.None{}, errBusy }
	policy := func(run stem.FailedRun) (time.Duration, bool) {
		if errors.Is(run.Err, errBusy) {
			return 10 * time.Millisecond, run.Attempt < 3
		}
		return run.Backoff, true
	}
	if err := stem.HandleNoArgs(&tasks, def, run, stem.RetryWith(policy)); err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	job, _ := def.Enqueue(ctx, stem.MaxRetries(100))
	_, err := job.Wait(ctx)
	var failed *stem.TaskError
	fmt.Println(errors.As(err, &failed), failed.Attempt)
	// Output: true 3
}

// A report that is an hour late is of no use: no retry is made after that.
func ExampleRetryFor() {
	var tasks stem.Registry
	def := number(&tasks, func(context.Context, int) (int, error) { return 0, errors.New("no connection") },
		stem.MaxRetries(1000), stem.Backoff(stem.FixedBackoff(2*time.Hour)))
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	job, _ := def.Enqueue(ctx, 1, stem.RetryFor(time.Hour))
	_, err := job.Wait(ctx)
	var failed *stem.TaskError
	fmt.Println(errors.As(err, &failed), failed.Attempt)
	// Output: true 1
}

// An operator sets defaults, a program says that it listens.
func ExampleDefaultsFromEnv() {
	environ := []string{"STEM_DEFAULT_MAX_RETRIES=10", "STEM_DEFAULT_BACKOFF=exp(1s,10m)"} // os.Environ()
	defaults, err := stem.DefaultsFromEnv(environ)
	if err != nil {
		fmt.Println(err)
		return
	}
	cfg := stem.ClientConfig{Defaults: defaults}
	fmt.Println(len(cfg.Defaults))

	_, err = stem.DefaultsFromEnv([]string{"STEM_DEFAULT_TIMEOUT=30"})
	fmt.Println(err)
	// Output:
	// 2
	// stem: STEM_DEFAULT_TIMEOUT "30": want a duration such as 30s, or 0 for none
}
