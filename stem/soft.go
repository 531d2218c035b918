package stem

import (
	"context"
	"sync"
	"time"
)

// SoftTimeoutReached gives a handler a channel that is closed when the run has lasted
// for the task's [SoftTimeout]: time to save what is done and to return, an error or what
// there is, before the hard [Timeout] cancels the context. Where the task has no soft
// timeout, and outside a handler, the channel is nil, and to wait for it is to wait for ever.
func SoftTimeoutReached(ctx context.Context) <-chan struct{} {
	if l := loanFrom(ctx); l != nil && l.soft != nil {
		return l.soft.reached
	}
	return nil
}

// softLimit warns one run that it takes long.
type softLimit struct {
	reached chan struct{}
	timer   *time.Timer

	mu    sync.Mutex
	ended bool // the run has
}

// warnLate makes the run be warned at its soft timeout, which counts from now.
func (l *loan) warnLate() {
	s := &softLimit{reached: make(chan struct{})}
	l.soft = s
	s.timer = time.AfterFunc(l.SoftTimeout, func() {
		s.mu.Lock()
		defer s.mu.Unlock() // so that it is told before the end of the run, or not at all
		if s.ended {
			return
		}
		close(s.reached)
		w := l.worker
		w.log.Warn("stem: task has reached its soft timeout", "task", l.Task, "id", l.ID, "attempt", l.Attempt, "soft_timeout", l.SoftTimeout)
		w.observe.tell(&l.ctx, TaskSoftTimeout{TaskRef: l.ref(), After: l.SoftTimeout})
	})
}

// end keeps a run that is over from being warned.
func (s *softLimit) end() {
	s.timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}
