package stem

import (
	"slices"
	"sync"
	"time"
)

// hand is what a worker has received and no slot has taken yet, in order. It does
// what a channel would, but wakes fewer: a channel hands each loan to a waiting
// slot of its own, which costs more than a short handler does. Here one slot is on
// its way at most: a batch wakes one, and that one, if it leaves something behind,
// the next.
//
// It also knows the claims of handlers that had lent their slots (see lend.go). They
// go first: a slot that comes for work gives way to the oldest of them. And it knows how many slots are
// too many (see slots.go): these end as they come for work.
type hand struct {
	mu        sync.Mutex
	loans     []*loan
	taken     int  // how many of loans are gone; they leave together
	idle      int  // slots that wait
	leastIdle int  // the fewest that did since somebody looked
	waking    bool // one of them has been called and has not come yet
	closed    bool
	filled    *sync.Cond

	claims []claim // the oldest first
	lent   int     // slots that are lent now

	slots   int  // how many there shall be
	surplus int  // how many there are beyond that
	begun   bool // they run
}

func newHand(slots int) *hand {
	h := &hand{slots: slots, leastIdle: slots}
	h.filled = sync.NewCond(&h.mu)
	return h
}

// put adds loans for slots to take.
func (h *hand) put(loans []*loan) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// A worker that is never idle never empties its hand: what is gone makes room here.
	h.loans, h.taken = slices.Delete(h.loans, 0, h.taken), 0
	h.loans = append(h.loans, loans...)
	h.call()
}

// putFirst adds loans that are to be taken before all others.
func (h *hand) putFirst(loans []*loan) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.loans, h.taken = slices.Delete(h.loans, 0, h.taken), 0
	h.loans = slices.Insert(h.loans, 0, loans...)
	h.call()
}

// call wakes a slot if there is something for it, one that waits, and none on
// its way. mu is held.
func (h *hand) call() {
	if (h.taken < len(h.loans) || len(h.claims) > 0 || h.surplus > 0) && h.idle > 0 && !h.waking {
		h.waking = true
		h.filled.Signal()
	}
}

// take gives the next loan, and waits for one; nil means that the slot is to end:
// somebody else has its place, it is one too many, or there will be no more loans.
func (h *hand) take() *loan {
	h.mu.Lock()
	defer h.mu.Unlock()
	for len(h.claims) == 0 && h.surplus == 0 && h.taken == len(h.loans) {
		if h.closed {
			return nil
		}
		h.idle++
		h.filled.Wait()
		h.idle--
		h.leastIdle = min(h.leastIdle, h.idle)
		h.waking = false
	}
	if h.giveWay() {
		h.call()
		return nil
	}
	l := h.loans[h.taken]
	h.loans[h.taken] = nil
	if h.taken++; h.taken == len(h.loans) {
		h.loans, h.taken = h.loans[:0], 0
	}
	h.call()
	return l
}

// giveWay reports whether the place of who comes for work is wanted otherwise: by a handler that claims one, since
// what has begun goes first, or because there are too many. mu is held.
func (h *hand) giveWay() bool {
	switch {
	case len(h.claims) > 0:
		h.grant()
	case h.surplus > 0:
		h.surplus--
	default:
		return false
	}
	return true
}

// grant lets the oldest claim have the caller's place. mu is held.
func (h *hand) grant() {
	close(h.claims[0].granted)
	h.claims = slices.Delete(h.claims, 0, 1)
}

// waitsSince reports whether something that no slot has taken was received by then. mu is held.
func (h *hand) waitsSince(then time.Time) bool {
	return slices.ContainsFunc(h.loans[h.taken:], func(l *loan) bool { return !l.received.After(then) })
}

// empty gives what no slot has taken. mu is held.
func (h *hand) empty() []*loan {
	rest := slices.Clone(h.loans[h.taken:])
	clear(h.loans)
	h.loans, h.taken = h.loans[:0], 0
	return rest
}

// close gives what no slot has taken, and lets slots end that find nothing. Who claims
// a slot goes on at once: nothing new will run beside him.
func (h *hand) close() []*loan {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	rest := h.empty()
	for len(h.claims) > 0 {
		h.grant()
	}
	h.filled.Broadcast()
	return rest
}
