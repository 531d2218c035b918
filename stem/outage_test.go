package stem_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

var errAway = errors.New("the store is away")

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

// A store without room for another connection serves a receive by an old one and refuses the next.
func TestAStoreThatFailsInTurnsIsAskedWithBackoffAndRecoversOnce(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		hello := r.task("hello", greet)
		r.work(stem.WorkerConfig{})
		f.flaps.Store(true)
		for range 600 {
			r.enqueue(hello, "Stem")
			time.Sleep(100 * time.Millisecond)
		}
		failed, recovered := len(eventsOf[stem.StoreFailed](r)), len(eventsOf[stem.StoreRecovered](r))
		if failed < 40 || failed > 130 || recovered != 0 {
			t.Errorf("got %d failures and %d recoveries in a minute, want back-off and none", failed, recovered)
		}
		f.flaps.Store(false)
		if _, err := r.wait(r.enqueue(hello, "Stem")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Second)
		if got := eventsOf[stem.StoreRecovered](r); len(got) != 1 {
			t.Errorf("got %d recoveries, want one", len(got))
		}
	})
}

func TestAFailureNowAndThenCostsOneShortWait(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		hello := r.task("hello", greet)
		r.work(stem.WorkerConfig{})
		for range 60 {
			f.eats.Store(true)
			begin := time.Now()
			for range 10 {
				if got, err := r.wait(r.enqueue(hello, "Stem")); got != "Hello Stem" || err != nil {
					t.Fatalf("got %q, %v; want Hello Stem", got, err)
				}
				time.Sleep(10 * time.Millisecond)
			}
			if took := time.Since(begin); took > 200*time.Millisecond {
				t.Fatalf("ten tasks and a failure took %v, want 200ms at most", took)
			}
		}
		if failed := len(eventsOf[stem.StoreFailed](r)); failed != 60 {
			t.Errorf("got %d failures, want 60", failed)
		}
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

// A store that dies may have forgotten the last that it acknowledged. What was settled is on loan again, to a worker that lives and
// does not know of it, and receives nothing that could fail.
func TestWhatAStoreForgetsRunsAgainSoon(t *testing.T) {
	for _, tt := range []struct {
		what string
		dies func(r *rig, f *faulty, hello *stem.TaskDefinition[string, string])
	}{
		{"a renewal fails", func(_ *rig, f *faulty, _ *stem.TaskDefinition[string, string]) {
			f.away.Store(true)
			time.Sleep(5 * time.Second) // the worker renews its lease; its receive does not call
			f.away.Store(false)
		}},
		{"a settlement fails", func(r *rig, f *faulty, hello *stem.TaskDefinition[string, string]) {
			fails := func([]stem.Settlement) error {
				f.bad.Store(nil)
				return errAway
			}
			f.bad.Store(&fails)
			r.enqueue(hello, "another")
		}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
				hello := r.task("hello", greet)
				r.work(stem.WorkerConfig{Slots: 1})
				f.forgets.Store(true)
				job := r.enqueue(hello, "Stem")
				time.Sleep(time.Second)
				f.forgets.Store(false)
				tt.dies(r, f, hello)
				begin := time.Now()
				if got, err := r.wait(job); got != "Hello Stem" || err != nil {
					t.Errorf("got %q, %v; want Hello Stem", got, err)
				}
				if took := time.Since(begin); took > 5*time.Second {
					t.Errorf("it ran again after %v, want soon", took)
				}
			})
		})
	}
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
		for range 3000 {
			r.enqueue(count, "")
		}
		stop := r.work(stem.WorkerConfig{Slots: 2, Grace: time.Minute})
		time.Sleep(time.Hour)
		// 512 were on their way when the first failed, and what had gathered meanwhile.
		if got := runs.Load(); got > 2*512+2 {
			t.Errorf("got %d runs without a settlement, want them bounded", got)
		}
		begin := time.Now()
		if err := stop(); err == nil || time.Since(begin) != time.Minute {
			t.Errorf("got %v after %v, want an error after the grace period of 1m", err, time.Since(begin))
		}
		synctest.Wait()
		for _, e := range eventsOf[stem.StoreRecovered](r) {
			if e.Operation == "settle" {
				t.Error("it was told that the store settles again, which it never did")
			}
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
		defer func() {
			if failed := eventsOf[stem.StoreFailed](r); len(failed) != 1 || failed[0].Operation != "settle" || !errors.Is(failed[0].Err, stem.ErrClosed) {
				t.Errorf("got %+v, want one settlement that met a closed store", failed)
			}
		}()
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
