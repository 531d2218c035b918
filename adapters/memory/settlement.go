package memory

import (
	"context"
	"maps"

	"github.com/gostem/gostem/stem"
)

// Settle ends deliveries.
func (s *Store) Settle(ctx context.Context, ss ...stem.Settlement) error {
	return s.settleAll(ctx, ss, false)
}

// SaveAndSettle saves results and settles deliveries under one lock.
func (s *Store) SaveAndSettle(ctx context.Context, ss ...stem.Settlement) error {
	return s.settleAll(ctx, ss, true)
}

func (s *Store) settleAll(ctx context.Context, ss []stem.Settlement, save bool) error {
	return s.each(ctx, len(ss), func(i int, now instant) error { return s.settle(&ss[i], save, now) })
}

// settle ends one delivery, and saves its result if it is asked to, or answers
// why it may do neither.
func (s *Store) settle(st *stem.Settlement, save bool, now instant) error {
	if err := st.Validate(); err != nil {
		return err
	}
	d := &st.Delivery
	e, ok := s.loaned(d)
	switch {
	case !ok:
		return stem.ErrLeaseLost
	case e.settled == d.Number && e.ended == st.Verdict:
		return nil // this very delivery did it, and saved its result
	case !e.current(d):
		e.heardOf(d.Number)
		return stem.ErrLeaseLost
	}
	if save && st.Result != nil {
		// A refusal means that a newer delivery of the id has said how it
		// ended. This one has ended none the less.
		_ = s.save(st.Result, now)
	}
	e.holder.drop(e)
	e.settled, e.ended = d.Number, st.Verdict
	e.letGo(st, now)
	e.conclude(st, now)
	return nil
}

// conclude does what the verdict says to an entry that nobody holds any more.
func (e *entry) conclude(st *stem.Settlement, now instant) {
	if st.Verdict != stem.VerdictRelease {
		e.interrupted = nil
	}
	if st.Verdict != stem.VerdictRelease || len(st.Marks) > 0 {
		e.marks = maps.Clone(st.Marks)
	}
	switch st.Verdict {
	case stem.VerdictAck:
		// Nothing refers to it any more but receipts.
	case stem.VerdictRetry:
		e.failures++
		e.queue.put(e, st.Delay, now)
	case stem.VerdictSnooze:
		e.snoozes++
		e.queue.put(e, st.Delay, now)
	case stem.VerdictRelease:
		e.releases++
		if st.Delay > 0 {
			e.queue.put(e, st.Delay, now)
		} else {
			e.queue.putBack(e)
		}
	case stem.VerdictDeadLetter:
		e.queue.setDead(e, st.Reason)
	}
}
