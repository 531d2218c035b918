package stem_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// wedged is a store whose calls block whatever their context says, while the test wants it.
type wedged struct {
	*memory.Store
	extends, receives atomic.Pointer[chan struct{}]
}

func (s *wedged) Extend(ctx context.Context, session stem.Session, held ...stem.Delivery) ([]stem.Notice, error) {
	if gate := s.extends.Load(); gate != nil {
		<-*gate
	}
	return s.Store.Extend(ctx, session, held...)
}

func (s *wedged) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	if gate := s.receives.Load(); gate != nil {
		<-*gate
	}
	return s.Store.Receive(ctx, req)
}

// wantHealth looks at a worker; "" where nothing is wrong.
func wantHealth(t *testing.T, when string, w *stem.Worker, phase stem.Phase, unready, dead string) stem.Health {
	t.Helper()
	synctest.Wait()
	h := w.Health()
	if h.Phase != phase {
		t.Errorf("%s: got %s, want %s", when, h.Phase, phase)
	}
	for what, is := range map[string]struct {
		err  error
		want string
	}{"ready": {h.Ready(), unready}, "alive": {h.Alive(), dead}} {
		if is.want == "" != (is.err == nil) || is.err != nil && !strings.Contains(is.err.Error(), is.want) {
			t.Errorf("%s: %s: got %v, want %q", when, what, is.err, is.want)
		}
	}
	return h
}

func TestAWorkerIsReadyFromTheFirstAnswerOfItsStoreToItsStop(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		nap := r.task("nap", func(context.Context, string) (string, error) { time.Sleep(20 * time.Second); return "", nil })
		w, err := stem.NewWorker(r.client, &r.registry, stem.WorkerConfig{Name: "w", Slots: 2})
		if err != nil {
			t.Fatal(err)
		}
		wantHealth(t, "before Run", w, stem.PhaseStarting, "worker w is starting", "")
		ended := make(chan error, 1)
		go func() { ended <- w.Run(t.Context()) }()
		wantHealth(t, "at first", w, stem.PhaseStarting, "the store has not answered yet", "")
		time.Sleep(6 * time.Second)
		wantHealth(t, "after the first beat", w, stem.PhaseRunning, "", "")
		r.enqueue(nap, "")
		time.Sleep(time.Second)
		h := wantHealth(t, "at work", w, stem.PhaseRunning, "", "")
		if h.Slots != 2 || h.InHand != 1 || h.Running != 1 || h.Stuck != 0 || h.Lease != 15*time.Second || h.Silence != 2*time.Second {
			t.Errorf("got %+v, want 2 slots, 1 task that runs, and an answer 2 s ago", h)
		}
		w.Stop(stem.StopWarm)
		wantHealth(t, "while it stops", w, stem.PhaseStopping, "worker w is stopping", "")
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		wantHealth(t, "at the end", w, stem.PhaseStopped, "worker w is stopped", "worker w is stopped")
	})
}

func TestAWorkerWithoutAStoreIsAliveAndNotReadyOnceItsLeaseIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &faulty{}
		r := newRig(t, func(s *memory.Store) stem.Broker { store.Store = s; return store }, stem.ClientConfig{})
		r.task("hello", greet)
		w, ended := r.start(stem.WorkerConfig{})
		time.Sleep(6 * time.Second)
		store.away.Store(true)
		time.Sleep(10 * time.Second)
		wantHealth(t, "while its lease holds", w, stem.PhaseRunning, "", "")
		time.Sleep(20 * time.Minute)
		wantHealth(t, "later", w, stem.PhaseRunning, "the store has not answered for 20m", "")
		store.away.Store(false)
		time.Sleep(10 * time.Second)
		wantHealth(t, "when it is back", w, stem.PhaseRunning, "", "")
		w.Stop(stem.StopWarm)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	})
}

func TestAWorkerWhoseLoopsHangIsNotAlive(t *testing.T) {
	for loop, gate := range map[string]func(*wedged) *atomic.Pointer[chan struct{}]{
		"renew":   func(s *wedged) *atomic.Pointer[chan struct{}] { return &s.extends },
		"receive": func(s *wedged) *atomic.Pointer[chan struct{}] { return &s.receives },
	} {
		t.Run(loop, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &wedged{}
				r := newRig(t, func(s *memory.Store) stem.Broker { store.Store = s; return store }, stem.ClientConfig{})
				hello := r.task("hello", greet)
				w, ended := r.start(stem.WorkerConfig{})
				time.Sleep(6 * time.Second)
				free := make(chan struct{})
				gate(store).Store(&free)
				r.enqueue(hello, "") // so that the next receive comes
				time.Sleep(10 * time.Second)
				if err := w.Health().Alive(); err != nil {
					t.Errorf("at first: got %v, want it alive", err)
				}
				time.Sleep(3 * time.Minute)
				synctest.Wait()
				if h := w.Health(); h.Alive() == nil || !strings.Contains(h.Alive().Error(), "is overdue for") || h.Ready() == nil {
					t.Errorf("later: got %+v, want it dead", h)
				}
				gate(store).Store(nil)
				close(free)
				w.Stop(stem.StopWarm)
				if err := <-ended; err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestAWorkerIsNotAliveWhenNoSlotWillEverBeFree(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		task := r.task("deaf", deaf, stem.Timeout(time.Minute), stem.MaxRetries(0))
		long := r.task("long", func(context.Context, string) (string, error) { time.Sleep(2 * time.Hour); return "", nil })
		w, ended := r.start(stem.WorkerConfig{Slots: 2, Prefetch: 1})
		r.enqueue(task, "1h")
		r.enqueue(long, "")
		time.Sleep(30 * time.Minute)
		if h := wantHealth(t, "one is stuck", w, stem.PhaseRunning, "", ""); h.Stuck != 1 || h.Running != 2 {
			t.Errorf("got %d stuck of %d that run, want 1 of 2", h.Stuck, h.Running)
		}
		time.Sleep(2 * time.Hour)
		r.enqueue(task, "1h")
		r.enqueue(task, "1h")
		time.Sleep(30 * time.Minute)
		wantHealth(t, "all are stuck", w, stem.PhaseRunning, "all 2 slots are taken", "all 2 slots are taken")
		time.Sleep(time.Hour)
		wantHealth(t, "all have returned", w, stem.PhaseRunning, "", "")
		w.Stop(stem.StopWarm)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	})
}
