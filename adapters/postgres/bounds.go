package postgres

import (
	"sync"
	"time"

	"github.com/gostem/gostem/stem"
)

// bounds tells where the line of a queue begins, as far as this process knows. What lies before has been taken, but its index
// entries stay until a vacuum has been there, and with a snapshot held elsewhere nothing clears them away: who begins at
// the start steps over all of them again and again.
//
// What is published in a transaction that commits late comes to lie before the bound. So the bound is some hundred tasks behind the
// last that was taken, twice a second one looks two seconds further back, and as often from the start as costs little.
//
// No look goes further back than two seconds before the last that did: what was committed since is not older, unless its transaction
// took longer. Else a backlog that was enqueued in two seconds would be stepped over twice a second for as long as it takes to drain.
type bounds struct {
	mu      sync.Mutex
	back    int64 // the queue's, when the bounds were good
	levels  [stem.MaxPriority + 1]level
	stepped time.Time
	started time.Time     // when somebody last looked from the start
	cost    time.Duration // what that took
	dry     bool          // the last look found nothing
}

// level is the line of one priority. Places are those of tasks that were taken.
type level struct {
	last, recent, old place
	taken             int   // after recent
	looked            int64 // when the last look that went back here began, by the server's clock
}

// place is a place in line: when a task became due, in microseconds since 2000, and its number.
type place struct{ due, seq int64 }

func (p place) before(q place) bool { return p.due < q.due || p.due == q.due && p.seq < q.seq }

const (
	// trail is how many tasks the bound is behind, at least, once as many were taken.
	trail = 512
	// stepEvery and stepLength are how often one looks further back, and how far.
	stepEvery  = 500 * time.Millisecond
	stepLength = 2 * time.Second
	// startShare is the part of the time that looks from the start may take: one fiftieth.
	startShare = 50
)

// reach is how far back a look goes.
type reach uint8

const (
	near reach = iota
	stepBack
	fromStart
)

// next gives the reach of the next look, and notes that it is made.
func (b *bounds) next(now time.Time) reach {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch since := now.Sub(b.started); {
	case since >= startShare*b.cost && (b.dry || since >= stepEvery):
		b.started, b.stepped = now, now
		return fromStart
	case now.Sub(b.stepped) >= stepEvery:
		b.stepped = now
		return stepBack
	}
	return near
}

// append appends the bounds of a look, one for each priority.
func (b *bounds) append(backs, dues, seqs []int64, how reach) (_, _, _ []int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.levels {
		l := &b.levels[i]
		var p place
		switch how {
		case near:
			p = l.old
		case stepBack:
			p = l.old
			if due := max(l.last.due, l.looked) - stepLength.Microseconds(); due < p.due {
				p = place{due, 0}
			}
		}
		dues, seqs = append(dues, p.due), append(seqs, p.seq)
	}
	return append(backs, b.back), dues, seqs
}

// taken notes what a look has taken of the queue: all up to the last of each priority, and all that there was if there may not
// be more. It began at the time now of the server, and went as far back as how says.
func (b *bounds) taken(lasts *[stem.MaxPriority + 1]place, counts *[stem.MaxPriority + 1]int, found int, back int64, more bool, how reach, now int64, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.back = back
	b.dry = found == 0
	if how == fromStart {
		b.cost = took
	}
	for i := range b.levels {
		l := &b.levels[i]
		if how != near && (counts[i] > 0 || !more) { // else it may not have come to this priority
			l.looked = now
		}
		switch {
		case counts[i] == 0:
		case more && lasts[i].before(l.last) && how != near:
			*l = level{last: lasts[i]} // there is more before what was taken earlier: begin there
		default:
			l.advance(lasts[i], counts[i])
		}
	}
}

func (l *level) advance(to place, n int) {
	if l.last.before(to) {
		l.last = to
	}
	if l.taken += n; l.taken >= trail {
		l.old, l.recent, l.taken = l.recent, l.last, 0
	}
}
