package cli_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/reflectcodec"
)

// shop is the program whose tasks the scripts operate: "shop fill" leaves tasks in every state behind, and "shop work" is a worker of them.
func shop() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := runShop(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

func runShop(ctx context.Context, args []string) error {
	cfg, err := adapters.FromEnv(os.Environ())
	if err != nil {
		return err
	}
	cfg.Log = slog.New(slog.DiscardHandler)
	stores, err := cfg.Open(ctx)
	if err != nil {
		return err
	}
	defer stores.Close()
	client, err := stem.NewClient(stores.Broker, cfg.ClientConfig(stores))
	if err != nil {
		return err
	}
	worker := cfg.WorkerConfig()
	worker.Name = "shop-1"
	ctx = stem.WithClient(ctx, client)
	switch args[0] {
	case "fill":
		return fill(ctx, client, worker)
	case "enqueue":
		return enqueue(ctx, args[1], args[2])
	case "limited":
		_, err := send.Enqueue(ctx, letter{}, stem.WithID("limited-1"), stem.OnQueue("mail"), stem.RateLimit(5, time.Minute), stem.Concurrency(2))
		return err
	case "work":
		return work(ctx, client, worker)
	}
	return fmt.Errorf("no %v", args)
}

// letter is the args of all tasks here.
type letter struct {
	To    string
	Token string
}

// errHostile is what a task has said that wants to be on the operator's terminal.
var errHostile = errors.New("no such address \x1b[31mred\x1b[0m\u202e\nstem: all is well")

var (
	send  = define("mail.send")
	flaky = define("mail.flaky")
	fails = define("mail.fails")
	hangs = define("mail.hangs")
	other = define("other.task")
)

func define(name string) *stem.TaskDefinition[letter, string] {
	return stem.Define(stem.TaskSpec{Name: name}, reflectcodec.Of[letter](), reflectcodec.Of[string]())
}

func work(ctx context.Context, client *stem.Client, cfg stem.WorkerConfig) error {
	var tasks stem.Registry
	handle := func(d *stem.TaskDefinition[letter, string], fn func(ctx context.Context) error) error {
		return stem.Handle(&tasks, d, func(ctx context.Context, l letter) (string, error) { return "sent to " + l.To, fn(ctx) })
	}
	err := errors.Join(
		handle(send, func(context.Context) error { return nil }),
		handle(flaky, func(context.Context) error { return errors.New("try later") }),
		handle(fails, func(context.Context) error { return stem.Permanent(errHostile) }),
		handle(hangs, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }),
	)
	if err != nil {
		return err
	}
	worker, err := stem.NewWorker(client, &tasks, cfg)
	if err != nil {
		return err
	}
	return worker.Run(ctx)
}

// enqueue enqueues one task under an id.
func enqueue(ctx context.Context, task, id string) error {
	for _, d := range []*stem.TaskDefinition[letter, string]{send, flaky, fails, hangs, other} {
		if d.Name() == task {
			_, err := d.Enqueue(ctx, letter{To: "ann@example.com", Token: "s3cr3t"}, stem.WithID(id), stem.OnQueue("mail"))
			return err
		}
	}
	return fmt.Errorf("no task %s", task)
}

// fill leaves behind: two tasks that are ready, one that is delayed, one that is retrying, one that no worker knows, three dead
// letters, and a worker that has stopped.
func fill(ctx context.Context, client *stem.Client, cfg stem.WorkerConfig) error {
	to := letter{To: "ann@example.com", Token: "s3cr3t"}
	for _, task := range []struct {
		d  *stem.TaskDefinition[letter, string]
		id string
	}{{flaky, "flaky-1"}, {fails, "failed-1"}, {fails, "failed-2"}, {fails, "failed-3"}, {other, "foreign-1"}} {
		_, err := task.d.Enqueue(ctx, to, stem.WithID(task.id), stem.OnQueue("mail"), stem.Backoff(stem.FixedBackoff(time.Hour)))
		if err != nil {
			return err
		}
	}
	cfg.Queues, cfg.Slots, cfg.StopAfterIdle = []string{"mail"}, 1, 100*time.Millisecond
	if err := work(ctx, client, cfg); err != nil {
		return err
	}
	for id, opts := range map[string][]stem.Option{
		"ready-1": {stem.Priority(5)}, "ready-2": nil, "later-1": {stem.Delay(2 * time.Hour)},
	} {
		if _, err := send.Enqueue(ctx, to, append(opts, stem.WithID(id), stem.OnQueue("mail"))...); err != nil {
			return err
		}
	}
	return nil
}
