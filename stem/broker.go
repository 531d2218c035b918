package stem

import (
	"context"
	"fmt"
	"time"
)

// Broker is what a store must do to carry tasks. The package adaptertest states
// each promise of it as a test.
//
// All methods may be called concurrently. Each takes or gives many at once:
// a batch of one is the slow path. A method that gets a batch handles every
// item that it can, in order, as if one after the other; an item that it knows not to have handled is
// named by a [*PartialError], and any other error means that the outcome of
// the whole batch is unknown. After Close of the adapter every method answers
// [ErrClosed].
//
// Ids and names are printable ASCII; other texts (reasons, failures, marks) are
// valid UTF-8 without NUL; payloads and headers are any bytes.
//
// A method does not use its context after it has returned.
//
// An adapter never repeats a call by itself, nor lets its driver do so, where
// that could publish or lend twice: the answer of the first may be on its way,
// and only the caller knows what it has seen.
//
// The broker counts, times and fences; the worker judges what an outcome means.
type Broker interface {
	Publisher

	// Receive lends due envelopes to a session. It blocks until there is at
	// least one or ctx ends (then it answers ctx.Err(), or what it had taken by
	// then); it takes nothing that it does not return. It is woken by a publish,
	// a release, a due delay and the lapse of another session, and need not be
	// asked again and again.
	//
	// The session is opened where it is not open, also after a lapse: what nobody
	// has taken over since then stays its own. A store that keeps a lease for each
	// queue opens it at least on those from which it lends; Extend renews it on all. Queues
	// are emptied in the order given, and within a queue higher priorities
	// come first (see ReceiveRequest.AgeAfter), then first in, first out (retries,
	// rescued tasks and those that were delayed may overtake). Deliveries of lapsed sessions are taken over
	// here, and counted as interruptions. Envelopes that the request does not
	// know, by their task and the schema of their args, are not lent; the store sets
	// them aside under both, in order, until a receiver comes that knows them.
	// Nothing is lent from a paused queue (see [QueuePauser]).
	Receive(ctx context.Context, req ReceiveRequest) ([]Delivery, error)

	// Extend renews the session's lease for s.Lease from now: one write,
	// however many deliveries the session holds. It opens the session again
	// where it had lapsed: deliveries that nobody has taken over are its own
	// as before. All that the session holds is renewed; held only says what the
	// worker believes to hold, and the notices name those among it that the
	// session has lost or that were revoked. Those that it has settled may be
	// named or not; those that a transaction completes or has completed (see
	// [Completer]) are not named as lost.
	Extend(ctx context.Context, s Session, held ...Delivery) ([]Notice, error)

	// Settle ends deliveries. Each settlement is atomic and fenced: it is
	// refused with ErrLeaseLost when the envelope has been lent again since, to
	// anyone, or has been settled. A settlement that is repeated
	// answers nil where the store can tell that this very delivery made it,
	// else ErrLeaseLost; a worker reads that as settled or lost, and never as a
	// reason to run the task again. A lapsed session may settle what nobody
	// has taken over. What it answers about a delivery that a transaction completes, or has
	// completed, [Completer] says.
	//
	// A refused settlement is also news: the run came to its end after all, so it has not
	// taken its process down. It takes back the interruption that was counted when
	// the delivery was taken over. A store can keep the numbers of the deliveries that
	// it has counted beside the envelope (a field or a column that only rescued
	// envelopes have), at least the last ten; only the refusal has to look for it.
	Settle(ctx context.Context, ss ...Settlement) error
}

// Publisher is the half of a broker that enqueues. A transaction of an adapter
// is one too: it stores envelopes with the user's own writes. It is given those of one
// enqueue in one call, however many they are.
type Publisher interface {
	// Publish stores envelopes and answers one Published for each, in order,
	// also where a *PartialError names some; the answers of those do not count.
	// The caller keeps the slice but gives up payloads and headers, which
	// nobody may change from here on. An envelope for which the store has no room at
	// the moment is named with an error that matches ErrBackpressure.
	//
	// An envelope whose dedupe key was published on its queue within the window
	// is not stored: its Published names the id that stands. Repeating a call
	// is therefore safe for envelopes with a dedupe key; for others it may add
	// a second copy, which is why a client never repeats one by itself.
	//
	// An envelope whose unique key (see [Uniqueness]) another one holds on its queue is not
	// stored either: its Published names the holder and tells of a Conflict, and no dedupe key is kept. With
	// ConflictReplace, and a holder that said so too and is not running, it is stored in its place, and its Published names the holder
	// in Replaces: the holder is revoked (with [ReplacedReason], for [ReplacedFor] or until it has been cancelled), and becomes due at once if
	// a delay of its own has kept it waiting. An envelope of the holder's own id is a Conflict. Dedupe keys are looked at first.
	Publish(ctx context.Context, envs ...Envelope) ([]Published, error)
}

