package stem_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/adapters/memory"
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

// markingStore leaves a mark of its own with each first delivery, as a feature would.
type markingStore struct{ *memory.Store }

func (s markingStore) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	ds, err := s.Store.Receive(ctx, req)
	for i, d := range ds {
		if d.Attempt == 1 && d.Snoozes == 0 {
			ds[i].Marks = map[string]string{"limit": "7"}
		}
	}
	return ds, err
}

// quits is an error that ends the goroutine of whoever asks it what it says.
type quits struct{}

func (quits) Error() string { runtime.Goexit(); return "" }

// Whatever the code does that is asked about a failure, the run is settled: as if it had panicked.
func TestWhoEndsTheGoroutineWhileAFailureIsJudgedLosesNoTask(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		err  error
		opts []stem.HandlerOption
		want string
	}{
		"RetryIf":   {boom, []stem.HandlerOption{stem.RetryIf(func(error) bool { runtime.Goexit(); return false })}, "boom"},
		"RetryWith": {boom, []stem.HandlerOption{stem.RetryWith(func(stem.FailedRun) (time.Duration, bool) { runtime.Goexit(); return 0, false })}, "boom"},
		"Error":     {quits{}, nil, "a method of its error ended the goroutine"},
		"both":      {quits{}, []stem.HandlerOption{stem.RetryIf(func(err error) bool { return err.Error() != "" })}, "a method of its error ended the goroutine"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				def := r.task("bad", func(context.Context, string) (string, error) { return "", c.err },
					stem.MaxRetries(1), stem.Backoff(stem.FixedBackoff(time.Minute)))
				if err := r.registry.Configure(def, c.opts...); err != nil {
					t.Fatal(err)
				}
				stop := r.work(stem.WorkerConfig{Slots: 1, Prefetch: 1})
				begin := time.Now()
				for range 3 {
					_, err := r.wait(r.enqueue(def, ""))
					var failed *stem.TaskError
					if !errors.As(err, &failed) || failed.Attempt != 2 || len(failed.History) != 2 || !strings.Contains(failed.Failure.Message, c.want) {
						t.Errorf("got %v, want a dead letter at attempt 2 with %q", err, c.want)
					}
				}
				if took := time.Since(begin); took != 3*time.Minute {
					t.Errorf("got three tasks after %v, want 3m0s: the back-off decides", took)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// The history goes with the task, from worker to worker, through snoozes and releases.
func TestAttemptsThatFailedAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(s *memory.Store) stem.Broker { return markingStore{s} }, stem.ClientConfig{})
		begin := time.Now().UTC()
		var seen []map[string]string
		runs := 0
		var told []stem.AttemptRecord // to the last handler
		def := r.task("flaky", func(ctx context.Context, _ string) (string, error) {
			info, _ := stem.Info(ctx)
			told = info.History
			switch runs++; runs {
			case 1:
				return "", errors.New("boom")
			case 2:
				return "", stem.Snooze(time.Minute)
			case 3:
				panic("oh")
			case 4:
				<-ctx.Done()
				return "", ctx.Err()
			case 5:
				return "", stem.Snooze(time.Minute)
			default:
				return "done", nil
			}
		}, stem.Backoff(stem.FixedBackoff(time.Minute)))
		look := func(next stem.Handler) stem.Handler {
			return func(ctx context.Context, d *stem.Delivery) ([]byte, error) {
				seen = append(seen, map[string]string{"history": fmt.Sprint(len(d.History())), "limit": d.Marks["limit"]})
				return next(ctx, d)
			}
		}
		job := r.enqueue(def, "")
		stop := r.work(stem.WorkerConfig{Name: "one", Middleware: []stem.Middleware{look}})
		synctest.Wait()
		time.Sleep(2*time.Minute + time.Second) // the panic has come
		middle := r.status(job)
		time.Sleep(time.Minute)
		if err := stop(); err != nil { // the fourth run is released
			t.Fatal(err)
		}
		r.work(stem.WorkerConfig{Name: "two", Middleware: []stem.Middleware{look}})
		if _, err := r.wait(job); err != nil {
			t.Fatal(err)
		}
		if end := r.status(job); end.Attempt != 3 || end.Snoozes != 2 || end.Releases != 1 || end.Interruptions != 0 {
			t.Errorf("got attempt %d, %d snoozes, %d releases and %d interruptions, want 3, 2, 1 and 0", end.Attempt, end.Snoozes, end.Releases, end.Interruptions)
		}
		want := []stem.AttemptRecord{
			{Attempt: 1, At: begin, Worker: "one", Kind: stem.FailureError, Message: "boom"},
			{Attempt: 2, At: begin.Add(2 * time.Minute), Worker: "one", Kind: stem.FailurePanic, Message: "panic: oh"},
		}
		end := r.status(job)
		if diff := cmp.Diff(told, end.History); diff != "" {
			t.Errorf("what the handler was told: got -, want + as in the record:\n%s", diff)
		}
		for state, record := range map[stem.State]stem.Result{stem.StateRetrying: middle, stem.StateSucceeded: end} {
			got := slices.Clone(record.History)
			if len(got) != 2 || len(got[1].StackDigest) != 16 {
				t.Fatalf("%s: got the history %v, want two attempts, of the second a digest of its stack", state, got)
			}
			got[1].StackDigest = ""
			if diff := cmp.Diff(got, want); diff != "" || record.State != state {
				t.Errorf("%s: got state %s and the history -, want +:\n%s", state, record.State, diff)
			}
		}
		var counts []map[string]string
		for _, n := range []string{"0", "1", "1", "2", "2", "2"} {
			counts = append(counts, map[string]string{"history": n, "limit": "7"})
		}
		if diff := cmp.Diff(seen, counts); diff != "" {
			t.Errorf("what each delivery brought: got -, want +:\n%s", diff)
		}
	})
}

