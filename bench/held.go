package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// held tells how quick a system is on Postgres while a transaction stays open, such as a backup's: what is deleted or
// replaced meanwhile stays in tables and indexes. It fills and drains in turns, and counts what is drained.
func held(ctx context.Context, b *bench) (figures, error) {
	turns := newTurns(ctx, b)
	before, err := turns.take(ctx, func(n int) bool { return n < 3 })
	if err != nil {
		return figures{}, err
	}
	hold, err := pgx.Connect(ctx, b.Addr)
	if err != nil {
		return figures{}, err
	}
	defer hold.Close(ctx)
	if _, err := hold.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT txid_current()"); err != nil {
		return figures{}, err
	}
	until := time.Now().Add(40 * b.For)
	during, err := turns.take(ctx, func(n int) bool { return n < 3 || time.Now().Before(until) })
	if err != nil {
		return figures{}, err
	}
	unheld, first, last := turns.rate(before), turns.rate(during[:3]), turns.rate(during[len(during)-3:])
	return figures{Tasks: turns.size * int64(len(during)), Rate: last, AtFirst: first, Kept: last / unheld}, nil
}

// turns fills and drains: handlers stand still while it fills.
type turns struct {
	*bench
	size  int64
	count atomic.Int64
	done  chan struct{}
	gate  sync.RWMutex // closed while it is locked
	ended <-chan error
}

func newTurns(ctx context.Context, b *bench) *turns {
	t := &turns{bench: b, size: b.prepared(100) / 5, done: make(chan struct{})}
	t.gate.Lock()
	t.ended = b.work(ctx, nil, 100, func(int32) {
		t.gate.RLock()
		defer t.gate.RUnlock()
		if t.count.Add(1)%t.size == 0 {
			t.done <- struct{}{}
		}
	})
	return t
}

// rate is that of some turns together: a slow one is not lost among quick ones.
func (t *turns) rate(took []time.Duration) float64 {
	var sum time.Duration
	for _, d := range took {
		sum += d
	}
	return float64(t.size) * float64(len(took)) / sum.Seconds()
}

// take has turns while more says so, which knows how many there were, and tells how long the drains took.
func (t *turns) take(ctx context.Context, more func(n int) bool) (took []time.Duration, err error) {
	for more(len(took)) {
		if err := t.fill(ctx, t.size, time.Time{}); err != nil {
			return nil, err
		}
		start := time.Now()
		t.gate.Unlock()
		select {
		case <-t.done:
			took = append(took, time.Since(start))
		case err := <-t.ended:
			return nil, fmt.Errorf("the worker has ended: %w", err)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		t.gate.Lock()
	}
	return took, nil
}
