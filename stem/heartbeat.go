package stem

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Heartbeat is a sign of life of the running task, for one that has a [HeartbeatTimeout].
// It costs no call to the store and never blocks, so it may stand in the innermost loop. Where
// the task has no such timeout, and outside a handler, it does nothing.
func Heartbeat(ctx context.Context) {
	if l := loanFrom(ctx); l != nil {
		l.showLife()
	}
}

// showLife notes a sign of life.
func (l *loan) showLife() {
	if l.pulse != nil {
		l.pulse.beat()
	}
}

// pulse watches over one run that has to show signs of life.
type pulse struct {
	began time.Time
	last  atomic.Int64 // the last sign, in nanoseconds after that

	mu    sync.Mutex
	timer *time.Timer
	ended bool // the run has
}

func (p *pulse) beat() { p.last.Store(int64(time.Since(p.began))) }

// silence is how long ago the last sign was.
func (p *pulse) silence() time.Duration { return time.Since(p.began) - time.Duration(p.last.Load()) }

// watchPulse makes the run be cancelled when it shows no sign of life for too long, beginning now.
func (l *loan) watchPulse() {
	p := &pulse{began: time.Now()}
	l.pulse = p
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(l.HeartbeatTimeout, l.feelPulse)
}

// feelPulse looks for a sign since it last did, and looks again when the next one is due.
func (l *loan) feelPulse() {
	p := l.pulse
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	if l.waiting() {
		p.beat() // it is another task that has to live
	}
	if silence := p.silence(); silence < l.HeartbeatTimeout {
		p.timer.Reset(l.HeartbeatTimeout - silence)
		return
	}
	l.lose(ErrHeartbeatTimeout)
}

// end keeps a run that is over from being cancelled.
func (p *pulse) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = true
	p.timer.Stop()
}
