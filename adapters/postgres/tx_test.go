package postgres_test

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/examples/typed_tasks/hello"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
)

// TestACommitTellsWhereItIsAskedTo hears what a commit announces: nothing of itself, since others would wait for it, unless it is
// asked to, or InTx does it after the commit.
func TestACommitTellsWhereItIsAskedTo(t *testing.T) {
	url := testpostgres.URL(t)
	store, err := postgres.Open(t.Context(), url, postgres.Config{Schema: "other"})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	client, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	pool := newPool(t, url, nil)
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	other := postgres.Schema("other")
	enqueue := func(on stem.Publisher, opts ...stem.Option) error {
		args := []hello.HelloArgs{{Name: "a"}, {Name: "b"}}
		_, err := hello.Hello.Via(client).Via(on).EnqueueMany(t.Context(), args, append(opts, stem.OnQueue("mail"))...)
		return err
	}
	inSQL := func(opts ...postgres.TxOption) error {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			return err
		}
		defer func() { _ = tx.Rollback() }()
		if err := enqueue(postgres.SQLTx(tx, opts...)); err != nil {
			return err
		}
		return tx.Commit()
	}
	inPgx := func(opts ...postgres.TxOption) error {
		return pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return enqueue(postgres.Tx(tx, opts...)) })
	}
	for _, tt := range []struct {
		promise string
		do      func() error
		tells   bool
	}{
		{"pgx", func() error { return inPgx(other) }, false},
		{"pgx that notifies", func() error { return inPgx(other, postgres.Notify()) }, true},
		{"database/sql", func() error { return inSQL(other) }, false},
		{"database/sql that notifies", func() error { return inSQL(other, postgres.Notify()) }, true},
		{"InTx", func() error {
			return postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error { return enqueue(postgres.Tx(tx, other)) })
		}, true},
		{"InTx of what is due in an hour", func() error {
			return postgres.InTx(t.Context(), pool, func(tx pgx.Tx) error { return enqueue(postgres.Tx(tx, other), stem.Delay(time.Hour)) })
		}, false},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			conn := connect(t, url)
			listen(t, conn, store.Channel())
			before, err := store.CountQueue(t.Context(), "mail")
			if err != nil {
				t.Fatal(err)
			}
			if err := tt.do(); err != nil {
				t.Fatal(err)
			}
			after, err := store.CountQueue(t.Context(), "mail")
			if err != nil || after.Ready+after.Delayed != before.Ready+before.Delayed+2 {
				t.Errorf("got %+v, %v after %+v, want two more", after, err, before)
			}
			want := []string{"end"}
			if tt.tells {
				want = []string{"mail", "end"} // once for two tasks
			}
			exec(t, url, fmt.Sprintf("SELECT pg_notify('%s', 'end')", store.Channel()))
			for _, payload := range want {
				if n, err := conn.WaitForNotification(t.Context()); err != nil || n.Payload != payload {
					t.Fatalf("got %+v, %v, want %q", n, err, payload)
				}
			}
		})
	}
}

func listen(t *testing.T, conn *pgx.Conn, channel string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		t.Fatal(err)
	}
}

// TestTheNewestDeadLettersAreKept buries more than the config keeps.
func TestTheNewestDeadLettersAreKept(t *testing.T) {
	store, err := postgres.Open(t.Context(), testpostgres.URL(t), postgres.Config{MaxDeadLetters: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, id := range []string{"first", "second", "third", "fourth"} {
		if _, err := store.Publish(t.Context(), stem.Envelope{ID: id, Queue: "mail", Task: "demo.hello"}); err != nil {
			t.Fatal(err)
		}
		ds, err := store.Receive(t.Context(), stem.ReceiveRequest{Session: stem.Session{ID: "s", Lease: time.Minute}, Queues: []string{"mail"}, Max: 1})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Settle(t.Context(), stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictDeadLetter, Reason: "why not"}); err != nil {
			t.Fatal(err)
		}
	}
	// One process tidies at a time, and the settlement may have begun it.
	for {
		if err := store.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		letters, err := store.DeadLetters(t.Context(), "mail", 10)
		if err != nil || len(letters) < 2 {
			t.Fatalf("got %d letters, %v, want 2", len(letters), err)
		}
		if len(letters) == 2 {
			if letters[0].ID != "fourth" || letters[1].ID != "third" {
				t.Errorf("got %s and %s, want fourth and third", letters[0].ID, letters[1].ID)
			}
			return
		}
	}
}

// TestAStoreHasNoMoreConnectionsThanItsPool has many calls at once.
func TestAStoreHasNoMoreConnectionsThanItsPool(t *testing.T) {
	url := testpostgres.URL(t)
	connections := func() int {
		n, err := strconv.Atoi(value(t, url, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'stem'"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, tt := range []struct {
		cfg  postgres.Config
		want int
	}{
		{postgres.Config{PoolSize: 2}, 3}, // one listens
		{postgres.Config{PoolSize: 2, PollOnly: true}, 2},
	} {
		store, err := postgres.Open(t.Context(), url, tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		var calls sync.WaitGroup
		for range 40 {
			calls.Go(func() {
				if _, err := store.CountQueue(context.WithoutCancel(t.Context()), "mail"); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
		within(t, fmt.Sprint("the store has its connections, ", tt.want), func() bool { return connections() >= tt.want })
		if got := connections(); got != tt.want {
			t.Errorf("got %d connections, want %d", got, tt.want)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		within(t, "the connections are gone", func() bool { return connections() == 0 })
	}
}

// within waits until something is so.
func within(t *testing.T, what string, is func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(20 * time.Second); !is(); <-again.C {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

func TestWhatTransactionsHaveCompletedIsForgottenWhenItIsSettled(t *testing.T) {
	l := newLender(t)
	l.put("default", "a", 2)
	ds := l.take("worker", time.Hour, from("default", 2))
	for _, d := range ds {
		tx := begin(t, l.url, l.Mode(), "stem", l.clock)
		if err := tx.Complete(t.Context(), stem.Settlement{Delivery: d, Verdict: stem.VerdictAck}); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Settle(t.Context(), stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictAck}); err != nil {
		t.Fatal(err)
	}
	_ = l.Settle(t.Context(), stem.Settlement{Delivery: ds[1], Verdict: stem.VerdictRetry}) // ErrCompleted
	if got := value(t, l.url, "SELECT count(*)::text FROM stem.completion"); got != "0" {
		t.Errorf("got %s completions that are remembered, want none", got)
	}
}
