package stem

import (
	"context"
	"errors"
	"time"
)

// What revokes a worker's tasks is told by the broker, at receive and at each renewal,
// or by a store of its own, which is asked about each batch before it starts and
// about all in hand as often as the lease is renewed.
//
// A store of revocations that does not answer stops nobody's work: a batch starts
// unasked, and what is revoked in it is cancelled when the store is back. It is a brake;
// were it a lock, its outage would be everybody's.

// How long a batch waits for the answer, and for how long none waits after that was
// in vain.
const (
	longestAsk = time.Second
	askAgain   = 5 * time.Second
)

// obey ends the loans that notices name.
func obey(loans []*loan, notices []Notice) {
	for _, n := range notices {
		if n.Index < 0 || n.Index >= len(loans) {
			continue
		}
		cause := ErrLeaseLost
		if errors.Is(n.Cause, ErrRevoked) {
			cause = revoked(n.Reason)
		}
		loans[n.Index].lose(cause)
	}
}

// markRevoked asks the client's store of revocations, if it has one, about what has been
// received, and marks what is revoked. Only fetch calls it.
func (w *Worker) markRevoked(ctx context.Context, deliveries []Delivery) {
	if w.client.cfg.Revocations == nil || time.Now().Before(w.unasked) {
		return
	}
	notices, err := w.askRevoked(ctx, longestAsk, deliveries)
	if err != nil {
		w.unasked = time.Now().Add(askAgain)
		w.storeFailed(ctx, "revocations", err, askAgain)
		return
	}
	for _, n := range notices {
		if n.Index >= 0 && n.Index < len(deliveries) {
			deliveries[n.Index].Revoked, deliveries[n.Index].Reason = true, n.Reason
		}
	}
}

// watchRevocations asks the client's store of revocations about all in hand until ctx
// ends. The lease is renewed elsewhere: a store that hangs must not hold that up.
func (w *Worker) watchRevocations(ctx context.Context) {
	for every := w.beat(); sleep(ctx, every); {
		loans, deliveries := w.held.snapshot()
		if len(loans) == 0 {
			continue
		}
		notices, err := w.askRevoked(ctx, every, deliveries)
		if err == nil {
			obey(loans, notices)
		} else if ctx.Err() == nil {
			w.storeFailed(ctx, "revocations", err, every)
		}
	}
}

func (w *Worker) askRevoked(ctx context.Context, timeout time.Duration, ds []Delivery) ([]Notice, error) {
	call := callContext(ctx, min(timeout, w.client.cfg.CallTimeout))
	defer call.end(nil)
	notices, err := w.client.cfg.Revocations.Revoked(call, ds...)
	if err != nil {
		w.unheard.Store(true)
	} else if w.unheard.Swap(false) {
		w.storeRecovered(ctx, "revocations")
	}
	for i := range notices {
		notices[i].Cause = ErrRevoked // of another one this store knows nothing
	}
	return notices, err
}
