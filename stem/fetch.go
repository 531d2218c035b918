package stem

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// room counts the tasks in hand: received and not yet run to their end.
type room struct {
	most      int // in hand at the same time
	threshold int // free places worth a round trip
	inHand    atomic.Int64
	freed     chan struct{}
}

func newRoom(slots, prefetch int) room {
	most := slots * prefetch
	return room{
		most: most,
		// Half of the prefetch: slots have work while the next trip is under
		// way, and a trip brings many.
		threshold: max(1, (most-slots+1)/2),
		freed:     make(chan struct{}, 1),
	}
}

// wait gives the number of free places once there are enough, 0 when ctx ends first.
func (r *room) wait(ctx context.Context) int {
	for {
		if free := r.most - int(r.inHand.Load()); free >= r.threshold {
			return free
		}
		select {
		case <-r.freed:
		case <-ctx.Done():
			return 0
		}
	}
}

func (r *room) enter(n int) { r.inHand.Add(int64(n)) }

func (r *room) leave() {
	if r.most-int(r.inHand.Add(-1)) == r.threshold {
		select {
		case r.freed <- struct{}{}:
		default:
		}
	}
}

// Waits between calls to a store that fails.
const (
	firstBackoff = 50 * time.Millisecond
	longestStall = 5 * time.Second
)

// stall grows the wait between failing calls; the zero value is the first.
type stall struct{ last time.Duration }

func (s *stall) next() time.Duration {
	s.last = min(max(2*s.last, firstBackoff), longestStall)
	return jitter(s.last)
}

// fetch receives deliveries for free slots, and a few ahead, until ctx ends. It
// returns an error only where going on makes no sense.
func (w *Worker) fetch(ctx context.Context) error {
	var failing stall
	var suspicious time.Time // until when lost answers are looked for
	for ctx.Err() == nil {
		free := w.room.wait(ctx)
		if free == 0 {
			return nil
		}
		deliveries, err := w.receive(ctx, free, time.Now().Before(suspicious))
		switch {
		case err == nil:
			w.accept(deliveries)
			failing = stall{}
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrClosed):
			return fmt.Errorf("stem: worker %s: receive: %w", w.cfg.Name, err)
		case errors.Is(err, errLookAgain):
		default:
			wait := failing.next()
			w.storeFailed(ctx, "receive", err, wait)
			if !sleep(ctx, wait) {
				return nil
			}
			suspicious = time.Now().Add(w.session.Lease)
		}
	}
	return nil
}

// errLookAgain ends a receive so that the next one looks for lost answers again.
var errLookAgain = errors.New("stem: look again for lost answers")

// receive asks for as many deliveries as are free. After a failure the broker
// may have lent, or, if the call is still on its way, may yet lend, something
// whose answer nobody read: for a while each receive looks for that, and none
// blocks for long.
func (w *Worker) receive(ctx context.Context, free int, suspicious bool) ([]Delivery, error) {
	req := ReceiveRequest{Session: w.session, Queues: w.cfg.Queues, Tasks: w.known, Max: free}
	if !suspicious {
		return w.client.broker.Receive(ctx, req)
	}
	req.Recover = true
	_, req.Held = w.held.snapshot()
	brief, cancel := context.WithTimeoutCause(ctx, w.session.Lease/3, errLookAgain)
	defer cancel()
	deliveries, err := w.client.broker.Receive(brief, req)
	if err != nil && brief.Err() != nil {
		err = context.Cause(brief)
	}
	return deliveries, err
}

// accept takes deliveries in hand. The channel has room for all that Receive was
// asked for.
func (w *Worker) accept(deliveries []Delivery) {
	now := time.Now()
	loans := make([]loan, len(deliveries))
	for i := range deliveries {
		loans[i] = loan{Delivery: deliveries[i], worker: w, received: now}
	}
	w.room.enter(len(loans))
	w.held.add(loans)
	for i := range loans {
		w.work <- &loans[i]
	}
}

func (w *Worker) storeFailed(ctx context.Context, operation string, err error, wait time.Duration) {
	w.log.WarnContext(ctx, "stem: the store failed, trying again", "operation", operation, "error", err, "wait", wait)
	w.observe.tell(ctx, StoreFailed{Operation: operation, Err: err})
}
