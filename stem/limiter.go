package stem

import (
	"context"
	"fmt"
	"time"
)

// Limiter says when limited tasks may run: it is what a worker knows of limits. The package
// limit makes one of a store that all workers share. Both methods may be called concurrently,
// and use their context no longer than until they have returned.
//
// A limiter that cannot tell gives an error, and with it what holds meanwhile. It is asked again
// after a while that grows with each error; until then the worker calls it with a context that has
// ended, to hear what holds, and takes no notice of the error.
type Limiter interface {
	// Reserve takes a turn for each of several deliveries that were received together, in
	// order, and answers for each how long it has to wait for its turn: 0 means that it may run
	// now. nil means that all may. There is always a turn, however late.
	//
	// The worker asks about every delivery that it is about to run, also of tasks without a
	// limit of their own, since their queue may have one. It snoozes those that have to
	// wait, and asks about them again when they come back, with Reserved set: then no further turn is
	// taken, and only a penalty that has been imposed meanwhile makes them wait, for a
	// new turn.
	//
	// With an error, some turns may have been taken. The waits beside it say which deliveries run
	// all the same, 0, and which do not and come again later, NotNow; nil means that all run.
	Reserve(ctx context.Context, turns ...Turn) ([]time.Duration, error)

	// Hold says how many runs of tasks with a limited concurrency a session has, or is about to
	// have, and answers for each of them how many it is granted. It tells the
	// whole of a task and no difference: the answer is what the session holds of that task
	// from now on, for s.Lease or until it is told anew. A session is granted what it asks for up
	// to the limit less what other sessions hold; what it holds already is not taken from it, though
	// the limit may be lower by now. 0 gives back what the session holds. Tasks that are not
	// named keep what they hold, and are not renewed.
	//
	// With an error, the session may hold of each task what it did before or what was asked for; so
	// may a later call find it, which mends that. The answers beside it say how many may run
	// meanwhile; nil means that no run begins which is not granted yet.
	Hold(ctx context.Context, s Session, holds ...Hold) ([]Held, error)
}

// NotNow is the wait for a turn of which a limiter can tell nothing.
const NotNow time.Duration = -1

// Turn is a delivery that is about to run.
type Turn struct {
	// Envelope is read-only.
	*Envelope
	// Reserved tells that it has waited for a turn which it was given before.
	Reserved bool
}

// Hold is how many runs of a task a session has.
type Hold struct {
	Task string
	// Limit is how many there may be in all sessions together, at least 1.
	Limit int
	// N is how many the session has or is about to have.
	N int
}

// Validate reports what no store can hold. Stores call it; workers never make such holds.
func (h *Hold) Validate() error {
	switch {
	case h.Limit < 1:
		return &OptionError{Option: "limit of a hold", Value: fmt.Sprint(h.Limit), Want: "1 or more"}
	case h.N < 0:
		return &OptionError{Option: "runs of a hold", Value: fmt.Sprint(h.N), Want: "0 or more"}
	default:
		return validName("task name", h.Task)
	}
}

// Held is what a session holds of a task.
type Held struct {
	// N is how many runs it may have: at most as many as it asked for.
	N int
	// Free is how many more there might be now, in this session or another.
	Free int
}
