package adaptertest

import (
	"errors"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
)

// hold is that an envelope has a unique key.
type hold struct {
	of      *life // nil once the task has succeeded, where the key is held for a time
	id      string
	until   time.Duration
	running bool
}

// forever is the time of a key that only its holder lets go.
const forever = time.Duration(1<<63 - 1)

// holder gives the hold that stands in the way of an envelope, or nil.
func (m *reference) holder(e *stem.Envelope) *hold {
	h := m.unique[scoped{e.Queue, e.Unique.Key}]
	switch {
	case h == nil || m.now >= h.until:
		return nil
	case h.of == nil:
		return h
	case len(m.reasons(h.of.env)) > 0:
		return nil
	case !h.running && h.of.env.ExpiresIn > 0 && m.now >= h.of.published+h.of.env.ExpiresIn:
		return nil
	default:
		return h
	}
}

// replaces gives the envelope in whose place another one comes, if it does.
func (m *reference) replaces(e *stem.Envelope) *life {
	h := m.holder(e)
	if h == nil || h.of == nil || h.running || h.id == e.ID || e.Unique.OnConflict != stem.ConflictReplace || h.of.env.Unique.OnConflict != stem.ConflictReplace {
		return nil
	}
	return h.of
}

// keeps gives the answer to a unique envelope, and whom it replaces.
func (m *reference) keeps(e *stem.Envelope) (stem.Published, *life) {
	if replaced := m.replaces(e); replaced != nil {
		return stem.Published{ID: e.ID, Replaces: replaced.env.ID}, replaced
	}
	if h := m.holder(e); h != nil {
		return stem.Published{ID: h.id, Duplicate: true, Conflict: true}, nil
	}
	return stem.Published{ID: e.ID}, nil
}

// takes gives an envelope its key, and cancels whom it replaces.
func (m *reference) takes(l, replaced *life) {
	h := &hold{of: l, id: l.env.ID, until: forever}
	if l.env.Unique.For > 0 {
		h.until = m.now + l.env.Unique.For
	}
	m.unique[scoped{l.env.Queue, l.env.Unique.Key}] = h
	if replaced == nil {
		return
	}
	m.revokes(stem.Revocation{Queue: l.env.Queue, ID: replaced.env.ID, For: stem.ReplacedFor, Reason: stem.ReplacedReason(l.env.ID)})
	if replaced.held == nil && replaced.due > m.now {
		replaced.due, replaced.overtakes = m.now, true
	}
}

// holdOf gives the hold of an envelope on its key, if it has it.
func (m *reference) holdOf(l *life) (key scoped, h *hold) {
	if l.env.Unique == nil {
		return key, nil
	}
	key = scoped{l.env.Queue, l.env.Unique.Key}
	if h = m.unique[key]; h == nil || h.of != l {
		return key, nil
	}
	return key, h
}

// letsGo does what a settlement means for a key.
func (m *reference) letsGo(l *life, s stem.Settlement) {
	if u := l.env.Unique; u != nil && u.OnConflict == stem.ConflictReplace && s.Verdict == stem.VerdictAck && s.Cancelled {
		id := revokedID{scoped{l.env.Queue, l.env.ID}, false}
		if strings.HasPrefix(m.revoked[id].text, stem.ReplacedReason("")) {
			delete(m.revoked, id)
		}
	}
	key, h := m.holdOf(l)
	switch {
	case h == nil:
	case s.Verdict == stem.VerdictAck && !s.Cancelled && l.env.Unique.Until == stem.UntilTime:
		h.of = nil
	case s.Verdict == stem.VerdictAck, s.Verdict == stem.VerdictDeadLetter:
		delete(m.unique, key)
	default:
		h.running = false
	}
}

// starts takes note of a start, and looks at what is said of it.
func (m *reference) starts(l *loan, n stem.Notice, told bool) {
	m.tells("a notice names what was revoked before it started", l.of.env, told, n.Reason)
	if told {
		m.holds(errors.Is(n.Cause, stem.ErrRevoked), "a notice of a start is about a revocation", n.Cause, stem.ErrRevoked)
		return
	}
	key, h := m.holdOf(l.of)
	switch {
	case h == nil:
	case l.of.env.Unique.Until == stem.UntilStarted:
		delete(m.unique, key)
	default:
		h.running = true
	}
}

// waitsAgain reports whether an envelope waits for a time that it was not published with: whether it becomes due when it is replaced is
// for the store to say.
func (l *life) waitsAgain(now time.Duration) bool {
	return l.due > now && l.failures+l.snoozes+l.releases > 0
}
