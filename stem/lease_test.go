package stem_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

func TestNoticesReachTheHandler(t *testing.T) {
	for _, tt := range []struct {
		notice, cause error
		state         stem.State
	}{
		{stem.ErrRevoked, stem.ErrRevoked, stem.StateCancelled},
		{stem.ErrLeaseLost, stem.ErrLeaseLost, stem.StatePending},
		{nil, stem.ErrLeaseLost, stem.StatePending}, // a broker that forgets to say why
	} {
		faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
			var end ending
			nap := r.task("nap", sleeper(&end))
			stop := r.work(stem.WorkerConfig{})
			job := r.enqueue(nap, "1h")
			synctest.Wait()
			f.notice.Store(&tt.notice)
			time.Sleep(5*time.Second + time.Millisecond) // a third of the lease
			if _, cause := end.get(); !errors.Is(cause, tt.cause) {
				t.Errorf("notice %v: got cause %v, want %v", tt.notice, cause, tt.cause)
			}
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			if s := r.status(job); s.State != tt.state {
				t.Errorf("notice %v: got %s, want %s", tt.notice, s.State, tt.state)
			}
		})
	}
}

func TestAfterAnOutageNothingFreshIsCancelled(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		r.work(stem.WorkerConfig{})
		synctest.Wait()
		for range 20 {
			f.away.Store(true)
			time.Sleep(time.Minute)
			f.away.Store(false)
			job := r.enqueue(nap, "10s")
			if got, err := r.wait(job); got != "slept" || err != nil {
				t.Fatalf("got %q, %v; want slept", got, err)
			}
			if s := r.status(job); s.Releases != 0 || s.Interruptions != 0 {
				t.Fatalf("got %+v, want one whole run", s)
			}
		}
	})
}

func TestASlowObserverDoesNotDelayTheCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(faulty)
		slow := stem.ObserverFunc(func(_ context.Context, e stem.Event) {
			if _, ok := e.(stem.StoreFailed); ok {
				time.Sleep(8 * time.Second)
			}
		})
		r := newRig(t, func(s *memory.Store) stem.Broker { f.Store = s; return f }, stem.ClientConfig{Observer: slow})
		var end ending
		nap := r.task("nap", sleeper(&end))
		r.work(stem.WorkerConfig{})
		r.enqueue(nap, "1h")
		synctest.Wait()
		f.away.Store(true)
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if _, cause := end.get(); !errors.Is(cause, stem.ErrLeaseLost) {
			t.Errorf("got cause %v within the lease of 15s, want ErrLeaseLost", cause)
		}
		f.away.Store(false)
		time.Sleep(5 * time.Minute) // until it has been told all
	})
}

func TestALongHandlerKeepsItsLease(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		r.work(stem.WorkerConfig{Name: "one"})
		job := r.enqueue(nap, "2h")
		synctest.Wait()
		r.work(stem.WorkerConfig{Name: "two"}) // would take it over
		if got, err := r.wait(job); got != "slept" || err != nil {
			t.Fatalf("got %q, %v; want slept", got, err)
		}
		if s := r.status(job); s.Worker != "one" || s.Interruptions != 0 {
			t.Errorf("got %+v, want the first worker's, without an interruption", s)
		}
	})
}

func TestAWorkerThatIsCutOffCancelsBeforeItsLeaseEnds(t *testing.T) {
	for name, cut := range map[string]func(*faulty){
		"calls fail": func(f *faulty) { f.away.Store(true) },
		"calls hang": func(f *faulty) { f.hangs.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
				var end ending
				nap := r.task("nap", sleeper(&end))
				r.work(stem.WorkerConfig{Lease: 30 * time.Second})
				r.enqueue(nap, "24h")
				time.Sleep(time.Minute + time.Millisecond)
				begin := time.Now() // the lease was renewed a millisecond ago
				cut(f)
				time.Sleep(30 * time.Second)
				if at, cause := end.get(); !errors.Is(cause, stem.ErrLeaseLost) {
					t.Errorf("got cause %v after %v, want ErrLeaseLost within the lease of 30s", cause, at.Sub(begin))
				}
			})
		})
	}
}

func TestALongerVisibilityOutlastsTheLease(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		var end ending
		nap := r.task("nap", sleeper(&end), stem.Visibility(time.Hour))
		r.work(stem.WorkerConfig{})
		job := r.enqueue(nap, "50m")
		synctest.Wait()
		f.away.Store(true)
		time.Sleep(55 * time.Minute)
		f.away.Store(false)
		if got, err := r.wait(job); got != "slept" || err != nil {
			t.Errorf("got %q, %v; want slept", got, err)
		}
	})
}

func TestAfterATakeoverTheOldHoldersEndIsRefused(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		var mu sync.Mutex
		runs := 0
		stubborn := r.task("stubborn", func(context.Context, string) (string, error) {
			mu.Lock()
			runs++
			mine := runs
			mu.Unlock()
			time.Sleep(10 * time.Minute) // deaf to its context
			return map[int]string{1: "stale", 2: "fresh"}[mine], nil
		})
		r.work(stem.WorkerConfig{Name: "old"})
		job := r.enqueue(stubborn, "")
		synctest.Wait()
		f.away.Store(true)
		time.Sleep(time.Minute)

		r.client, _ = stem.NewClient(r.store, stem.ClientConfig{Observer: r, Logger: slog.New(slog.DiscardHandler)})
		r.work(stem.WorkerConfig{Name: "new"}) // reaches the store, and takes over
		synctest.Wait()
		f.away.Store(false)

		if got, err := r.wait(job); got != "fresh" || err != nil {
			t.Errorf("got %q, %v; want the new holder's result", got, err)
		}
		synctest.Wait()
		lost := eventsOf[stem.LeaseLost](r)
		if len(lost) != 1 || lost[0].Worker != "old" {
			t.Errorf("got LeaseLost events %+v, want one of the old worker", lost)
		}
		if s := r.status(job); s.Worker != "new" || s.Interruptions != 1 || s.Attempt != 1 {
			t.Errorf("got %+v, want the new worker's record", s)
		}
	})
}

func TestATaskThatNobodyTookOverIsGivenBackAfterACutOff(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		r.work(stem.WorkerConfig{})
		job := r.enqueue(nap, "40s")
		synctest.Wait()
		f.away.Store(true)
		time.Sleep(20 * time.Second) // longer than the lease
		f.away.Store(false)
		if got, err := r.wait(job); got != "slept" || err != nil {
			t.Fatalf("got %q, %v; want slept, in a second run", got, err)
		}
		if s := r.status(job); s.Attempt != 1 {
			t.Errorf("got attempt %d, want 1", s.Attempt)
		}
	})
}
