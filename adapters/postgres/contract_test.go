package postgres_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
)

// A server keeps the whole contract.
func TestContract(t *testing.T) { adaptertest.Run(t, harness(testpostgres.URL(t))) }

// Random programs give histories that the model allows.
func TestModel(t *testing.T) { adaptertest.RunModel(t, reused(t, testpostgres.URL(t)), 300) }

// reused opens stores in a schema that is emptied after each: to migrate takes longer than a program.
func reused(t *testing.T, url string) adaptertest.Harness {
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return adaptertest.Harness{Open: func(t testing.TB) adaptertest.Stores {
		t.Cleanup(func() {
			for _, table := range []string{"task", "session", "queue", "dedupe", "result", "dead_letter", "revocation", "completion", "waiter"} {
				if _, err := conn.Exec(context.Background(), "DELETE FROM model."+table); err != nil {
					t.Error(err)
				}
			}
		})
		return stores(t, url, postgres.Config{Schema: "model"}, postgres.NewClock())
	}}
}

var schemas atomic.Int64

// harness opens stores each in a schema of its own.
func harness(url string) adaptertest.Harness {
	return adaptertest.Harness{Open: func(t testing.TB) adaptertest.Stores {
		return stores(t, url, postgres.Config{Schema: fmt.Sprint("test ", schemas.Add(1))}, postgres.NewClock())
	}}
}

func stores(t testing.TB, url string, cfg postgres.Config, clock *postgres.Clock) adaptertest.Stores {
	s, err := postgres.Open(context.Background(), url, cfg)
	if err != nil {
		t.Fatal(err)
	}
	clock.Set(s)
	t.Cleanup(func() { _ = s.Close() })
	return adaptertest.Stores{
		Broker: s, Backend: s, Close: s.Close,
		Advance: clock.Advance,
		Peer:    func(t testing.TB) adaptertest.Stores { return stores(t, url, cfg, clock) },
		Begin:   func(t testing.TB) adaptertest.Transaction { return begin(t, url, s.Mode(), cfg.Schema, clock) },
	}
}

// begin begins a transaction on a connection of its own, which runs statements as the store does.
func begin(t testing.TB, url string, mode pgx.QueryExecMode, schema string, clock *postgres.Clock) adaptertest.Transaction {
	target, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	target.DefaultQueryExecMode = mode
	conn, err := pgx.ConnectConfig(context.Background(), target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	tx, err := conn.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	own := postgres.Tx(tx, postgres.Schema(schema), clock.ForTx())
	return adaptertest.Transaction{
		Publisher: own, Completer: own,
		Commit:   func() error { return tx.Commit(context.Background()) },
		Rollback: func() error { return tx.Rollback(context.Background()) },
	}
}
