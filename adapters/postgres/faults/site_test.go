//go:build unix

package faults_test

import (
	"bytes"
	"context"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/testpostgres"
)

// open opens the store in the database of a URL; "pool:" before it has a pool of the user's.
func open(ctx context.Context, place string) (faultsite.Store, error) {
	url, ok := strings.CutPrefix(place, onPool)
	if !ok {
		return postgres.Open(ctx, place, postgres.Config{})
	}
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	store, err := postgres.New(ctx, pool, postgres.Config{})
	return &pooled{store, pool}, err
}

const onPool = "pool:"

// pooled is a store with the pool that it does not own.
type pooled struct {
	*postgres.Store
	pool *pgxpool.Pool
}

func (p *pooled) Close() error {
	defer p.pool.Close()
	return p.Store.Close()
}

// newSite makes a site in a database.
func newSite(t *testing.T, database string) *faultsite.Site {
	t.Helper()
	return faultsite.New(t, open, database, database)
}

// database is migrated, and each test that needs no server of its own has a copy.
var database = testpostgres.Template{Prepare: func(url string) error {
	return postgres.Migrate(context.Background(), url, postgres.Config{})
}}

func TestProcesses(t *testing.T) {
	t.Parallel()
	faultsite.Processes(t, func(t *testing.T) *faultsite.Site { return newSite(t, database.URL(t)) })
}

func TestDisturbances(t *testing.T) {
	t.Parallel()
	faultsite.Disturbances(t, func(t *testing.T) *faultsite.Network {
		own, err := url.Parse(database.URL(t))
		if err != nil {
			t.Fatal(err)
		}
		n := faultsite.NewNetwork(t, open, own.Host, func(addr string) string {
			through := *own
			through.Host = addr
			through.RawQuery += "&default_query_exec_mode=cache_describe" // so that each request says what it wants
			return through.String()
		})
		n.Settles = func(request []byte) bool { return bytes.Contains(request, []byte("settle_1")) }
		n.Receives = func(request []byte) bool { return bytes.Contains(request, []byte("claim_1")) }
		return n
	})
}
