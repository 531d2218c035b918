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

// TestContractOverTLS verifies the server's certificate and its name, on the smallest pool that a user can bring.
func TestContractOverTLS(t *testing.T) {
	t.Parallel()
	database, _ := testpostgres.TLS(t)
	adaptertest.Run(t, harness(t, database, func(t testing.TB, url string, cfg postgres.Config) (*postgres.Store, error) {
		return postgres.New(context.Background(), newPool(t, url, func(cfg *pgxpool.Config) { cfg.MaxConns = 2 }), cfg)
	}))
}
