package stem_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// faulty is a store behind a network that fails when the test says so.
type faulty struct {
	*memory.Store

	away   atomic.Bool           // calls fail without reaching the store
	eats   atomic.Bool           // an answer of Receive is lost after the store has lent
	notice atomic.Pointer[error] // Extend says that all is lost, or revoked
	empty  atomic.Bool           // Receive answers nothing, at once
	stuck  atomic.Bool           // settlements and loads block until their context ends
	// swallows loses one too, and asks again by itself, as some drivers do.
	swallows atomic.Bool
	hangs    atomic.Bool // Extend blocks until its context ends
	calls    atomic.Int64
	// bad, if set, fails settlements: a whole batch, or items of it.
	bad atomic.Pointer[func(ss []stem.Settlement) error]
}

var errAway = errors.New("the store is away")

func (f *faulty) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	if f.calls.Add(1); f.away.Load() {
		return nil, errAway
	}
	if f.empty.Load() {
		return nil, nil
	}
	ds, err := f.Store.Receive(ctx, req)
	if err == nil && f.eats.CompareAndSwap(true, false) {
		return nil, errAway
	}
	if err == nil && f.swallows.CompareAndSwap(true, false) {
		return f.Store.Receive(ctx, req)
	}
	return ds, err
}

func (f *faulty) Extend(ctx context.Context, s stem.Session, held ...stem.Delivery) ([]stem.Notice, error) {
	if f.calls.Add(1); f.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if f.away.Load() {
		return nil, errAway
	}
	if cause := f.notice.Load(); cause != nil {
		var notices []stem.Notice
		for i := range held {
			notices = append(notices, stem.Notice{Index: i, Cause: *cause})
		}
		return notices, nil
	}
	return f.Store.Extend(ctx, s, held...)
}

func (f *faulty) Load(ctx context.Context, ids ...string) ([]stem.Result, error) {
	if f.stuck.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return f.Store.Load(ctx, ids...)
}

func (f *faulty) SaveAndSettle(ctx context.Context, ss ...stem.Settlement) error {
	if f.calls.Add(1); f.away.Load() {
		return errAway
	}
	if f.stuck.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if bad := f.bad.Load(); bad != nil {
		if err := (*bad)(ss); err != nil {
			return err
		}
	}
	return f.Store.SaveAndSettle(ctx, ss...)
}

func faultyRig(t *testing.T, story func(t *testing.T, r *rig, f *faulty)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := new(faulty)
		r := newRig(t, func(s *memory.Store) stem.Broker { f.Store = s; return f }, stem.ClientConfig{})
		story(t, r, f)
	})
}

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

func TestEveryCallIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := new(faulty)
		r := newRig(t, func(s *memory.Store) stem.Broker { f.Store = s; return f }, stem.ClientConfig{CallTimeout: 2 * time.Second})
		hello := r.task("hello", greet)
		r.work(stem.WorkerConfig{})
		f.stuck.Store(true)
		job := r.enqueue(hello, "Stem")
		begin := time.Now()
		if _, err := job.Status(t.Context()); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) != 2*time.Second {
			t.Errorf("Status: got %v after %v, want context.DeadlineExceeded after 2s", err, time.Since(begin))
		}
		synctest.Wait()
		if failed := eventsOf[stem.StoreFailed](r); len(failed) != 1 || failed[0].Operation != "settle" || !errors.Is(failed[0].Err, context.DeadlineExceeded) {
			t.Errorf("got %+v, want one settlement that ran into its bound", failed)
		}
		f.stuck.Store(false)
		if got, err := r.wait(job); got != "Hello Stem" || err != nil {
			t.Errorf("got %q, %v; want Hello Stem", got, err)
		}
	})
}

func TestABrokerThatDoesNotWaitIsAskedWithBackoff(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		r.task("hello", greet)
		f.empty.Store(true)
		r.work(stem.WorkerConfig{})
		time.Sleep(time.Minute)
		if calls := f.calls.Load(); calls > 60 {
			t.Errorf("got %d calls in a minute, want back-off", calls)
		}
	})
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
		time.Sleep(time.Minute)
	})
}

func TestAStoreOfAnUncomparableTypeWorks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type odd struct {
			*memory.Store
			tags []string
		}
		r := newRig(t, func(s *memory.Store) stem.Broker { return odd{s, nil} }, stem.ClientConfig{})
		hello := r.task("hello", greet)
		r.work(stem.WorkerConfig{})
		if got, err := r.wait(r.enqueue(hello, "Stem")); got != "Hello Stem" || err != nil {
			t.Errorf("got %q, %v; want Hello Stem, in two steps", got, err)
		}
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

func TestALostAnswerStrandsNothing(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		hello := r.task("hello", greet)
		r.work(stem.WorkerConfig{})
		synctest.Wait()
		f.eats.Store(true)
		job := r.enqueue(hello, "Stem")
		begin := time.Now()
		if got, err := r.wait(job); got != "Hello Stem" || err != nil {
			t.Fatalf("got %q, %v; want Hello Stem", got, err)
		}
		if took := time.Since(begin); took > 15*time.Second {
			t.Errorf("took %v, want less than the lease of 15s", took)
		}
		if s := r.status(job); s.Interruptions != 0 || s.Attempt != 1 {
			t.Errorf("got %+v, want no interruption: no worker had it", s)
		}
	})
}

