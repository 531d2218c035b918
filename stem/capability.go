package stem

import (
	"context"
	"time"
)

// A capability is something that an adapter may be able to do beyond Broker and
// Backend: an interface of one method, looked for once, at construction, with
// [As]. Where it is absent there is a generic way, or an error that names the
// adapter and the capability. An adapter that lacks one in some mode (on a
// cluster, say) is of another type there. That of a transaction, [Completer], is not
// looked for: it is handed over.

// As gives store as a T: store itself, or the first of what its Unwrap() leads
// to that is one. Wrappers of a broker or backend have a method
//
//	Unwrap() Broker // or Backend, or any
//
// so that what they wrap is still found. What is found is called directly: a
// wrapper that changes what Save or Load do must not have Unwrap, or must offer the
// capabilities itself.
func As[T any](store any) (T, bool) {
	for store != nil {
		if t, ok := store.(T); ok {
			return t, true
		}
		switch w := store.(type) {
		case interface{ Unwrap() Broker }:
			store = w.Unwrap()
		case interface{ Unwrap() Backend }:
			store = w.Unwrap()
		case interface{ Unwrap() any }:
			store = w.Unwrap()
		default:
			store = nil
		}
	}
	var none T
	return none, false
}

// SavingSettler saves results and settles deliveries as one atomic step. A store
// that is broker and backend in one has it; it is used where As finds the same
// SavingSettler behind both.
type SavingSettler interface {
	// SaveAndSettle does what Save of the results and Settle would, but the
	// settlement of a delivery and its result stand or fall together: a refused
	// settlement leaves no result, and a result that Save would refuse
	// (a newer delivery's stands) does not keep its delivery from being settled.
	SaveAndSettle(ctx context.Context, ss ...Settlement) error
}

// Completer is a transaction of the user's, as an adapter wraps it, in which a handler ends
// its own delivery: what the handler has written there and the end of its task stand or
// fall together (see [TaskDefinition.Complete]). Most often the same value is the
// [Publisher] that Via takes.
type Completer interface {
	// Complete ends a delivery by VerdictAck in the transaction, and saves s.Result
	// there if it has one. Nobody else sees anything of that before the transaction commits.
	//
	// It is fenced in the transaction itself, as Settle is: where the envelope has
	// been lent again or is settled, it answers ErrLeaseLost; where another
	// transaction has completed this very delivery and committed, ErrCompleted. Both mean that
	// this transaction must not commit. For another one that is still open and ends the
	// same delivery it may wait, as long as ctx allows, or answer ErrTransactionOpen. Called again in the same
	// transaction it answers nil. A delivery of another store is refused with an
	// *OtherStoreError, and nothing is written. Whether the transaction can still be used
	// after an error is for the adapter to say.
	//
	// While the transaction is open, nobody takes the delivery over, also if
	// its session lapses, and Extend gives no notice that it is lost. Settle and SaveAndSettle
	// refuse it by name with ErrTransactionOpen, at once, whatever the verdict, and
	// handle the rest of their batch: no call of the broker waits for a user's transaction.
	//
	// When the transaction has committed, the envelope is gone and the store
	// knows that this very delivery is completed, until it has been asked to settle it or its
	// session has lapsed. VerdictAck is answered nil then, any other verdict with ErrCompleted,
	// and neither changes anything: the record of the completion stands. Extend goes on to give no notice that
	// the delivery is lost. A settlement that is repeated is answered as any that is, or with
	// ErrCompleted once more.
	//
	// When the transaction has rolled back, everything is as if Complete had not been called.
	Complete(ctx context.Context, s Settlement) error
}

// ResultWatcher waits for results without asking again and again.
type ResultWatcher interface {
	// Await blocks until the record of id is terminal and answers it, or
	// ctx.Err(), or ErrResultExpired as Load does. An error that wraps ErrNoResult says that
	// there will be none. After any other one it is asked again, with back-off: the store may be back
	// soon. Many may wait, in many processes.
	Await(ctx context.Context, id string) (Result, error)
}

// DeadLetterLister shows dead letters, newest first.
type DeadLetterLister interface {
	// DeadLetters answers at most limit dead letters of a queue.
	DeadLetters(ctx context.Context, queue string, limit int) ([]DeadLetter, error)
}

// DeadLetter is an envelope set aside.
type DeadLetter struct {
	ID, Task, Queue string
	// Reason is what the settlement said.
	Reason string
	// Attempt and Delivery are those of the delivery that was dead-lettered.
	Attempt  int
	Delivery int64
	// At is when, by the store's clock.
	At time.Time
	// Marks are those of the settlement. Read-only.
	Marks map[string]string
	// Envelope is the original bytes (see ParseEnvelope); for a malformed one,
	// whatever stood in the store.
	Envelope []byte
}

// QueueCounter counts what lies in queues. A worker asks it about each of its queues when it
// starts and at least every 5 min, to tell why tasks wait (see QueueStalled).
type QueueCounter interface {
	// CountQueue answers the counts of a queue; those of an unknown one are 0.
	CountQueue(ctx context.Context, queue string) (QueueCounts, error)
}

// QueueCounts says how many envelopes of a queue are where.
type QueueCounts struct {
	// Ready are due and wait for a worker.
	Ready int
	// Delayed become due later; retries and snoozes are among them.
	Delayed int
	// Running are on loan.
	Running int
	// Unknown are set aside until a worker comes that can run them, by task and
	// schema of their args. Fingerprint 0 means that no worker that asked has the
	// task; with another one, those that have the task, if any do, were built for other
	// args: a newer client is at work, or a build has been rolled back.
	Unknown map[TaskSchema]int
	// Dead are the dead letters.
	Dead int
	// Paused tells that nothing is lent, until the queue is resumed (see [QueuePauser]).
	Paused bool
}
