//go:build unix

package faults_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// Somebody holds a snapshot, so that no vacuum clears away what has been taken. A line of which 30,000 tasks have been taken since then is
// drained nearly as fast as one that has hardly been used, in turns with it, and nothing is missed.
func TestASnapshotIsHeld(t *testing.T) {
	t.Parallel()
	const age, turns, batch = 30_000, 15, 1000
	own := database.URL(t)
	hold(t, own)
	aged, young := newLine(t, own, "aged"), newLine(t, own, "young")
	for range age / batch {
		aged.drain(batch)
	}
	young.drain(batch) // its connections are warm
	var shares []float64
	for range turns {
		fast := young.drain(batch)
		shares = append(shares, fast.Seconds()/aged.drain(batch).Seconds())
	}
	slices.Sort(shares)
	t.Logf("the aged line is drained at %.0f %% of the rate of the young one (half of the turns), %.0f %% to %.0f %% (all)",
		100*shares[turns/2], 100*shares[0], 100*shares[turns-1])
	if got := shares[turns/2]; got < 0.7 {
		t.Errorf("got %.0f %% of the rate, want 70 %% at least", 100*got)
	}
}

// hold holds a snapshot of a database until the test ends.
func hold(t *testing.T, database string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	// The transaction has a snapshot as soon as it has asked for anything.
	if _, err := conn.PgConn().Exec(t.Context(), "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").ReadAll(); err != nil {
		t.Fatal(err)
	}
}

// line is a store whose one queue is filled and drained.
type line struct {
	t     *testing.T
	store *postgres.Store
}

func newLine(t *testing.T, database, schema string) *line {
	t.Helper()
	store, err := postgres.Open(t.Context(), database, postgres.Config{Schema: schema})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return &line{t, store}
}

// drain enqueues n tasks, and tells how long it took to receive and settle all of them.
func (l *line) drain(n int) time.Duration {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), faultsite.Patience)
	defer cancel()
	envs := make([]stem.Envelope, n)
	for i := range envs {
		envs[i] = stem.Envelope{ID: fmt.Sprint("task-", i), Task: "fault.chore", Queue: stem.DefaultQueue}
	}
	if _, err := l.store.Publish(ctx, envs...); err != nil {
		l.t.Fatal(err)
	}
	began := time.Now()
	for left := n; left > 0; {
		ds, err := l.store.Receive(ctx, stem.ReceiveRequest{Session: stem.Session{ID: "drain", Lease: time.Hour}, Queues: []string{stem.DefaultQueue}, Max: 100})
		if err != nil {
			l.t.Fatalf("%d of %d tasks are not found: %v", left, n, err)
		}
		ss := make([]stem.Settlement, len(ds))
		for i := range ds {
			ss[i] = stem.Settlement{Delivery: ds[i], Verdict: stem.VerdictAck}
		}
		if err := l.store.Settle(ctx, ss...); err != nil {
			l.t.Fatal(err)
		}
		left -= len(ds)
	}
	return time.Since(began)
}

// A transaction that enqueues a task commits when all that others have enqueued meanwhile has been taken and more comes: its task, whose
// place in line is far behind, runs soon, as a look back finds it.
func TestATransactionCommitsLate(t *testing.T) {
	t.Parallel()
	const late, open, within = "late", 5 * time.Second, 15 * time.Second // bounds_test.go has how soon one looks back; this is for a busy machine
	own := database.URL(t)
	s := newSite(t, own)
	pool, err := pgxpool.New(t.Context(), own)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	s.Staff(2, faultsite.Orders{Lease: 10 * time.Second})
	enough := s.Load("chore")
	s.Progress(20)
	tx, err := pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := faultsite.Chore.Via(postgres.Tx(tx)).Enqueue(t.Context(), "1ms", stem.WithID(late)); err != nil {
		t.Fatal(err)
	}
	faultsite.Yield(open)
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	committed := time.Now()
	if err := s.Book.Append(ledger.Entry{Kind: ledger.Enqueued, ID: late}); err != nil {
		t.Fatal(err)
	}
	s.Until("the task has run", faultsite.Patience, func() bool {
		return slices.ContainsFunc(s.Entries(), func(e ledger.Entry) bool { return e.Kind == ledger.Effect && e.ID == late })
	})
	took := time.Since(committed)
	t.Logf("the task ran %v after the commit", took)
	if took > within {
		t.Errorf("the task ran %v after the commit, want %v at most", took, within)
	}
	tasks := enough() + 1
	s.Quiet()
	s.Dismiss()
	s.Balance(ledger.Expected{Tasks: tasks})
}
