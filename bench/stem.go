package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	stemredis "github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/bench/task"
	"github.com/gostem/gostem/stem"
)

// stemSystem is Stem as its README shows it.
type stemSystem struct {
	client *stem.Client
	task   *stem.TaskDefinition[task.Args, int32]
	store  *stemredis.Store
}

func newStem(ctx context.Context, addr string, ignoreResult bool, t *trips) (*stemSystem, error) {
	quiet := slog.New(slog.DiscardHandler)
	// The client is that of stemredis.Open, whose trips could not be counted.
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, ContextTimeoutEnabled: true})
	client.AddHook(t)
	store, err := stemredis.New(ctx, client, stemredis.Config{Logger: quiet})
	if err != nil {
		return nil, err
	}
	cfg := stem.ClientConfig{Logger: quiet}
	if ignoreResult {
		cfg.Defaults = []stem.Option{stem.IgnoreResult()}
	}
	c, err := stem.NewClient(store, cfg)
	if err != nil {
		return nil, err
	}
	return &stemSystem{c, task.HandlerRunTask.Via(c), store}, nil
}

func (s *stemSystem) Enqueue(ctx context.Context, n int32) error {
	_, err := s.task.Enqueue(ctx, task.Args{N: n, Text: filler})
	return err
}

func (s *stemSystem) EnqueueMany(ctx context.Context, from, to int32, due time.Time) error {
	args := make([]task.Args, 0, to-from)
	for n := from; n < to; n++ {
		args = append(args, task.Args{N: n, Text: filler})
	}
	var options []stem.Option
	if !due.IsZero() {
		options = append(options, stem.At(due))
	}
	_, err := s.task.EnqueueMany(ctx, args, options...)
	return err
}

func (s *stemSystem) Work(ctx context.Context, queues []string, slots int, ran func(int32)) error {
	var tasks stem.Registry
	if err := task.RegisterHandler(&tasks, &task.Handler{Ran: ran}); err != nil {
		return err
	}
	worker, err := stem.NewWorker(s.client, &tasks, stem.WorkerConfig{Queues: queues, Slots: slots})
	if err != nil {
		return err
	}
	return worker.Run(ctx)
}

func (s *stemSystem) Left(ctx context.Context) (int64, error) {
	counts, err := s.store.CountQueue(ctx, stem.DefaultQueue)
	return int64(counts.Ready + counts.Delayed + counts.Running), err
}
