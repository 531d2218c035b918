package postgres_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
)

// TestContractThroughPgBouncer has fewer connections to the server than the stores have to PgBouncer.
func TestContractThroughPgBouncer(t *testing.T) {
	t.Parallel()
	server := testpostgres.Start(t, testpostgres.Config{})
	bouncer := testpostgres.Bounce(t, server.URL(), "default_pool_size=3")
	adaptertest.Run(t, harness(t, bouncer.URL(server.URL()), byURL))
}

// TestContractOverTLS verifies the server's certificate and its name.
func TestContractOverTLS(t *testing.T) {
	t.Parallel()
	database, _ := testpostgres.TLS(t)
	adaptertest.Run(t, harness(t, database, byURL))
}

// TestContractWithTheRightsThatAreAskedFor runs the contract as a user who may do what the errors of Open name, and
// nothing else.
func TestContractWithTheRightsThatAreAskedFor(t *testing.T) {
	t.Parallel()
	owner := testpostgres.Start(t, testpostgres.Config{}).URL()
	exec(t, owner, "CREATE ROLE app LOGIN PASSWORD 'secret'")
	app := as(t, owner, "app", "secret")
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

// TestContractOnAPoolOfTheUsers has the smallest one.
func TestContractOnAPoolOfTheUsers(t *testing.T) {
	t.Parallel()
	adaptertest.Run(t, harness(t, testpostgres.URL(t), func(t testing.TB, url string, cfg postgres.Config) (*postgres.Store, error) {
		return postgres.New(context.Background(), newPool(t, url, func(cfg *pgxpool.Config) { cfg.MaxConns = 2 }), cfg)
	}))
}
