package ops_test

import (
	"errors"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

func what(ms []ops.Moment) (all []string) {
	for _, m := range ms {
		all = append(all, m.What)
	}
	return all
}

// codes gives the codes of reasons.
func codes(rs []ops.Reason) (all []string) {
	for _, r := range rs {
		all = append(all, r.Code)
	}
	return all
}

// A task is seen along its life: why it waits, what has happened, and what became of it.
func TestATaskIsShownAlongItsLife(t *testing.T) {
	operate(t, func(d *desk) {
		d.enqueue([]string{"a"}, stem.MaxRetries(1), stem.Backoff(stem.FixedBackoff(time.Hour)), stem.Delay(time.Minute))
		seen := must[ops.TaskDetail](d)(d.Task(d.Context(), "", "a"))
		d.same("why, without a worker", codes(seen.Why), []string{ops.WhyNoWorker, ops.WhyNotDue})
		d.same("timeline of what was published", what(seen.Timeline), []string{"published", "due"})
		time.Sleep(time.Minute)
		dismiss := d.hire(failing)
		time.Sleep(time.Second)
		seen = must[ops.TaskDetail](d)(d.Task(d.Context(), "", "a"))
		d.same("why, between two attempts", codes(seen.Why), []string{ops.WhyNotDue})
		d.same("timeline of a retry", what(seen.Timeline), []string{"published", "attempt 1 failed", "due"})
		if seen.Task == nil || seen.Task.State != ops.Retrying || seen.Result == nil || seen.Result.State != stem.StateRetrying {
			d.Errorf("between two attempts: got %+v and %+v, want both to be retrying", seen.Task, seen.Result)
		}
		time.Sleep(time.Hour)
		dismiss()
		seen = must[ops.TaskDetail](d)(d.Task(d.Context(), "", "a"))
		if seen.Task != nil || seen.Dead == nil || seen.Result == nil || len(seen.Why) > 0 {
			d.Errorf("at its end: got %+v, want a result and a dead letter", seen)
		}
		d.same("timeline of a failure", what(seen.Timeline), []string{"attempt 1 failed", "attempt 2 failed", "dead-lettered"})
		must[ops.Change](d)(d.Replay(d.Context(), by, ops.LetterFilter{Queue: "default"}, ops.ReplayOptions{}))
		seen = must[ops.TaskDetail](d)(d.Task(d.Context(), "default", "a"))
		d.same("timeline of what was sent back", what(seen.Timeline), []string{"attempt 1 failed", "attempt 2 failed", "sent back"})
	})
}

func TestATaskThatNobodyHasHeardOfIsNotFound(t *testing.T) {
	operate(t, func(d *desk) {
		d.enqueue(names("a", 3))
		var missing *ops.NotFoundError
		_, err := d.Task(d.Context(), "", "nobody")
		if !errors.As(err, &missing) || missing.Looked != 3 || missing.Bounded || err.Error() != "ops: there is no task nobody in queue default" {
			d.Errorf("got error %v (%+v), want that it is not in the queue", err, missing)
		}
		if err := d.store.PauseQueue(d.Context(), "a\nb", true); err != nil {
			d.Fatal(err)
		}
		if _, err = d.Task(d.Context(), "", "nobody"); !errors.As(err, &missing) || missing.Looked != 3 {
			d.Errorf("beside a queue that none can be: got error %v, want that it is not in the others", err)
		}
		if _, err = d.DeadLetter(d.Context(), "default", "nobody"); !errors.As(err, &missing) || missing.What != "dead letter" {
			d.Errorf("got error %v, want that there is no dead letter", err)
		}
		if _, err = d.Result(d.Context(), "nobody"); !errors.As(err, &missing) || !errors.Is(err, stem.ErrNoResult) {
			d.Errorf("got error %v, want that there is no result", err)
		}
	})
}

// In some stores there is no index of ids: after 20,000 entries it is said that there are more.
func TestASearchForAnIDIsBounded(t *testing.T) {
	operate(t, func(d *desk) {
		d.enqueue(names("a", 21_000))
		d.enqueue([]string{"last"})
		var missing *ops.NotFoundError
		if _, err := d.Task(d.Context(), "default", "last"); !errors.As(err, &missing) || !missing.Bounded || missing.Looked != 20_000 {
			d.Errorf("got error %v, want that it was not among the first 20,000", err)
		}
		must[ops.TaskDetail](d)(d.Task(d.Context(), "default", "a-19999"))
	})
}

func TestQueuesAreMeasured(t *testing.T) {
	operate(t, func(d *desk) {
		d.enqueue([]string{"a"})
		d.enqueue([]string{"b"}, stem.OnQueue("bulk"), stem.Delay(time.Hour))
		time.Sleep(time.Minute)
		queues := must[[]ops.Queue](d)(d.Queues(d.Context()))
		d.same("queues", queues, []ops.Queue{
			{Name: "bulk", QueueCounts: stem.QueueCounts{Delayed: 1}},
			{Name: "default", QueueCounts: stem.QueueCounts{Ready: 1}, Gauge: ops.Gauge{Oldest: time.Minute}},
		})
		dismiss := d.hire(succeeding)
		time.Sleep(time.Second)
		q := must[ops.Queue](d)(d.Queue(d.Context(), "default"))
		d.same("workers", q.Workers, 1)
		dismiss()
	})
}

// plain is a broker that can do nothing for operators.
type plain struct{ stem.Broker }

func TestWhatAStoreCannotDoIsSaid(t *testing.T) {
	operate(t, func(d *desk) {
		d.serve(ops.Stores{Broker: plain{d.store}, Backend: d.store})
		ctx := d.Context()
		for capability, call := range map[string]func() error{
			"ops.QueueLister":      func() error { _, err := d.Queues(ctx); return err },
			"ops.TaskLister":       func() error { _, err := d.Tasks(ctx, ops.TaskQuery{Queue: "default"}); return err },
			"ops.TaskChanger":      func() error { _, err := d.Delete(ctx, by, ops.TaskFilter{Queue: "default"}); return err },
			"ops.DeadLetterKeeper": func() error { _, err := d.Purge(ctx, by, ops.LetterFilter{Queue: "default"}); return err },
			"stem.QueuePauser":     func() error { return d.Pause(ctx, by, "default") },
			"stem.PresenceLister":  func() error { _, err := d.Workers(ctx); return err },
			"stem.Revoker":         func() error { _, err := d.Revoke(ctx, by, "default", []string{"a"}); return err },
		} {
			var unsupported *ops.UnsupportedError
			err := call()
			if !errors.As(err, &unsupported) || unsupported.Capability != capability || unsupported.Adapter != "ops_test.plain" || !errors.Is(err, errors.ErrUnsupported) {
				d.Errorf("without %s: got error %v, want one that names it and the store", capability, err)
			}
		}
	})
}

func TestQueriesThatNoStoreIsAskedAreRefused(t *testing.T) {
	operate(t, func(d *desk) {
		for option, q := range map[string]ops.TaskQuery{
			"queue": {}, "state": {Queue: "q", State: "gone"}, "limit": {Queue: "q", Limit: ops.MaxPage + 1},
			"cursor": {Queue: "q", After: "gone:1"}, "id": {Queue: "q", ID: "a b"}, "task name": {Queue: "q", Task: "\x1b"},
		} {
			var refused *stem.OptionError
			if _, err := d.Tasks(d.Context(), q); !errors.As(err, &refused) || refused.Option != option {
				d.Errorf("%+v: got error %v, want one that names %s", q, err, option)
			}
		}
		if _, err := ops.New(ops.Stores{}, ops.Config{}); err == nil {
			d.Errorf("without a broker: got no error, want one")
		}
	})
}
