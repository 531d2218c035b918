package main

import (
	"context"
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

func openRiver(ctx context.Context, url string) (system, error) {
	return newRiver(ctx, url, river.Config{})
}

// openRiverQuick takes a job for stuck after 10 s, which must be more than any job takes. How often they are looked for is no setting.
func openRiverQuick(ctx context.Context, url string) (system, error) {
	return newRiver(ctx, url, river.Config{JobTimeout: 5 * time.Second, RescueStuckJobsAfter: 10 * time.Second})
}

func newRiver(ctx context.Context, url string, config river.Config) (system, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	config.Logger = quiet
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: config.Logger})
	if err != nil {
		return nil, err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, err
	}
	client, err := river.NewClient(riverpgxv5.New(pool), &config)
	return &riverSystem{pool, config, client}, err
}

// Enqueue repeats an insertion as River's documentation has it, by unique args.
func (r *riverSystem) Enqueue(ctx context.Context, t task) error {
	_, err := r.client.Insert(ctx, t, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true}})
	return err
}

func (r *riverSystem) Work(ctx context.Context, run func(task)) error {
	config := r.config
	config.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: slots}}
	config.Workers = river.NewWorkers()
	river.AddWorker(config.Workers, river.WorkFunc(func(_ context.Context, job *river.Job[task]) error {
		run(job.Args)
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

func (r *riverSystem) Running(ctx context.Context) (n int, err error) {
	err = r.pool.QueryRow(ctx, `SELECT count(*) FROM river_job WHERE state = 'running'`).Scan(&n)
	return n, err
}

func (r *riverSystem) Keeps(ctx context.Context, id string) (kept bool, err error) {
	err = r.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM river_job WHERE args->>'id' = $1 AND state <> 'completed')`, id).Scan(&kept)
	return kept, err
}

func (r *riverSystem) Close() { r.pool.Close() }
