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

// brake is a store of revocations apart from the broker, behind a network that fails
// when the test says so.
type brake struct {
	memory.Store
	away, hangs atomic.Bool
	calls       atomic.Int64
}

func (b *brake) Revoked(ctx context.Context, ds ...stem.Delivery) ([]stem.Notice, error) {
	b.calls.Add(1)
	if b.hangs.Load() {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if b.away.Load() {
		return nil, errAway
	}
	return b.Store.Revoked(ctx, ds...)
}

// brakeRig is a rig whose broker cannot revoke.
func brakeRig(t *testing.T, story func(t *testing.T, r *rig, b *brake)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := new(brake)
		hide := func(s *memory.Store) stem.Broker { return opaque{s} }
		story(t, newRig(t, hide, stem.ClientConfig{Backend: new(memory.Store), Revocations: b}), b)
	})
}

func TestAnotherStoreRevokes(t *testing.T) {
	brakeRig(t, func(t *testing.T, r *rig, b *brake) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		r.work(stem.WorkerConfig{Lease: time.Minute})
		running, sound := r.enqueue(nap, "1h"), r.enqueue(nap, "1h")
		delayed := r.enqueue(nap, "1h", stem.Delay(time.Minute))
		synctest.Wait()
		begin := time.Now()
		r.revoke(running, stem.RevokeReason("wrong customer"))
		r.revoke(delayed, stem.RevokeReason("late"))
		if got := r.revoked(running); got != "revoked while it ran: wrong customer" {
			t.Errorf("got %q, want the reason", got)
		}
		if at, cause := end.get(); !errors.Is(cause, stem.ErrRevoked) || at.Sub(begin) > 5*time.Second {
			t.Errorf("got cause %v after %v, want ErrRevoked within 5s", cause, at.Sub(begin))
		}
		if got := r.revoked(delayed); got != "revoked before it started: late" {
			t.Errorf("got %q, want revoked before it started", got)
		}
		if got, err := r.wait(sound); got != "slept" || err != nil {
			t.Errorf("got %q, %v; want slept", got, err)
		}
		if len(eventsOf[stem.StoreFailed](r)) != 0 {
			t.Errorf("got %v, want no failures", eventsOf[stem.StoreFailed](r))
		}
	})
}

func TestAStoreOfRevocationsThatIsAwayStopsNobody(t *testing.T) {
	for name, fails := range map[string]func(*brake) *atomic.Bool{
		"calls fail": func(b *brake) *atomic.Bool { return &b.away },
		"calls hang": func(b *brake) *atomic.Bool { return &b.hangs },
	} {
		t.Run(name, func(t *testing.T) {
			brakeRig(t, func(t *testing.T, r *rig, b *brake) {
				var end ending
				nap := r.task("nap", sleeper(&end))
				r.work(stem.WorkerConfig{Lease: 3 * time.Second})
				synctest.Wait()
				fails(b).Store(true)
				job := r.enqueue(nap, "1h")
				r.revoke(job)
				begin := time.Now()
				for range 20 {
					if got, err := r.wait(r.enqueue(nap, "1s")); got != "slept" || err != nil {
						t.Fatalf("got %q, %v; want slept", got, err)
					}
				}
				// 20 s of naps, and a second for one batch in six where calls hang.
				if took := time.Since(begin); took > 26*time.Second {
					t.Errorf("got %v for 20 naps of 1s, want hardly more", took)
				}
				failures := eventsOf[stem.StoreFailed](r)
				if len(failures) == 0 || failures[0].Operation != "revocations" {
					t.Errorf("got failures %v, want revocations", failures)
				}
				if s := r.status(job); s.State != stem.StatePending {
					t.Errorf("got %s, want that it runs", s.State)
				}
				fails(b).Store(false)
				begin = time.Now()
				if got := r.revoked(job); got != "revoked while it ran" || time.Since(begin) > 5*time.Second {
					t.Errorf("got %q after %v, want revoked while it ran within 5s", got, time.Since(begin))
				}
				if back := eventsOf[stem.StoreRecovered](r); len(back) != 1 || back[0].Operation != "revocations" {
					t.Errorf("got recoveries %v, want one of revocations", back)
				}
				if n := len(eventsOf[stem.LeaseLost](r)); n != 0 {
					t.Errorf("got %d leases lost, want none", n)
				}
			})
		})
	}
}

func TestAnIdleWorkerAsksNobodyWhatIsRevoked(t *testing.T) {
	brakeRig(t, func(t *testing.T, r *rig, b *brake) {
		r.task("nap", sleeper(new(ending)))
		r.work(stem.WorkerConfig{})
		time.Sleep(time.Hour)
		if got := b.calls.Load(); got != 0 {
			t.Errorf("got %d calls, want none", got)
		}
	})
}
