package redis_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// TestContractWithTheRightsThatAreAskedFor runs the contract as a user who may do what the documentation grants, and
// nothing else. It speaks RESP2, the others RESP3.
func TestContractWithTheRightsThatAreAskedFor(t *testing.T) {
	t.Parallel()
	rules := strings.Fields(redis.Grant("limited", "test-*"))[3:] // behind ACL SETUSER limited
	server := testredis.WithACL(t, rules...)
	adaptertest.Run(t, harness(func(t testing.TB, cfg redis.Config) store {
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

// TestTheRightsAreEnoughOnACluster sends a task through a cluster as a user with the same rights on each node.
func TestTheRightsAreEnoughOnACluster(t *testing.T) {
	t.Parallel()
	nodes := testredis.Cluster(t, 3)
	for _, node := range nodes.Servers {
		for _, command := range []string{"ACL SETUSER app on >secret", redis.Grant("app", "stem")} {
			if _, err := node.Do(strings.Fields(command)...); err != nil {
				t.Fatal(err)
			}
		}
	}
	store, err := redis.OpenCluster(t.Context(), "redis://app:secret@"+nodes.Addrs()[0], redis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	id := "01890a5d-ac96-774b-bcce-b302099a8057"
	if _, err := store.Publish(t.Context(), stem.Envelope{ID: id, Task: "demo.hello", Queue: "mail"}); err != nil {
		t.Fatal(err)
	}
	ds, err := store.Receive(t.Context(), stem.ReceiveRequest{Session: stem.Session{ID: "s", Lease: time.Minute}, Queues: []string{"mail"}, Max: 1})
	if err != nil {
		t.Fatal(err)
	}
	outcome := stem.Result{ID: id, Task: "demo.hello", State: stem.StateSucceeded, Delivery: ds[0].Number, Keep: time.Hour}
	if err := store.Save(t.Context(), outcome); err != nil {
		t.Error(err)
	}
	if err := store.Settle(t.Context(), stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictAck}); err != nil {
		t.Error(err)
	}
	if r, err := store.Await(t.Context(), id); err != nil || r.State != stem.StateSucceeded {
		t.Errorf("got %+v, %v, want the outcome", r, err)
	}
	for _, node := range nodes.Servers {
		if log, err := node.Do("ACL", "LOG"); err != nil || len(log.([]any)) > 0 {
			t.Errorf("node %s has refused something: %v, %v", node.Addr(), log, err)
		}
	}
}
