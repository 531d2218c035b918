package redis_test

import (
	"context"
	"strings"
	"testing"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
)

// TestContractWithTheRightsThatAreAskedFor runs the contract as a user who may do what the documentation grants, and
// nothing else but CLIENT LIST, by which the tests' clock finds whom to wake. It speaks RESP2, the others RESP3.
func TestContractWithTheRightsThatAreAskedFor(t *testing.T) {
	t.Parallel()
	rules := strings.Fields(redis.Grant("limited", "test-*"))[3:] // behind ACL SETUSER limited
	server := testredis.WithACL(t, append(rules, "+client|list")...)
	adaptertest.Run(t, harness(t, func(t testing.TB, cfg redis.Config) store {
		s, err := redis.Open(context.Background(), server.URL()+"?protocol=2", cfg)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}))
	log, err := server.Do("ACL", "LOG")
	if err != nil {
		t.Fatal(err)
	}
	for _, refusal := range log.([]any) {
		t.Errorf("the server has refused something: %v", refusal)
	}
}
