//go:build unix

package faultsite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/gostem/gostem/stem"
)

// sleep borrows tasks without a worker, and when it gets SIGUSR1, after others have taken them over, tries to write all that
// a holder can. Args are the place.
func sleep(open Open, args []string, ready func()) error {
	woken := make(chan os.Signal, 1)
	signal.Notify(woken, syscall.SIGUSR1)
	ctx := context.Background()
	store, err := open(ctx, args[0])
	if err != nil {
		return err
	}
	defer store.Close()
	session := stem.Session{ID: "sleeper", Lease: time.Second}
	ds, err := store.Receive(ctx, stem.ReceiveRequest{Session: session, Queues: []string{stem.DefaultQueue}, Max: len(writes)})
	if err != nil || len(ds) != len(writes) {
		return fmt.Errorf("got %d deliveries, %w", len(ds), err)
	}
	ready()
	<-woken
	answers := make(map[string]bool)
	for i, w := range writes {
		answers[w.what] = errors.Is(stem.ItemErr(w.try(ctx, store, ds[i]), 0), stem.ErrLeaseLost)
	}
	notices, err := store.Extend(ctx, session, ds...)
	answers["a renewal"] = err == nil && len(notices) == len(ds) && errors.Is(notices[0].Cause, stem.ErrLeaseLost)
	line, err := json.Marshal(answers)
	fmt.Println(string(line))
	return err
}

// writes are what a holder can write.
var writes = []struct {
	what string
	try  func(ctx context.Context, store Store, d stem.Delivery) error
}{
	{"an ack", settleAs(stem.VerdictAck)},
	{"a retry", settleAs(stem.VerdictRetry)},
	{"a snooze", settleAs(stem.VerdictSnooze)},
	{"a dead letter", settleAs(stem.VerdictDeadLetter)},
	{"a release", settleAs(stem.VerdictRelease)},
	{"an ack with a result", func(ctx context.Context, store Store, d stem.Delivery) error {
		r := stale(d)
		return store.(stem.SavingSettler).SaveAndSettle(ctx, stem.Settlement{Delivery: d, Verdict: stem.VerdictAck, Result: &r})
	}},
	{"a result", func(ctx context.Context, store Store, d stem.Delivery) error { return store.Save(ctx, stale(d)) }},
}

func settleAs(v stem.Verdict) func(context.Context, Store, stem.Delivery) error {
	return func(ctx context.Context, store Store, d stem.Delivery) error {
		return store.Settle(ctx, stem.Settlement{Delivery: d, Verdict: v})
	}
}

func stale(d stem.Delivery) stem.Result {
	return stem.Result{ID: d.ID, Task: d.Task, State: stem.StateFailed, Delivery: d.Number, Keep: time.Hour}
}
