package postgres_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
)

// TestContractThroughPgBouncer has fewer connections to the server than the stores have to PgBouncer.
func TestContractThroughPgBouncer(t *testing.T) {
	t.Parallel()
	server := testpostgres.Start(t, testpostgres.Config{})
	bouncer := testpostgres.Bounce(t, server.URL(), "default_pool_size=3")
	adaptertest.Run(t, harness(bouncer.URL(server.URL())))
}

// TestContractOverTLS verifies the server's certificate and its name.
func TestContractOverTLS(t *testing.T) {
	t.Parallel()
	database, _ := testpostgres.TLS(t)
	adaptertest.Run(t, harness(database))
}

// TestContractWithTheRightsThatAreAskedFor runs the contract as a user who may do what the errors of Open name, and
// nothing else.
func TestContractWithTheRightsThatAreAskedFor(t *testing.T) {
	t.Parallel()
	owner := testpostgres.Start(t, testpostgres.Config{}).URL()
	exec(t, owner, "CREATE ROLE app LOGIN PASSWORD 'secret'")
	app := as(t, owner, "app", "secret")
	adaptertest.Run(t, adaptertest.Harness{Open: func(t testing.TB) adaptertest.Stores {
		cfg := postgres.Config{Schema: fmt.Sprint("test ", schemas.Add(1))}
		if err := postgres.Migrate(context.Background(), owner, cfg); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the schema, then its tables
			_, err := postgres.Open(context.Background(), app, cfg)
			grant(t, owner, err)
		}
		return stores(t, app, cfg, postgres.NewClock())
	}})
}
