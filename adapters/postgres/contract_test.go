package postgres_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
)

// A server keeps the whole contract.
func TestContract(t *testing.T) { adaptertest.Run(t, harness(t, testpostgres.URL(t), byURL)) }

// Random programs give histories that the model allows.
func TestModel(t *testing.T) { adaptertest.RunModel(t, harness(t, testpostgres.URL(t), byURL), 100) }

// opener opens a store in the database of a URL.
type opener func(t testing.TB, url string, cfg postgres.Config) (*postgres.Store, error)

func byURL(_ testing.TB, url string, cfg postgres.Config) (*postgres.Store, error) {
	return postgres.Open(context.Background(), url, cfg)
}

// contractSchema names the schemas of contracts. Most promises need one at a time, and some have two stores.
func contractSchema(n int) string { return fmt.Sprint("contract ", n) }

// harness opens stores in schemas that are emptied after each promise: to migrate takes longer than most of them.
func harness(t *testing.T, url string, open opener) adaptertest.Harness {
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	made, free := 0, []string(nil)
	return adaptertest.Harness{Open: func(t testing.TB) adaptertest.Stores {
		if len(free) == 0 {
			made++
			free = append(free, contractSchema(made))
		}
		schema := free[len(free)-1]
		free = free[:len(free)-1]
		t.Cleanup(func() {
			if _, err := conn.PgConn().Exec(context.Background(), emptying(schema)).ReadAll(); err != nil {
				t.Error(err)
			}
			free = append(free, schema)
		})
		return stores(t, url, open, postgres.Config{Schema: schema}, postgres.NewClock())
	}}
}

// emptying gives the SQL that makes a schema as it was when it was migrated.
func emptying(schema string) string {
	var sql strings.Builder
	for _, table := range []string{"task", "session", "queue", "dedupe", "unique_key", "unique_left", "result", "dead_letter", "revocation", "completion", "waiter", "bucket", "place", "worker", "command", "reply"} {
		fmt.Fprintf(&sql, "DELETE FROM %s;", pgx.Identifier{schema, table}.Sanitize())
	}
	fmt.Fprintf(&sql, "SELECT setval('%s', 1, false)", pgx.Identifier{schema, "delivery"}.Sanitize())
	return sql.String()
}

func stores(t testing.TB, url string, open opener, cfg postgres.Config, clock *postgres.Clock) adaptertest.Stores {
	s, err := open(t, url, cfg)
	if err != nil {
		t.Fatal(err)
	}
	clock.Set(s)
	t.Cleanup(func() { _ = s.Close() })
	return adaptertest.Stores{
		Broker: s, Backend: s, Close: s.Close,
		Advance: clock.Advance,
		Peer:    func(t testing.TB) adaptertest.Stores { return stores(t, url, open, cfg, clock) },
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
