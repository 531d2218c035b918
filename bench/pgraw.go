package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// rawPGSystem is a hand-written loop over a table, with nothing of a framework: INSERT one at a time, claims of
// 256 by UPDATE under SKIP LOCKED, done tasks deleted by the batch. It fences nothing and stores no results.
type rawPGSystem struct {
	clients *pgxpool.Pool // they enqueue
	workers *pgxpool.Pool // they claim and settle
	loop    loop[claimed]
}

// claimed is a task that has been claimed.
type claimed struct {
	id    int64
	lease int32
	due   time.Time
	n     int32
}

// rawTables are those of both hand-written loops. A task has state 1 while it runs; its lease rises by each claim.
const rawTables = `
CREATE TABLE IF NOT EXISTS raw_task (
	id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	due     timestamptz NOT NULL DEFAULT clock_timestamp(),
	lease   int NOT NULL DEFAULT 0,
	state   smallint NOT NULL DEFAULT 0,
	payload bytea NOT NULL
);
CREATE INDEX IF NOT EXISTS raw_task_claim ON raw_task (due, id) WHERE state = 0;
CREATE TABLE IF NOT EXISTS raw_result (
	id    bigint PRIMARY KEY,
	at    timestamptz NOT NULL DEFAULT now(),
	value bytea NOT NULL
)`

func newRawPG(ctx context.Context, url string) (*rawPGSystem, error) {
	clients, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	workers, err := rawWorkers(ctx, url, "on")
	if err != nil {
		return nil, err
	}
	r := &rawPGSystem{clients: clients, workers: workers}
	r.loop = loop[claimed]{r.fetch, r.remove}
	_, err = clients.Exec(ctx, rawTables)
	return r, err
}

// rawWorkers are connections on which the server walks indexes, whatever it believes to know of a table that
// has been filled since it last looked: it would sort all that waits for each claim.
func rawWorkers(ctx context.Context, url, synchronousCommit string) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	cfg.ConnConfig.RuntimeParams["synchronous_commit"] = synchronousCommit
	for _, plan := range []string{"seqscan", "bitmapscan", "sort", "hashjoin", "mergejoin"} {
		cfg.ConnConfig.RuntimeParams["enable_"+plan] = "off"
	}
	return pgxpool.NewWithConfig(ctx, cfg)
}

func (r *rawPGSystem) Enqueue(ctx context.Context, n int32) error {
	_, err := r.clients.Exec(ctx, "INSERT INTO raw_task (payload) VALUES ($1)", payload(n))
	return err
}

func (r *rawPGSystem) EnqueueMany(ctx context.Context, from, to int32, due time.Time) error {
	if due.IsZero() {
		due = time.Now()
	}
	rows := pgx.CopyFromSlice(int(to-from), func(i int) ([]any, error) {
		return []any{due, payload(from + int32(i))}, nil
	})
	_, err := r.clients.CopyFrom(ctx, pgx.Identifier{"raw_task"}, []string{"due", "payload"}, rows)
	return err
}

func (r *rawPGSystem) Work(ctx context.Context, _ []string, slots int, ran func(int32)) error {
	return r.loop.work(ctx, slots, func(t claimed) { ran(t.n) })
}

// rawClaim takes the tasks that have been due for longest.
const rawClaim = `
UPDATE raw_task SET state = 1, lease = lease + 1 WHERE id = ANY (ARRAY (
	SELECT id FROM raw_task WHERE state = 0 AND due <= now()
	ORDER BY due, id LIMIT 256 FOR UPDATE SKIP LOCKED))
RETURNING id, lease, due, payload`

func (r *rawPGSystem) fetch(ctx context.Context, tasks chan<- claimed) error {
	return fetchPG(ctx, tasks, func() ([]claimed, error) { return r.claim(ctx, rawClaim) })
}

// fetchPG claims as fast as tasks are taken, and half a millisecond after it has found none.
func fetchPG(ctx context.Context, tasks chan<- claimed, claim func() ([]claimed, error)) error {
	for {
		batch, err := claim()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case len(batch) == 0:
			time.Sleep(time.Millisecond / 2)
		}
		for _, t := range batch {
			tasks <- t
		}
	}
}

func (r *rawPGSystem) claim(ctx context.Context, statement string, args ...any) ([]claimed, error) {
	rows, err := r.workers.Query(ctx, statement, args...)
	if err != nil {
		return nil, err
	}
	var batch []claimed
	var t claimed
	var p pgtype.DriverBytes // valid until the next row
	_, err = pgx.ForEachRow(rows, []any{&t.id, &t.lease, &t.due, &p}, func() error {
		t.n = number(p)
		batch = append(batch, t)
		return nil
	})
	return batch, err
}

// Claim claims once.
func (r *rawPGSystem) Claim(ctx context.Context) (int, func(context.Context) error, error) {
	batch, err := r.claim(ctx, rawClaim)
	return len(batch), func(ctx context.Context) error { return r.remove(ctx, batch) }, err
}

func (r *rawPGSystem) remove(ctx context.Context, done []claimed) error {
	ids := make([]int64, len(done))
	for i, t := range done {
		ids[i] = t.id
	}
	_, err := r.workers.Exec(ctx, "DELETE FROM raw_task WHERE id = ANY ($1)", ids)
	return err
}

func (r *rawPGSystem) Left(ctx context.Context) (left int64, err error) {
	err = r.workers.QueryRow(ctx, "SELECT count(*) FROM (SELECT FROM raw_task LIMIT 1) AS rest").Scan(&left)
	return left, err
}
