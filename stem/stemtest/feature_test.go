package stemtest_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/stemtest"
)

// What surrounds a task in production surrounds it in a test.

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
