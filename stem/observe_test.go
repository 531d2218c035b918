package stem_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
)

// observed makes a rig with an observer of its own.
func observed(t *testing.T, log *bytes.Buffer, observe func(context.Context, stem.Event)) *rig {
	logger := slog.New(slog.DiscardHandler)
	if log != nil {
		logger = slog.New(slog.NewTextHandler(log, nil))
	}
	return newRig(t, nil, stem.ClientConfig{Observer: stem.ObserverFunc(observe), Logger: logger})
}

func TestAnObserverThatBlocksHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		free := make(chan struct{})
		r := observed(t, &log, func(context.Context, stem.Event) { <-free })
		hello := r.task("hello", greet)
		stop := r.work(stem.WorkerConfig{Slots: 1, Grace: 10 * time.Second})
		begin := time.Now()
		for range 100 {
			if _, err := r.wait(r.enqueue(hello, "Stem")); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("100 tasks took %v, want no wait for the observer", took)
		}
		if err := stop(); err != nil || time.Since(begin) != 10*time.Second {
			t.Errorf("got %v after %v; want nil at the end of the grace period", err, time.Since(begin))
		}
		if !strings.Contains(log.String(), "the observer has not taken all events") {
			t.Errorf("got log\n%s\nwant to be told of the observer", log.String())
		}
		close(free)
	})
}

func TestAnObserverThatPanicsOrEndsItsGoroutineIsToldTheRest(t *testing.T) {
	for name, harm := range map[string]struct {
		do   func()
		says string
	}{
		"panics":             {func() { panic("oops") }, "the observer panicked"},
		"ends its goroutine": {runtime.Goexit, "the observer ended its goroutine"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				var got []string
				r := observed(t, &log, func(_ context.Context, e stem.Event) {
					got = append(got, strings.TrimPrefix(fmt.Sprintf("%T", e), "stem."))
					harm.do()
				})
				hello := r.task("hello", greet)
				job := r.enqueue(hello, "Stem")
				stop := r.work(stem.WorkerConfig{Slots: 1})
				if greeting, err := r.wait(job); greeting != "Hello Stem" || err != nil {
					t.Errorf("got %q, %v; want Hello Stem", greeting, err)
				}
				if s := r.status(job); s.Attempt != 1 {
					t.Errorf("got attempt %d, want 1: an observer costs nothing", s.Attempt)
				}
				synctest.Wait() // the result is there before the worker knows that it is
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				want := []string{"TaskEnqueued", "WorkerStarted", "TaskStarted", "TaskSucceeded", "WorkerStopping", "WorkerStopped"}
				if diff := cmp.Diff(got, want); diff != "" {
					t.Errorf("got -, want +:\n%s", diff)
				}
				if !strings.Contains(log.String(), harm.says) {
					t.Errorf("got log\n%s\nwant %q", log.String(), harm.says)
				}
			})
		})
	}
}

func TestWhatAnObserverIsTooSlowForIsDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const tasks, line = 9000, 8192
		var log bytes.Buffer
		free := make(chan struct{})
		var got []stem.Event
		r := observed(t, &log, func(_ context.Context, e stem.Event) {
			<-free
			got = append(got, e)
		})
		hello := r.task("hello", greet)
		r.enqueue(hello, "first")
		synctest.Wait() // the observer has it, and nothing else waits
		if _, err := hello.EnqueueMany(t.Context(), make([]string, tasks)); err != nil {
			t.Fatal(err)
		}
		close(free)
		synctest.Wait()
		r.enqueue(hello, "last")
		synctest.Wait()
		if len(got) != 1+line+1+1 {
			t.Fatalf("got %d events, want the first, those in line, EventsDropped and the last", len(got))
		}
		if got[1+line] != (stem.EventsDropped{N: tasks - line}) {
			t.Errorf("got %+v behind those in line, want EventsDropped of %d", got[1+line], tasks-line)
		}
		if !strings.Contains(log.String(), fmt.Sprint("events=", tasks-line)) {
			t.Errorf("got log\n%s\nwant how many were dropped", log.String())
		}
	})
}

func TestTheContextOfAnEventHasTheValuesOfItsPlaceAndDoesNotEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		var enqueued any
		var started stem.TaskInfo
		r := observed(t, nil, func(ctx context.Context, e stem.Event) {
			if ctx.Done() != nil {
				t.Errorf("%T: the context can end", e)
			}
			switch e.(type) {
			case stem.TaskEnqueued:
				enqueued = ctx.Value(key{})
			case stem.TaskStarted:
				started, _ = stem.Info(ctx)
			}
		})
		hello := r.task("hello", greet)
		r.work(stem.WorkerConfig{Name: "ann"})
		job, err := hello.Enqueue(context.WithValue(t.Context(), key{}, "value"), "")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = r.wait(job)
		synctest.Wait()
		if enqueued != "value" || started.ID != job.ID() || started.Worker != "ann" {
			t.Errorf("got %v and %+v, want the values of the enqueue and of the handler", enqueued, started)
		}
	})
}

func TestAnInterruptedTaskIsAnEventWhereItIsReceived(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		hang := r.task("hang", func(ctx context.Context, _ string) (string, error) {
			if info, _ := stem.Info(ctx); info.Worker == "old" {
				<-ctx.Done()
			}
			return "", ctx.Err()
		})
		r.work(stem.WorkerConfig{Name: "old"})
		job := r.enqueue(hang, "")
		synctest.Wait()
		f.away.Store(true)
		time.Sleep(time.Minute)
		r.client, _ = stem.NewClient(r.store, stem.ClientConfig{Observer: r, Logger: slog.New(slog.DiscardHandler)})
		r.work(stem.WorkerConfig{Name: "new"})
		time.Sleep(time.Second)
		got := eventsOf[stem.TaskInterrupted](r)
		if len(got) != 1 || got[0].ID != job.ID() || got[0].Worker != "new" || got[0].Interruptions != 1 {
			t.Errorf("got %+v, want one at the new worker, of one interruption", got)
		}
		f.away.Store(false)
	})
}

func TestAStoreThatComesBackIsAnEvent(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		r.work(stem.WorkerConfig{})
		job := r.enqueue(nap, "12s")
		synctest.Wait()
		f.away.Store(true)
		time.Sleep(14 * time.Second)
		f.away.Store(false)
		if _, err := r.wait(job); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		tally(t, r, "extend", "settle")

		r.mu.Lock()
		r.events = nil
		r.mu.Unlock()
		f.away.Store(true)
		time.Sleep(2 * time.Minute) // a receive that waits hears nothing of it before the next one
		f.away.Store(false)
		if _, err := r.wait(r.enqueue(nap, "1s")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // the next renewal is under way
		tally(t, r, "extend", "receive")
	})
}

// tally checks that each of these operations has failed, and recovered once.
func tally(t *testing.T, r *rig, operations ...string) {
	t.Helper()
	for _, operation := range operations {
		failed, recovered := 0, 0
		for _, e := range eventsOf[stem.StoreFailed](r) {
			if e.Operation == operation {
				failed++
			}
		}
		for _, e := range eventsOf[stem.StoreRecovered](r) {
			if e.Operation == operation {
				recovered++
			}
		}
		if failed == 0 || recovered != 1 {
			t.Errorf("%s: got %d failures and %d recoveries, want some and one", operation, failed, recovered)
		}
	}
}
