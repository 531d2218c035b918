package stemtest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gostem/gostem/stem"
)

// schedule knows which queues there are, when what waits in them is due, and how much has run.
type schedule struct {
	happened chan struct{} // holds one wake-up: a task was enqueued, lent or settled, or a process lost

	mu     sync.Mutex
	queues []string
	same   context.Context // until there is another queue
	other  context.CancelFunc
	due    map[string]time.Time // by id, of what waits
	runs   map[string]int       // by task, since begin
	total  int
	// done has the ids of tasks that have succeeded, as the store knows it: who settles may never hear of it, and
	// others may tell of such a task later.
	done map[string]bool
}

func (s *schedule) tell() {
	select {
	case s.happened <- struct{}{}:
	default:
	}
}

// begin counts runs anew.
func (s *schedule) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs, s.total = make(map[string]int), 0
}

// serve adds queues, and calls back who receives from all that there were.
func (s *schedule) serve(queues ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range queues {
		if slices.Contains(s.queues, q) {
			continue
		}
		s.queues = append(s.queues, q)
		if s.other != nil {
			s.other()
			s.same, s.other = nil, nil
		}
	}
}

// served gives all queues, in the order in which they came up, and until when these are all.
func (s *schedule) served() (queues []string, until context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.same == nil {
		s.same, s.other = context.WithCancel(context.Background())
	}
	return slices.Clone(s.queues), s.same
}

func (s *schedule) published(envs []stem.Envelope, answers []stem.Published, err error) {
	defer s.tell()
	for i := range envs {
		s.serve(envs[i].Queue)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range envs {
		if stem.ItemErr(err, i) == nil && !answers[i].Duplicate {
			delete(s.done, envs[i].ID) // one before it had this id
			s.wait(envs[i].ID, envs[i].Delay)
		}
	}
}

func (s *schedule) lent(ds []stem.Delivery) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range ds {
		delete(s.due, d.ID)
		s.runs[d.Task]++
		s.total++
	}
}

func (s *schedule) settled(ss []stem.Settlement, err error) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range ss {
		if stem.ItemErr(err, i) != nil {
			continue
		}
		switch id := ss[i].Delivery.ID; ss[i].Verdict {
		case stem.VerdictAck:
			if !ss[i].Cancelled {
				s.end(id)
			}
		case stem.VerdictDeadLetter:
		default:
			s.wait(id, ss[i].Delay)
		}
	}
}

// end notes that a task has succeeded. mu is held.
func (s *schedule) end(id string) {
	if s.done == nil {
		s.done = make(map[string]bool)
	}
	s.done[id] = true
}

// succeeded tells whether a task has.
func (s *schedule) succeeded(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done[id]
}

// wait notes when a task is due. mu is held.
func (s *schedule) wait(id string, delay time.Duration) {
	if s.due == nil {
		s.due = make(map[string]time.Time)
	}
	s.due[id] = time.Now().Add(delay)
}

// next gives when the next task becomes due, if one is known to.
func (s *schedule) next() (next time.Time, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, due := range s.due {
		if due.After(now) && (!ok || due.Before(next)) {
			next, ok = due, true
		}
	}
	return next, ok
}

// beyond gives an error if there were more runs than that since begin.
func (s *schedule) beyond(most int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.total <= most {
		return nil
	}
	tasks := slices.SortedFunc(maps.Keys(s.runs), func(a, b string) int {
		return cmp.Or(s.runs[b]-s.runs[a], strings.Compare(a, b))
	})
	for i, task := range tasks {
		tasks[i] = fmt.Sprintf("%s ran %d times", task, s.runs[task])
	}
	return fmt.Errorf("%d runs and no end: %s; a task that enqueues or snoozes itself for ever is watched with Advance (more runs: Config.MaxRuns)",
		s.total, strings.Join(tasks[:min(len(tasks), 5)], ", "))
}
