package ops_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// A task fails for good. An operator finds it, sees why, and sends it back when the address is mended.
func Example() {
	store := new(memory.Store)
	defer store.Close()
	client, err := stem.NewClient(store, stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	var mended bool
	var tasks stem.Registry
	err = tasks.Register(stem.TaskSpec{Name: "mail.send"}, func(context.Context, *stem.Delivery) ([]byte, error) {
		if !mended {
			return nil, errors.New("no such address")
		}
		return nil, nil
	})
	if err != nil {
		panic(err)
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{})
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	workers.Go(func() { _ = worker.Run(ctx) })

	job, err := client.EnqueueRaw(ctx, "mail.send", []byte{0xc0}, stem.WithID("letter"), stem.MaxRetries(0))
	if err != nil {
		panic(err)
	}
	_, err = job.Wait(ctx)
	fmt.Println(err)

	service, err := ops.New(ops.Stores{Broker: store}, ops.Config{Observer: func(_ context.Context, e ops.Event) {
		fmt.Printf("%s by %s: %s of %d\n", e.Action, e.Actor, e.Reason, e.Count)
	}})
	if err != nil {
		panic(err)
	}
	var page ops.DeadLetterPage
	for len(page.Letters) == 0 { // the result is there a moment before the dead letter
		if page, err = service.DeadLetters(ctx, ops.DeadLetterQuery{Queue: "default"}); err != nil {
			panic(err)
		}
	}
	fmt.Println("dead:", page.Letters[0].ID, page.Letters[0].Reason)

	mended = true
	ann := ops.By{Actor: "ann", Reason: "mended the address"}
	if _, err = service.Replay(ctx, ann, ops.LetterFilter{Queue: "default"}, ops.ReplayOptions{}); err != nil {
		panic(err)
	}
	old, err := service.Result(ctx, "letter")
	if err != nil {
		panic(err)
	}
	again, err := service.Await(ctx, old.Replays.As)
	if err != nil {
		panic(err)
	}
	fmt.Println(old.State, "then", again.State)
	stop()
	workers.Wait()
	// Output:
	// stem: task mail.send (letter) failed at attempt 1: no such address
	// dead: letter error: no such address
	// dlq.replay by ann: mended the address of 1
	// failed then succeeded
}
