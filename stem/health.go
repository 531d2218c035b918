package stem

import (
	"fmt"
	"sync"
	"time"
)

// Phase is where in its life a worker is.
type Phase string

// The phases, in their order.
const (
	// PhaseStarting: Run has not been called, or the store has not answered yet.
	PhaseStarting Phase = "starting"
	// PhaseRunning: it receives tasks.
	PhaseRunning Phase = "running"
	// PhaseStopping: it receives nothing more and ends what it has.
	PhaseStopping Phase = "stopping"
	// PhaseStopped: Run has returned.
	PhaseStopped Phase = "stopped"
)

// Health is what a worker knows of its own condition.
type Health struct {
	// Worker is its name.
	Worker string
	Phase  Phase
	// Silence is for how long the store has not answered, 0 before its first answer. It is asked every third of Lease, and at
	// least every 5 s.
	Silence time.Duration
	Lease   time.Duration
	// Overdue is for how long a loop of the worker has shown no sign of life when it should have; 0 where all are well. Calls to
	// a store that is away are no reason: they are bounded.
	Overdue time.Duration
	// Slots is how many tasks run at once, InHand how many it has received and not settled yet, Running how many of these
	// have a handler that runs, and Stuck how many of those have not returned WorkerConfig.StuckAfter after the
	// end of their context.
	Slots, InHand, Running, Stuck int
}

// Ready tells why the worker cannot be counted on to run tasks now; nil if it can. It cannot while it starts or stops, and once the
// store has been silent for the lease: then what it runs may run elsewhere.
func (h Health) Ready() error {
	switch {
	case h.Phase == PhaseStarting:
		return fmt.Errorf("worker %s is starting: the store has not answered yet", h.Worker)
	case h.Phase != PhaseRunning:
		return fmt.Errorf("worker %s is %s", h.Worker, h.Phase)
	case h.Silence >= h.Lease:
		return fmt.Errorf("worker %s: the store has not answered for %v, and its lease is %v", h.Worker, h.Silence.Round(time.Millisecond), h.Lease)
	}
	return h.Alive()
}

// Alive tells why the process of the worker should be ended and started anew; nil if it should not. It should where
// a loop is overdue, or all slots are taken by handlers that are stuck, and never for a store that is away.
func (h Health) Alive() error {
	switch {
	case h.Phase == PhaseStopped:
		return fmt.Errorf("worker %s is stopped", h.Worker)
	case h.Overdue > 0:
		return fmt.Errorf("worker %s: a loop that receives or renews is overdue for %v", h.Worker, h.Overdue.Round(time.Millisecond))
	case h.Slots > 0 && h.Stuck >= h.Slots:
		return fmt.Errorf("worker %s: all %d slots are taken by handlers that do not return after their context has ended", h.Worker, h.Slots)
	}
	return nil
}

// Health tells of the worker's condition, at once and without asking the store. It may be called at any time, also before Run.
func (w *Worker) Health() Health {
	now := time.Now()
	h := Health{
		Worker: w.cfg.Name, Phase: w.phase(), Lease: w.session.Lease,
		Slots: w.Slots(), Overdue: max(w.receives.overdue(now), w.renews.overdue(now)),
	}
	if heard := w.tenure.heardAt(); !heard.IsZero() {
		h.Silence = now.Sub(heard)
	}
	h.InHand, h.Running, h.Stuck = w.held.condition(now, w.cfg.StuckAfter)
	return h
}

func (w *Worker) phase() Phase {
	switch {
	case w.ended.Load():
		return PhaseStopped
	case w.ran.Load() && w.stops.warm.raised():
		return PhaseStopping
	case w.tenure.heardAt().IsZero():
		return PhaseStarting
	default:
		return PhaseRunning
	}
}

// condition counts what is held, what of that runs, and what of that has not returned so long after the end of its context.
func (h *held) condition(now time.Time, after time.Duration) (held, running, stuck int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := h.first; l != nil; l = l.next {
		if !l.runs.Load() {
			continue
		}
		running++
		if s := l.stuck.Load(); s != nil && now.Sub(s.since) >= after {
			stuck++
		}
	}
	return h.count, running, stuck
}

// pledge is what a loop says of its next sign of life.
type pledge struct {
	mu  sync.Mutex
	due time.Time // zero: none is
}

// within promises a sign of life.
func (p *pledge) within(d time.Duration) { p.set(time.Now().Add(d)) }

// rests takes the promise back: what is waited for need not come.
func (p *pledge) rests() { p.set(time.Time{}) }

func (p *pledge) set(due time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.due = due
}

// overdue tells for how long a sign has been due.
func (p *pledge) overdue(now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.due.IsZero() {
		return 0
	}
	return max(now.Sub(p.due), 0)
}
