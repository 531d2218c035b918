package redis_test

import (
	"errors"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// Where a group was destroyed its stream is read anew, perhaps by the same session: then that has two deliveries of one
// task, and the earlier one is refused and told of.
func TestADeliveryFromBeforeItsGroupWasDestroyedIsRefused(t *testing.T) {
	server := testredis.Start(t, testredis.Config{})
	store, err := redis.Open(t.Context(), server.URL(), redis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	session := stem.Session{ID: "s", Lease: time.Minute}
	if _, err := store.Publish(t.Context(), stem.Envelope{ID: "a", Task: "demo.hello", Queue: "default"}); err != nil {
		t.Fatal(err)
	}
	receive := func() stem.Delivery {
		ds, err := store.Receive(t.Context(), stem.ReceiveRequest{Session: session, Queues: []string{"default"}, Max: 1})
		if err != nil || len(ds) != 1 {
			t.Fatalf("got %d deliveries, %v, want one", len(ds), err)
		}
		return ds[0]
	}
	first := receive()
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	defer client.Close()
	if err := client.XGroupDestroy(t.Context(), "stem:{default}:0", "stem").Err(); err != nil {
		t.Fatal(err)
	}
	second := receive()
	notices, err := store.Extend(t.Context(), session, first, second)
	if err != nil || len(notices) != 1 || notices[0].Index != 0 || !errors.Is(notices[0].Cause, stem.ErrLeaseLost) {
		t.Errorf("a renewal: got %v, %v, want that the first delivery is lost", notices, err)
	}
	ack := func(d stem.Delivery) error {
		return stem.ItemErr(store.Settle(t.Context(), stem.Settlement{Delivery: d, Verdict: stem.VerdictAck}), 0)
	}
	if err := ack(first); !errors.Is(err, stem.ErrLeaseLost) {
		t.Errorf("the first delivery: got %v, want %v", err, stem.ErrLeaseLost)
	}
	if err := ack(second); err != nil {
		t.Errorf("the second: got %v, want no error", err)
	}
}
