package memory

import (
	"time"

	"github.com/gostem/gostem/stem"
)

// session is a worker's tenure: one lease for all that it holds. It is let go
// when it has lapsed and holds nothing any more.
type session struct {
	store   *Store
	id      string
	lease   time.Duration
	renewed instant
	leaving bool // what is taken over from it was not interrupted
	lapsed  bool // noticed, so that what it holds has begun to go back in line
	held    []*entry
	at      int // its index in the store's heap of lapses
}

func (s *session) index() *int { return &s.at }

// lapse gives when the session lapses.
func (s *session) lapse() instant { return s.renewed.plus(s.lease) }

// open gives the session, and opens it where it is not open. A live one is not
// renewed thereby: that is what Extend is for.
func (s *Store) open(want *stem.Session, now instant) *session {
	if session := s.sessions[want.ID]; session != nil && now < session.lapse() {
		return session
	}
	return s.renew(want, now)
}

// renew begins the session's lease anew, and gives back to it what nobody has
// taken over since it lapsed.
func (s *Store) renew(want *stem.Session, now instant) *session {
	session := s.sessions[want.ID]
	if session == nil {
		session = s.newSession(want.ID)
	}
	session.lease, session.renewed, session.leaving = want.Lease, now, want.Leaving
	if session.lapsed {
		session.lapsed = false
		session.reclaim()
	}
	s.lapses.move(session, int64(session.lapse()))
	s.watchLapses(now)
	return session
}

func (s *Store) newSession(id string) *session {
	if s.sessions == nil {
		s.sessions = make(map[string]*session)
	}
	session := &session{store: s, id: id, at: nowhere}
	s.sessions[id] = session
	s.lapses.push(session, int64(never))
	return session
}

// take lets the session hold an entry.
func (s *session) take(e *entry) {
	e.holder, e.slot = s, len(s.held)
	s.held = append(s.held, e)
	e.queue.running++
}

// drop ends the session's hold on an entry, wherever that is.
func (s *session) drop(e *entry) {
	if e.waiting() {
		e.lane().remove(e)
	}
	e.queue.running--
	end := len(s.held) - 1
	s.held[e.slot] = s.held[end]
	s.held[e.slot].slot = e.slot
	s.held[end] = nil
	s.held = s.held[:end]
	e.holder = nil
	if s.lapsed && end == 0 {
		s.store.forget(s)
	}
}

// reclaim takes back what stands in line since the session lapsed.
func (s *session) reclaim() {
	for _, e := range s.held {
		if e.waiting() {
			e.lane().remove(e)
		}
	}
}

// rescue puts what lapsed sessions hold back in line, as soon as it may be taken
// over: after the lease, or after the task's own visibility where that is
// longer. Until somebody does, the session holds it as before.
func (s *Store) rescue(now instant) {
	for s.lapses.len() > 0 && s.lapses.rank() <= int64(now) {
		lapsed := s.lapses.top()
		lapsed.lapsed = true
		if len(lapsed.held) == 0 {
			s.forget(lapsed)
			continue
		}
		s.lapses.move(lapsed, int64(lapsed.abandon(now)))
	}
}

// abandon puts those back in line that may be taken over by now, and answers
// when the next ones may.
func (s *session) abandon(now instant) (next instant) {
	next = never
	for _, e := range s.held {
		if e.waiting() {
			continue
		}
		from := s.renewed.plus(max(s.lease, e.envelope.Visibility))
		if from > now {
			next = min(next, from)
			continue
		}
		e.queue.putBack(e)
	}
	return next
}

// forget lets a session go that holds nothing.
func (s *Store) forget(session *session) {
	s.lapses.remove(session)
	delete(s.sessions, session.id)
}
