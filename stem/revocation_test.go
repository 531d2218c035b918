package stem_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

func (r *rig) revoke(job stem.Job[string], opts ...stem.RevokeOption) {
	r.t.Helper()
	if err := job.Revoke(r.t.Context(), opts...); err != nil {
		r.t.Fatal(err)
	}
}

// revoked expects a job to have been cancelled by a revocation, and says how.
func (r *rig) revoked(job stem.Job[string]) (message string) {
	r.t.Helper()
	_, err := r.wait(job)
	var failed *stem.TaskError
	if !errors.Is(err, stem.ErrCancelled) || !errors.As(err, &failed) || failed.Failure.Kind != stem.FailureRevoked {
		r.t.Fatalf("task %s: got %v, want that it was revoked", job.ID(), err)
	}
	if s := r.status(job); s.State != stem.StateCancelled {
		r.t.Errorf("got state %s, want cancelled", s.State)
	}
	return failed.Failure.Message
}

func TestARevokedTaskStartsNoMore(t *testing.T) {
	for _, tt := range []struct {
		where string
		opts  []stem.Option
		after time.Duration // from the enqueue to the revocation
		works bool          // a worker runs already
		idle  time.Duration // from the revocation to the start of one, if none does
		runs  int32
	}{
		{"in its queue", nil, time.Minute, false, time.Minute, 0},
		{"at once after its enqueue", nil, 0, false, 0, 0},
		{"delayed", []stem.Option{stem.Delay(time.Hour)}, time.Minute, true, 0, 0},
		{"delayed by more than revocations are kept for", []stem.Option{stem.Delay(30 * 24 * time.Hour)}, time.Minute, false, (30*24 - 1) * time.Hour, 0},
		{"between two attempts", nil, time.Minute, true, 0, 1},
		{"snoozed", []stem.Option{stem.Header("snooze", "yes")}, time.Minute, true, 0, 1},
	} {
		t.Run(tt.where, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				var runs atomic.Int32
				def := r.task("again", func(ctx context.Context, _ string) (string, error) {
					runs.Add(1)
					if info, _ := stem.Info(ctx); info.Headers["snooze"] != "" {
						return "", stem.Snooze(time.Hour)
					}
					return "", errors.New("once more")
				}, stem.Backoff(stem.FixedBackoff(time.Hour)))
				if tt.works {
					r.work(stem.WorkerConfig{})
				}
				job := r.enqueue(def, "", tt.opts...)
				time.Sleep(tt.after)
				r.revoke(job)
				if !tt.works {
					time.Sleep(tt.idle) // a worker beats every 5 s: a month of that takes a while, also in virtual time
					r.work(stem.WorkerConfig{})
				}
				ctx, cancel := context.WithTimeout(t.Context(), 60*24*time.Hour)
				defer cancel()
				_, _ = job.Wait(ctx)
				if got := r.revoked(job); got != "revoked before it started" {
					t.Errorf("got %q, want revoked before it started", got)
				}
				if got := runs.Load(); got != tt.runs {
					t.Errorf("got %d runs, want %d", got, tt.runs)
				}
				synctest.Wait()
				events := eventsOf[stem.TaskCancelled](r)
				if len(events) != 1 || events[0].Failure.Kind != stem.FailureRevoked || events[0].ID != job.ID() {
					t.Errorf("got events %+v, want one, of the kind revoked", events)
				}
				if n := r.count("default"); n.Ready+n.Delayed+n.Running+n.Dead != 0 {
					t.Errorf("got %+v left in the queue, want nothing", n)
				}
			})
		})
	}
}

func TestARunningTaskIsCancelledWithin5SecondsAtAnyLease(t *testing.T) {
	for _, lease := range []time.Duration{time.Second, 15 * time.Second, time.Minute, 24 * time.Hour} {
		inBubble(t, func(t *testing.T, r *rig) {
			var end ending
			nap := r.task("nap", sleeper(&end))
			r.work(stem.WorkerConfig{Lease: lease})
			job := r.enqueue(nap, "1h")
			time.Sleep(10*time.Minute + 1234*time.Millisecond)
			begin := time.Now()
			r.revoke(job, stem.RevokeReason("wrong customer"))
			if got := r.revoked(job); got != "revoked while it ran: wrong customer" {
				t.Errorf("got %q, want the reason", got)
			}
			at, cause := end.get()
			if !errors.Is(cause, stem.ErrRevoked) || !strings.Contains(cause.Error(), "wrong customer") {
				t.Errorf("lease %v: got cause %v, want ErrRevoked with the reason", lease, cause)
			}
			if took := at.Sub(begin); took > 5*time.Second {
				t.Errorf("lease %v: got cancelled after %v, want at most 5s", lease, took)
			}
		})
	}
}

func TestATaskThatWaitsInAWorkersHandsIsRevokedThere(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		r.work(stem.WorkerConfig{Slots: 1})
		r.enqueue(nap, "1h")
		waiting := r.enqueue(nap, "1h")
		synctest.Wait()
		if n := r.count("default"); n.Running != 2 {
			t.Fatalf("got %+v, want both in the worker's hands", n)
		}
		r.revoke(waiting, stem.RevokeReason("late"))
		if got := r.revoked(waiting); got != "revoked before it started: late" {
			t.Errorf("got %q, want revoked before it started", got)
		}
		if n := len(eventsOf[stem.TaskStarted](r)); n != 1 {
			t.Errorf("got %d starts, want 1", n)
		}
	})
}

