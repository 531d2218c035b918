package memory

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
)

// hold is that an envelope holds a unique key.
type hold struct {
	entry   *entry // nil once the task has succeeded: UntilTime nothing takes the key back
	id      string
	running bool
}

// forever is the lifetime of a key that only its holder lets go.
const forever = time.Duration(math.MaxInt64)

// hold gives an entry its unique key, or tells who holds that. Whom it replaces is revoked
// when the entry stands in line.
func (q *queue) hold(e *entry, now instant) (holder string, replaced *entry) {
	u := e.envelope.Unique
	q.holds.sweep(now, 2, nil) // more than is put, so expired keys do not pile up
	i, live := q.holds.find(u.Key, now)
	if live && i.value.stands(now) {
		if u.OnConflict != stem.ConflictReplace || !i.value.yields() || i.value.id == e.envelope.ID {
			return i.value.id, nil
		}
		replaced = i.value.entry
	}
	lifetime := u.For
	if lifetime == 0 {
		lifetime = forever
	}
	q.holds.put(i, u.Key, lifetime, now).value = hold{entry: e, id: e.envelope.ID}
	return "", replaced
}

// stands reports whether the holder still keeps others out: it has not been revoked, and it is
// not too late for it to start.
func (h *hold) stands(now instant) bool {
	e := h.entry
	if e == nil {
		return true
	}
	if _, revoked := e.queue.revoked.find(&e.envelope, now); revoked {
		return false
	}
	return h.running || now < e.expires
}

// yields reports whether the holder can be replaced.
func (h *hold) yields() bool {
	return h.entry != nil && !h.running && replaceable(&h.entry.envelope)
}

// replaceable reports whether an envelope may be replaced at all.
func replaceable(e *stem.Envelope) bool {
	return e.Unique != nil && e.Unique.OnConflict == stem.ConflictReplace
}

// replaceBy revokes an entry in favour of another one. It has waited long enough: whoever receives it
// tells that it is cancelled.
func (e *entry) replaceBy(id string, now instant) {
	q := e.queue
	// A revocation is refused for its time alone, and this one has one.
	_ = q.store.revoke(&stem.Revocation{Queue: q.name, ID: e.envelope.ID, For: stem.ReplacedFor, Reason: stem.ReplacedReason(id)}, now)
	if e.waiting() && e.holder == nil && e.due > now {
		q.tiers[e.envelope.Priority].delayed.remove(e)
		q.put(e, 0, now)
	}
}

// held gives the hold of an entry on its unique key, if it has it.
func (e *entry) held() *item[hold] {
	if e.envelope.Unique == nil {
		return nil
	}
	i := e.queue.holds.items.find(e.envelope.Unique.Key)
	if i == nil || i.value.entry != e {
		return nil
	}
	return i
}

// forgetReplaced takes the revocation back of an entry that was replaced, now that it is cancelled.
func (e *entry) forgetReplaced(now instant) {
	revoked := &e.queue.revoked.tasks
	if i, live := revoked.find(e.envelope.ID, now); live && strings.HasPrefix(i.value, stem.ReplacedReason("")) {
		revoked.remove(i)
	}
}

// letGo does what a settlement means for the entry's unique key.
func (e *entry) letGo(st *stem.Settlement, now instant) {
	if replaceable(&e.envelope) && st.Verdict == stem.VerdictAck && st.Cancelled {
		e.forgetReplaced(now)
	}
	i := e.held()
	if i == nil {
		return
	}
	switch succeeded := st.Verdict == stem.VerdictAck && !st.Cancelled; {
	case succeeded && e.envelope.Unique.Until == stem.UntilTime:
		i.value.entry = nil
	case st.Verdict == stem.VerdictAck, st.Verdict == stem.VerdictDeadLetter:
		e.queue.holds.remove(i)
	default:
		i.value.running = false
	}
}

// Started tells that deliveries are about to run.
func (s *Store) Started(ctx context.Context, ds ...stem.Delivery) ([]stem.Notice, error) {
	now, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var notices []stem.Notice
	for i := range ds {
		e, ok := s.loaned(&ds[i])
		if !ok || !e.current(&ds[i]) {
			notices = append(notices, stem.Notice{Index: i, Cause: stem.ErrLeaseLost})
			continue
		}
		before := len(notices)
		if notices = e.queue.revoked.notice(notices, i, &e.envelope, now); len(notices) == before {
			e.start()
		}
	}
	return notices, nil
}

// start does what a start means for the entry's unique key.
func (e *entry) start() {
	i := e.held()
	switch {
	case i == nil:
	case e.envelope.Unique.Until == stem.UntilStarted:
		e.queue.holds.remove(i)
	default:
		i.value.running = true
	}
}
