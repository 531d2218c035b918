package stem

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"
)

// fetch receives deliveries for free slots, and a few ahead, until ctx ends. It
// returns an error only where going on makes no sense.
func (w *Worker) fetch(ctx context.Context) error {
	var failing stall
	idle := idleness{w: w}
	search := search{lease: w.session.Lease, last: time.Now()}
	defer w.dealing.Wait()
	defer w.receives.rests()
	for ctx.Err() == nil {
		w.receives.rests() // slots may be taken for as long as tasks like to run
		free, bytes := w.room.wait(ctx)
		if free == 0 {
			return nil
		}
		if w.resting.wait(ctx, w.rota.queues) {
			idle.since = time.Time{}
			continue
		}
		w.receives.within(w.longestRound())
		w.client.ward.quiet(ctx)
		idle.look()
		deliveries, err := w.receive(ctx, free, bytes, &search)
		if err == nil && len(deliveries) == 0 {
			err = errNothing
		}
		switch {
		case err == nil:
			w.markRevoked(ctx, deliveries)
			w.accept(ctx, deliveries)
			w.room.pace(time.Now(), free, deliveries)
			failing.answers()
			idle.since = time.Time{}
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrClosed):
			return fmt.Errorf("stem: worker %s: receive: %w", w.cfg.Name, err)
		case errors.Is(err, errInterrupted): // there is something new to ask for
		case errors.Is(err, errAskAgain):
			if idle.enough(ctx) {
				return nil
			}
		default:
			idle.since = time.Time{}
			wait := failing.next()
			w.storeFailed(ctx, "receive", err, wait)
			if !sleep(ctx, wait) {
				return nil
			}
			search.suspect()
		}
		if failing.over() {
			w.storeRecovered(ctx, "receive")
		}
	}
	return nil
}

// longestRound is how long one round of fetch takes at most: a receive that waits, the calls about what it
// has brought, and the pause after a failure.
func (w *Worker) longestRound() time.Duration {
	return searchEvery*w.session.Lease + 4*w.client.cfg.CallTimeout + longestStall
}

// errAskAgain ends a receive so that the next one searches for lost answers. errInterrupted ends it before
// its time, so that the next one asks for less, or for something else.
var (
	errAskAgain    = errors.New("stem: it is time to ask anew")
	errInterrupted = errors.New("stem: something else is to be asked for")
)

// errNothing: a receive that does not wait would be asked again and again.
var errNothing = errors.New("stem: the broker answered a receive with nothing, instead of waiting")

// receive asks for as many deliveries as are free, and for those whose answers
// were lost when a search is due.
func (w *Worker) receive(ctx context.Context, free, bytes int, s *search) ([]Delivery, error) {
	if time.Since(w.tenure.last()) >= w.session.Lease/3*2 {
		// A renewal is overdue. What is received now could be cancelled at once, so
		// the lease is renewed first.
		if err := w.renew(ctx); err != nil {
			return nil, err
		}
	}
	req := ReceiveRequest{Session: w.session, Tasks: w.known, AgeAfter: w.cfg.AgeAfter, Max: free, MaxBytes: bytes}
	if w.unsure.Swap(false) {
		s.suspect()
	}
	wait, due := s.next(time.Now())
	if w.cfg.StopAfterIdle > 0 {
		wait = min(wait, w.cfg.StopAfterIdle)
	}
	if due {
		req.Recover = true
		_, req.Held = w.held.snapshot()
	}
	until, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	w.room.asking(cancel)
	if w.unsure.Load() {
		cancel() // it has become so in between
	}
	req.AtMost = w.limits.atMost() // afterwards: what changes from here on interrupts
	if req.Queues = w.resting.without(w.rota.next()); len(req.Queues) == 0 {
		return nil, errInterrupted
	}
	deliveries, err := w.client.broker.Receive(until, req)
	if err != nil && until.Err() != nil && ctx.Err() == nil {
		if err = errAskAgain; errors.Is(until.Err(), context.Canceled) {
			err = errInterrupted
		}
	}
	return deliveries, err
}

// search says when to look for deliveries that the store has lent and whose
// answer nobody read: their session lives, so nobody else would ever run them. A
// call that failed may still be on its way and lend something late, so for a
// lease after each failure every receive searches and none blocks for long;
// else one does every few leases, for a driver that hides failures. A renewal or a
// settlement without an answer counts like a receive.
type search struct {
	lease      time.Duration
	last       time.Time
	suspicious time.Time // until when
}

// doubt has the next receive search, and ends the one under way. A store that does not answer may have died and
// forgotten what it had acknowledged last: then it has lent again to this session what the worker has settled.
func (w *Worker) doubt() {
	w.unsure.Store(true)
	w.room.interrupt()
}

