package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// fencedPGSystem is rawPGSystem with what Stem promises: a task is deleted only while its lease is that of the claim,
// and the same statement stores its result. Enqueues are gathered. Workers let the server commit
// later: what a crash takes from them runs again. Claims begin where the last one ended, and twice a second 2 s
// before that, so that dead rows are not stepped over again and again. It is the limit of Stem's design.
type fencedPGSystem struct {
	*rawPGSystem
	enqueues *gather[[]byte]
	waits    sync.Pool
	bound    claimed   // what was due last of all that have been claimed
	back     time.Time // when the bound went back
}

func newFencedPG(ctx context.Context, url string) (*fencedPGSystem, error) {
	r, err := newRawPG(ctx, url)
	if err != nil {
		return nil, err
	}
	r.workers.Close()
	if r.workers, err = rawWorkers(ctx, url, "off"); err != nil {
		return nil, err
	}
	f := &fencedPGSystem{rawPGSystem: r}
	r.loop = loop[claimed]{f.fetch, f.settle}
	f.waits.New = func() any { return make(chan error, 1) }
	f.enqueues = newGather(1000, func(payloads [][]byte) error {
		_, err := f.clients.Exec(context.Background(), "INSERT INTO raw_task (payload) SELECT unnest($1::bytea[])", payloads)
		return err
	})
	return f, nil
}

func (f *fencedPGSystem) Enqueue(_ context.Context, n int32) error {
	done := f.waits.Get().(chan error)
	defer f.waits.Put(done)
	f.enqueues.in <- parcel[[]byte]{payload(n), done}
	return <-done
}

// fencedClaim is rawClaim behind a bound. $1: due, $2: id.
const fencedClaim = `
UPDATE raw_task SET state = 1, lease = lease + 1 WHERE id = ANY (ARRAY (
	SELECT id FROM raw_task WHERE state = 0 AND due <= now() AND (due, id) > ($1, $2)
	ORDER BY due, id LIMIT 256 FOR UPDATE SKIP LOCKED))
RETURNING id, lease, due, payload`

func (f *fencedPGSystem) fetch(ctx context.Context, tasks chan<- claimed) error {
	return fetchPG(ctx, tasks, func() ([]claimed, error) { return f.claimNext(ctx) })
}

func (f *fencedPGSystem) claimNext(ctx context.Context) ([]claimed, error) {
	if time.Since(f.back) > time.Second/2 {
		f.bound.due, f.back = f.bound.due.Add(-2*time.Second), time.Now()
	}
	batch, err := f.claim(ctx, fencedClaim, f.bound.due, f.bound.id)
	for _, t := range batch {
		if c := t.due.Compare(f.bound.due); c > 0 || c == 0 && t.id > f.bound.id {
			f.bound = t
		}
	}
	return batch, err
}

// Claim claims once.
func (f *fencedPGSystem) Claim(ctx context.Context) (int, func(context.Context) error, error) {
	batch, err := f.claimNext(ctx)
	return len(batch), func(ctx context.Context) error { return f.settle(ctx, batch) }, err
}

// fencedSettle deletes tasks whose lease is still that of their claim, and stores their results.
// $1: ids, $2: leases, $3: results.
const fencedSettle = `
WITH done AS (
	DELETE FROM raw_task AS t USING unnest($1::bigint[], $2::int[], $3::bytea[]) AS d (id, lease, value)
	WHERE t.id = d.id AND t.lease = d.lease
	RETURNING t.id, d.value)
INSERT INTO raw_result (id, value) SELECT id, value FROM done`

func (f *fencedPGSystem) settle(ctx context.Context, done []claimed) error {
	ids, leases, results := make([]int64, len(done)), make([]int32, len(done)), make([][]byte, len(done))
	for i, t := range done {
		ids[i], leases[i], results[i] = t.id, t.lease, []byte{0xd2, byte(t.n >> 24), byte(t.n >> 16), byte(t.n >> 8), byte(t.n)}
	}
	tag, err := f.workers.Exec(ctx, fencedSettle, ids, leases, results)
	if n := tag.RowsAffected(); err == nil && n != int64(len(done)) {
		err = fmt.Errorf("%d of %d were settled", n, len(done))
	}
	return err
}
