package stem

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// Observer is told what happens. Observe is called on the goroutine that works,
// by many at once: it must be quick, return, and hand slow work to someone else. A panic in
// it is logged and otherwise ignored.
type Observer interface {
	Observe(ctx context.Context, e Event)
}

// ObserverFunc makes a function an Observer.
type ObserverFunc func(ctx context.Context, e Event)

// Observe calls f.
func (f ObserverFunc) Observe(ctx context.Context, e Event) { f(ctx, e) }

// Event is one of the types of this file: switch on its type.
type Event interface{ event() }

// TaskRef names the task that an event is about.
type TaskRef struct {
	ID, Task, Queue string
	// Worker, Attempt and Delivery are zero on the side of the client.
	Worker   string
	Attempt  int
	Delivery int64
}

// The events. A run begins with TaskStarted and has one event at its end, which is
// told after the store has accepted it: the next run may have begun by then.
type (
	// TaskEnqueued: the store has the task, or had it already.
	TaskEnqueued struct {
		TaskRef
		Duplicate bool
	}
	// TaskStarted: the handler is about to run.
	TaskStarted struct {
		TaskRef
		Waited time.Duration
	}
	// TaskProgressed: the handler reported progress.
	TaskProgressed struct {
		TaskRef
		Progress ProgressReport
	}
	// TaskSoftTimeout: the run has lasted for After, its soft timeout, and goes on.
	TaskSoftTimeout struct {
		TaskRef
		After time.Duration
	}
	// TaskSucceeded: the handler gave a result.
	TaskSucceeded struct {
		TaskRef
		Ran time.Duration
	}
	// TaskRetrying: the run failed and the task is due again after Delay.
	TaskRetrying struct {
		TaskRef
		Ran     time.Duration
		Failure Failure
		Delay   time.Duration
	}
	// TaskSnoozed: the handler asked to run again after Delay.
	TaskSnoozed struct {
		TaskRef
		Delay time.Duration
	}
	// TaskFailed: the task has become a dead letter.
	TaskFailed struct {
		TaskRef
		Ran     time.Duration
		Failure Failure
	}
	// TaskCancelled: the task was revoked or had expired.
	TaskCancelled struct {
		TaskRef
		Failure Failure
	}
	// TaskReleased: the task went back to its queue unfinished.
	TaskReleased struct{ TaskRef }
	// LeaseLost: the store refused the end of a run, because the task had
	// passed to someone else, or because an earlier try whose answer was lost has
	// settled it.
	LeaseLost struct{ TaskRef }
	// StoreFailed: a call to the store failed; the worker tries again, unless Err is
	// ErrClosed.
	StoreFailed struct {
		Operation string // "receive", "extend", "settle", "revocations"
		Err       error
	}
	// WorkerStarted and WorkerStopped: a worker's Run began and ended.
	WorkerStarted struct{ Worker string }
	WorkerStopped struct{ Worker string }
)

func (TaskEnqueued) event()    {}
func (TaskStarted) event()     {}
func (TaskProgressed) event()  {}
func (TaskSoftTimeout) event() {}
func (TaskSucceeded) event()   {}
func (TaskRetrying) event()    {}
func (TaskSnoozed) event()     {}
func (TaskFailed) event()      {}
func (TaskCancelled) event()   {}
func (TaskReleased) event()    {}
func (LeaseLost) event()       {}
func (StoreFailed) event()     {}
func (WorkerStarted) event()   {}
func (WorkerStopped) event()   {}

// observe tells an observer, if there is one, and survives it.
type observe struct {
	log      *slog.Logger
	observer Observer
}

func (o observe) on() bool { return o.observer != nil }

func (o observe) tell(ctx context.Context, e Event) {
	if o.observer == nil {
		return
	}
	defer func() {
		if p := recover(); p != nil {
			o.log.ErrorContext(ctx, "stem: the observer panicked",
				"event", fmt.Sprintf("%T", e), "panic", p, "stack", string(debug.Stack()))
		}
	}()
	o.observer.Observe(ctx, e)
}

func (o observe) enqueued(ctx context.Context, e *Envelope, p Published) {
	if o.observer != nil {
		o.tell(ctx, TaskEnqueued{TaskRef: TaskRef{ID: p.ID, Task: e.Task, Queue: e.Queue}, Duplicate: p.Duplicate})
	}
}
