package stem

import (
	"errors"
	"slices"
	"time"
)

// Before a unique task starts, the store may have to be told (see UniqueKeeper): once for
// all that were received together. What the store has not heard of does not start. A key that is
// still held while its task runs would keep out an update that this run does not see.

var errStartUntold = errors.New("stem: the store could not be told that the unique task starts")

// startAgain is how long such a task waits until it is received again.
const startAgain = 2 * time.Second

// startPatience is how long a batch waits for the store to be told: all that was received with a
// unique task waits too.
const startPatience = 2 * time.Second

// tellStarts tells the store of those unique tasks that are about to start, and loses those that
// must not.
func (w *Worker) tellStarts(loans []*loan) {
	var starts []*loan
	for _, l := range loans {
		if l.TellsStart() && !l.Revoked && !l.Expired {
			starts = append(starts, l)
		}
	}
	if starts == nil || w.client.unique == nil {
		return
	}
	deliveries := make([]Delivery, len(starts))
	for i, l := range starts {
		deliveries[i] = *l.Delivery
	}
	call := callContext(w.base, min(startPatience, w.client.cfg.CallTimeout))
	defer call.end(nil)
	notices, err := w.client.unique.Started(call, deliveries...)
	if err != nil {
		w.storeFailed(w.base, "unique", err, startAgain)
		for _, l := range starts {
			l.lose(errStartUntold)
		}
		w.startsUntold = true
		return
	}
	if w.startsUntold {
		w.startsUntold = false
		w.storeRecovered(w.base, "unique")
	}
	obey(starts, slices.DeleteFunc(notices, func(n Notice) bool {
		open := errors.Is(n.Cause, ErrTransactionOpen) && n.Index >= 0 && n.Index < len(starts)
		if open {
			starts[n.Index].lose(errStartUntold)
		}
		return open
	}))
}
