//go:build unix

package redis_test

import (
	"testing"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/testredis"
)

func TestWhoeverLosesARaceSettlesNothing(t *testing.T) {
	server := testredis.Start(t, testredis.Config{})
	clock := redis.NewClock()
	faultsite.Race(t, func() faultsite.Racer {
		store, err := redis.Open(t.Context(), server.URL(), redis.Config{})
		if err != nil {
			t.Fatal(err)
		}
		clock.Set(store)
		t.Cleanup(func() { _ = store.Close() })
		return store
	}, clock.Advance)
}
