package stem

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// What goes in one round trip, at most.
const (
	mostPerTrip      = 1000    // envelopes
	mostBytesPerTrip = 8 << 20 // of payloads and links; one envelope goes whatever its size
)

// oneTrip gives how many of the envelopes go in one round trip.
func oneTrip(envs []Envelope) int {
	bytes := 0
	for i := range envs {
		bytes += envs[i].weight()
		if i == mostPerTrip || i > 0 && bytes > mostBytesPerTrip {
			return i
		}
	}
	return len(envs)
}

// line is the group commit of a client: while a round trip is under way,
// what arrives meanwhile becomes the next batch. It has no goroutine of its own
// and no timer: the caller that finds the line empty carries its own parcel at once;
// when a trip is over, the first of those waiting carries all of them. A second trip starts beside
// the first once enough wait for it: the store would else have nothing to do while answers are read and callers woken.
type line struct {
	broker  Broker
	timeout time.Duration

	// parcels holds *parcel. It is a field, not a package variable, because
	// their channels must not cross synctest bubbles.
	parcels sync.Pool

	mu      sync.Mutex
	lanes   [2]lane
	waiting []*parcel // somebody is on the way who will look after them
}

// worthATrip is how many wait before a second trip starts beside another: of fewer, trips would only become more.
const worthATrip = 8

// lane is what a trip has, and its carrier's own while it is busy.
type lane struct {
	busy   bool      // guarded by the line's mu
	batch  []*parcel // the carrier's first
	joined []Envelope
	call   *lazyContext
}

// parcel is what one caller gives to the line.
type parcel struct {
	envs    []Envelope
	answers []Published
	err     error
	// single and draft are where the envelope of an Enqueue is made.
	single [1]Envelope
	draft  draft

	// turn wakes the caller: to lead, or because the parcel is done.
	turn chan struct{}
	// stage and lane are guarded by the line's mu.
	stage stage
	lane  *lane // of a leader
}

type stage uint8

const (
	inLine   stage = iota
	leading        // its caller is to carry a batch
	carried        // on its way
	arrived        // answers and err stand
	deserted       // its caller has gone while it was on its way
)

var errNoAnswer = errors.New("stem: the broker did not answer for every envelope")

func (l *line) take() *parcel {
	if p, ok := l.parcels.Get().(*parcel); ok {
		return p
	}
	return &parcel{turn: make(chan struct{}, 1)}
}

// giveBack makes a parcel ready for the next caller, unless someone may still
// write to it.
func (l *line) giveBack(p *parcel) {
	if p.stage == deserted {
		return
	}
	clear(p.answers)
	*p = parcel{answers: p.answers[:0], turn: p.turn}
	l.parcels.Put(p)
}

// publish sends envs as one parcel and answers for each.
func (l *line) publish(ctx context.Context, envs []Envelope) ([]Published, error) {
	p := l.take()
	defer l.giveBack(p)
	p.envs = append([]Envelope(nil), envs...) // the caller may reuse its slice before the trip ends
	err := l.send(ctx, p)
	if p.stage == deserted {
		return nil, err
	}
	return append([]Published(nil), p.answers...), err
}

// send brings a parcel to the broker and waits for its answers.
func (l *line) send(ctx context.Context, p *parcel) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	first, second := &l.lanes[0], &l.lanes[1]
	if !first.busy && !second.busy {
		first.busy = true
		first.batch = append(first.batch[:0], p)
		l.mu.Unlock()
		l.carry(ctx, first)
		return p.err
	}
	l.waiting = append(l.waiting, p)
	switch {
	case len(l.waiting) < worthATrip:
	case !first.busy:
		l.lead(first)
	case !second.busy:
		l.lead(second)
	}
	l.mu.Unlock()
	return l.wait(ctx, p)
}

// lead has the first of those waiting carry a batch. mu is held.
func (l *line) lead(a *lane) {
	p := l.waiting[0]
	l.waiting = slices.Delete(l.waiting, 0, 1)
	a.busy, a.batch = true, append(a.batch[:0], p)
	p.stage, p.lane = leading, a
	p.turn <- struct{}{}
}

