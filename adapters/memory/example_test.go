package memory_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// A task's way through a store, without a client and a worker around it.
func Example() {
	ctx := context.Background()
	store := new(memory.Store)
	defer func() { _ = store.Close() }()

	_, err := store.Publish(ctx, stem.Envelope{ID: "1", Task: "demo.hello", Queue: "default"})
	if err != nil {
		panic(err)
	}

	deliveries, err := store.Receive(ctx, stem.ReceiveRequest{
		Session: stem.Session{ID: "worker-1", Lease: 15 * time.Second},
		Queues:  []string{"default"},
		Max:     10,
	})
	if err != nil {
		panic(err)
	}
	d := deliveries[0]
	fmt.Printf("%s, attempt %d\n", d.Task, d.Attempt)

	err = store.SaveAndSettle(ctx, stem.Settlement{
		Delivery: d,
		Verdict:  stem.VerdictAck,
		Result:   &stem.Result{ID: d.ID, Task: d.Task, State: stem.StateSucceeded, Delivery: d.Number, Keep: time.Hour},
	})
	if err != nil {
		panic(err)
	}

	result, err := store.Await(ctx, "1")
	if err != nil {
		panic(err)
	}
	fmt.Println(result.State)
	// Output:
	// demo.hello, attempt 1
	// succeeded
}
