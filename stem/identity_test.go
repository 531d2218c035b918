package stem_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

// Whoever enqueues twice has one task, is told which, and waits for that one, at whatever
// point of its life the first is. The window is 10 min.
func TestTwiceIsOnceWithinTheWindow(t *testing.T) {
	for name, identity := range map[string]stem.Option{"an id": stem.WithID("order-7"), "a key": stem.IdempotencyKey("order-7")} {
		inBubble(t, func(t *testing.T, r *rig) {
			runs := 0
			charge := r.task("charge", func(_ context.Context, s string) (string, error) {
				if runs++; runs == 1 {
					time.Sleep(time.Minute)
					return "", errors.New("not yet")
				}
				return s, nil
			}, stem.Backoff(stem.FixedBackoff(time.Minute)))
			other, err := stem.NewClient(r.store, stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			first := r.enqueue(charge, "first", identity)
			again := func(when string, def *stem.TaskDefinition[string, string], duplicate bool, opts ...stem.Option) {
				t.Helper()
				job := r.enqueue(def, "second", append(opts, identity)...)
				if job.Duplicate() != duplicate || duplicate && job.ID() != first.ID() {
					t.Errorf("%s, %s: got duplicate %v of %s, want %v of %s", name, when, job.Duplicate(), job.ID(), duplicate, first.ID())
				}
			}
			again("queued", charge, true)
			again("from another client", charge.Via(other), true)
			again("on another queue", charge, false, stem.OnQueue("other"))
			r.work(stem.WorkerConfig{})
			synctest.Wait()
			again("running", charge, true)
			time.Sleep(90 * time.Second)
			again("between two attempts", charge, true)
			if got, err := r.wait(first); got != "first" || err != nil {
				t.Errorf("%s: got %q, %v; want the first one's result", name, got, err)
			}
			again("done", charge, true)
			time.Sleep(10 * time.Minute)
			again("after the window", charge, false)
		})
	}
}

// A dead letter keeps its window: what has failed for good is not tried again by accident.
func TestADeadLetterIsNotEnqueuedTwice(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		fails := r.task("fails", func(context.Context, string) (string, error) { return "", stem.Permanent(errors.New("no")) })
		r.work(stem.WorkerConfig{})
		first := r.enqueue(fails, "", stem.IdempotencyKey("k"))
		if _, err := r.wait(first); err == nil {
			t.Fatal("got no error, want a failure")
		}
		second := r.enqueue(fails, "", stem.IdempotencyKey("k"))
		if _, err := r.wait(second); !second.Duplicate() || second.ID() != first.ID() || err == nil {
			t.Errorf("got duplicate %v of %s and %v, want that of %s and its failure", second.Duplicate(), second.ID(), err, first.ID())
		}
	})
}