// searchEvery is how many leases pass between two searches without a failure.
const searchEvery = 4

func (s *search) suspect() { s.suspicious = time.Now().Add(s.lease) }

// next answers whether the next receive searches and how long it may block.
func (s *search) next(now time.Time) (wait time.Duration, due bool) {
	if now.Before(s.suspicious) {
		s.last = now
		return min(s.lease/3, steadyAfter), true
	}
	if left := s.last.Add(searchEvery * s.lease).Sub(now); left > 0 {
		return left, false
	}
	s.last = now
	return searchEvery * s.lease, true
}

// idleness says when a worker has had nothing to do for WorkerConfig.StopAfterIdle. A
// receive answers whatever is due, so one that ends empty tells that nothing was.
type idleness struct {
	w     *Worker
	since time.Time // zero while there is something to do
}

// look sees before a receive whether anything is in hand.
func (i *idleness) look() {
	if i.w.held.len() > 0 {
		i.since = time.Time{}
	} else if i.since.IsZero() {
		i.since = time.Now()
	}
}

// enough decides after a receive that ended empty. A store that does not answer
// leaves receives empty too, so it is asked for something that it must answer.
func (i *idleness) enough(ctx context.Context) bool {
	after := i.w.cfg.StopAfterIdle
	return after > 0 && !i.since.IsZero() && time.Since(i.since) >= after && i.w.renew(ctx) == nil
}

// accept takes deliveries in hand. While it is asked for their turns, the next ones are received: a limit that binds nobody
// would else halve what a worker can receive. Nothing is received beside a suspect that has just been let in.
func (w *Worker) accept(ctx context.Context, ds []Delivery) {
	w.dealing.Wait() // first those that came before
	if w.limits == nil {
		waits := w.unlimited(ds)
		w.deal(w.enter(ds), waits)
		return
	}
	waits := w.limits.collect(ctx, w, ds)
	loans := w.enter(ds)
	w.dealing.Go(func() { w.deal(loans, w.limits.reserve(ctx, w, waits, len(loans))) })
	if w.suspectAmong(ds) {
		w.dealing.Wait()
	}
}

// enter notes deliveries as what the worker holds.
func (w *Worker) enter(ds []Delivery) []loan {
	loans := w.loansOf(ds)
	w.room.enter(loans)
	w.held.add(loans)
	return loans
}

// fewDealt is as many loans as begin before the next are asked for: what comes alone would else wait for its slot until that
// request has been sent, 0.1 ms where machines are idle. Of more, the request goes first, so that it is on its way while they run.
const fewDealt = 8

// deal gives loans to slots, and ends those that have to wait.
func (w *Worker) deal(loans []loan, waits []time.Duration) {
	suspects := false
	for i := range loans {
		if len(waits) == 0 || waits[i] == 0 {
			w.dealt = append(w.dealt, &loans[i])
			suspects = suspects || w.suspects(loans[i].Delivery)
		}
	}
	w.tellStarts(w.dealt)
	if suspects {
		w.isolate(w.dealt)
	} else {
		w.hand.put(w.dealt)
		if len(w.dealt) <= fewDealt {
			runtime.Gosched()
		}
	}
	if len(w.dealt) < len(loans) {
		w.turnAway(loans, waits)
	}
	clear(w.dealt)
	w.dealt = w.dealt[:0]
}

// loansOf gives deliveries as what the worker has received now.
func (w *Worker) loansOf(deliveries []Delivery) []loan {
	now := time.Now()
	loans := make([]loan, len(deliveries))
	for i := range deliveries {
		l := &loans[i]
		if l.init(w, &deliveries[i], &now); l.Interruptions > 0 {
			w.observe.tell(w.base, TaskInterrupted{TaskRef: l.ref(), Interruptions: l.Interruptions})
		}
	}
	return loans
}

func (w *Worker) storeFailed(ctx context.Context, operation string, err error, wait time.Duration) {
	w.observe.tell(ctx, StoreFailed{operation, err})
	w.logFailure(ctx, operation, err, wait)
}

func (w *Worker) logFailure(ctx context.Context, operation string, err error, wait time.Duration) {
	w.log.WarnContext(ctx, "stem: the store failed, trying again", "operation", operation, "error", err, "wait", wait)
}

func (w *Worker) storeRecovered(ctx context.Context, operation string) {
	w.observe.tell(ctx, StoreRecovered{operation})
	w.logRecovery(ctx, operation)
}

func (w *Worker) logRecovery(ctx context.Context, operation string) {
	w.log.InfoContext(ctx, "stem: the store answers again", "operation", operation)
}
