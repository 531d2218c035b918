package events_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/examples/events"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// notify is a definition that is written by hand; the codec of its args is generated.
var notify = stem.Define(stem.TaskSpec{Name: "shop.notify"}, codec.For[events.OrderPaid](), stem.NoneCodec())

func Example() {
	var tasks stem.Registry
	err := stem.Handle(&tasks, notify, func(_ context.Context, e events.OrderPaid) (stem.None, error) {
		fmt.Printf("%s: %d cents at %s\n", e.OrderID, e.Cents, e.At.Format(time.DateOnly))
		return stem.None{}, nil
	})
	if err != nil {
		panic(err)
	}
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{})
	if err != nil {
		panic(err)
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{})
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(stem.WithClient(context.Background(), client))
	stopped := make(chan error)
	go func() { stopped <- worker.Run(ctx) }()

	paid := events.OrderPaid{OrderID: "o-7", Cents: 1250, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	job, err := notify.Enqueue(ctx, paid)
	if err != nil {
		panic(err)
	}
	_, err = job.Wait(ctx)
	fmt.Println(err)
	stop()
	<-stopped
	// Output:
	// o-7: 1250 cents at 2026-01-02
	// <nil>
}
