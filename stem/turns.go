package stem

import (
	"context"
	"maps"
	"strconv"
	"time"
)

// What was received runs if there is a place for it (see places.go) and it is its turn.
// What has no place goes back to its own in the queue. What has a turn later is snoozed until then, with a
// mark, so that it takes no other when it comes back. All that is asked once for a batch, and what
// does not run is settled at once and through no slot: so neither holds up the others.

// limits is what a worker does about limited tasks.
type limits struct {
	limiter Limiter
	places  places
	asking  asking // for turns
	turns   []Turn // those to be asked for, of what is being dealt; as is of
	of      []int  // the deliveries that the turns belong to
}

// newLimits gives the worker's limits, or nil where it has no limiter. A worker that serves limited
// tasks needs one.
func newLimits(w *Worker) (*limits, error) {
	l := &limits{limiter: w.cfg.Limiter, places: places{w: w}}
	for i := range w.specs {
		spec := &w.specs[i]
		e := w.client.base
		(&draft{Envelope: &e}).apply(spec.Options)
		switch {
		case e.Limit == nil || *e.Limit == (Limit{}):
			continue
		case l.limiter == nil:
			return nil, &OptionError{
				Option: "WorkerConfig.Limiter", Value: "nil",
				Want: "a limiter, since task " + clip(spec.Name) + " is limited: make one with limit.New from the store that all its workers share",
			}
		case e.Limit.Concurrency > 0:
			for _, name := range append([]string{spec.Name}, spec.Aliases...) {
				l.places.of(name, e.Limit.Concurrency)
			}
		}
	}
	if l.limiter == nil {
		return nil, nil
	}
	return l, nil
}

// noPlace is the wait of a delivery that goes back to its place in the queue: of its task as many run
// as may.
const noPlace time.Duration = -2

// unlimited lets nothing run that is limited: this worker cannot keep to it, and another may.
func (w *Worker) unlimited(ds []Delivery) (waits []time.Duration) {
	for i := range ds {
		if d := &ds[i]; d.Limit != nil {
			if waits == nil {
				waits = make([]time.Duration, len(ds))
			}
			waits[i] = NotNow
			w.tellUnlimited(d)
		}
	}
	return waits
}

// tellUnlimited tells of a limited task that goes back, and of those that follow it once a minute: there may be thousands, and they
// come again and again.
func (w *Worker) tellUnlimited(d *Delivery) {
	if now := time.Now(); now.Sub(w.unlimitedTold) >= time.Minute {
		w.unlimitedTold = now
		w.log.Warn("stem: limited tasks go back to their queue, since the worker has no WorkerConfig.Limiter", "task", d.Task, "id", d.ID)
	}
}

// collect takes places for deliveries, notes the turns that are to be asked for, and gives the waits of those that have no
// place; nil where all have one.
func (l *limits) collect(ctx context.Context, w *Worker, ds []Delivery) []time.Duration {
	waits := l.places.take(ctx, ds)
	l.turns, l.of = l.turns[:0], l.of[:0]
	for i := range ds {
		d := &ds[i]
		if reserved := d.reserved(); (waits == nil || waits[i] == 0) && d.startable(w) {
			l.turns, l.of = append(l.turns, Turn{Envelope: d.Envelope, Reserved: reserved}), append(l.of, i)
		}
	}
	return waits
}

// startable reports whether a delivery runs when a slot takes it, as far as is known by now.
func (d *Delivery) startable(w *Worker) bool {
	_, refused := judgeUnstarted(d, 0, w.known.Has(d.Task, d.Fingerprint), w.cfg.MaxInterruptions)
	return !refused
}

