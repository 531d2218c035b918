//go:build unix

package postgres_test

import (
	"testing"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/testpostgres"
)

func TestWhoeverLosesARaceSettlesNothing(t *testing.T) {
	database := testpostgres.URL(t)
	clock := postgres.NewClock()
	faultsite.Race(t, func() faultsite.Racer {
		store, err := postgres.Open(t.Context(), database, postgres.Config{})
		if err != nil {
			t.Fatal(err)
		}
		clock.Set(store)
		t.Cleanup(func() { _ = store.Close() })
		return store
	}, clock.Advance)
}