func TestAnOutageOfTenMinutesIsSurvivedWithoutAHotLoop(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		r.work(stem.WorkerConfig{})
		settling := r.enqueue(nap, "1s") // ends while the store is away
		synctest.Wait()
		f.away.Store(true)
		before := f.calls.Load()
		time.Sleep(10 * time.Minute)
		// Three loops (receive, extend, settle), each at least every 2.5 s once
		// it has backed off.
		if calls := f.calls.Load() - before; calls > 3*(10*60/2.5+20) {
			t.Errorf("got %d calls in ten minutes, want back-off", calls)
		}
		f.away.Store(false)
		if got, err := r.wait(settling); got != "slept" || err != nil {
			t.Errorf("the task that ended in the outage: got %q, %v; want its result kept", got, err)
		}
		if s := r.status(settling); s.Interruptions != 0 {
			t.Errorf("got %+v, want the first run's record", s)
		}
		if got, err := r.wait(r.enqueue(nap, "1s")); got != "slept" || err != nil {
			t.Errorf("a task after the outage: got %q, %v; want it run", got, err)
		}
		if n := len(eventsOf[stem.StoreFailed](r)); n == 0 {
			t.Error("got no StoreFailed events")
		}
	})
}

func TestASettlementThatAlwaysFailsHoldsUpNobodyElse(t *testing.T) {
	for _, slots := range []int{1, 5} {
		faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
			hello := r.task("hello", greet)
			first := r.enqueue(hello, "bad")
			fail := func(ss []stem.Settlement) error {
				for _, s := range ss {
					if s.Delivery.ID == first.ID() {
						return errors.New("one row fails the whole statement")
					}
				}
				return nil
			}
			f.bad.Store(&fail)
			r.work(stem.WorkerConfig{Slots: slots})
			for range 100 {
				job := r.enqueue(hello, "Stem")
				if got, err := r.wait(job); got != "Hello Stem" || err != nil {
					t.Fatalf("%d slots: got %q, %v; want Hello Stem", slots, got, err)
				}
			}
			if s := r.status(first); s.State != stem.StatePending {
				t.Errorf("the bad one: got %s, want it unsettled", s.State)
			}
			time.Sleep(time.Hour)
			f.bad.Store(nil)
			if got, err := r.wait(first); got != "Hello bad" || err != nil {
				t.Errorf("the bad one, once the store takes it: got %q, %v; want its first run's result", got, err)
			}
			if s := r.status(first); s.Interruptions != 0 {
				t.Errorf("got %+v, want no interruption", s)
			}
		})
	}
}

func TestAStoreThatTakesNoSettlementStopsTheWorkerFromRunningOn(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		var runs atomic.Int64
		count := r.task("count", func(context.Context, string) (string, error) { runs.Add(1); return "", nil })
		fail := func([]stem.Settlement) error { return errors.New("read-only") }
		f.bad.Store(&fail)
		for range 1000 {
			r.enqueue(count, "")
		}
		stop := r.work(stem.WorkerConfig{Slots: 2, Grace: time.Minute})
		time.Sleep(time.Hour)
		// 2 + 10 failed, at most 2 slots beyond that wait with one each.
		if got := runs.Load(); got > 20 {
			t.Errorf("got %d runs without a settlement, want them bounded", got)
		}
		begin := time.Now()
		if err := stop(); err == nil || time.Since(begin) != time.Minute {
			t.Errorf("got %v after %v, want an error after the grace period of 1m", err, time.Since(begin))
		}
	})
}

func TestAnswersThatGetLostUnseenAreSearchedForNowAndThen(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		hello := r.task("hello", greet)
		r.work(stem.WorkerConfig{Lease: 10 * time.Second})
		synctest.Wait()
		f.swallows.Store(true)
		job := r.enqueue(hello, "Stem")
		begin := time.Now()
		if got, err := r.wait(job); got != "Hello Stem" || err != nil || time.Since(begin) > 40*time.Second {
			t.Errorf("got %q, %v after %v; want Hello Stem within four leases", got, err, time.Since(begin))
		}
	})
}

func TestProgressOfATaskThatIsLostSaysSo(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		errs := make(chan error, 10)
		nap := r.task("nap", func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			errs <- stem.Progress(ctx, 1, "")
			return "", ctx.Err()
		})
		r.work(stem.WorkerConfig{})
		r.enqueue(nap, "")
		synctest.Wait()
		f.away.Store(true)
		if err := <-errs; !errors.Is(err, stem.ErrLeaseLost) {
			t.Errorf("got %v, want ErrLeaseLost", err)
		}
	})
}

func TestAStoreThatIsClosedUnderARunningTaskEndsTheWorkerAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		w, err := stem.NewWorker(r.client, &r.registry, stem.WorkerConfig{Grace: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- w.Run(t.Context()) }()
		r.enqueue(nap, "1s")
		synctest.Wait()
		if err := r.store.Close(); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := <-done; !errors.Is(err, stem.ErrClosed) || time.Since(begin) != time.Second {
			t.Errorf("got %v after %v, want ErrClosed as soon as the handler has returned", err, time.Since(begin))
		}
	})
}

func TestAClosedStoreEndsTheWorkerWithAnError(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.task("hello", greet)
		w, err := stem.NewWorker(r.client, &r.registry, stem.WorkerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- w.Run(t.Context()) }()
		synctest.Wait()
		if err := r.store.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; !errors.Is(err, stem.ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	})
}
