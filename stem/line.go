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

// line is the group commit of a client: while one round trip is under way,
// what arrives meanwhile becomes the next batch. It has no goroutine of its own
// and no timer: the caller that finds the line free carries its own parcel at once;
// when it is back, the first of those waiting carries all of them.
type line struct {
	broker  Broker
	timeout time.Duration

	// parcels holds *parcel. It is a field, not a package variable, because
	// their channels must not cross synctest bubbles.
	parcels sync.Pool

	mu      sync.Mutex
	busy    bool
	waiting []*parcel

	// The carrier's own, handed over with the line.
	batch  []*parcel
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
	// stage is guarded by the line's mu.
	stage stage
}

type stage uint8

const (
	inLine   stage = iota
	leading        // its caller is to carry the next batch
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
	if l.busy {
		l.waiting = append(l.waiting, p)
		l.mu.Unlock()
		return l.wait(ctx, p)
	}
	l.busy = true
	l.mu.Unlock()
	l.batch = append(l.batch[:0], p)
	l.carry(ctx)
	return p.err
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
	l.load()
	l.mu.Unlock()
	l.carry(ctx)
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

// load moves what is waiting, as much as one trip takes, into the batch. mu is held.
func (l *line) load() {
	l.batch = l.batch[:0]
	size, bytes := 0, 0
	for _, p := range l.waiting {
		size += len(p.envs)
		for i := range p.envs {
			bytes += p.envs[i].weight()
		}
		if len(l.batch) > 0 && (size > mostPerTrip || bytes > mostBytesPerTrip) {
			break
		}
		p.stage = carried
		l.batch = append(l.batch, p)
	}
	rest := copy(l.waiting, l.waiting[len(l.batch):])
	clear(l.waiting[rest:])
	l.waiting = l.waiting[:rest]
}

// carry makes one round trip with the batch and passes the line on.
func (l *line) carry(ctx context.Context) {
	var answers []Published
	err := errNoAnswer // stands if the broker panics
	defer func() { l.deliver(answers, err) }()

	envs := l.batch[0].envs
	if len(l.batch) > 1 {
		// Work for several callers must not end with the one who carries it.
		ctx = context.WithoutCancel(ctx)
		l.joined = l.joined[:0]
		for _, p := range l.batch {
			l.joined = append(l.joined, p.envs...)
		}
		envs = l.joined
	}
	l.call = l.call.again(ctx, l.timeout)
	defer l.call.end(nil)
	answers, err = l.broker.Publish(l.call, envs...)
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

// deliver hands each parcel of the batch its share of the answers, and the line
// to the next.
func (l *line) deliver(answers []Published, err error) {
	clear(l.joined)
	first := 0
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, p := range l.batch {
		if p.stage != deserted {
			p.answers, p.err = share(p.answers, answers, err, first, len(p.envs))
			p.stage = arrived
			if i > 0 {
				p.turn <- struct{}{}
			}
		}
		first += len(p.envs)
	}
	clear(l.batch)
	if len(l.waiting) == 0 {
		l.busy = false
		return
	}
	l.waiting[0].stage = leading
	l.waiting[0].turn <- struct{}{}
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
