package adaptertest

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

// lapse gives when a session that was heard of at a time has left an envelope behind.
func (s *tenure) lapse(heard time.Duration, l *life) time.Duration {
	return heard + max(s.lease, l.env.Visibility)
}

// longest gives how long it takes until everything is due and free.
func (m *reference) longest() (wait time.Duration) {
	for _, l := range m.lives {
		wait = max(wait, l.due-m.now)
		if l.held != nil {
			s := m.sessions[l.held.Session]
			wait = max(wait, s.lapse(s.heard, l)-m.now)
		}
	}
	return wait
}

// asks reports whether a request is about an envelope.
func (m *reference) asks(req *stem.ReceiveRequest, l *life) bool {
	if left, bounded := req.AtMost[l.env.Task]; bounded && left == 0 {
		return false
	}
	return slices.Contains(req.Queues, l.env.Queue) && !m.paused[l.env.Queue] && req.Tasks.Has(l.env.Task, l.env.Fingerprint)
}

// mayLend and mustLend report whether a request may be lent an envelope that nobody
// holds, or whose holder has lapsed, and whether nothing may come before it.
func (m *reference) mayLend(req *stem.ReceiveRequest, l *life) bool {
	return m.asks(req, l) && m.free(req.Session.ID, l, func(s *tenure) time.Duration { return s.since(l.env.Queue) })
}

func (m *reference) mustLend(req *stem.ReceiveRequest, l *life) bool {
	return m.asks(req, l) && m.free(req.Session.ID, l, func(s *tenure) time.Duration { return s.heard })
}

func (m *reference) free(to string, l *life, heard func(*tenure) time.Duration) bool {
	if l.held == nil {
		return m.now >= l.due
	}
	s := m.sessions[l.held.Session]
	return l.held.Session != to && m.now >= s.lapse(heard(s), l)
}

// forgotten gives what a request with Recover is lent first: what its session holds and
// does not name.
func (m *reference) forgotten(req *stem.ReceiveRequest) map[*life]bool {
	lost := map[*life]bool{}
	for _, l := range m.lives {
		if req.Recover && l.held != nil && l.held.Session == req.Session.ID && m.asks(req, l) {
			known := slices.ContainsFunc(req.Held, func(d stem.Delivery) bool { return d.ID == l.env.ID && d.Number == l.held.Number })
			if !known {
				lost[l] = true
			}
		}
	}
	return lost
}

// finds reports whether a request is lent something for certain.
func (m *reference) finds(req *stem.ReceiveRequest) bool {
	return len(m.forgotten(req)) > 0 || slices.ContainsFunc(m.lives, func(l *life) bool { return m.mustLend(req, l) })
}

// opens takes note of a session that receives, and tells whether it had lapsed for certain.
func (m *reference) opens(want stem.Session) (s *tenure, anew bool) {
	s = m.sessions[want.ID]
	if s == nil {
		return m.renews(want), true
	}
	anew = m.now >= s.heard+s.lease
	s.heard = m.now
	return s, anew
}

// since gives from when on the session lasts on a queue, at least.
func (s *tenure) since(queue string) time.Duration { return max(s.renewed, s.opened[queue]) }

// receives takes note of an answer to a receive.
func (m *reference) receives(req *stem.ReceiveRequest, ds []stem.Delivery) {
	s, anew := m.opens(req.Session)
	own := *req // of which less may be lent with each delivery
	req, own.AtMost = &own, maps.Clone(req.AtMost)
	lost, ranks := m.forgotten(req), m.ranks(req)
	first := func(a, b *life) bool { return precedes(req, ranks, lost, a, b) }
	bytes := 0
	for i := range ds {
		l := m.find(ds[i].ID, ds[i].Queue)
		if !lost[l] {
			m.holds(m.mayLend(req, l), "only what is due, known and free is lent", l.env.ID, "another one")
		}
		for _, other := range m.lives {
			if other != l && !m.setApart(req, l, other) && (lost[other] && m.asks(req, other) || m.mustLend(req, other)) {
				m.holds(!first(other, l), "envelopes come in their order", l.env.ID, other.env.ID)
			}
		}
		bytes += len(l.env.Payload)
		m.holds(i == 0 || req.MaxBytes == 0 || bytes <= req.MaxBytes, "MaxBytes bounds the payloads", bytes, req.MaxBytes)
		if anew {
			s.opened[l.env.Queue] = m.now
		}
		delete(lost, l)
		m.lends(l, ds[i])
		if left, bounded := req.AtMost[l.env.Task]; bounded {
			req.AtMost[l.env.Task] = left - 1
		}
	}
}

// setApart reports whether another envelope is of a task with a bound, so that it may have been set aside: then it keeps its order
// among those of its task and schema, and no other.
func (m *reference) setApart(req *stem.ReceiveRequest, l, other *life) bool {
	_, bounded := req.AtMost[other.env.Task]
	return bounded && (l.env.Task != other.env.Task || l.env.Fingerprint != other.env.Fingerprint)
}