func TestTheDeadKeepTheirHistory(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		def := r.task("bad", func(ctx context.Context, _ string) (string, error) {
			info, _ := stem.Info(ctx)
			return "", fmt.Errorf("%d of %d", info.Attempt, info.MaxRetries+1)
		}, stem.MaxRetries(1))
		r.work(stem.WorkerConfig{})
		_, err := r.wait(r.enqueue(def, ""))
		var failed *stem.TaskError
		if !errors.As(err, &failed) || len(failed.History) != 2 || failed.History[1].Message != "2 of 2" {
			t.Errorf("got %v, want a *stem.TaskError with both attempts", err)
		}
		r.enqueue(def, "", stem.IgnoreResult())
		time.Sleep(time.Hour)
		for _, letter := range r.deadLetters("default") {
			if history := letter.History(); len(history) != 2 || history[0].Message != "1 of 2" || history[1].Message != "2 of 2" {
				t.Errorf("dead letter %s: got the history %v, want both attempts", letter.ID, history)
			}
		}
		if n := len(r.deadLetters("default")); n != 2 {
			t.Errorf("got %d dead letters, want 2", n)
		}
	})
}

// The record of a run under way replaces that of the failure before it, not what it knows.
func TestProgressKeepsTheHistory(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		def := r.task("slow", func(ctx context.Context, _ string) (string, error) {
			if info, _ := stem.Info(ctx); info.Attempt == 1 {
				return "", errors.New("boom")
			}
			stem.Progress(ctx, 50, "half", nil)
			<-ctx.Done()
			return "", ctx.Err()
		})
		job := r.enqueue(def, "")
		r.work(stem.WorkerConfig{})
		time.Sleep(time.Minute)
		if got := r.status(job); got.State != stem.StateRunning || len(got.History) != 1 || got.History[0].Message != "boom" {
			t.Errorf("got %s with the history %v, want running and the attempt that failed", got.State, got.History)
		}
	})
}
