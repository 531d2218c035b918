package stem

import (
	"context"
	"time"
)

// Observer is told what happens, in the order in which it did, by one goroutine
// at a time that is not at work on tasks: however slow it is, or if it panics or
// ends its goroutine, no task waits for it or suffers. Up to 8,192 events wait for it;
// what comes while so many do is dropped, and counted by EventsDropped. A worker
// without an observer of its own shares its client's in one order; an Observer that is
// given to several clients or workers is called by each of them at once.
//
// The context has the values of the place where it happened, for example of the
// handler's context or of that given to Enqueue. It never ends. A panic is logged.
//
// A worker's Run waits, within its grace period, until all that happened has been
// told. A client does not: a program that ends at once may not be told of its last enqueue.
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
	// TaskEnqueued: the store has the task, or had it already. InTransaction: a transaction
	// has taken it, and the store has it once that commits; of that nobody tells. Replaces is
	// the id of the task in whose place it comes, if any (see ConflictReplace).
	TaskEnqueued struct {
		TaskRef
		Duplicate     bool
		InTransaction bool
		Replaces      string
	}
	// TaskStarted: the handler is about to run.
	TaskStarted struct {
		TaskRef
		Waited time.Duration
	}
	// TaskProgressed: a report of the handler's has been stored, or would have been if the task's
	// result were kept. Reports that a later one has overtaken are not told.
	TaskProgressed struct {
		TaskRef
		Progress ProgressReport
	}
	// TaskSoftTimeout: the run has lasted for After, its soft timeout, and goes on.
	TaskSoftTimeout struct {
		TaskRef
		After time.Duration
	}
	// TaskStuck: the handler has not returned for Since after its context ended with
	// Cause; Stack is that of its goroutine. It is told again when it has taken twice as long.
	TaskStuck struct {
		TaskRef
		Since time.Duration
		Cause error
		Stack string
	}
	// TaskUnstuck: a handler of which TaskStuck told has returned, After the end of its
	// context. How the run ended is told as ever.
	TaskUnstuck struct {
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
	// TaskInterrupted: the worker has received a task whose last runs, so many in a
	// row, were cut short by a crash or a lost lease. It is told at every receive until
	// a run ends with a verdict.
	TaskInterrupted struct {
		TaskRef
		Interruptions int
	}
	// LeaseLost: the store refused the end of a run, because the task had
	// passed to someone else, or because an earlier try whose answer was lost has
	// settled it.
	LeaseLost struct{ TaskRef }
	// StoreFailed: a call to the store failed; the worker tries again, unless Err is
	// ErrClosed.
	StoreFailed struct {
		Operation string // "receive", "extend", "settle", "progress", "revocations", "limits", "unique", "presence"
		Err       error
	}
	// StoreRecovered: calls go well again after StoreFailed. Of receives, of which some may fail while
	// others bring tasks, it is told when none has failed for 5 s since one did.
	StoreRecovered struct{ Operation string }
	// QueueStalled: tasks of a queue that the worker serves wait for something else than a
	// slot, because the queue is paused, or because so many are set aside that the worker does not
	// know. It is told when a worker that starts finds it so, or finds it changed at a look that it
	// takes at least every 5 min; with neither, it is over.
	QueueStalled struct {
		Worker, Queue string
		Paused        bool
		Unknown       int
	}
	// SlotsChanged: the worker runs To tasks at once instead of From, by SetSlots or its autoscaling.
	SlotsChanged struct {
		Worker   string
		From, To int
	}
	// WorkerStarted, WorkerStopping and WorkerStopped: a worker's Run began, receives
	// nothing more, and ended.
	WorkerStarted  struct{ Worker string }
	WorkerStopping struct{ Worker string }
	WorkerStopped  struct{ Worker string }
	// EventsDropped: the observer was too slow, and at this place in their order it was
	// not told of N events.
	EventsDropped struct{ N int }
)

func (TaskEnqueued) event()    {}
func (TaskStarted) event()     {}
func (TaskProgressed) event()  {}
func (TaskStuck) event()       {}
func (TaskUnstuck) event()     {}
func (TaskSoftTimeout) event() {}
func (TaskSucceeded) event()   {}
func (TaskRetrying) event()    {}
func (TaskSnoozed) event()     {}
func (TaskFailed) event()      {}
func (TaskCancelled) event()   {}
func (TaskReleased) event()    {}
func (TaskInterrupted) event() {}
func (LeaseLost) event()       {}
func (StoreFailed) event()     {}
func (StoreRecovered) event()  {}
func (EventsDropped) event()   {}
func (QueueStalled) event()    {}
func (SlotsChanged) event()    {}
func (WorkerStopping) event()  {}
func (WorkerStarted) event()   {}
func (WorkerStopped) event()   {}
