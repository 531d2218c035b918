package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	stempostgres "github.com/gostem/gostem/adapters/postgres"
	stemredis "github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/bench/task"
	"github.com/gostem/gostem/stem"
)

// stemSystem is Stem as its README shows it.
type stemSystem struct {
	client  *stem.Client
	task    *stem.TaskDefinition[task.Args, int32]
	broker  stem.Broker
	session stem.Session // of claims that no worker makes
}

// newStemRedis brings a client such as that of stemredis.Open, whose trips could not be counted.
func newStemRedis(ctx context.Context, addr string, ignoreResult bool, t *trips) (*stemSystem, error) {
	client := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, ContextTimeoutEnabled: true})
	client.AddHook(t)
	store, err := stemredis.New(ctx, client, stemredis.Config{})
	if err != nil {
		return nil, err
	}
	return newStem(store, ignoreResult)
}

func newStemPostgres(ctx context.Context, url string, ignoreResult bool) (*stemSystem, error) {
	store, err := stempostgres.Open(ctx, url, stempostgres.Config{})
	if err != nil {
		return nil, err
	}
	return newStem(store, ignoreResult)
}

func newStem(store stem.Broker, ignoreResult bool) (*stemSystem, error) {
	var cfg stem.ClientConfig
	if ignoreResult {
		cfg.Defaults = []stem.Option{stem.IgnoreResult()}
	}
	c, err := stem.NewClient(store, cfg)
	if err != nil {
		return nil, err
	}
	session := stem.Session{ID: fmt.Sprint("bench-", os.Getpid()), Lease: time.Hour}
	return &stemSystem{c, task.HandlerRunTask.Via(c), store, session}, nil
}

// stemBeside is what the map, its keys, the number and the length of the text take.
const stemBeside = 15

func (s *stemSystem) Enqueue(ctx context.Context, n int32) error {
	_, err := s.task.Enqueue(ctx, task.Args{N: n, Text: filler(n, stemBeside)})
	return err
}

func (s *stemSystem) EnqueueMany(ctx context.Context, from, to int32, due time.Time) error {
	args := make([]task.Args, 0, to-from)
	for n := from; n < to; n++ {
		args = append(args, task.Args{N: n, Text: filler(n, stemBeside)})
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

// Claim receives once.
func (s *stemSystem) Claim(ctx context.Context) (int, func(context.Context) error, error) {
	lent, err := s.broker.Receive(ctx, stem.ReceiveRequest{Session: s.session, Queues: []string{stem.DefaultQueue}, Max: fetched})
	return len(lent), func(ctx context.Context) error {
		done := make([]stem.Settlement, 0, len(lent))
		for _, d := range lent {
			done = append(done, stem.Settlement{Delivery: d, Verdict: stem.VerdictAck})
		}
		return s.broker.Settle(ctx, done...)
	}, err
}

func (s *stemSystem) Left(ctx context.Context) (int64, error) {
	counter, ok := stem.As[stem.QueueCounter](s.broker)
	if !ok {
		return 0, errors.New("the store does not count")
	}
	counts, err := counter.CountQueue(ctx, stem.DefaultQueue)
	return int64(counts.Ready + counts.Delayed + counts.Running), err
}
