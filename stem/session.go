package stem

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// tenure is what a worker knows of its own session: when its lease was last
// renewed, counted from when the call was sent, by the monotonic clock.
type tenure struct {
	mu      sync.Mutex
	renewed time.Time
	heard   time.Time // when the store last answered; zero before the first time
}

func (t *tenure) renew(sent time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.renewed = sent
}

// hears notes that the store has answered.
func (t *tenure) hears(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = now
}

func (t *tenure) heardAt() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heard
}

func (t *tenure) last() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.renewed
}

// longestBeat is the most time between two renewals, however long the lease: each
// also brings the news of what has been revoked.
const longestBeat = 5 * time.Second

// beat is how often the worker says that it lives, and hears what it has lost.
func (w *Worker) beat() time.Duration { return min(w.session.Lease/3, longestBeat) }

// keepSession renews the worker's lease every third of it, and at least every 5 s, until
// ctx ends. It cancels the handlers whose deliveries the store says are lost or revoked, and,
// by this process's monotonic clock, those whose lease must be taken for lapsed
// because no renewal got through: before anyone else can have the task.
func (w *Worker) keepSession(ctx context.Context) {
	every := w.beat()
	wait := every
	var failing stall
	var teller sync.WaitGroup
	defer teller.Wait()
	var telling atomic.Bool
	log := func(line func()) { // on its own: no log may hold up the next renewal or cut-off
		if telling.CompareAndSwap(false, true) {
			teller.Go(func() {
				defer telling.Store(false)
				line()
			})
		}
	}
	defer w.renews.rests()
	for w.renews.within(wait + w.session.Lease); sleep(ctx, wait); w.renews.within(wait + w.session.Lease) {
		err := w.renew(ctx)
		now := time.Now()
		next := w.held.expire(w.tenure.last(), w.session.Lease, now)
		if wait = every; err == nil {
			if failing != (stall{}) {
				w.observe.tell(ctx, StoreRecovered{"extend"})
				log(func() { w.logRecovery(ctx, "extend") })
			}
			failing = stall{}
			w.lookAtHand(now)
		} else if ctx.Err() == nil {
			w.doubt()
			wait = min(failing.next(), every)
			again := wait
			w.observe.tell(ctx, StoreFailed{"extend", err})
			log(func() { w.logFailure(ctx, "extend", err, again) })
		}
		if !next.IsZero() {
			wait = min(wait, max(next.Sub(now), 0))
		}
	}
}

// tellLeaving tells the store that the worker stops, so that nothing counts as
// interrupted that the end of the process cuts short. If that fails, the renewals
// that follow say it as well.
func (w *Worker) tellLeaving(ctx context.Context) {
	if w.held.len() == 0 {
		return
	}
	if err := w.renew(ctx); err != nil && ctx.Err() == nil {
		w.log.WarnContext(ctx, "stem: the store could not be told that the worker stops", "error", err)
	}
}

// renew renews the lease once and acts on what the store says.
func (w *Worker) renew(ctx context.Context) error {
	loans, deliveries := w.held.snapshot()
	sent := time.Now()
	// A call that hangs must not outlast the lease, or handlers would not be
	// cancelled in time.
	timeout := min(w.client.cfg.CallTimeout, w.session.Lease/3)
	if left := w.tenure.last().Add(w.session.Lease).Sub(sent); left > 0 {
		timeout = min(timeout, left)
	}
	call := callContext(ctx, timeout)
	defer call.end(nil)
	session := w.session
	session.Leaving = w.stops.warm.raised()
	notices, err := w.client.broker.Extend(call, session, deliveries...)
	if err != nil {
		return err
	}
	w.tenure.renew(sent)
	w.tenure.hears(time.Now())
	obey(loans, notices)
	return nil
}
