package stem

import (
	"context"
	"runtime"
	"strings"
	"time"
)

// stuckness is what a worker knows of a handler that has not returned although its
// context has ended. It is guarded by held.mu.
type stuckness struct {
	since time.Time     // when it was noticed that the context has ended
	told  time.Duration // after which time it was last told; 0: never
}

// watchStuck tells of handlers that have not returned StuckAfter after the end of their
// contexts, then at twice that time, and so on, until ctx ends. Nothing else is done
// about them: a goroutine cannot be ended from outside.
func (w *Worker) watchStuck(ctx context.Context) {
	for sleep(ctx, w.cfg.StuckAfter/4) {
		w.tellStuck(w.held.stuck(time.Now(), w.cfg.StuckAfter))
	}
}

// stuckLoan is a loan whose handler has not returned, and for how long.
type stuckLoan struct {
	*loan
	since time.Duration
}

// stuck gives the loans whose handlers have not returned so long after the end of their
// contexts, and that are due to be told.
func (h *held) stuck(now time.Time, after time.Duration) []stuckLoan {
	h.mu.Lock()
	defer h.mu.Unlock()
	var due []stuckLoan
	for l := h.first; l != nil; l = l.next {
		if !l.runs.Load() || l.ctx.Err() == nil {
			continue
		}
		s := l.stuck.Load()
		if s == nil {
			s = &stuckness{since: now}
			l.stuck.Store(s)
		}
		if since := now.Sub(s.since); since >= max(after, 2*s.told) {
			s.told = max(since, 1)
			due = append(due, stuckLoan{l, s.told})
		}
	}
	return due
}

func (w *Worker) tellStuck(loans []stuckLoan) {
	if len(loans) == 0 {
		return
	}
	all := allStacks()
	for _, l := range loans {
		stack := stackOf(l.goroutine, all)
		cause := context.Cause(&l.ctx)
		w.log.Error("stem: a handler has not returned after its context has ended, and keeps its slot",
			"task", l.Task, "id", l.ID, "attempt", l.Attempt, "since", l.since, "cause", cause, "stack", stack)
		w.observe.tell(w.base, TaskStuck{TaskRef: l.ref(), Since: l.since, Cause: cause, Stack: stack})
	}
}

// tellUnstuck tells that a handler has returned after all, if it was told to be stuck.
func (w *Worker) tellUnstuck(l *loan, s *stuckness) {
	w.held.mu.Lock()
	told := s.told
	w.held.mu.Unlock()
	if told == 0 {
		return
	}
	after := time.Since(s.since)
	w.log.Info("stem: a stuck handler has returned", "task", l.Task, "id", l.ID, "attempt", l.Attempt, "after", after)
	w.observe.tell(w.base, TaskUnstuck{TaskRef: l.ref(), After: after})
}

// goroutineID names the goroutine that calls it as dumps of stacks do: "goroutine 18".
func goroutineID() string {
	var head [64]byte
	id, _, _ := strings.Cut(string(head[:runtime.Stack(head[:], false)]), " [")
	return id
}

// The sizes of a dump of all stacks: that of the first try, and the largest, for which
// every goroutine of the process stands still some tens of milliseconds.
const (
	firstDump   = 256 << 10
	largestDump = 16 << 20
)

func allStacks() string {
	for size := firstDump; ; size *= 4 {
		dump := make([]byte, size)
		if n := runtime.Stack(dump, true); n < size || size >= largestDump {
			return string(dump[:n])
		}
	}
}

// stackOf cuts the stack of one goroutine out of a dump of all.
func stackOf(goroutine, all string) string {
	_, part, found := strings.Cut("\n"+all, "\n"+goroutine+" [")
	if !found {
		return "not among the first 16 MiB of the stacks of this process"
	}
	part, _, _ = strings.Cut(part, "\n\n")
	return text(goroutine+" ["+part, longestStack)
}
