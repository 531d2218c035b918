package postgres_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
)

// A server keeps the whole contract.
func TestContract(t *testing.T) { adaptertest.Run(t, harness(testpostgres.URL(t))) }

// Random programs give histories that the model allows.
func TestModel(t *testing.T) { adaptertest.RunModel(t, harness(testpostgres.URL(t)), 100) }

var schemas atomic.Int64

// harness opens stores each in a schema of its own.
func harness(url string) adaptertest.Harness {
	return adaptertest.Harness{Open: func(t testing.TB) adaptertest.Stores {
		return stores(t, url, postgres.Config{Schema: fmt.Sprint("test ", schemas.Add(1))}, postgres.NewClock())
	}}
}

func stores(t testing.TB, url string, cfg postgres.Config, clock *postgres.Clock) adaptertest.Stores {
	s, err := postgres.OpenBare(context.Background(), url, cfg)
	if err != nil {
		t.Fatal(err)
	}
	clock.Set(s)
	t.Cleanup(func() { _ = s.Close() })
	return adaptertest.Stores{
		Broker: s, Backend: s, Close: s.Close,
		Advance: clock.Advance,
		Peer:    func(t testing.TB) adaptertest.Stores { return stores(t, url, cfg, clock) },
	}
}
