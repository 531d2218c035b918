package stem

import (
	"context"
	"fmt"
	"time"
)

// Autoscale lets a worker choose how many tasks it runs at once, by what waits for it and what it has to spare. It
// changes the number as SetSlots does.
//
// The number rises by a step, and by no more than there are tasks that wait, when all slots were busy at some time since
// the last look and tasks wait in the worker's hand or are due in its queues. It falls by a step when slots have been idle for
// the whole of DownCooldown, by no more than were idle at each moment of it. How many are due is asked of a broker
// that is a [QueueCounter], and only then; with another, a receive that brought all that was asked for counts as a
// step of tasks that wait.
type Autoscale struct {
	// Min and Max are the fewest and the most slots: 1 to 100,000. Max must be set; the default of Min is 1.
	Min, Max int
	// Step is the most slots that come or go at once. The default is a quarter of what lies between Min and Max, at
	// least 1.
	Step int
	// UpCooldown is the least time from a change to the next rise, and how often the worker looks: 100 ms to 1 h. The
	// default is 2 s.
	UpCooldown time.Duration
	// DownCooldown is how long slots have been idle, and the number has been what it is, when some go: 100 ms to 24 h. The
	// default is 30 s.
	DownCooldown time.Duration
}

func (a *Autoscale) withDefaults() *Autoscale {
	c := *a
	if c.Min == 0 {
		c.Min = 1
	}
	if c.Step == 0 {
		c.Step = max((c.Max-c.Min)/4, 1)
	}
	if c.UpCooldown == 0 {
		c.UpCooldown = defaultUpCooldown
	}
	if c.DownCooldown == 0 {
		c.DownCooldown = defaultDownCooldown
	}
	return &c
}

const shortestCooldown = 100 * time.Millisecond

func (a *Autoscale) validate(slots int) error {
	option := func(field string, value any, want string) error {
		return &OptionError{Option: "WorkerConfig." + field, Value: fmt.Sprint(value), Want: want}
	}
	switch {
	case a.Max < 1 || a.Max > mostSlots:
		return option("Autoscale.Max", a.Max, "1 to 100,000")
	case a.Min < 1 || a.Min > a.Max:
		return option("Autoscale.Min", a.Min, fmt.Sprintf("1 to Max, which is %d, or 0 for 1", a.Max))
	case a.Step < 1:
		return option("Autoscale.Step", a.Step, "1 or more, or 0 for a quarter of what lies between Min and Max")
	case a.UpCooldown < shortestCooldown || a.UpCooldown > time.Hour:
		return option("Autoscale.UpCooldown", a.UpCooldown, "100ms to 1h, or 0 for 2s")
	case a.DownCooldown < shortestCooldown || a.DownCooldown > 24*time.Hour:
		return option("Autoscale.DownCooldown", a.DownCooldown, "100ms to 24h, or 0 for 30s")
	case slots < a.Min || slots > a.Max:
		return option("Slots", slots, fmt.Sprintf("what Autoscale allows, %d to %d, or 0 for %[1]d", a.Min, a.Max))
	}
	return nil
}

// scaler decides how many slots there shall be. It knows no worker, so that its rules can be read and tested alone.
type scaler struct {
	Autoscale
	changed time.Time // when the number last did
	idle    time.Time // since when some slots have been idle all the time; zero while there are none
	spare   int       // how many of them, at least
}

// demand is what a worker finds at a look.
type demand struct {
	slots   int
	spare   int        // the fewest of them that were idle at any time since the last look
	backlog func() int // how many tasks wait for a slot; it may ask the store
}

// next gives the number of slots that there shall be.
func (s *scaler) next(now time.Time, d demand) int {
	s.note(now, d.spare)
	slots := min(max(d.slots, s.Min), s.Max)
	switch {
	case slots != d.slots: // somebody has set it to what is out of bounds
	case d.spare == 0 && slots < s.Max && now.Sub(s.changed) >= s.UpCooldown:
		slots = min(slots+min(s.Step, d.backlog()), s.Max)
	case s.spare > 0 && now.Sub(s.changed) >= s.DownCooldown && now.Sub(s.idle) >= s.DownCooldown:
		slots = max(slots-min(s.Step, s.spare), s.Min)
	}
	if slots != d.slots {
		s.changed, s.idle, s.spare = now, time.Time{}, 0
	}
	return slots
}

// note remembers for how long slots have been idle, and how many.
func (s *scaler) note(now time.Time, spare int) {
	switch {
	case spare == 0:
		s.idle, s.spare = time.Time{}, 0
	case s.idle.IsZero():
		s.idle, s.spare = now, spare
	default:
		s.spare = min(s.spare, spare)
	}
}

// autoscale looks at the demand now and again, and sets the number of slots by it, until ctx ends.
func (w *Worker) autoscale(ctx context.Context, cfg *Autoscale) {
	s := scaler{Autoscale: *cfg, changed: time.Now()}
	for sleep(ctx, min(cfg.UpCooldown, cfg.DownCooldown)) {
		d := demand{}
		waiting := 0
		d.slots, d.spare, waiting = w.hand.look()
		d.backlog = func() int { return w.backlog(ctx, waiting, cfg.Step) }
		if next := s.next(time.Now(), d); next != d.slots {
			w.setSlots(func(slots int) int {
				if slots != d.slots {
					return slots // somebody has just set it
				}
				return next
			})
		}
	}
}

// look tells how many slots there are, the fewest that were idle at any time since the last look, and how many tasks wait
// for one.
func (h *hand) look() (slots, spare, waiting int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	spare = min(h.leastIdle, h.idle)
	h.leastIdle = h.idle
	return h.slots, spare, len(h.loans) - h.taken
}

// backlog gives how many tasks wait for a slot: those in hand, and, where these are fewer than matters, those
// that are due in the queues.
func (w *Worker) backlog(ctx context.Context, waiting, matters int) int {
	if w.client.counter == nil {
		if w.room.filled.Load() {
			return matters // or fewer: nobody can tell
		}
		return waiting
	}
	for _, queue := range w.rota.queues {
		if waiting >= matters {
			break
		}
		counts, err := w.countQueue(ctx, queue)
		switch {
		case err != nil:
			w.log.DebugContext(ctx, "stem: cannot count a queue", "queue", queue, "error", err)
		case !counts.Paused:
			waiting += counts.Ready
		}
	}
	return waiting
}
