package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
)

// TestContractThroughPgBouncer has fewer connections to the server than the stores have to PgBouncer, and a user who
// may do what the errors of Open name, and nothing else.
func TestContractThroughPgBouncer(t *testing.T) {
	t.Parallel()
	owner := testpostgres.Start(t, testpostgres.Config{}).URL()
	exec(t, owner, "CREATE ROLE app LOGIN PASSWORD 'secret'")
	app := as(t, testpostgres.Bounce(t, owner, "default_pool_size=3").URL(owner), "app", "secret")
	for i := range 2 {
		cfg := postgres.Config{Schema: contractSchema(i + 1)}
		if err := postgres.Migrate(t.Context(), owner, cfg); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the schema, then its tables
			_, err := postgres.Open(t.Context(), app, cfg)
			grant(t, owner, err)
		}
	}
	adaptertest.Run(t, harness(t, app, byURL))
}

// TestContractOverTLS verifies the server's certificate and its name, on the smallest pool that a user can bring. Pools outlive their
// stores, as users' do: the next promise finds connections on which functions are planned already.
func TestContractOverTLS(t *testing.T) {
	t.Parallel()
	database, _ := testpostgres.TLS(t)
	var free []*pgxpool.Pool
	adaptertest.Run(t, harness(t, database, func(promise testing.TB, url string, cfg postgres.Config) (*postgres.Store, error) {
		if len(free) == 0 {
			free = append(free, newPool(t, url, func(cfg *pgxpool.Config) { cfg.MaxConns = 2 }))
		}
		pool := free[len(free)-1]
		free = free[:len(free)-1]
		promise.Cleanup(func() { free = append(free, pool) })
		return postgres.New(context.Background(), pool, cfg)
	}))
}
