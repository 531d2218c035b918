package ops

import (
	"context"
	"errors"
	"fmt"
)

// Each of the interfaces here is a capability of a broker or a backend (see [stem.As]). All methods may be called
// concurrently, answer [stem.ErrClosed] after Close of the adapter, and keep a store busy for no more than some
// milliseconds, however much lies in it: they look at a bounded number of entries and bytes and answer a
// cursor. What they show is of the moment: an entry that changes its state between two pages may be in
// both or in neither.

// ErrGone: the task or dead letter is not where it was seen: it has been received, settled, deleted or sent back since.
var ErrGone = errors.New("ops: it is not there any more, or not in that state")

// QueueLister names the queues of a store.
type QueueLister interface {
	// Queues answers the names of all queues that hold a task or a dead letter or are paused, each once and in order; others
	// that were used once may be among them.
	Queues(ctx context.Context) ([]string, error)
}

// QueueGauger measures a queue.
type QueueGauger interface {
	GaugeQueue(ctx context.Context, queue string) (Gauge, error)
}

// TaskLister shows the tasks of a queue, page by page.
type TaskLister interface {
	// ListTasks answers tasks of one state: those that are ready in the order of their lines, higher priorities
	// first; those that are delayed or retrying by when they are due; others in any order that stays. A task that is in the state from the
	// first page to the last is answered once.
	//
	// A cursor that is none of this list's is refused with a *stem.OptionError.
	ListTasks(ctx context.Context, q TaskQuery) (TaskPage, error)
}

// TaskChanger acts on tasks that wait, each as it was listed. A task that has changed its place or state since is
// named by a *stem.PartialError with ErrGone and left as it is, and so is one that is on loan.
type TaskChanger interface {
	// HastenTasks makes delayed and retrying tasks due now. Nothing else of them changes.
	HastenTasks(ctx context.Context, tasks ...Task) error
	// DeleteTasks deletes tasks that wait, in any state but Running. Their unique keys are let go, as if they had been
	// cancelled; nothing is written about them.
	DeleteTasks(ctx context.Context, tasks ...Task) error
}

// DeadLetterKeeper shows dead letters page by page and removes them.
type DeadLetterKeeper interface {
	// ListDeadLetters answers dead letters, the newest first.
	ListDeadLetters(ctx context.Context, q DeadLetterQuery) (DeadLetterPage, error)
	// RemoveDeadLetters deletes dead letters as they were listed. One that is not there any more is named by a
	// *stem.PartialError with ErrGone.
	RemoveDeadLetters(ctx context.Context, queue string, letters ...DeadLetter) error
}

// ResultAnnotator adds to a record that stands.
type ResultAnnotator interface {
	// AnnotateReplay notes in the record of id that its dead letter was sent back, as an envelope with the id as, now
	// by the store's clock. State, fence and the time for which the record is kept stay as they are. Repeated with
	// the same as it changes nothing. It answers [stem.ErrNoResult] where there is no record.
	AnnotateReplay(ctx context.Context, id, as string) error
}

// UnsupportedError says that a store cannot do what was asked of it.
type UnsupportedError struct {
	// Adapter is the store, as its type is called, and Capability the interface that it lacks.
	Adapter, Capability string
}

// Error names both.
func (e *UnsupportedError) Error() string {
	return fmt.Sprintf("ops: the store %s cannot do that: it is no %s", e.Adapter, e.Capability)
}

// Is tells that it is an [errors.ErrUnsupported].
func (e *UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }
