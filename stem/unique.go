package stem

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Uniqueness says that an envelope is to be the only one of its kind on its queue. Its
// envelope holds the key from its publication on, until it lets go:
//
//   - UntilStarted: when its handler is about to start, or with the settlement that ends it;
//   - UntilDone: with the settlement that ends it, VerdictAck or VerdictDeadLetter;
//   - UntilTime: For after its publication, or earlier with a dead letter or the
//     settlement of a task that was cancelled; a task that succeeded keeps the key.
//
// Retry, snooze and release keep it, and so do crashes. A holder that has been
// revoked, or that is past its ExpiresIn and has not started, holds nothing: the next
// publish takes the key over.
type Uniqueness struct {
	// Key is what must be unique on the queue: 1 to MaxKeyLength printable ASCII bytes.
	Key string
	// Until is when the key is let go.
	Until UniqueUntil
	// For is for how long after the publication the key is held at most. UntilTime
	// needs it; for the others 0 means no bound.
	For time.Duration
	// OnConflict says what becomes of an envelope whose key another one holds.
	OnConflict Conflict
}

// UniqueUntil is when a unique task lets its key go.
type UniqueUntil uint8

// The scopes of uniqueness. The zero value is none: the task is not unique.
const (
	// UntilDone: one is queued or under way, until it has succeeded, failed for good or was
	// cancelled.
	UntilDone UniqueUntil = iota + 1
	// UntilStarted: one waits. While it runs, another one may be enqueued, which
	// sees what has changed meanwhile.
	UntilStarted
	// UntilTime: one is enqueued in a while, whether it is done or not.
	UntilTime
)

// Conflict is what becomes of a task whose unique key another one holds.
type Conflict uint8

// What a conflict leads to.
const (
	// ConflictExisting: nothing is enqueued, and the job is that of the task that holds
	// the key.
	ConflictExisting Conflict = iota
	// ConflictReplace: the holder is cancelled if it is not running, and if it was enqueued with
	// ConflictReplace itself; else it is ConflictExisting.
	ConflictReplace
	// ConflictError: nothing is enqueued, and the enqueue answers a *UniqueConflictError.
	ConflictError
)

// ErrNotUnique: another task holds the unique key. The error is a *UniqueConflictError.
var ErrNotUnique = errors.New("stem: another task holds the unique key")

// UniqueConflictError is what an enqueue with ConflictError answers where another task
// holds its unique key. Nothing was enqueued.
type UniqueConflictError struct {
	Task string // the name of the task that was not enqueued
	ID   string // the id of the task that holds the key
}

// Error names both.
func (e *UniqueConflictError) Error() string {
	return fmt.Sprintf("stem: task %s was not enqueued: task %s holds its unique key", e.Task, e.ID)
}

// Is makes the error match ErrNotUnique.
func (e *UniqueConflictError) Is(target error) bool { return target == ErrNotUnique }

// UniqueKeeper keeps unique keys, a capability of brokers. Clients enqueue no unique task at
// a broker that is none.
type UniqueKeeper interface {
	// Started tells that deliveries are about to run. A worker calls it once for all those
	// of a receive that need it (see [Envelope.TellsStart]), and starts none of them
	// before it answers nil.
	//
	// Those that are unique UntilStarted let their keys go. Those with ConflictReplace are
	// running from now on, until they are settled: nobody replaces them, and they may be past
	// their ExpiresIn.
	// The notices name those that must not run, because they were revoked or replaced since
	// they were lent (ErrRevoked, with the reason), because the lease is lost
	// (ErrLeaseLost; a store may leave that to the settlement), or because a transaction of the
	// user's that is open is about to take the key over (ErrTransactionOpen): those are received
	// again a little later. It waits for no such transaction, and neither does a settlement. It may be repeated.
	Started(ctx context.Context, ds ...Delivery) ([]Notice, error)
}

// TellsStart reports whether the store must be told when the task starts, since that
// matters to others with its unique key.
func (e *Envelope) TellsStart() bool {
	u := e.Unique
	return u != nil && (u.Until == UntilStarted || u.OnConflict == ConflictReplace || e.ExpiresIn > 0)
}

// ReplacedFor is how long a store keeps the revocation of a task that was replaced, at most: it goes
// with the settlement that cancels the task.
const ReplacedFor = defaultRevokeFor

// ReplacedReason is the reason with which a store revokes the task that an envelope
// replaces: "replaced by " and the id of that envelope. Workers tell replaced tasks from revoked ones by it.
func ReplacedReason(by string) string { return replacedBy + by }

const replacedBy = "replaced by "

// isReplaced reports whether a reason is one of ReplacedReason.
func isReplaced(reason string) bool {
	by, ok := strings.CutPrefix(reason, replacedBy)
	return ok && validName("id", by) == nil
}

func (u *Uniqueness) validate() error {
	switch {
	case u.Key == "" || len(u.Key) > MaxKeyLength || !printable(u.Key, ' '):
		return &OptionError{Option: "unique key", Value: clip(u.Key), Want: "1 to 401 printable ASCII bytes"}
	case u.Until < UntilDone || u.Until > UntilTime:
		return &OptionError{Option: "uniqueness", Value: fmt.Sprint(uint8(u.Until)), Want: "UntilDone, UntilStarted or UntilTime"}
	case u.OnConflict > ConflictError:
		return &OptionError{Option: "conflict", Value: fmt.Sprint(uint8(u.OnConflict)), Want: "ConflictExisting, ConflictReplace or ConflictError"}
	case u.For < 0 || u.For == 0 && u.Until == UntilTime:
		return &OptionError{Option: "time of uniqueness", Value: u.For.String(), Want: "a positive duration"}
	default:
		return nil
	}
}
