package ops

import (
	"context"
	"time"

	"github.com/gostem/gostem/stem"
)

// By says who changes something, and why. It goes into the [Event] of the change.
type By struct {
	// Actor is required: a person or a program, as the operators of the place call it.
	Actor  string
	Reason string
}

func (b By) validate() error {
	if b.Actor == "" {
		return &stem.OptionError{Option: "By.Actor", Value: `""`, Want: "who does it"}
	}
	return nil
}

// Event tells of a change that somebody has made, or tried to.
type Event struct {
	At time.Time
	By
	// Action is what was done to what: "task.enqueue", "dlq.replay", "queue.pause".
	Action string
	// Queue and ID are what it was done to, where it is one.
	Queue, ID string
	// Count is how many it was done to.
	Count int
	// DryRun tells that nothing was changed.
	DryRun bool
	// Err is why it failed, or a part of it; nil where it did not.
	Err error
}

// tell lets the observer know of a change.
func (s *Service) tell(ctx context.Context, e Event) {
	if s.cfg.Observer == nil {
		return
	}
	e.At = time.Now()
	s.cfg.Observer(ctx, e)
}