// wait stands in line until the parcel has arrived, and carries a batch if its
// turn comes before.
func (l *line) wait(ctx context.Context, p *parcel) error {
	select {
	case <-p.turn:
	case <-ctx.Done():
		if l.leave(p) {
			return ctx.Err()
		}
		<-p.turn
	}
	l.mu.Lock()
	if p.stage == arrived {
		l.mu.Unlock()
		return p.err
	}
	l.load(p.lane)
	l.mu.Unlock()
	l.carry(ctx, p.lane)
	return p.err
}

// leave takes a parcel whose caller gives up out of the line. It reports false
// when the caller has to stay: it leads, or its parcel has just arrived.
func (l *line) leave(p *parcel) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch p.stage {
	case inLine:
		l.waiting = slices.DeleteFunc(l.waiting, func(w *parcel) bool { return w == p })
		return true
	case carried:
		p.stage = deserted
		return true
	default:
		return false
	}
}

// load adds those waiting, as many as one trip takes, to their carrier's batch. mu is held.
func (l *line) load(a *lane) {
	size, bytes := a.batch[0].weight()
	n := 0
	for _, p := range l.waiting {
		envs, weight := p.weight()
		if size, bytes = size+envs, bytes+weight; size > mostPerTrip || bytes > mostBytesPerTrip {
			break
		}
		p.stage = carried
		a.batch = append(a.batch, p)
		n++
	}
	l.waiting = slices.Delete(l.waiting, 0, n)
}

// weight gives how many envelopes and bytes a parcel has.
func (p *parcel) weight() (envs, bytes int) {
	for i := range p.envs {
		bytes += p.envs[i].weight()
	}
	return len(p.envs), bytes
}

// carry makes one round trip with the batch of a lane and passes that on.
func (l *line) carry(ctx context.Context, a *lane) {
	var answers []Published
	err := errNoAnswer // stands if the broker panics
	defer func() { l.deliver(a, answers, err) }()

	envs := a.batch[0].envs
	if len(a.batch) > 1 {
		// Work for several callers must not end with the one who carries it.
		ctx = context.WithoutCancel(ctx)
		a.joined = a.joined[:0]
		for _, p := range a.batch {
			a.joined = append(a.joined, p.envs...)
		}
		envs = a.joined
	}
	a.call = a.call.again(ctx, l.timeout)
	defer a.call.end(nil)
	answers, err = l.broker.Publish(a.call, envs...)
	err = checkAnswers(answers, len(envs), err)
}

// checkAnswers makes an error of a publish that did not answer for every
// envelope, as the contract wants it to also where some have failed.
func checkAnswers(answers []Published, envs int, err error) error {
	if len(answers) == envs {
		return err
	}
	var partial *PartialError
	if err != nil && !errors.As(err, &partial) {
		return err
	}
	return fmt.Errorf("%w: got %d answers for %d (and the error %v)", errNoAnswer, len(answers), envs, err)
}

// deliver hands each parcel of the batch its share of the answers, and the lane
// to the next.
func (l *line) deliver(a *lane, answers []Published, err error) {
	clear(a.joined)
	first := 0
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, p := range a.batch {
		if p.stage != deserted {
			p.answers, p.err = share(p.answers, answers, err, first, len(p.envs))
			p.stage = arrived
			if i > 0 {
				p.turn <- struct{}{}
			}
		}
		first += len(p.envs)
	}
	clear(a.batch)
	a.busy = false
	if len(l.waiting) > 0 {
		l.lead(a)
	}
}

// share cuts the answers and errors of n envelopes from those of a batch.
func share(into, answers []Published, err error, first, n int) ([]Published, error) {
	into = into[:0]
	if len(answers) >= first+n {
		into = append(into, answers[first:first+n]...)
	}
	if err == nil {
		return into, nil
	}
	var partial *PartialError
	if !errors.As(err, &partial) {
		return into[:0], err
	}
	var items []ItemError
	for _, item := range partial.Items {
		if item.Index >= first && item.Index < first+n {
			items = append(items, ItemError{item.Index - first, item.Err})
		}
	}
	if items == nil {
		return into, nil
	}
	return into, &PartialError{items}
}
