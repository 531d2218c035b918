package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// riverSystem is River as its README shows it.
type riverSystem struct {
	pool   *pgxpool.Pool
	config river.Config
	client *river.Client[pgx.Tx] // which only inserts
}

// riverArgs travel as JSON.
type riverArgs struct {
	N    int32  `json:"n"`
	Text string `json:"text"`
}

// Kind names the task.
func (riverArgs) Kind() string { return "bench.run" }

const riverBeside = len(`{"n":1048576,"text":""}`)

// newRiver connects River with its defaults, or tuned: fetching as often as it can (its own benchmark says 2 ms) and
// polling as often as its own benchmark does.
func newRiver(ctx context.Context, url string, tuned bool) (*riverSystem, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	r := &riverSystem{pool: pool, config: river.Config{Logger: slog.New(slog.DiscardHandler)}}
	if tuned {
		r.config.FetchCooldown, r.config.FetchPollInterval = river.FetchCooldownMin, 20*time.Millisecond
	}
	r.client, err = river.NewClient(riverpgxv5.New(pool), &r.config)
	return r, err
}

func (r *riverSystem) Enqueue(ctx context.Context, n int32) error {
	_, err := r.client.Insert(ctx, riverArgs{n, filler(n, riverBeside)}, nil)
	return err
}

func (r *riverSystem) EnqueueMany(ctx context.Context, from, to int32, due time.Time) error {
	jobs := make([]river.InsertManyParams, 0, to-from)
	var options *river.InsertOpts
	if !due.IsZero() {
		options = &river.InsertOpts{ScheduledAt: due}
	}
	for n := from; n < to; n++ {
		jobs = append(jobs, river.InsertManyParams{Args: riverArgs{n, filler(n, riverBeside)}, InsertOpts: options})
	}
	_, err := r.client.InsertManyFast(ctx, jobs)
	return err
}

func (r *riverSystem) Work(ctx context.Context, queues []string, slots int, ran func(int32)) error {
	if slots == 0 {
		slots = 100 // as its README has it; there is no default
	}
	if queues == nil {
		queues = []string{river.QueueDefault}
	}
	config := r.config
	config.Queues = make(map[string]river.QueueConfig)
	for _, queue := range queues {
		config.Queues[queue] = river.QueueConfig{MaxWorkers: slots}
	}
	config.Workers = river.NewWorkers()
	river.AddWorker(config.Workers, river.WorkFunc(func(_ context.Context, job *river.Job[riverArgs]) error {
		ran(job.Args.N)
		return nil
	}))
	client, err := river.NewClient(riverpgxv5.New(r.pool), &config)
	if err != nil {
		return err
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	<-ctx.Done()
	return client.Stop(context.WithoutCancel(ctx))
}

func (r *riverSystem) Left(ctx context.Context) (left int64, err error) {
	err = r.pool.QueryRow(ctx, `SELECT count(*) FROM (
		SELECT FROM river_job WHERE state IN ('available', 'scheduled', 'running') LIMIT 1) AS rest`).Scan(&left)
	return left, err
}