// find gives the life of an id on a queue.
func (m *reference) find(id, queue string) *life {
	i := slices.IndexFunc(m.lives, func(l *life) bool { return l.env.ID == id && l.env.Queue == queue })
	m.holds(i >= 0, "nothing is lent that is done or was never published", id, "another one")
	return m.lives[i]
}

// precedes reports whether one envelope must come before another in the answer to a request.
func precedes(req *stem.ReceiveRequest, ranks map[scopedPriority]rank, lost map[*life]bool, a, b *life) bool {
	qa, qb := slices.Index(req.Queues, a.env.Queue), slices.Index(req.Queues, b.env.Queue)
	switch {
	case lost[a] || lost[b]:
		return !lost[b]
	case qa != qb:
		return qa < qb
	case a.env.Priority != b.env.Priority:
		lowest, highest := ranks[lineOf(a)].lowest, ranks[lineOf(b)].highest
		return lowest > highest || lowest == highest && a.env.Priority > b.env.Priority
	default:
		return !a.overtakes && !b.overtakes && a.place < b.place
	}
}

type scopedPriority struct {
	queue    string
	priority int
}

func lineOf(l *life) scopedPriority { return scopedPriority{l.env.Queue, l.env.Priority} }

// rank is where a priority of a queue stands among the others. It depends on who is next
// in line, and that may be any of those that overtake.
type rank struct{ lowest, highest int }

func (m *reference) ranks(req *stem.ReceiveRequest) map[scopedPriority]rank {
	ranks, next := map[scopedPriority]rank{}, map[scopedPriority]*life{}
	add := func(l *life) {
		at := l.env.Priority
		if req.AgeAfter > 0 {
			at += int((m.now - l.due) / req.AgeAfter)
		}
		r, ok := ranks[lineOf(l)]
		if !ok {
			r = rank{math.MaxInt, math.MinInt}
		}
		ranks[lineOf(l)] = rank{min(r.lowest, at), max(r.highest, at)}
	}
	for _, l := range m.lives {
		if !m.mayLend(req, l) {
			continue
		}
		_, bounded := req.AtMost[l.env.Task]
		if l.overtakes || l.held != nil {
			add(l)
		} else if n := next[lineOf(l)]; !bounded && (n == nil || l.place < n.place) {
			next[lineOf(l)] = l
		}
	}
	for _, l := range next {
		add(l)
	}
	// What stands before it and has a bound is next, until that is used up.
	for _, l := range m.lives {
		_, bounded := req.AtMost[l.env.Task]
		if n := next[lineOf(l)]; bounded && m.mayLend(req, l) && (n == nil || l.place < n.place) {
			add(l)
		}
	}
	return ranks
}

// lends takes note of a delivery, and looks at all that it says.
func (m *reference) lends(l *life, d stem.Delivery) {
	if old := l.held; old != nil {
		old.lost = true
		if s := m.sessions[old.Session]; old.Session != d.Session {
			l.overtakes = true
			if !s.leaving {
				l.cut = append(l.cut, old.Number)
			}
		}
	}
	m.holds(d.Number > m.numbers[d.ID] && d.Number < 1<<53, "delivery numbers rise", "one that does not", "a higher one")
	counters := [4]int{d.Attempt, d.Interruptions, d.Snoozes, d.Releases}
	want := [4]int{l.failures + 1, len(l.cut), l.snoozes, l.releases}
	m.holds(counters == want, "attempt, interruptions, snoozes and releases are counted", counters, want)
	m.holds(maps.Equal(d.Marks, l.marks), "marks are those of the last settlement", d.Marks, l.marks)
	m.holds(equal(*d.Envelope, l.env), "an envelope never changes", *d.Envelope, l.env)
	m.about("Waited tells how long the envelope has been due", d.Waited, m.now-l.due)
	m.about("Age tells how long ago it was published", d.Age, m.now-l.published)
	left := l.published + l.env.ExpiresIn - m.now
	expired := l.env.ExpiresIn > 0 && left <= 0
	m.holds(d.Expired == expired, "Expired tells that it is too late", d.Expired, expired)
	if l.env.ExpiresIn == 0 || expired {
		m.holds(d.StartWithin == 0, "StartWithin tells what is left", d.StartWithin, 0)
	} else {
		m.holds(d.StartWithin <= left+tick && d.StartWithin >= left-drift, "StartWithin tells what is left", d.StartWithin, left)
	}
	m.tells("a delivery tells a revocation", l.env, d.Revoked, d.Reason)
	m.numbers[d.ID] = d.Number
	l.held = &loan{Delivery: d, of: l}
	m.loans = append(m.loans, l.held)
}
