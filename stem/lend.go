package stem

import (
	"context"
	"slices"
)

// A handler that waits for a job needs no slot while it does, and the job may need
// that very slot. So it lends it: another goroutine of slot takes its place. When
// the wait is over the handler claims a slot, and the next one that ends its task
// gives way to it and ends. Never more handlers run than there are slots, but
// for those that wait, and for those whose contexts have ended meanwhile: these go on at
// once, since all that is left for them is to return.

// claim is a handler's wish to have a slot again.
type claim struct {
	loan    *loan
	granted chan struct{} // closed when it has one, or needs none
}

// await is Client.await for a handler, which lends its slot meanwhile. A handler of a
// worker that stops does not wait: the task may be one that nobody will start.
func (l *loan) await(ctx context.Context, client *Client, id string) (Result, error) {
	if stopping := l.beginWait(); stopping {
		if record, err := client.load(ctx, id); err == nil && record.State.Terminal() {
			l.endWait()
			return record, nil
		}
		l.lose(ErrShutdown)
	}
	defer l.endWait()
	return client.await(ctx, id)
}

// beginWait lends the handler's slot where it may, and reports whether the worker
// is stopping. A handler may wait in several goroutines: its slot is lent from the
// first of these waits until the last is over.
func (l *loan) beginWait() (stopping bool) {
	w := l.worker
	h := w.hand
	l.asked.Store(true) // before runs is looked at: see gaveUpSlot
	h.mu.Lock()
	defer h.mu.Unlock()
	l.waits++
	if h.withdraw(l) {
		return false // another of its goroutines was about to take back what stays lent
	}
	if h.closed || l.lent || !l.runs.Load() || h.lent >= w.cfg.MaxLent {
		return h.closed
	}
	l.lent = true
	h.lent++
	w.room.vacate(l)
	if !h.giveWay() {
		w.slots.Go(w.slot)
	}
	return false
}

// endWait takes the slot back that the handler has lent, and waits for one, unless the
// handler's context ends: then it goes on without, and its goroutine ends with it.
func (l *loan) endWait() {
	l.showLife()
	h := l.worker.hand
	h.mu.Lock()
	l.waits--
	if l.waits > 0 || !l.lent {
		h.mu.Unlock()
		return
	}
	h.takeBack(l)
	if h.closed {
		h.mu.Unlock()
		return
	}
	claimed := claim{loan: l, granted: make(chan struct{})}
	h.claims = append(h.claims, claimed)
	h.call()
	h.mu.Unlock()
	select {
	case <-claimed.granted:
	case <-l.ctx.Done():
		h.mu.Lock()
		defer h.mu.Unlock()
		h.withdraw(l)
	}
}

// withdraw takes the claim of a handler that runs back, if it has one that is not granted:
// its slot stays lent, and gaveUpSlot will see it. One that has returned needs its claim, so that
// the slot ends which took its place. It reports whether there was one. mu is held.
func (h *hand) withdraw(l *loan) bool {
	i := slices.IndexFunc(h.claims, func(c claim) bool { return c.loan == l })
	if i < 0 || !l.runs.Load() {
		return false
	}
	close(h.claims[i].granted)
	h.claims = slices.Delete(h.claims, i, i+1)
	l.lent = true
	h.lent++
	l.worker.room.vacate(l)
	return true
}

// takeBack ends the loan of a slot. mu is held.
func (h *hand) takeBack(l *loan) {
	l.lent = false
	h.lent--
	l.worker.room.returned(l)
}

// gaveUpSlot reports whether a handler that has returned left its slot lent: a
// goroutine of its own still waits. The caller's place is somebody else's then.
func (l *loan) gaveUpSlot() bool {
	if !l.asked.Load() {
		return false // the common case, without a lock: runs is false by now
	}
	h := l.worker.hand
	h.mu.Lock()
	defer h.mu.Unlock()
	if !l.lent {
		return false
	}
	h.takeBack(l)
	return true
}

// waiting reports whether the handler waits for a job.
func (l *loan) waiting() bool {
	l.worker.hand.mu.Lock()
	defer l.worker.hand.mu.Unlock()
	return l.waits > 0
}