// reserve asks for the turns that were collected, unless the limiter has just failed: then only what holds meanwhile. It gives
// how long each of n deliveries has to wait, by its place or its turn.
func (l *limits) reserve(ctx context.Context, w *Worker, waits []time.Duration, n int) []time.Duration {
	var turned []time.Duration
	if len(l.turns) > 0 {
		l.asking.call(ctx, w, func(ctx context.Context) (err error) {
			turned, err = l.limiter.Reserve(ctx, l.turns...)
			return err
		})
	}
	turned = fit(turned, len(l.turns))
	clear(l.turns)
	if turned != nil && waits == nil {
		waits = make([]time.Duration, n)
	}
	for i, wait := range turned {
		waits[l.of[i]] = wait
	}
	return waits
}

// asking is one who asks the limiter, one call at a time.
type asking struct {
	failing stall
	resting time.Time // until when the limiter only says what holds meanwhile
}

// call makes a call, unless one has just failed: then its context has ended before.
func (a *asking) call(ctx context.Context, w *Worker, call func(context.Context) error) error {
	bounded := callContext(ctx, min(longestAsk, w.client.cfg.CallTimeout))
	defer bounded.end(nil)
	if time.Now().Before(a.resting) {
		bounded.end(nil)
		return call(bounded)
	}
	err := call(bounded)
	switch {
	case err != nil && ctx.Err() == nil:
		wait := a.failing.next()
		a.resting = time.Now().Add(wait)
		w.storeFailed(ctx, "limits", err, wait)
	case err == nil && a.failing != (stall{}):
		a.failing = stall{}
		w.storeRecovered(ctx, "limits")
	}
	return err
}

// fit gives an answer as long as what was asked: a limiter may be anybody's.
func fit[T any](answer []T, n int) []T {
	if len(answer) == 0 {
		return nil
	}
	if len(answer) < n {
		return append(answer, make([]T, n-len(answer))...)
	}
	return answer[:n]
}

// turnAway ends those loans that have to wait, in one round trip of their own.
func (w *Worker) turnAway(loans []loan, waits []time.Duration) {
	var endings []ending
	for i := range loans {
		if l := &loans[i]; waits[i] != 0 {
			w.room.vacate(l)
			l.leavePlace()
			endings = append(endings, ending{l, l.turnedAway(waits[i])})
		}
	}
	w.settler.now(endings)
}

// turnedAway gives how a delivery ends that has to wait.
func (l *loan) turnedAway(wait time.Duration) judgement {
	switch {
	case wait == noPlace:
		return released()
	case wait < 0: // nobody can say when its turn is
		return judgement{verdict: VerdictRelease, delay: turnAwayFor(l.Releases)}
	}
	l.left = reserve(l.Marks, l.Interruptions)
	if l.StartWithin > 0 {
		wait = min(wait, l.StartWithin) // by then it is too late, and whoever waits for it is told
	}
	return judgement{verdict: VerdictSnooze, delay: wait}
}

// A turn that was taken is a mark: with the interruptions that there were, since the snooze that waits for the
// turn must not take them from the count.
const (
	turnMark  = "stem.turn"
	spentTurn = "-"
)

// turnKept is how long a turn that was waited for is good: after an outage all that waited would
// run at once.
const turnKept = time.Minute

func reserve(standing map[string]string, interruptions int) map[string]string {
	marks := maps.Clone(standing)
	if marks == nil {
		marks = make(map[string]string, 1)
	}
	marks[turnMark] = strconv.Itoa(interruptions)
	return marks
}

// reserved reports whether a delivery comes back for a turn that was taken and not used, and gives it
// back its interruptions.
func (d *Delivery) reserved() bool {
	mark, waited := d.Marks[turnMark]
	if !waited {
		return false
	}
	before, err := strconv.Atoi(mark)
	if err != nil || before < 0 {
		return false // it is spent
	}
	fresh := d.Interruptions == 0 && d.Waited <= turnKept
	d.Interruptions += before
	return fresh
}

// spendTurn takes note that the run has begun: the next one takes a turn of its own.
func (l *loan) spendTurn() {
	if _, waited := l.Marks[turnMark]; waited {
		l.left = maps.Clone(l.Marks)
		l.left[turnMark] = spentTurn
	}
}
