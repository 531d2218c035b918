package memory

import "github.com/gostem/gostem/stem"

// lane is the line in which the due envelopes of one task wait whose args have one
// schema, at one priority of one queue. A queue has a lane for each, so that a receiver
// which does not know a task or a schema steps over all of its envelopes at once,
// however many there are.
// The places that they are given are the store's, so lanes can be merged
// again: first in, first out holds across them.
type lane struct {
	queue    *queue
	schema   stem.TaskSchema
	priority int

	first, last *entry // those that came when they became due, in order; the first is not deleted
	// returned are those that came back to an old place: released, or left
	// behind by a lapsed session.
	returned heap[*entry]
	length   int
	marks    marks // of those who list the lane; nil until somebody does

	at    int  // its index in the tier's heap, nowhere while it is empty or aside
	aside bool // nobody who knew its schema has asked since somebody did not
}

func (l *lane) index() *int { return &l.at }

// append gives the entry the last place.
func (l *lane) append(e *entry) {
	l.queue.store.lastPlace++
	e.place = l.queue.store.lastPlace
	if l.first == nil {
		l.first = e
	} else {
		l.last.next = e
	}
	l.last = e
	l.length++
	if l.length == 1 {
		l.rank()
	}
}

// restore gives the entry its old place back. One that is still held does not
// count as running while it stands here.
func (l *lane) restore(e *entry) {
	if e.holder != nil {
		l.queue.running--
	}
	l.returned.push(e, e.place)
	l.length++
	l.rank()
}

// peek gives the entry that is next; there must be one.
func (l *lane) peek() *entry {
	if l.returned.len() == 0 || l.first != nil && l.first.place < l.returned.rank() {
		return l.first
	}
	return l.returned.top()
}

// pop takes the entry that is next.
func (l *lane) pop() *entry {
	e := l.peek()
	if e.waiting() {
		l.remove(e)
		return e
	}
	l.first, e.next = e.next, nil
	l.skip()
	l.length--
	l.rank()
	return e
}

// skip passes over deleted entries at the head of the line.
func (l *lane) skip() {
	for l.first != nil && l.first.deleted {
		l.first = l.first.next
	}
	if l.first == nil {
		l.last = nil
	}
}

// discard takes an entry out that nobody holds, wherever it stands. One in the middle of the line is only marked, and goes
// when those before it have gone.
func (l *lane) discard(e *entry) {
	if e.waiting() {
		l.remove(e)
		return
	}
	e.deleted = true
	l.skip()
	l.length--
	l.rank()
}

// remove takes out an entry that had come back.
func (l *lane) remove(e *entry) {
	if e.holder != nil {
		l.queue.running++
	}
	l.returned.remove(e)
	l.length--
	l.rank()
}

// rank puts the lane where it belongs among the lanes of its tier: that with
// the oldest place comes first.
func (l *lane) rank() {
	lanes := &l.queue.tiers[l.priority].lanes
	switch {
	case l.length == 0:
		l.marks = nil
		if l.aside {
			l.aside = false
			l.queue.aside.remove(l)
		}
		if l.at != nowhere {
			lanes.remove(l)
		}
	case l.aside:
	case l.at == nowhere:
		lanes.push(l, l.peek().place)
	default:
		lanes.move(l, l.peek().place)
	}
}

// suits reports whether a receiver may be lent what waits in the lane.
func (l *lane) suits(t taste) bool { return t.has(l.schema.Task, l.schema.Fingerprint) }

// offers reports whether a receiver would find something in the lane: it knows
// its schema, and not all that waits is what its own session left behind.
func (l *lane) offers(r *receiver) bool {
	if l.length == 0 || !l.suits(tasteOf(&r.request)) {
		return false
	}
	holder := l.peek().holder
	if holder == nil || holder.id != r.request.Session.ID {
		return true
	}
	own := 0
	for _, e := range holder.held {
		if e.waiting() && e.lane() == l {
			own++
		}
	}
	return l.length > own
}
