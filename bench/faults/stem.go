package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	stempostgres "github.com/gostem/gostem/adapters/postgres"
	stemredis "github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/ops"
)

// text is the codec of args and results.
var text = codec.Codec[string]{
	Append: func(b []byte, v *string) ([]byte, error) { return codec.AppendString(b, *v), nil },
	Read:   func(r *codec.Reader, v *string) { *v = r.Str() },
}

var definition = stem.Define(stem.TaskSpec{Name: taskName}, text, text)

// quiet is a log of nothing: what goes wrong is meant to.
var quiet = slog.New(slog.DiscardHandler)

// stemStore is what Stem's stores have.
type stemStore interface {
	stem.Broker
	stem.Backend
	stem.QueueCounter
	Close() error
}

// stemSystem is Stem with its defaults.
type stemSystem struct {
	store    stemStore
	client   *stem.Client
	operator *ops.Service
}

func openStemRedis(ctx context.Context, url string) (system, error) {
	store, err := stemredis.Open(ctx, url, stemredis.Config{Logger: quiet})
	if err != nil {
		return nil, err
	}
	return newStem(store)
}

func openStemPostgres(ctx context.Context, url string) (system, error) {
	store, err := stempostgres.Open(ctx, url, stempostgres.Config{Logger: quiet})
	if err != nil {
		return nil, err
	}
	return newStem(store)
}

func newStem(store stemStore) (system, error) {
	client, err := stem.NewClient(store, stem.ClientConfig{Logger: quiet})
	if err != nil {
		return nil, err
	}
	operator, err := ops.New(ops.Stores{Broker: store, Backend: store}, ops.Config{})
	return &stemSystem{store, client, operator}, err
}

func (s *stemSystem) Enqueue(ctx context.Context, t task) error {
	args, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = definition.Via(s.client).Enqueue(ctx, string(args), stem.WithID(t.ID))
	return err
}

func (s *stemSystem) Work(ctx context.Context, run func(task)) error {
	var tasks stem.Registry
	err := stem.Handle(&tasks, definition, func(_ context.Context, args string) (string, error) {
		var t task
		if err := json.Unmarshal([]byte(args), &t); err != nil {
			return "", stem.Permanent(err)
		}
		run(t)
		return "", nil
	})
	if err != nil {
		return err
	}
	worker, err := stem.NewWorker(s.client, &tasks, stem.WorkerConfig{Slots: slots})
	if err != nil {
		return err
	}
	return worker.Run(ctx)
}

func (s *stemSystem) Running(ctx context.Context) (int, error) {
	counts, err := s.store.CountQueue(ctx, stem.DefaultQueue)
	return counts.Running, err
}

func (s *stemSystem) Keeps(ctx context.Context, id string) (bool, error) {
	d, err := s.operator.Task(ctx, stem.DefaultQueue, id)
	var missing *ops.NotFoundError
	if errors.As(err, &missing) {
		return false, nil
	}
	return d.Task != nil || d.Dead != nil, err
}

func (s *stemSystem) Close() { _ = s.store.Close() }
