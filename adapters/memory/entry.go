package memory

import (
	"time"

	"github.com/gostem/gostem/stem"
)

// entry is an envelope and all that the store knows about it. It is at one
// place at a time: in a lane (due), in a tier's delayed heap (not yet due), with
// a session (on loan), or gone. Only the loan of a lapsed session is at two: it
// stays with the session, which may still settle it, and stands in its lane
// for whoever takes it over.
//
// A pointer to it is the receipt of its deliveries. It outlives the settlement
// for as long as somebody holds one, and so can tell who made that.
type entry struct {
	envelope stem.Envelope
	queue    *queue

	published instant
	due       instant // since when, or from when on, it waits
	expires   instant // from when on it is too late to start, or never
	place     int64   // its place in line, from when it became due
	next      *entry  // who stands behind it
	at        int     // its index in the heap that it is in, else nowhere

	number      int64 // of the last delivery
	failures    int32
	snoozes     int32
	releases    int32
	ended       stem.Verdict  // how the delivery that was settled last did
	deleted     bool          // it stands in its lane and does not count any more
	interrupted *interruption // the latest, since the last verdict
	marks       map[string]string

	holder  *session // who holds the last delivery, until it is settled or lent again
	slot    int      // its index in what the holder holds
	settled int64    // the number of the delivery that was settled last
}

// newEntries gives an entry for each envelope, chained by next in their order.
// It is called before the store is locked: to allocate takes longer than to
// publish.
func newEntries(envs []stem.Envelope) (first *entry) {
	for i := len(envs) - 1; i >= 0; i-- {
		first = &entry{envelope: envs[i], at: nowhere, next: first}
	}
	return first
}

func (e *entry) index() *int { return &e.at }

// waiting reports whether the entry is in a heap. One that is also held waits
// to be taken over from a lapsed session.
func (e *entry) waiting() bool { return e.at != nowhere }

// lane gives the lane that is the entry's, whether it stands there or not.
func (e *entry) lane() *lane {
	schema := stem.TaskSchema{Task: e.envelope.Task, Fingerprint: e.envelope.Fingerprint}
	return e.queue.lane(e.envelope.Priority, schema)
}

// suits reports whether a receiver may be lent the entry.
func (e *entry) suits(t taste) bool { return t.has(e.envelope.Task, e.envelope.Fingerprint) }

// lend gives the entry to a session, as a delivery of a number. What was on loan
// to another one was interrupted.
func (e *entry) lend(to *session, number int64) {
	if from := e.holder; from != nil {
		if from != to && !from.leaving {
			e.interrupted = &interruption{number: e.number, before: e.interrupted}
		}
		from.drop(e)
	}
	e.number = number
	to.take(e)
}

// interruption is a delivery that was cut short, and so on to those before it.
type interruption struct {
	number int64
	before *interruption
}

func (i *interruption) count() (n int) {
	for ; i != nil; i = i.before {
		n++
	}
	return n
}

// heardOf takes back that a delivery was interrupted: who held it lives and has just
// said how it ended.
func (e *entry) heardOf(number int64) {
	for at := &e.interrupted; *at != nil; at = &(*at).before {
		if (*at).number == number {
			*at = (*at).before
			return
		}
	}
}

// delivery describes the loan at the time that it is made.
func (e *entry) delivery(now instant) stem.Delivery {
	d := stem.Delivery{
		Envelope:      &e.envelope,
		Session:       e.holder.id,
		Number:        e.number,
		Attempt:       int(e.failures) + 1,
		Interruptions: e.interrupted.count(),
		Snoozes:       int(e.snoozes),
		Releases:      int(e.releases),
		Waited:        time.Duration(max(now-e.due, 0)),
		Age:           time.Duration(now - e.published),
		Marks:         e.marks,
		Expired:       now >= e.expires,
		Receipt:       e,
	}
	d.Reason, d.Revoked = e.queue.revoked.find(&e.envelope, now)
	if e.envelope.ExpiresIn > 0 && !d.Expired {
		d.StartWithin = time.Duration(e.expires - now)
	}
	return d
}

// loaned gives the entry that a delivery is a loan of, if it is one of this
// store's. It may have ended since.
func (s *Store) loaned(d *stem.Delivery) (*entry, bool) {
	e, ok := d.Receipt.(*entry)
	return e, ok && e != nil && e.queue.store == s
}

// current reports whether a delivery is the entry's last and not settled yet.
func (e *entry) current(d *stem.Delivery) bool {
	return e.holder != nil && e.number == d.Number && e.holder.id == d.Session
}
