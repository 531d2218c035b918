package memory_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// TestStoreKeepsToTheModel runs random histories of one caller on the store and
// on a model of the contract that looks through all envelopes at each step.
func TestStoreKeepsToTheModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Behind the wrapper, rapid does not ask for the test's deadline, which a
		// bubble does not tell.
		rapid.Check(struct{ testing.TB }{t}, func(rt *rapid.T) {
			w := &world{T: rt, lab: lab{t, new(memory.Store)}, sessions: map[string]*tenure{}, paused: map[string]bool{}}
			defer func() { _ = w.Close() }()
			rt.Repeat(map[string]func(*rapid.T){
				"publish": w.publishSome,
				"receive": w.receiveSome,
				"settle":  w.settleOne,
				"extend":  w.extendOne,
				"wait":    w.wait,
				"pause":   w.pauseOne,
				"":        w.count,
			})
		})
	})
}

// world is a store and what should be true of it.
type world struct {
	*rapid.T
	lab
	now       time.Duration
	envelopes []*life
	sessions  map[string]*tenure
	paused    map[string]bool
}

// life is an envelope that is not gone. Its delivery is the last one, with the
// counters that the next should have.
type life struct {
	env      stem.Envelope
	due      time.Duration
	holder   string // the session that holds it, if any
	last     stem.Delivery
	attempt  int
	cut      []int64 // the deliveries that count as interrupted
	snoozes  int
	releases int
	old      []stem.Delivery // those that were lost or settled
}

type tenure struct {
	renewed, lease time.Duration
	leaving        bool
}

var (
	worldQueues = []string{"q0", "q1"}
	worldTasks  = []string{"t0", "t1", "t2"}
	worldKnown  = []*stem.TaskSet{
		nil, knowing("t0"), knowing("t1", "t2"),
		stem.NewTaskSet(stem.TaskSpec{Name: "t0", Schema: stem.Schema{Fingerprint: 2, Older: []uint64{1}}}, stem.TaskSpec{Name: "t1"}),
		stem.NewTaskSet(stem.TaskSpec{Name: "t0", Aliases: []string{"t2"}, Schema: stem.Schema{Fingerprint: 1}}),
	}
	// durations are short: rapid stops when a day has passed, also in a bubble.
	durations = rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.IntRange(0, 20).Draw(t, "milliseconds")) * time.Millisecond
	})
)

// lapsed reports whether a session is not open.
func (w *world) lapsed(session string) bool {
	s := w.sessions[session]
	return s == nil || w.now >= s.renewed+s.lease
}

// free reports whether an envelope may be lent to a session.
func (w *world) free(l *life, to string) bool {
	if l.holder == "" {
		return w.now >= l.due
	}
	s := w.sessions[l.holder]
	return l.holder != to && w.now >= s.renewed+max(s.lease, l.env.Visibility)
}

func (w *world) publishSome(t *rapid.T) {
	for range rapid.IntRange(1, 5).Draw(t, "envelopes") {
		env := stem.Envelope{
			ID:          fmt.Sprint(len(w.envelopes)),
			Queue:       rapid.SampledFrom(worldQueues).Draw(t, "queue"),
			Task:        rapid.SampledFrom(worldTasks).Draw(t, "task"),
			Fingerprint: rapid.Uint64Range(0, 2).Draw(t, "fingerprint"),
			Priority:    rapid.SampledFrom([]int{0, 5, 9}).Draw(t, "priority"),
			Visibility:  rapid.SampledFrom([]time.Duration{0, 30 * time.Millisecond}).Draw(t, "visibility"),
		}
		if rapid.Bool().Draw(t, "delayed") {
			env.Delay = durations.Draw(t, "delay")
		}
		w.publish(env)
		w.envelopes = append(w.envelopes, &life{env: env, due: w.now + env.Delay, attempt: 1})
	}
}

func (w *world) receiveSome(t *rapid.T) {
	req := stem.ReceiveRequest{
		Session: stem.Session{
			ID:    rapid.SampledFrom([]string{"s0", "s1", "s2"}).Draw(t, "session"),
			Lease: rapid.SampledFrom([]time.Duration{5 * time.Millisecond, 10 * time.Millisecond}).Draw(t, "lease"),
		},
		Queues: rapid.SampledFrom([][]string{{"q0"}, {"q1"}, {"q0", "q1"}, {"q1", "q0"}}).Draw(t, "queues"),
		Tasks:  rapid.SampledFrom(worldKnown).Draw(t, "tasks"),
		Max:    rapid.IntRange(1, 8).Draw(t, "max"),
	}
	if w.lapsed(req.Session.ID) {
		w.sessions[req.Session.ID] = &tenure{renewed: w.now, lease: req.Session.Lease}
	}
	want := w.expected(req)
	got := w.receive(req)
	if len(got) != len(want) {
		t.Fatalf("received: got %q, want %d deliveries", ids(got), len(want))
	}
	for i, d := range got {
		l := w.find(d.ID)
		if !w.free(l, req.Session.ID) || !req.Tasks.Has(d.Task, d.Fingerprint) {
			t.Fatalf("delivery %d: got %s, want one that is free for %s and known", i, d.ID, req.Session.ID)
		}
		if d.Queue != want[i].env.Queue || d.Priority != want[i].env.Priority {
			t.Fatalf("delivery %d: got %s of %s at %d, want one of %s at %d", i, d.ID, d.Queue, d.Priority, want[i].env.Queue, want[i].env.Priority)
		}
		w.lend(l, d)
	}
}

