package stem

import (
	"context"
	"errors"
	"time"
)

// keepSession renews the worker's lease every third of it until ctx ends. It
// cancels the handlers whose deliveries the store says are lost or revoked, and,
// by this process's monotonic clock, those whose lease must be taken for lapsed
// because no renewal got through: before anyone else can have the task. The
// lease was last renewed, or opened, at renewed.
func (w *Worker) keepSession(ctx context.Context, renewed time.Time) {
	every := w.session.Lease / 3
	wait := every
	var failing stall
	for sleep(ctx, wait) {
		sent := time.Now()
		if err := w.beat(ctx, renewed); err == nil {
			renewed, wait, failing = sent, every, stall{}
		} else if ctx.Err() == nil {
			wait = min(failing.next(), every)
			w.storeFailed(ctx, "extend", err, wait)
		}
		now := time.Now()
		if end := w.held.expire(renewed, w.session.Lease, now); !end.IsZero() {
			wait = min(wait, max(end.Sub(now), 0))
		}
	}
}

// beat renews the lease once and acts on what the store says.
func (w *Worker) beat(ctx context.Context, renewed time.Time) error {
	loans, deliveries := w.held.snapshot()
	// A call that hangs must not outlast the lease, or handlers would not be
	// cancelled in time.
	left := time.Until(renewed.Add(w.session.Lease))
	timeout := min(w.client.cfg.CallTimeout, w.session.Lease/3)
	if left > 0 {
		timeout = min(timeout, left)
	}
	call := bound(ctx, timeout)
	defer call.end(nil)
	notices, err := w.client.broker.Extend(call, w.session, deliveries...)
	if err != nil {
		return err
	}
	for _, n := range notices {
		if n.Index >= 0 && n.Index < len(loans) {
			cause := ErrLeaseLost
			if errors.Is(n.Cause, ErrRevoked) {
				cause = ErrRevoked
			}
			loans[n.Index].lose(cause)
		}
	}
	return nil
}
