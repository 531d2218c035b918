package stem

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Errors to branch on with errors.Is.
var (
	// ErrNoClient: Enqueue found no client.
	ErrNoClient = errors.New("stem: no client: bind one with the definition's Via(client), or put one into the context with stem.WithClient (inside a handler the worker has done so)")
	// ErrClosed: the adapter has been closed.
	ErrClosed = errors.New("stem: the store is closed")
	// ErrLeaseLost: the delivery has passed to someone else or has been
	// settled; nothing that its old holder writes is accepted. It is also the
	// cause with which a handler's context is cancelled then.
	ErrLeaseLost = errors.New("stem: the lease on this delivery is lost")
	// ErrCompleted: a transaction has completed this very delivery, and committed
	// (see TaskDefinition.Complete). What Complete answers in a second transaction, which must not
	// commit its effects once more; and a store to the worker that would end the delivery
	// otherwise than as done.
	ErrCompleted = errors.New("stem: a transaction that has committed completed the task")
	// ErrTransactionOpen: a transaction that completes the delivery has neither committed
	// nor rolled back yet; nothing else ends the delivery until then.
	ErrTransactionOpen = errors.New("stem: a transaction that completes the task is still open (does its handler end it before it returns?)")
	// ErrRevoked: somebody cancelled the task; the cause with which a handler's
	// context is cancelled, and what Enqueue answers such a handler.
	ErrRevoked = errors.New("stem: the task was revoked")
	// ErrTimeout: the run took longer than its timeout; the cause with which a
	// handler's context is cancelled.
	ErrTimeout = errors.New("stem: the task ran into its timeout")
	// ErrHeartbeatTimeout: the run has shown no sign of life for the task's HeartbeatTimeout;
	// the cause with which a handler's context is cancelled.
	ErrHeartbeatTimeout = errors.New("stem: the task has shown no sign of life")
	// ErrShutdown: the worker stops and its grace period is over; the cause
	// with which a handler's context is cancelled. The task is released and
	// costs no attempt.
	ErrShutdown = errors.New("stem: the worker is shutting down")
	// ErrNoBackend: there is no result backend to ask.
	ErrNoBackend = errors.New("stem: the client has no result backend: set ClientConfig.Backend")
	// ErrNoResult: there is no record for the id: the task is queued, running,
	// or was never enqueued.
	ErrNoResult = errors.New("stem: no result yet (is a worker running that serves its queue, has registered it and was built for its args?)")
	// ErrResultExpired: there was a result and it is no longer kept.
	ErrResultExpired = errors.New("stem: the result is no longer kept")
	// ErrResultIgnored: the task was enqueued without a result to keep.
	ErrResultIgnored = errors.New("stem: the task was enqueued with its result ignored")
	// ErrOtherTask: the id is that of a task of another name.
	ErrOtherTask = errors.New("stem: not this task's id")
	// ErrCancelled: the task did not run to its end because it was revoked or
	// expired. Job.Wait's error, a *TaskError, wraps it.
	ErrCancelled = errors.New("stem: the task was cancelled")
	// ErrUnknownOutcome: the item may have been handled or not; the answer was
	// lost, or never given.
	ErrUnknownOutcome = errors.New("stem: the outcome is unknown")
	// ErrBackpressure: the store takes nothing more at the moment, for example because its
	// memory is full. The task that Enqueue answers it for was not stored; to try again
	// later makes no second one.
	ErrBackpressure = errors.New("stem: the store takes nothing more at the moment (is its memory full?)")
)

// OptionError says that an option or a field has a value that is not allowed.
type OptionError struct {
	Option string // what is wrong, for example "priority"
	Value  string // the value as it was given, quoted where it is text
	Want   string // what is allowed
}

// Error names the option, its value and what is allowed.
func (e *OptionError) Error() string {
	return fmt.Sprintf("stem: %s %s: want %s", e.Option, e.Value, e.Want)
}

// PayloadTooLargeError says that args or a result are larger than the client or
// worker lets through.
type PayloadTooLargeError struct {
	Task  string
	What  string // "args", "result" or "links"
	Size  int    // bytes
	Limit int    // bytes
}

// Error gives both sizes and the ways out.
func (e *PayloadTooLargeError) Error() string {
	return fmt.Sprintf("stem: task %s: the encoded %s would take %d bytes, the limit is %d: pass a reference to the data, or raise ClientConfig.MaxPayload",
		e.Task, e.What, e.Size, e.Limit)
}

// OtherStoreError says that a transaction cannot complete a delivery since another store lent it.
type OtherStoreError struct {
	// Delivery is the store that lent the delivery and Transaction the one whose transaction
	// it is, as their adapters name them: without passwords. Where an adapter knows only
	// that the delivery is not its own, it leaves Delivery empty.
	Delivery, Transaction string
}

