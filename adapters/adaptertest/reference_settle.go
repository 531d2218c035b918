package adaptertest

import (
	"errors"
	"slices"

	"github.com/gostem/gostem/stem"
)

// reasons gives what revocations say of an envelope.
func (m *reference) reasons(e stem.Envelope) (all []string) {
	add := func(id string, family bool) {
		if r, ok := m.revoked[revokedID{scoped{e.Queue, id}, family}]; ok && m.now < r.until {
			all = append(all, r.text)
		}
	}
	add(e.ID, false)
	for id := range e.Lineage {
		add(id, true)
	}
	return all
}

// tells compares what is said of an envelope with its revocations.
func (m *reference) tells(rule string, e stem.Envelope, revoked bool, reason string) {
	want := m.reasons(e)
	m.holds(revoked == (len(want) > 0), rule, revoked, want)
	m.holds(!revoked || slices.Contains(want, reason), rule, reason, want)
}

// revokes takes note of a revocation.
func (m *reference) revokes(r stem.Revocation) {
	id := revokedID{scoped{r.Queue, r.ID}, r.Family}
	m.revoked[id] = kept{r.Reason, max(m.revoked[id].until, m.now+r.For)}
}

// extends takes note of an extension and its notices about loans of the session.
func (m *reference) extends(s stem.Session, held []*loan, notices []stem.Notice) {
	m.renews(s)
	named := m.named(notices, len(held))
	for i, l := range held {
		n, told := named[i]
		switch {
		case l.lost:
			m.holds(told && errors.Is(n.Cause, stem.ErrLeaseLost), "a notice names what is lost", n.Cause, stem.ErrLeaseLost)
		case l.end == 0:
			m.holds(!told || errors.Is(n.Cause, stem.ErrRevoked), "a notice names nothing that is held", n.Cause, nil)
			m.tells("a notice names what is revoked", l.of.env, told, n.Reason)
		}
	}
}

// named gives notices by index; each has one of its own.
func (m *reference) named(notices []stem.Notice, n int) map[int]stem.Notice {
	named := map[int]stem.Notice{}
	for _, notice := range notices {
		named[notice.Index] = notice
		m.holds(notice.Index >= 0 && notice.Index < n, "a notice names a delivery", notice.Index, n)
	}
	m.holds(len(named) == len(notices), "a notice comes once", len(notices), len(named))
	return named
}

// settles takes note of the answer to one settlement, by SaveAndSettle or by Settle.
func (m *reference) settles(l *loan, s stem.Settlement, save bool, err error) {
	lost := errors.Is(err, stem.ErrLeaseLost)
	if l.of.held != l {
		repeated := l.end == s.Verdict && err == nil
		m.holds(lost || repeated, "what is settled or lost cannot be settled", err, stem.ErrLeaseLost)
		l.of.cut = slices.DeleteFunc(l.of.cut, func(n int64) bool { return n == l.Number })
		return
	}
	m.holds(err == nil, "what is held can be settled", err, nil)
	if save && s.Result != nil {
		_ = m.save(*s.Result)
	}
	l.end, l.of.held = s.Verdict, nil
	m.letsGo(l.of, s)
	m.concludes(l.of, l, s)
}

// concludes does what a verdict says.
func (m *reference) concludes(l *life, last *loan, s stem.Settlement) {
	if s.Verdict != stem.VerdictRelease {
		l.cut = nil
	}
	if s.Verdict != stem.VerdictRelease || len(s.Marks) > 0 {
		l.marks = s.Marks
	}
	if s.Verdict == stem.VerdictRelease && s.Delay == 0 {
		l.releases++
		return // to its old place
	}
	l.due, l.overtakes = m.now+s.Delay, true
	switch s.Verdict {
	case stem.VerdictRetry:
		l.failures++
	case stem.VerdictSnooze:
		l.snoozes++
	case stem.VerdictRelease:
		l.releases++
	case stem.VerdictAck:
		m.acked++
		m.gone = append(m.gone, l.env)
		m.removes(l)
	case stem.VerdictDeadLetter:
		m.dead[l.env.Queue] = append(m.dead[l.env.Queue], grave{stem.DeadLetter{
			ID: l.env.ID, Task: l.env.Task, Queue: l.env.Queue, Reason: s.Reason, Attempt: last.Attempt, Delivery: last.Number, Marks: s.Marks,
		}, l.env, m.now})
		m.removes(l)
	}
}

func (m *reference) removes(gone *life) {
	m.lives = slices.DeleteFunc(m.lives, func(l *life) bool { return l == gone })
}