// Published answers for one envelope what became of it.
type Published struct {
	// ID is the id that stands: the envelope's own, or that of the earlier one
	// which it duplicates.
	ID string
	// Duplicate tells that the envelope was not stored.
	Duplicate bool
	// Conflict tells that it was not stored since the envelope that stands holds its unique
	// key.
	Conflict bool
	// Replaces is the id of the envelope that this one was stored in place of, if any.
	Replaces string
}

// Session is a worker's tenure at a store. All that a worker holds lives on its
// session's one lease.
type Session struct {
	// ID is unique to one run of one worker, never used again.
	ID string
	// Lease is how long the session lasts unrenewed.
	Lease time.Duration
	// Leaving tells, in an Extend, that the worker is stopping. What is taken over
	// from such a session is not counted as an interruption: a deploy that does
	// not wait for a task says nothing about the task. The store remembers it when
	// the session has lapsed, for as long as that holds anything; an Extend without it
	// takes it back.
	Leaving bool
}

// Validate refuses a session that would have lapsed before it holds anything.
func (s *Session) Validate() error {
	if s.Lease <= 0 {
		return &OptionError{Option: "lease of a session", Value: s.Lease.String(), Want: "more than 0"}
	}
	return nil
}

// ReceiveRequest says who asks for envelopes and which.
type ReceiveRequest struct {
	Session Session
	// Queues are served in this order: while one has due envelopes, later ones
	// wait. At least one.
	Queues []string
	// Tasks are those that the receiver can run, and the schemas of their args;
	// nil means all.
	Tasks *TaskSet
	// AgeAfter lets priorities rise with the time that their envelopes wait, within
	// each queue; 0 is strict. For this receive a priority ranks one higher for each
	// full AgeAfter that the envelope which is its next for this receiver has been
	// due (see Delivery.Waited); the highest rank comes first, and of equal ranks the higher
	// priority. A store looks at one envelope for each priority, once for each receive: at the
	// first of each stream on Redis, at the first of each priority in the index
	// of what is due on Postgres.
	AgeAfter time.Duration
	// AtMost bounds how many of a task this receive lends, by the name that the envelopes have;
	// a task that is not in it has no such bound. It is how the receiver keeps to limits on how
	// many run at once. A task of which no more may be lent, be it at once or since so many have
	// been, is for this receive like one that Tasks does not have: others are lent in its
	// stead, its own are set aside where they are in the way, and a receive that waits is not ended
	// by them. What a receiver takes back of them later keeps its order. What is lent again for Recover counts, too.
	AtMost map[string]int
	// Max is the most envelopes to lend, at least 1.
	Max int
	// MaxBytes bounds the sum of the payloads lent; one envelope is lent
	// whatever its size. 0 means no bound.
	MaxBytes int
	// Recover asks the broker to look first for deliveries that the session
	// holds and that are not among Held: those of an earlier Receive whose
	// answer was lost on its way. They are lent again with a new
	// delivery number, and no counter but that moves. Without it they would
	// stay with a session that lives and does not know of them. A session
	// that asks for it has no other Receive under way.
	Recover bool
	Held    []Delivery
}

// Validate reports the first field that no store accepts, naming it and what is allowed.
// Adapters call it; workers never make such requests.
func (r *ReceiveRequest) Validate() error {
	switch {
	case len(r.Queues) == 0:
		return &OptionError{Option: "queues of a receive", Value: "none", Want: "at least one"}
	case r.Max < 1:
		return &OptionError{Option: "max of a receive", Value: fmt.Sprint(r.Max), Want: "1 or more"}
	case r.AgeAfter < 0:
		return &OptionError{Option: "age of a receive", Value: r.AgeAfter.String(), Want: "0 or more"}
	}
	for task, n := range r.AtMost {
		if n < 0 {
			return &OptionError{Option: "most of task " + clip(task) + " in a receive", Value: fmt.Sprint(n), Want: "0 or more"}
		}
	}
	return r.Session.Validate()
}