// Error names both stores and the way out.
func (e *OtherStoreError) Error() string {
	lent := e.Delivery
	if lent == "" {
		lent = "another store"
	}
	return fmt.Sprintf("stem: the delivery came from %s, the transaction is of %s: complete it in a transaction of the store that lent it, or only return from the handler", lent, e.Transaction)
}

// DuplicateTaskError says that two registrations claim one name, each as its task's
// name or as an alias.
type DuplicateTaskError struct {
	Task          string // the name that both claim
	First, Second string // the sources, "file.go:12", where known
}

// Error names the task and, where known, both places.
func (e *DuplicateTaskError) Error() string {
	where := ""
	if e.First != "" || e.Second != "" {
		where = fmt.Sprintf(" (first at %s, again at %s)", orUnknown(e.First), orUnknown(e.Second))
	}
	return fmt.Sprintf("stem: task %q is registered twice%s: give one of them another name, or take the alias away", e.Task, where)
}

func orUnknown(s string) string {
	if s == "" {
		return "an unknown place"
	}
	return s
}

// PartialError says which items of a batch failed; the others succeeded. An
// item that it names was not handled, unless its error matches ErrUnknownOutcome.
type PartialError struct {
	// Items are in ascending order of Index.
	Items []ItemError
}

// ItemError is the failure of one item of a batch.
type ItemError struct {
	Index int // its place in the batch, from 0
	Err   error
}

// Error tells the first three items.
func (e *PartialError) Error() string {
	if len(e.Items) == 1 {
		return fmt.Sprintf("item %d: %v", e.Items[0].Index, e.Items[0].Err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d items failed", len(e.Items))
	for i, item := range e.Items {
		if i == 3 {
			b.WriteString("; …")
			break
		}
		fmt.Fprintf(&b, "; item %d: %v", item.Index, item.Err)
	}
	return b.String()
}

// Unwrap lets errors.Is and errors.As look into every item.
func (e *PartialError) Unwrap() []error {
	errs := make([]error, len(e.Items))
	for i, item := range e.Items {
		errs[i] = item.Err
	}
	return errs
}

// ItemErr gives what a batch call's error says about item i: nil where it
// succeeded, its own error where err is a *PartialError, else err.
func ItemErr(err error, i int) error {
	if err == nil {
		return nil // without the cost of errors.As
	}
	var partial *PartialError
	if !errors.As(err, &partial) {
		return err
	}
	for _, item := range partial.Items {
		if item.Index == i {
			return item.Err
		}
	}
	return nil
}

// failedItems gives the indices that a *PartialError names, if err is one.
func failedItems(err error) map[int]bool {
	var partial *PartialError
	if !errors.As(err, &partial) {
		return nil
	}
	failed := make(map[int]bool, len(partial.Items))
	for _, item := range partial.Items {
		failed[item.Index] = true
	}
	return failed
}

// TaskError is what Job.Wait answers for a task that did not succeed.
type TaskError struct {
	ID, Task string
	State    State // StateFailed or StateCancelled
	Failure  Failure
	Attempt  int
	// History are the attempts that failed, the oldest first (see Result).
	History []AttemptRecord
}

// Error tells what became of the task, and why.
func (e *TaskError) Error() string {
	if e.State == StateCancelled {
		return fmt.Sprintf("stem: task %s (%s) was cancelled: %s", e.Task, e.ID, e.Failure.Message)
	}
	return fmt.Sprintf("stem: task %s (%s) failed at attempt %d: %s", e.Task, e.ID, e.Attempt, e.Failure.Message)
}

// Is makes a cancelled task's error match ErrCancelled.
func (e *TaskError) Is(target error) bool {
	return target == ErrCancelled && e.State == StateCancelled
}

// Permanent marks a handler's error as one that no retry can mend: the task
// fails at once. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// RetryAfter marks a handler's error with how long to wait before the next
// attempt, in place of the task's back-off. It costs an attempt as any failure
// does. RetryAfter(d, nil) is nil.
func RetryAfter(d time.Duration, err error) error {
	if err == nil {
		return nil
	}
	return &retryAfterError{delay: max(d, 0), err: err}
}

type retryAfterError struct {
	delay time.Duration
	err   error
}

func (e *retryAfterError) Error() string { return e.err.Error() }
func (e *retryAfterError) Unwrap() error { return e.err }

// Snooze is what a handler returns to run again after d without that counting
// as a failure: what it waits for is not there yet.
func Snooze(d time.Duration) error { return &snoozeError{max(d, 0)} }

type snoozeError struct{ delay time.Duration }

func (e *snoozeError) Error() string { return "stem: snoozed for " + e.delay.String() }