// expected gives envelopes that a request may get: others of the same queue and
// priority are as good.
func (w *world) expected(req stem.ReceiveRequest) (want []*life) {
	for _, l := range w.envelopes {
		if l != nil && !w.paused[l.env.Queue] && slices.Contains(req.Queues, l.env.Queue) && req.Tasks.Has(l.env.Task, l.env.Fingerprint) && w.free(l, req.Session.ID) {
			want = append(want, l)
		}
	}
	slices.SortStableFunc(want, func(a, b *life) int {
		if a.env.Queue != b.env.Queue {
			return slices.Index(req.Queues, a.env.Queue) - slices.Index(req.Queues, b.env.Queue)
		}
		return b.env.Priority - a.env.Priority
	})
	return want[:min(len(want), req.Max)]
}

// lend takes note of a delivery, and checks what it says.
func (w *world) lend(l *life, d stem.Delivery) {
	if l.holder != "" {
		if !w.sessions[l.holder].leaving {
			l.cut = append(l.cut, l.last.Number)
		}
		l.old = append(l.old, l.last)
	}
	if d.Number <= l.last.Number {
		w.T.Fatalf("%s: got number %d after %d, want it to rise", d.ID, d.Number, l.last.Number)
	}
	got := [4]int{d.Attempt, d.Interruptions, d.Snoozes, d.Releases}
	if want := [4]int{l.attempt, len(l.cut), l.snoozes, l.releases}; got != want {
		w.T.Fatalf("%s: got attempt, interruptions, snoozes, releases %v, want %v", d.ID, got, want)
	}
	l.holder, l.last = d.Session, d
}

func (w *world) find(id string) *life {
	for _, l := range w.envelopes {
		if l != nil && l.env.ID == id {
			return l
		}
	}
	w.T.Fatalf("received %s, which is gone", id)
	return nil
}

// any draws an envelope that is there, or skips the step.
func (w *world) any(t *rapid.T, with func(l *life) bool) (int, *life) {
	var found []int
	for i, l := range w.envelopes {
		if l != nil && with(l) {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		t.Skip("none there")
	}
	i := rapid.SampledFrom(found).Draw(t, "envelope")
	return i, w.envelopes[i]
}

func (w *world) settleOne(t *rapid.T) {
	i, l := w.any(t, func(l *life) bool { return l.last.Number > 0 })
	s := stem.Settlement{
		Delivery: l.last,
		Verdict:  stem.Verdict(rapid.IntRange(1, 5).Draw(t, "verdict")),
		Delay:    durations.Draw(t, "delay"),
	}
	if len(l.old) > 0 && rapid.Bool().Draw(t, "old") {
		s.Delivery = rapid.SampledFrom(l.old).Draw(t, "delivery")
		if err := w.Settle(w.ctx(), s); stem.ItemErr(err, 0) != stem.ErrLeaseLost {
			t.Fatalf("settle %s by its delivery %d: got error %v, want %v", l.env.ID, s.Delivery.Number, err, stem.ErrLeaseLost)
		}
		l.cut = slices.DeleteFunc(l.cut, func(n int64) bool { return n == s.Delivery.Number })
		return
	}
	if l.holder == "" {
		t.Skip("settled already")
	}
	if err := w.Settle(w.ctx(), s); err != nil {
		t.Fatalf("settle %s: got error %v, want none", l.env.ID, err)
	}
	w.conclude(i, l, s)
}

func (w *world) conclude(i int, l *life, s stem.Settlement) {
	l.holder, l.due = "", w.now+s.Delay
	if s.Verdict != stem.VerdictRelease {
		l.cut = nil
	}
	switch s.Verdict {
	case stem.VerdictAck, stem.VerdictDeadLetter:
		w.envelopes[i] = nil
	case stem.VerdictRetry:
		l.attempt++
	case stem.VerdictSnooze:
		l.snoozes++
	case stem.VerdictRelease:
		l.releases++
	}
}

func (w *world) extendOne(t *rapid.T) {
	_, l := w.any(t, func(l *life) bool { return l.holder != "" })
	held := append(slices.Clone(l.old), l.last)
	want := stem.Session{ID: l.holder, Lease: 10 * time.Millisecond, Leaving: rapid.Bool().Draw(t, "leaving")}
	notices, err := w.Extend(w.ctx(), want, held...)
	if err != nil {
		t.Fatalf("extend: got error %v, want none", err)
	}
	if len(notices) != len(l.old) {
		t.Fatalf("extend with %d deliveries that are lost and one that is not: got notices %v", len(l.old), notices)
	}
	w.sessions[want.ID] = &tenure{w.now, want.Lease, want.Leaving}
}

func (w *world) pauseOne(t *rapid.T) {
	queue, paused := rapid.SampledFrom(worldQueues).Draw(t, "queue"), rapid.Bool().Draw(t, "paused")
	if err := w.PauseQueue(w.ctx(), queue, paused); err != nil {
		t.Fatalf("pause: got error %v, want none", err)
	}
	w.paused[queue] = paused
}

func (w *world) wait(t *rapid.T) {
	d := durations.Draw(t, "duration")
	time.Sleep(d)
	w.now += d
}

// count compares the counts of the queues after each step.
func (w *world) count(t *rapid.T) {
	for _, q := range worldQueues {
		got, err := w.CountQueue(w.ctx(), q)
		if err != nil {
			t.Fatalf("count: got error %v, want none", err)
		}
		ready := got.Ready
		for _, n := range got.Unknown {
			ready += n
		}
		var want stem.QueueCounts
		for _, l := range w.envelopes {
			switch {
			case l == nil || l.env.Queue != q:
			case w.free(l, ""):
				want.Ready++
			case l.holder != "":
				want.Running++
			default:
				want.Delayed++
			}
		}
		if got.Paused != w.paused[q] || ready != want.Ready || got.Running != want.Running || got.Delayed != want.Delayed {
			t.Fatalf("counts of %s: got %+v, want %+v with the unknown among the ready", q, got, want)
		}
	}
}
