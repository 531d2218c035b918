package stemtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/gostem/gostem/stem"
)

// ledger is what was enqueued, in order, and who gives ids.
type ledger struct {
	mu    sync.Mutex
	named int
	plain map[string][]byte // payloads as they were before the middleware of the user's
	taken []taken
}

// taken is an envelope that reached the store, and what the store answered.
type taken struct {
	stem.Envelope
	published  stem.Published
	replacedBy string // the id of a unique task that came in its place
}

// stands tells whether the envelope is in the store, as far as enqueues go.
func (e *taken) stands() bool { return !e.published.Duplicate && e.replacedBy == "" }

// Source is where tasks were enqueued: a [Recorder] or a [Runtime].
type Source interface{ book() *ledger }

// middleware stands before all other, so that these see the ids that stand.
func (l *ledger) middleware(next stem.Enqueuer) stem.Enqueuer {
	return func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
		l.name(envs)
		return next(ctx, envs)
	}
}

// name gives task-1, task-2, … to envelopes whose id nobody chose.
func (l *ledger) name(envs []stem.Envelope) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range envs {
		e := &envs[i]
		if e.DedupeKey != e.ID && generated(e.ID) {
			l.named++
			e.ID = fmt.Sprintf("task-%d", l.named)
		}
		if l.plain == nil {
			l.plain = make(map[string][]byte)
		}
		l.plain[e.ID] = e.Payload
	}
}

// generated tells whether an id has the form of those that clients make, UUIDv7.
func generated(id string) bool {
	return len(id) == 36 && strings.Count(id, "-") == 4 && id[14] == '7'
}

// note writes down what the store has taken.
func (l *ledger) note(envs []stem.Envelope, answers []stem.Published, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, e := range envs {
		if stem.ItemErr(err, i) != nil {
			continue
		}
		if plain, ok := l.plain[e.ID]; ok {
			e.Payload = plain
		}
		l.taken = append(l.taken, taken{Envelope: e, published: answers[i]})
		if replaced := answers[i].Replaces; replaced != "" {
			l.replace(replaced, e.ID)
		}
	}
}

// replace notes that one task was cancelled in favour of another. mu is held.
func (l *ledger) replace(id, by string) {
	for i := range l.taken {
		if e := &l.taken[i]; e.ID == id && !e.published.Duplicate {
			e.replacedBy = by
		}
	}
}

func (l *ledger) all() []taken {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.taken)
}

// String lists what was enqueued, a line for each.
func (l *ledger) String() string {
	all := l.all()
	if len(all) == 0 {
		return "nothing was enqueued"
	}
	lines := make([]string, 0, len(all)+1)
	lines = append(lines, "what was enqueued:")
	for i := range all {
		lines = append(lines, "  "+all[i].String())
	}
	return strings.Join(lines, "\n")
}

func (e *taken) String() string {
	s := fmt.Sprintf("%s %s on %s: %s", e.ID, e.Task, e.Queue, short(e.Payload))
	if e.Delay > 0 {
		s += fmt.Sprintf(", delayed by %v", e.Delay)
	}
	if e.Priority > 0 {
		s += fmt.Sprintf(", priority %d", e.Priority)
	}
	if e.Parent != "" {
		s += ", child of " + e.Parent
	}
	if e.published.Duplicate {
		s += ", a duplicate of " + e.published.ID
	}
	if e.replacedBy != "" {
		s += ", replaced by " + e.replacedBy
	}
	return s
}
