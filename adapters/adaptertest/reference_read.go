package adaptertest

import (
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

// save gives the answer to a record, which stands if that is nil.
func (m *reference) save(r stem.Result) error {
	old, ok := m.records[r.ID]
	if ok && m.now < old.until {
		same := reflect.DeepEqual(old.Result, r)
		if r.Delivery < old.Delivery || r.Delivery == old.Delivery && old.State.Terminal() && !same {
			return stem.ErrLeaseLost
		}
	}
	m.records[r.ID] = record{r, m.now + r.Keep}
	return nil
}

// loads looks at the answer for one id.
func (m *reference) loads(id string, got stem.Result, err error) {
	want, ever := m.records[id]
	if ever && m.now < want.until {
		m.holds(err == nil, "a record that stands is loaded", err, nil)
		got.Keep = want.Keep // need not come back
		m.holds(equal(got, want.Result), "a record comes back as it was saved", got, want.Result)
		return
	}
	absent := errors.Is(err, stem.ErrNoResult) || ever && errors.Is(err, stem.ErrResultExpired)
	m.holds(absent, "there is no record where none stands", err, stem.ErrNoResult)
}

// counts looks at the counts of a queue.
func (m *reference) counts(queue string, got stem.QueueCounts) {
	var free, lapsed, running, delayed int
	waiting := map[stem.TaskSchema]int{}
	for _, l := range m.lives {
		switch {
		case l.env.Queue != queue:
			continue
		case l.held == nil && m.now < l.due:
			delayed++
			continue
		case l.held == nil:
			free++
		case m.free("", l, func(s *tenure) time.Duration { return s.since(queue) }):
			lapsed++
		default:
			running++
			continue
		}
		waiting[stem.TaskSchema{Task: l.env.Task, Fingerprint: l.env.Fingerprint}]++
	}
	ready := got.Ready
	for schema, n := range got.Unknown {
		ready += n
		m.holds(n <= waiting[schema], "unknown envelopes are counted by task and schema", got.Unknown, waiting)
	}
	all := free + lapsed + running
	m.holds(got.Delayed == delayed, "the delayed are counted", got.Delayed, delayed)
	m.holds(got.Running >= running && got.Running <= running+lapsed, "the running are counted", got.Running, running)
	m.holds(ready+got.Running == all, "the ready and the running are counted", ready+got.Running, all)
	m.holds(got.Dead == len(m.dead[queue]), "dead letters are counted", got.Dead, len(m.dead[queue]))
	m.holds(got.Paused == m.paused[queue], "the counts tell of a pause", got.Paused, m.paused[queue])
}

// lists looks at the dead letters of a queue. Those of one time come in any order.
func (m *reference) lists(queue string, limit int, got []stem.DeadLetter) {
	left := slices.Clone(m.dead[queue])
	slices.SortStableFunc(left, func(a, b grave) int { return int(b.at - a.at) })
	want := min(limit, len(left))
	m.holds(len(got) == want, "dead letters are listed", len(got), want)
	for _, letter := range got {
		env, err := stem.ParseEnvelope(letter.Envelope)
		m.holds(err == nil, "a dead letter has its envelope", err, nil)
		letter.At, letter.Envelope = time.Time{}, nil
		i := slices.IndexFunc(left, func(g grave) bool {
			return g.at == left[0].at && equal(letter, g.DeadLetter) && equal(env, g.env)
		})
		m.holds(i >= 0, "dead letters come as they were set aside, the newest first", letter, left[0].DeadLetter)
		left = slices.Delete(left, i, i+1)
	}
}