// Delivery is an envelope on loan to one worker: the envelope and what the
// store knows about its life so far.
type Delivery struct {
	// Envelope is shared and read-only.
	*Envelope
	// Session is the id of the session that holds the delivery.
	Session string
	// Number is the fence of all writes. It rises with every receive of the id
	// and never goes back, also when the id is published again (else the record
	// of an earlier life would refuse those of the next), and whichever broker
	// comes to stand before the same result backend: so adapters derive it from
	// their clock, for example max(the last number + 1, Unix milliseconds << 11).
	// It is below 2^53, so that a double holds it exactly, and no count.
	Number int64
	// Attempt is 1 plus the runs that ended in a failure.
	Attempt int
	// Interruptions counts the runs cut short by a crash or a lost lease since
	// the last run that ended with a verdict other than release: the takeovers from
	// sessions that had lapsed and were not leaving, less those that Settle took back.
	Interruptions int
	// Snoozes and Releases count those verdicts; neither costs an attempt.
	Snoozes, Releases int
	// Waited is how long ago the envelope became due when it was lent; a release
	// without a delay and a takeover do not start it anew.
	Waited time.Duration
	// Age is how long ago the envelope was published when it was lent. A store that
	// derives expiry from when it published knows it; it is a field beside the envelope, or a
	// column.
	Age time.Duration
	// StartWithin is what was left of the envelope's ExpiresIn when it was
	// lent, also for a retry; 0 where it never expires or has expired. The
	// worker measures it from there.
	StartWithin time.Duration
	// Marks are what the last settlement left for this delivery. Read-only.
	Marks map[string]string
	// Expired and Revoked are what the store found by its own clock and lists.
	// The worker judges them; the store lends such envelopes like others.
	Expired, Revoked bool
	// Reason is what the revocation says, where Revoked is set.
	Reason string
	// Malformed tells why the stored bytes are no envelope that this build can
	// read. Envelope then holds what the store knows beside them, at least ID
	// and Queue (an id of the adapter's making where there is none), and a dead
	// letter takes the original bytes along.
	Malformed error
	// Receipt is the adapter's own: whatever it needs to find the loan again.
	// Nobody else reads it.
	Receipt any
}

// Notice tells a session what became of a delivery that it believes to hold.
type Notice struct {
	// Index is the delivery's place in the list given to Extend.
	Index int
	// Cause is ErrLeaseLost or ErrRevoked.
	Cause error
	// Reason is what the revocation says, where that is the cause.
	Reason string
}

// Verdict is how a delivery ends.
type Verdict uint8

// The verdicts. Every one but VerdictRelease starts the count of interruptions anew.
const (
	// VerdictAck: the work is done or will never be; the envelope goes.
	VerdictAck Verdict = iota + 1
	// VerdictRetry: due again after Delay, with one attempt more.
	VerdictRetry
	// VerdictSnooze: due again after Delay; it costs no attempt.
	VerdictSnooze
	// VerdictDeadLetter: set aside with Reason and the original bytes.
	VerdictDeadLetter
	// VerdictRelease: given back unfinished, due again after Delay, in its old
	// place among its equals where Delay is 0.
	VerdictRelease
)

// String names the verdict as logs and reasons do.
func (v Verdict) String() string {
	switch v {
	case VerdictAck:
		return "ack"
	case VerdictRetry:
		return "retry"
	case VerdictSnooze:
		return "snooze"
	case VerdictDeadLetter:
		return "dead-letter"
	case VerdictRelease:
		return "release"
	default:
		return "no verdict"
	}
}

// MaxMarks is how many bytes the marks of a settlement may have, keys and values together. They
// are a field beside the envelope, or a column, written with the settlement itself.
const MaxMarks = 8 << 10

// Settlement ends one delivery.
type Settlement struct {
	Delivery Delivery
	Verdict  Verdict
	// Delay counts from the settlement, by the store's clock.
	Delay time.Duration
	// Reason stands in the dead letter.
	Reason string
	// Marks come back with the envelope's next delivery, or with its dead letter: at
	// most MaxMarks bytes. They replace earlier ones; a release keeps those that stand
	// where it brings none. The worker passes on those that it does not know.
	Marks map[string]string
	// Cancelled tells of a VerdictAck that the task will never be done: it was revoked,
	// replaced or had expired. A unique key UntilTime is let go then, and what was replaced is not revoked any more.
	Cancelled bool
	// Result is the record that [SavingSettler] saves with the settlement, nil
	// for none. Settle does not look at it.
	Result *Result
}

// Validate reports a verdict that is none. Adapters call it for each settlement of a batch and
// refuse those alone that it refuses; workers never make such settlements.
func (s *Settlement) Validate() error {
	if s.Verdict < VerdictAck || s.Verdict > VerdictRelease {
		return &OptionError{Option: "verdict", Value: fmt.Sprint(uint8(s.Verdict)), Want: "one of the five"}
	}
	return nil
}
