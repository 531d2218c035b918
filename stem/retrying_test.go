package stem_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
)

// startsOf notes when a task starts, counted from now, and fails each time.
func startsOf(starts *[]time.Duration) func(context.Context, string) (string, error) {
	begin := time.Now()
	return func(context.Context, string) (string, error) {
		*starts = append(*starts, time.Since(begin))
		return "", errors.New("not yet")
	}
}

func TestRetriesEndWithTheirBudget(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var starts []time.Duration
		flaky := r.task("flaky", startsOf(&starts), stem.Backoff(stem.FixedBackoff(time.Minute)), stem.MaxRetries(100))
		r.work(stem.WorkerConfig{})
		_, err := r.wait(r.enqueue(flaky, "", stem.Delay(time.Hour), stem.RetryFor(2*time.Minute)))
		if diff := cmp.Diff(starts, []time.Duration{time.Hour, time.Hour + time.Minute, time.Hour + 2*time.Minute}); diff != "" {
			t.Errorf("starts: got -, want +:\n%s", diff)
		}
		var failed *stem.TaskError
		if !errors.As(err, &failed) || failed.Attempt != 3 || !strings.Contains(failed.Failure.Message, "it may be retried for 2m0s") {
			t.Errorf("got %v, want a failure at attempt 3 that says that the budget is over", err)
		}
		if letters := r.deadLetters("default"); len(letters) != 1 || !strings.Contains(letters[0].Reason, "it may be retried for 2m0s") {
			t.Errorf("got dead letters %v, want one that says that the budget is over", letters)
		}
	})
}

func TestTheTimeOfARunCountsForTheBudget(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		runs := 0
		slow := r.task("slow", func(context.Context, string) (string, error) {
			runs++
			time.Sleep(time.Hour)
			return "", errors.New("not yet")
		}, stem.Backoff(stem.FixedBackoff(0)), stem.RetryFor(90*time.Minute))
		r.work(stem.WorkerConfig{})
		if _, err := r.wait(r.enqueue(slow, "")); err == nil || runs != 2 {
			t.Errorf("got %v after %d runs, want a failure after two", err, runs)
		}
	})
}

// What Configure says of a task holds under its aliases too, as the handler does.
func TestARegisteredTaskIsConfigured(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		errGone := errors.New("gone")
		def := stem.Define(stem.TaskSpec{Name: "new", Aliases: []string{"old"}, Options: []stem.Option{stem.MaxRetries(5)}}, text, text)
		runs := 0
		err := stem.Handle(&r.registry, def, func(context.Context, string) (string, error) {
			if runs++; runs%3 == 0 {
				return "", errGone
			}
			return "", errors.New("busy")
		})
		if err != nil {
			t.Fatal(err)
		}
		err = r.registry.Configure(def,
			stem.RetryIf(func(err error) bool { return !errors.Is(err, errGone) }),
			stem.RetryWith(func(run stem.FailedRun) (time.Duration, bool) { return time.Duration(run.Attempt) * time.Hour, true }))
		if err != nil {
			t.Fatal(err)
		}
		r.work(stem.WorkerConfig{})
		for _, name := range []string{"new", "old"} {
			begin := time.Now()
			enqueued := stem.Define(stem.TaskSpec{Name: name, Options: def.Spec().Options}, text, text).Via(r.client)
			_, err := r.wait(r.enqueue(enqueued, ""))
			var failed *stem.TaskError
			if !errors.As(err, &failed) || failed.Attempt != 3 || failed.Failure.Message != "gone" {
				t.Errorf("%s: got %v, want a failure that is gone at attempt 3", name, err)
			}
			if took := time.Since(begin); took != 3*time.Hour {
				t.Errorf("%s: took %v, want an hour before the second run and two before the third", name, took)
			}
		}
	})
}
