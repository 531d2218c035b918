package redis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
)

// TestContractWithTheRightsThatAreAskedFor runs the contract as a user who may do what the documentation grants, and
// nothing else but CLIENT LIST, by which the tests' clock finds whom to wake.
func TestContractWithTheRightsThatAreAskedFor(t *testing.T) {
	rules := strings.Fields(redis.Grant("limited", "acl*"))[3:] // behind ACL SETUSER limited
	server := testredis.WithACL(t, append(rules, "+client|list")...)
	var connect func(t testing.TB, namespace string, clock *redis.Clock) adaptertest.Stores
	connect = func(t testing.TB, namespace string, clock *redis.Clock) adaptertest.Stores {
		store, err := redis.Open(context.Background(), server.URL(), redis.Config{Namespace: namespace})
		if err != nil {
			t.Fatal(err)
		}
		clock.Set(store)
		t.Cleanup(func() { _ = store.Close() })
		return adaptertest.Stores{
			Broker: store, Backend: store, Close: store.Close, Advance: clock.Advance,
			Peer: func(t testing.TB) adaptertest.Stores { return connect(t, namespace, clock) },
		}
	}
	adaptertest.Run(t, adaptertest.Harness{Open: func(t testing.TB) adaptertest.Stores {
		return connect(t, fmt.Sprintf("acl-%d", namespaces.Add(1)), redis.NewClock())
	}})
	log, err := server.Do("ACL", "LOG")
	if err != nil {
		t.Fatal(err)
	}
	for _, refusal := range log.([]any) {
		t.Errorf("the server has refused something: %v", refusal)
	}
}
