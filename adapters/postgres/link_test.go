package postgres_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/examples/typed_tasks/hello"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// What follows a task is there with the commit of the transaction that completes it, not before, and not twice when the
// worker publishes it once more.
func TestWhatFollowsATaskIsCommittedWithItsCompletion(t *testing.T) {
	url := testpostgres.URL(t)
	store, err := postgres.Open(t.Context(), url, postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	client, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	pool := newPool(t, url, nil)
	follows := func(when, end string, want int) {
		t.Helper()
		if counts, err := store.CountQueue(t.Context(), end); err != nil || counts.Ready != want {
			t.Errorf("%s, %s: got %d tasks that follow, %v; want %d", end, when, counts.Ready, err, want)
		}
	}
	text := codec.Codec[string]{
		Append: func(b []byte, v *string) ([]byte, error) { return codec.AppendString(b, *v), nil },
		Read:   func(r *codec.Reader, v *string) { *v = r.Str() },
	}
	pay := stem.Define(stem.TaskSpec{Name: "pay"}, text, text)
	var tasks stem.Registry
	if err := stem.Handle(&tasks, pay, func(ctx context.Context, end string) (string, error) {
		tx, err := pool.Begin(ctx)
		if err != nil {
			return "", err
		}
		if err := pay.Complete(ctx, postgres.Tx(tx), end); err != nil {
			return "", errors.Join(err, tx.Rollback(ctx))
		}
		follows("in the transaction", end, 0)
		if end == "rolled-back" {
			return end, tx.Rollback(ctx)
		}
		err = tx.Commit(ctx)
		follows("behind the commit", end, 1)
		return end, err
	}); err != nil {
		t.Fatal(err)
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{Slots: 1, StopAfterIdle: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{"committed", "rolled-back"} {
		follow := stem.OnSuccess(hello.Hello.With(hello.HelloArgs{Name: "you"}, stem.OnQueue(end)))
		if _, err := pay.Via(client).Enqueue(t.Context(), end, follow, stem.MaxRetries(0)); err != nil {
			t.Fatal(err)
		}
	}
	if err := worker.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	follows("behind its end", "committed", 1)
	follows("behind its end", "rolled-back", 1)
	if dead, err := store.DeadLetters(t.Context(), stem.DefaultQueue, 1); err != nil || len(dead) > 0 {
		t.Errorf("got dead letters %v, %v; want none", dead, err)
	}
}
