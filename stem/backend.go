package stem

import (
	"context"
	"time"
)

// Backend is what a store must do to keep results. Both methods may be called
// concurrently and follow the batch rules of [Broker].
type Backend interface {
	// Save stores records, each for its Keep from now by the store's clock. A
	// record replaces an older one of the same id under a fence: a lower
	// delivery number than the one that stands is refused with ErrLeaseLost, a
	// higher one replaces it, and among equals a terminal state is final (the
	// same terminal record once more is not an error; another one is refused).
	// A record that has expired does not stand.
	Save(ctx context.Context, rs ...Result) error

	// Load answers one record per id, in order. For an id without a record the
	// *PartialError says ErrNoResult, or ErrResultExpired where the store still
	// knows that there was one.
	Load(ctx context.Context, ids ...string) ([]Result, error)
}

// Result is what is known about one task. The record of a terminal state is its
// outcome; records of other states are news about a task under way.
type Result struct {
	ID    string
	Task  string
	Queue string
	State State
	// Payload is the encoded result of a task that succeeded.
	Payload []byte
	// Failure says why a task failed, was cancelled or is being retried.
	Failure *Failure
	// Progress is the last that the handler reported, if it reported any.
	Progress *ProgressReport
	// Delivery is the number of the delivery that wrote the record: its fence.
	Delivery int64
	// Attempt, Interruptions, Snoozes and Releases are those of the delivery.
	Attempt, Interruptions, Snoozes, Releases int
	// History are the attempts that failed, the oldest first, the newest MaxHistory of them
	// (see AttemptRecord), also those on other workers.
	History []AttemptRecord
	// Worker is the name of the worker that wrote the record.
	Worker string
	// Waited is how long the task had been due when its last run started, Ran
	// how long that run took.
	Waited, Ran time.Duration
	// Replays tells that the task's dead letter was sent back; nil for most.
	Replays *Replays
	// Keep is how long the record is kept.
	Keep time.Duration
}

// Replays tells what was made of the dead letter of a task that failed. The record stays that of a
// failure: what was sent back is a task of its own, with a record of its own.
type Replays struct {
	// Count is how often it was sent back.
	Count int
	// As is the id of the envelope that was made of it the last time, and At when that was, by
	// the store's clock, to the millisecond.
	As string
	At time.Time
}

// Failure describes an error that crossed a process boundary.
type Failure struct {
	Kind FailureKind
	// Message is the error's text.
	Message string
	// Stack is the goroutine's stack where the handler panicked.
	Stack string
}

// FailureKind tells failures apart where a program must branch.
type FailureKind string

// The kinds of failure.
const (
	FailureError     FailureKind = "error"     // the handler returned an error
	FailurePanic     FailureKind = "panic"     // the handler panicked
	FailureTimeout   FailureKind = "timeout"   // the handler, or something it waited for, ran into a time limit
	FailureExpired   FailureKind = "expired"   // it did not start in time
	FailureRevoked   FailureKind = "revoked"   // somebody cancelled it
	FailureReplaced  FailureKind = "replaced"  // a later task of its kind was to replace it (see ConflictReplace)
	FailurePoison    FailureKind = "poison"    // it was cut short too often
	FailureMalformed FailureKind = "malformed" // its bytes could not be read
	FailureUnstored  FailureKind = "unstored"  // it succeeded, and the store has refused its result for a minute
	FailureUnlinked  FailureKind = "unlinked"  // it succeeded, and what follows it has been refused for a minute
)

// State is where a task stands in its life.
type State string

// The states of a task; docs/lifecycle.md draws them.
const (
	// StatePending: there is no record, so the task is queued, running, or was
	// never enqueued. Telling those apart would cost a record per task.
	StatePending   State = "pending"
	StateRunning   State = "running"
	StateRetrying  State = "retrying"
	StateSucceeded State = "succeeded"
	StateFailed    State = "failed"
	StateCancelled State = "cancelled"
)

// Terminal reports whether the state is final.
func (s State) Terminal() bool {
	return s == StateSucceeded || s == StateFailed || s == StateCancelled
}
