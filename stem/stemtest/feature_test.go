package stemtest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
	"github.com/gostem/gostem/stem/stemtest"
)

// What surrounds a task in production surrounds it in a test.

func TestAReplacedTaskIsNoRequest(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		var list []string
		def := task(t, rt, "index", ran(&list), stem.Unique(stem.UntilStarted), stem.UniqueKey("one"), stem.OnConflict(stem.ConflictReplace))
		for _, args := range []string{"a", "b", "c"} {
			enqueue(t, rt.Context(), def, args, stem.Delay(time.Minute))
		}
		if got := stemtest.EnqueuedOne(t, rt, def); got.Args != "c" {
			t.Errorf("got %q, want c, which has replaced the others", got.Args)
		}
		rt.DrainAll()
		wantRan(t, list, "c")
	})
}

func TestAUniqueTaskIsEnqueuedOnce(t *testing.T) {
	rec := stemtest.NewRecorder(t)
	def := define("index", stem.Unique(stem.UntilDone))
	enqueue(t, rec.Context(), def, "a")
	enqueue(t, rec.Context(), def, "a")
	enqueue(t, rec.Context(), def, "b")
	if got := stemtest.Enqueued(t, rec, def); len(got) != 2 || got[1].Args != "b" {
		t.Errorf("got %+v, want a and b", got)
	}
}

func TestWhatFollowsATaskFollowsItInATest(t *testing.T) {
	next := define("next")
	sorry := define("sorry")
	options := []stem.Option{stem.OnSuccess(next.With("after a success")), stem.OnFailure(sorry.With("after a failure")), stem.MaxRetries(0)}

	ok := stemtest.Perform(t, work, echo, "x", stemtest.With(options...))
	if got := stemtest.EnqueuedOne(t, ok.Recorder, next); got.Args != "after a success" || got.Parent != "task-1" {
		t.Errorf("got %+v, want what follows task-1", got)
	}
	stemtest.NotEnqueued(t, ok.Recorder, sorry)
	failed := stemtest.Perform(t, work, func(context.Context, string) (string, error) { return "", errDeclined }, "x", stemtest.With(options...))
	stemtest.EnqueuedOne(t, failed.Recorder, sorry)

	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		var list []string
		first, then := task(t, rt, "first", echo), task(t, rt, "then", ran(&list))
		rt.CrashAfter(first)
		enqueue(t, rt.Context(), first, "passed on", stem.Then(first, then))
		rt.Drain()
		wantRan(t, list, "passed on")
	})
}

func TestProgressIsWatchedInVirtualTime(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		def := task(t, rt, "crawl", func(ctx context.Context, _ string) (string, error) {
			for page := range 3 {
				stem.Progress(ctx, float64(page*50), fmt.Sprint("page ", page), nil)
				time.Sleep(time.Hour)
			}
			return "", nil
		})
		var seen []string
		for report, err := range enqueue(t, rt.Context(), def, "x").Watch(rt.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			seen = append(seen, report.Message)
		}
		if want := []string{"page 0", "page 1", "page 2"}; !slices.Equal(seen, want) {
			t.Errorf("got %v, want %v", seen, want)
		}
	})
}

func TestAHandlerThatShowsNoSignOfLifeIsCancelledInATest(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		def := task(t, rt, "silent", func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			return "", context.Cause(ctx)
		}, stem.HeartbeatTimeout(time.Hour), stem.MaxRetries(0))
		began := time.Now()
		if _, err := enqueue(t, rt.Context(), def, "x").Wait(rt.Context()); err == nil || time.Since(began) != time.Hour {
			t.Errorf("got %v after %v, want a failure after an hour", err, time.Since(began))
		}
	})
}

func TestALimitedTaskWaitsForItsTurn(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		var list []string
		began := time.Now()
		def := task(t, rt, "call", func(ctx context.Context, args string) (string, error) {
			return ran(&list)(ctx, fmt.Sprint(args, " after ", time.Since(began)))
		}, stem.RateLimit(1, time.Minute))
		for _, args := range []string{"a", "b", "c"} {
			enqueue(t, rt.Context(), def, args)
		}
		rt.Drain()
		wantRan(t, list, "a after 0s")
		rt.DrainAll()
		wantRan(t, list, "a after 0s", "b after 1m0s", "c after 2m0s")
	})
}

func TestLimitsOfQueuesAndPenaltiesHoldInATest(t *testing.T) {
	cfg := stemtest.Config{Limits: limit.Config{Queues: map[string]stem.Rate{"default": {Count: 1, Per: time.Minute}}}}
	stemtest.RunWith(t, cfg, func(t *testing.T, rt *stemtest.Runtime) {
		var list []string
		began := time.Now()
		def := task(t, rt, "call", func(ctx context.Context, args string) (string, error) {
			return ran(&list)(ctx, fmt.Sprint(args, " after ", time.Since(began)))
		}, stem.RateLimit(1, time.Second))
		enqueue(t, rt.Context(), def, "a")
		enqueue(t, rt.Context(), def, "b")
		rt.Advance(time.Minute)
		wantRan(t, list, "a after 0s", "b after 1m0s")
		if err := rt.Limits().Penalize(t.Context(), limit.Task("call", ""), time.Hour); err != nil {
			t.Fatal(err)
		}
		enqueue(t, rt.Context(), def, "c")
		rt.DrainAll()
		wantRan(t, list[2:], "c after 1h1m0s")
	})
}

func TestALimitOfHowManyAtOnceHoldsInATest(t *testing.T) {
	cfg := stemtest.Config{Worker: stem.WorkerConfig{Slots: 10}}
	stemtest.RunWith(t, cfg, func(t *testing.T, rt *stemtest.Runtime) {
		var list []string
		def := task(t, rt, "import", func(ctx context.Context, args string) (string, error) {
			time.Sleep(time.Hour)
			return ran(&list)(ctx, args)
		}, stem.Concurrency(2))
		began := time.Now()
		for range 6 {
			enqueue(t, rt.Context(), def, "x")
		}
		rt.DrainAll()
		if d := time.Since(began); len(list) != 6 || d < 3*time.Hour || d > 3*time.Hour+time.Minute {
			t.Errorf("got %d runs in %v, want 6 in three hours or little more", len(list), d)
		}
	})
}

func TestALimitedTaskIsPerformed(t *testing.T) {
	def := define("call", stem.RateLimit(1, time.Hour), stem.Concurrency(1))
	for range 2 {
		if got := stemtest.Perform(t, def, echo, "x").Must(); got != "x" {
			t.Errorf("got %q, want x", got)
		}
	}
}

func TestTheLimiterOfTheProgramIsUsed(t *testing.T) {
	limiter := new(refusal)
	got := stemtest.Perform(t, define("call", stem.RateLimit(1, time.Hour)), echo, "x", stemtest.OnWorker(stem.WorkerConfig{Limiter: limiter}))
	if got.Verdict != stem.VerdictSnooze || got.Delay != time.Hour {
		t.Errorf("got %v, want a snooze for an hour", got)
	}
}

// refusal is a limiter with a turn in an hour.
type refusal struct{ stem.Limiter }

func (*refusal) Reserve(_ context.Context, turns ...stem.Turn) ([]time.Duration, error) {
	return slices.Repeat([]time.Duration{time.Hour}, len(turns)), nil
}
