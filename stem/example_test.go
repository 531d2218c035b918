package stem_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/examples/typed_tasks/hello"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/reflectcodec"
)

// start runs a worker of the registry on a new store, until stop is called.
// Programs write these lines once, in main.
func start(r *stem.Registry, cfg stem.WorkerConfig) (ctx context.Context, stop func()) {
	quiet := slog.New(slog.DiscardHandler)
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{Logger: quiet})
	if err != nil {
		panic(err)
	}
	worker, err := stem.NewWorker(client, r, cfg)
	if err != nil {
		panic(err)
	}
	working, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = worker.Run(working) })
	return stem.WithClient(context.Background(), client), func() { cancel(); running.Wait() }
}

// A definition can be written by hand; stemgen writes the same for functions
// marked //stem:task, with a faster codec.
func ExampleDefine() {
	type Args struct{ Words []string }
	join := stem.Define(stem.TaskSpec{Name: "text.join"}, reflectcodec.Of[Args](), reflectcodec.Of[string]())

	var tasks stem.Registry
	err := stem.Handle(&tasks, join, func(_ context.Context, args Args) (string, error) {
		return strings.Join(args.Words, " "), nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	job, err := join.Enqueue(ctx, Args{Words: []string{"typed", "at", "both", "ends"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(job.Wait(ctx))
	// Output: typed at both ends <nil>
}

// A package's generated Tasks tells what there is, for a list, a form or a document.
func ExampleTaskSpec() {
	for _, task := range hello.Tasks() {
		spec := task.Spec()
		fmt.Println(spec.Name, "at", spec.Source)
		fmt.Println(spec.Description)
		var schema struct {
			Definitions map[string]struct {
				Description string
				Properties  map[string]struct{ Type string }
			} `json:"$defs"`
		}
		if err := json.Unmarshal([]byte(spec.Schema.Args), &schema); err != nil {
			fmt.Println(err)
		}
		for name, d := range schema.Definitions {
			fmt.Println(name, d.Properties, d.Description)
		}
		fmt.Println(spec.Schema.Result)
	}
	// Output:
	// demo.hello at hello.go:14
	// hello greets someone.
	// HelloArgs map[Name:{string}] HelloArgs says whom to greet.
	// {"$schema":"https://json-schema.org/draft/2020-12/schema","type":"string"}
}

// number is a task that the other examples share: it gives back its args.
func number(tasks *stem.Registry, fn func(context.Context, int) (int, error), opts ...stem.Option) *stem.TaskDefinition[int, int] {
	def := stem.Define(stem.TaskSpec{Name: "number", Options: opts}, reflectcodec.Of[int](), reflectcodec.Of[int]())
	if err := stem.Handle(tasks, def, fn); err != nil {
		panic(err)
	}
	return def
}

func same(_ context.Context, n int) (int, error) { return n, nil }

// What a task's definition decides can be shown before anything is enqueued.
func ExampleTaskSpec_Envelope() {
	var tasks stem.Registry
	number(&tasks, same, stem.OnQueue("sums"), stem.Priority(5), stem.Timeout(time.Minute))
	for _, spec := range tasks.Tasks() {
		e, err := spec.Envelope()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(e.Task, e.Queue, e.Priority, e.MaxRetries, e.Timeout, e.KeepResult)
	}
	// Output: number sums 5 3 1m0s 24h0m0s
}

// A task that got another name runs what waits under the old one.
func ExampleTaskSpec_aliases() {
	old := stem.Define(stem.TaskSpec{Name: "greet"}, reflectcodec.Of[string](), reflectcodec.Of[string]())
	hello := stem.Define(stem.TaskSpec{Name: "hello", Aliases: []string{"greet"}}, reflectcodec.Of[string](), reflectcodec.Of[string]())

	var tasks stem.Registry
	err := stem.Handle(&tasks, hello, func(_ context.Context, name string) (string, error) { return "hello " + name, nil })
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	job, err := old.Enqueue(ctx, "Ada")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(job.Wait(ctx))
	// Output: hello Ada <nil>
}

// One call enqueues many tasks, in as few round trips as the store allows.
func ExampleTaskDefinition_EnqueueMany() {
	var tasks stem.Registry
	def := number(&tasks, same)
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	jobs, err := def.EnqueueMany(ctx, []int{1, 2, 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, job := range jobs {
		fmt.Println(job.Wait(ctx))
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
}

// The same key within the dedupe window is the same task.
func ExampleIdempotencyKey() {
	var tasks stem.Registry
	def := number(&tasks, same)
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	first, _ := def.Enqueue(ctx, 1, stem.IdempotencyKey("order-7"))
	second, _ := def.Enqueue(ctx, 2, stem.IdempotencyKey("order-7"))
	fmt.Println(first.Duplicate(), second.Duplicate(), first.ID() == second.ID())
	fmt.Println(second.Wait(ctx))
	// Output:
	// false true true
	// 1 <nil>
}

// A handler says by its error what comes next.
func ExamplePermanent() {
	var tasks stem.Registry
	def := number(&tasks, func(ctx context.Context, n int) (int, error) {
		info, _ := stem.Info(ctx)
		switch {
		case n < 0:
			return 0, stem.Permanent(errors.New("negative numbers never work"))
		case info.Snoozes == 0:
			return 0, stem.Snooze(time.Millisecond) // not ready yet; costs no attempt
		case info.Attempt == 1:
			return 0, stem.RetryAfter(time.Millisecond, errors.New("try again soon"))
		}
		return info.Attempt, nil
	})
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	good, _ := def.Enqueue(ctx, 1)
	fmt.Println(good.Wait(ctx))

	bad, _ := def.Enqueue(ctx, -1)
	_, err := bad.Wait(ctx)
	var failed *stem.TaskError
	fmt.Println(errors.As(err, &failed), failed.Failure.Message)
	// Output:
	// 2 <nil>
	// true negative numbers never work
}

// A handler can see what went before its run.
func ExampleTaskInfo() {
	var tasks stem.Registry
	def := number(&tasks, func(ctx context.Context, n int) (int, error) {
		info, _ := stem.Info(ctx)
		for _, before := range info.History {
			fmt.Println("attempt", before.Attempt, "failed:", before.Message)
		}
		if info.Attempt == 1 {
			return 0, errors.New("no connection")
		}
		return n, nil
	}, stem.Backoff(stem.FixedBackoff(time.Millisecond)))
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	job, _ := def.Enqueue(ctx, 1)
	fmt.Println(job.Wait(ctx))
	// Output:
	// attempt 1 failed: no connection
	// 1 <nil>
}

// A handler's tasks are children of the task that it runs.
func ExampleInfo() {
	var tasks stem.Registry
	var def *stem.TaskDefinition[int, int]
	def = number(&tasks, func(ctx context.Context, n int) (int, error) {
		info, _ := stem.Info(ctx)
		if info.Parent != "" {
			return n, nil
		}
		child, err := def.Enqueue(ctx, n+1) // the worker's client is in the context
		if err != nil {
			return 0, err
		}
		return child.Wait(ctx)
	})
	ctx, stop := start(&tasks, stem.WorkerConfig{})
	defer stop()

	job, _ := def.Enqueue(ctx, 1)
	fmt.Println(job.Wait(ctx))
	// Output: 2 <nil>
}

// Middleware wraps all handlers of a worker.
func ExampleMiddleware() {
	var tasks stem.Registry
	def := number(&tasks, same)
	measure := func(next stem.Handler) stem.Handler {
		return func(ctx context.Context, d *stem.Delivery) ([]byte, error) {
			result, err := next(ctx, d)
			fmt.Println(d.Task, "gave", len(result), "byte")
			return result, err
		}
	}
	ctx, stop := start(&tasks, stem.WorkerConfig{Middleware: []stem.Middleware{measure}})
	defer stop()

	job, _ := def.Enqueue(ctx, 7)
	fmt.Println(job.Wait(ctx))
	// Output:
	// number gave 1 byte
	// 7 <nil>
}

// An observer is told of every step of a task.
func ExampleObserver() {
	var tasks stem.Registry
	def := number(&tasks, same)
	ended := make(chan string, 1)
	watch := stem.ObserverFunc(func(_ context.Context, e stem.Event) {
		if e, ok := e.(stem.TaskSucceeded); ok {
			ended <- e.Task
		}
	})
	ctx, stop := start(&tasks, stem.WorkerConfig{Observer: watch})
	defer stop()

	if _, err := def.Enqueue(ctx, 7); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-ended, "succeeded")
	// Output: number succeeded
}