func TestARevocationOutlastsTheWorker(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		r.work(stem.WorkerConfig{Name: "old"})
		job := r.enqueue(nap, "1h")
		synctest.Wait()
		f.away.Store(true)
		r.revoke(job)
		time.Sleep(time.Minute)
		if _, cause := end.get(); !errors.Is(cause, stem.ErrLeaseLost) {
			t.Errorf("got cause %v, want ErrLeaseLost of a worker that hears nothing", cause)
		}
		r.client, _ = stem.NewClient(r.store, stem.ClientConfig{Observer: r, Logger: slog.New(slog.DiscardHandler)})
		r.work(stem.WorkerConfig{Name: "new"})
		if got := r.revoked(job); got != "revoked before it started" || r.status(job).Worker != "new" {
			t.Errorf("got %q by %s, want revoked before it started, by the new worker", got, r.status(job).Worker)
		}
		f.away.Store(false)
	})
}

func TestAWorkerThatStopsHearsOfItFirst(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		stop := r.work(stem.WorkerConfig{})
		job := r.enqueue(nap, "1h")
		synctest.Wait()
		r.revoke(job)
		begin := time.Now()
		if err := stop(); err != nil || time.Since(begin) > 5*time.Second {
			t.Errorf("got %v after %v, want none within 5s", err, time.Since(begin))
		}
		r.revoked(job)
	})
}

func TestARevocationComesBeforeTheEnqueue(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var end ending
		nap := r.task("nap", sleeper(&end), stem.OnQueue("naps"))
		r.work(stem.WorkerConfig{Queues: []string{"naps", "default"}})
		for range 2 { // a revocation may be repeated
			if err := r.client.Revoke(t.Context(), "naps", "siesta"); err != nil {
				t.Fatal(err)
			}
		}
		r.revoked(r.enqueue(nap, "1s", stem.WithID("siesta")))
		if got, err := r.wait(r.enqueue(nap, "1s", stem.WithID("Siesta"), stem.OnQueue("default"))); got != "slept" || err != nil {
			t.Errorf("another id: got %q, %v; want slept", got, err)
		}
		if err := r.client.Revoke(t.Context(), "naps", "other queue"); err == nil {
			t.Error("an id with a space: got no error, want one")
		}
	})
}

func TestARevocationEndsAfterItsTime(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		job := r.enqueue(nap, "1s")
		r.revoke(job, stem.RevokeFor(time.Hour))
		time.Sleep(time.Hour)
		r.work(stem.WorkerConfig{})
		if got, err := r.wait(job); got != "slept" || err != nil {
			t.Errorf("got %q, %v; want slept", got, err)
		}
	})
}

func TestARevocationChangesNoEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		deaf := r.task("deaf", func(context.Context, string) (string, error) {
			time.Sleep(time.Minute)
			return "done all the same", nil
		})
		r.work(stem.WorkerConfig{})
		ended := r.enqueue(deaf, "")
		_, _ = r.wait(ended)
		r.revoke(ended)
		running := r.enqueue(deaf, "")
		synctest.Wait()
		r.revoke(running)
		for _, job := range []stem.Job[string]{ended, running} {
			if got, err := r.wait(job); got != "done all the same" || err != nil {
				t.Errorf("got %q, %v; want the handler's result", got, err)
			}
		}
	})
}

func TestAJobKnowsItsQueue(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		nap := r.task("nap", sleeper(new(ending)), stem.OnQueue("naps"))
		job := r.enqueue(nap, "1s")
		again, err := nap.Job(t.Context(), job.ID())
		if err != nil || job.Queue() != "naps" || again.Queue() != "naps" {
			t.Errorf("got queues %q and %q, %v; want naps", job.Queue(), again.Queue(), err)
		}
		if other := r.enqueue(nap, "1s", stem.OnQueue("others")); other.Queue() != "others" {
			t.Errorf("got queue %q, want others", other.Queue())
		}
		if many, err := nap.EnqueueMany(t.Context(), []string{"1s"}); err != nil || many[0].Queue() != "naps" {
			t.Errorf("got %+v, %v; want a job on naps", many, err)
		}
		r.revoke(again)
		r.work(stem.WorkerConfig{Queues: []string{"naps"}})
		r.revoked(job)
	})
}

func TestRevokeSaysWhatIsWrong(t *testing.T) {
	store := new(memory.Store)
	able, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	unable, err := stem.NewClient(opaque{store}, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		client    *stem.Client
		queue, id string
		opt       stem.RevokeOption
		want      string
	}{
		{able, "q", "", nil, "stem: id"},
		{able, "", "i", nil, "stem: queue"},
		{able, "q", "i", stem.WithDescendants("a b"), "stem: queue"},
		{able, "q", "i", stem.RevokeFor(0), "stem: RevokeFor 0s: want a positive duration"},
		{unable, "q", "i", nil, "stem_test.opaque is no stem.Revoker: set ClientConfig.Revocations"},
		{nil, "q", "i", nil, stem.ErrNoClient.Error()},
	} {
		err := tt.client.Revoke(t.Context(), tt.queue, tt.id, tt.opt)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("queue %q, id %q: got %v, want %q", tt.queue, tt.id, err, tt.want)
		}
	}
	if err := (stem.Job[string]{}).Revoke(t.Context()); !errors.Is(err, stem.ErrNoClient) {
		t.Errorf("a job of nobody: got %v, want ErrNoClient", err)
	}
}

func TestAFailedRevokeNamesTheQueues(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		if err := r.store.Close(); err != nil {
			t.Fatal(err)
		}
		err := r.client.Revoke(t.Context(), "here", "i", stem.WithDescendants("there", "here"))
		want := "stem: revoke task i on queue here: stem: the store is closed\nstem: revoke task i on queue there: stem: the store is closed"
		if !errors.Is(err, stem.ErrClosed) || err.Error() != want {
			t.Errorf("got %v, want\n%s", err, want)
		}
	})
}
