package stem

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
)

// outcome is what is known when a run is over.
type outcome struct {
	result []byte
	err    error
	cause  error         // why the handler's context was cancelled, if it was
	draw   float64       // in [0, 1): decides the jitter of a retry
	due    time.Duration // for how long the task had been due, since it first was
	// steer asks what the process says about a failure, if it says anything.
	steer func(FailedRun) (delay time.Duration, again bool)
}

// judgement is what an outcome means: how the delivery ends and what the
// record of the task says.
type judgement struct {
	verdict  Verdict
	followed bool // what follows has been published
	delay    time.Duration
	reason   string // of a dead letter
	state    State  // of the record; empty: none is written
	payload  []byte
	failure  *Failure
	ran      time.Duration
}

// judge decides what the outcome of a run means. It is pure: the same delivery
// and outcome give the same judgement.
func judge(d *Delivery, o outcome) judgement {
	if o.err == nil {
		return judgement{verdict: VerdictAck, state: StateSucceeded, payload: o.result}
	}
	return judgeError(d, o)
}

// judgeUnharmed is judge for the errors of strangers: their methods may panic,
// as that of a nil pointer in an error does. Such an error is taken for a panic of
// the handler.
func judgeUnharmed(d *Delivery, o outcome) (j judgement) {
	defer func() {
		if p := recover(); p != nil {
			o.err = &panicError{value: fmt.Sprintf("a method of the handler's error panicked: %v", p), stack: debug.Stack()}
			j = judge(d, o)
		}
	}()
	return judge(d, o)
}

// simpler is the outcome with one thing less in it that is not ours: first nobody is
// asked, so that the task's own back-off decides, and then the error is not looked at.
func (o outcome) simpler() outcome {
	if o.steer != nil {
		o.steer = nil
	} else {
		o.err = errSilent
	}
	return o
}

var errSilent = errors.New("the handler failed, and a method of its error ended the goroutine with runtime.Goexit")

// isPanic reports whether a handler panicked. What it panicked with does not steer,
// but for Permanent: a panic costs an attempt.
func isPanic(err error) bool {
	var panicked *panicError
	return errors.As(err, &panicked)
}

func judgeError(d *Delivery, o outcome) judgement {
	var snooze *snoozeError
	var permanent *permanentError
	var malformed *malformedError
	var after *retryAfterError
	switch {
	case errors.Is(o.cause, ErrRevoked):
		return cancelledFor(o.cause, "revoked while it ran")
	case errors.As(o.err, &malformed):
		return dead(newFailure(FailureMalformed, o.err))
	case errors.As(o.err, &permanent):
		return dead(failureOf(d, o))
	case errors.Is(o.cause, ErrLeaseLost), errors.Is(o.cause, ErrShutdown):
		// The run was cut short from outside: that is no failure of the task. After
		// a lost lease the release is refused if somebody else has the task,
		// and gives it back if nobody took it.
		return released()
	case !isPanic(o.err) && errors.As(o.err, &snooze):
		return judgement{verdict: VerdictSnooze, delay: snooze.delay}
	case d.Attempt > d.MaxRetries:
		return dead(failureOf(d, o))
	case !isPanic(o.err) && errors.As(o.err, &after):
		return retryWithin(d, failureOf(d, o), o.due, after.delay)
	default:
		return judgeFailure(d, o)
	}
}

// judgeFailure decides about a failure that could be retried and that the handler has
// not steered.
func judgeFailure(d *Delivery, o outcome) judgement {
	f := failureOf(d, o)
	delay, again := d.Backoff.Delay(d.Attempt, o.draw), true
	if o.steer != nil {
		delay, again = o.steer(FailedRun{
			Err: o.err, Kind: f.Kind, Attempt: d.Attempt, MaxRetries: d.MaxRetries, Due: o.due, Backoff: delay,
		})
	}
	if !again {
		return dead(f)
	}
	return retryWithin(d, f, o.due, max(delay, 0))
}

// retryWithin makes a retry after the delay, unless that is beyond the task's budget.
func retryWithin(d *Delivery, f *Failure, due, delay time.Duration) judgement {
	if d.RetryFor > 0 && delay > d.RetryFor-due {
		f.Message += fmt.Sprintf(" (no retry: the next would be due %v after the task first was, and it may be retried for %v)",
			(due + min(delay, longestBackoff)).Round(time.Millisecond), d.RetryFor)
		return dead(f)
	}
	return retried(delay, f)
}

// unknownTaskDelay keeps a task that was lent to a worker without a handler for it,
// or for args of its schema, from coming straight back.
const unknownTaskDelay = 5 * time.Second

// judgeUnstarted decides whether a delivery must not run, and what becomes of it.
//
// inHand is how long the worker has had it.
func judgeUnstarted(d *Delivery, inHand time.Duration, known bool, maxInterruptions int) (judgement, bool) {
	switch {
	case d.Malformed != nil:
		return dead(newFailure(FailureMalformed, d.Malformed)), true
	case d.Revoked:
		return cancelledFor(revoked(d.Reason), "revoked before it started"), true
	case d.Expired, d.StartWithin > 0 && inHand > d.StartWithin:
		return cancelled(FailureExpired, fmt.Sprintf("a run of attempt %d could not start within %v of the enqueue", d.Attempt, d.ExpiresIn)), true
	case !known:
		// Nobody fails a task merely because he does not know it, or not its args.
		return judgement{verdict: VerdictRelease, delay: unknownTaskDelay}, true
	case maxInterruptions > 0 && d.Interruptions >= maxInterruptions:
		return dead(&Failure{
			Kind:    FailurePoison,
			Message: fmt.Sprintf("%d runs in a row were cut short by a crash or a lost lease", d.Interruptions),
		}), true
	default:
		return judgement{}, false
	}
}

// judgeLost decides about a delivery that was lost or revoked before its handler
// started.
func judgeLost(cause error) judgement {
	if errors.Is(cause, ErrRevoked) {
		return cancelledFor(cause, "revoked before it started")
	}
	if errors.Is(cause, errStartUntold) {
		return judgement{verdict: VerdictRelease, delay: startAgain}
	}
	return released()
}

func released() judgement { return judgement{verdict: VerdictRelease} }

func retried(delay time.Duration, f *Failure) judgement {
	return judgement{verdict: VerdictRetry, delay: delay, state: StateRetrying, failure: f}
}

func dead(f *Failure) judgement {
	return judgement{verdict: VerdictDeadLetter, reason: string(f.Kind) + ": " + f.Message, state: StateFailed, failure: f}
}

func cancelled(kind FailureKind, message string) judgement {
	return judgement{verdict: VerdictAck, state: StateCancelled, failure: &Failure{Kind: kind, Message: message}}
}

// failureOf describes the error of a run.
func failureOf(d *Delivery, o outcome) *Failure {
	var panicked *panicError
	switch {
	case errors.As(o.err, &panicked):
		f := newFailure(FailurePanic, o.err)
		f.Stack = text(string(panicked.stack), longestStack)
		return f
	case errors.Is(o.cause, ErrTimeout), d.Timeout > 0 && errors.Is(o.err, ErrTimeout):
		f := newFailure(FailureTimeout, o.err)
		f.Message = text(fmt.Sprintf("timeout of %v: %s", d.Timeout, f.Message), longestMessage)
		return f
	case errors.Is(o.cause, ErrHeartbeatTimeout), d.HeartbeatTimeout > 0 && errors.Is(o.err, ErrHeartbeatTimeout):
		f := newFailure(FailureTimeout, o.err)
		f.Message = text(fmt.Sprintf("no sign of life for %v: %s", d.HeartbeatTimeout, f.Message), longestMessage)
		return f
	case errors.Is(o.err, context.DeadlineExceeded):
		return newFailure(FailureTimeout, o.err)
	default:
		return newFailure(FailureError, o.err)
	}
}

// What a record keeps of an error; a record is read often and stored long.
const (
	longestMessage = 4 << 10
	longestStack   = 16 << 10
)

func newFailure(kind FailureKind, err error) *Failure {
	return &Failure{Kind: kind, Message: text(err.Error(), longestMessage)}
}

// text makes s what every store can keep: valid UTF-8 without NUL, and bounded, but for a word on what is missing.
func text(s string, most int) string {
	more := len(s) - most
	if more > 0 {
		s = s[:most]
	}
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "�"), "�")
	if len(s) > most { // what stands for a byte that is no text is longer than that
		s = strings.ToValidUTF8(s[:most], "")
	}
	if more > 0 {
		s += fmt.Sprintf("… (%d bytes more)", more)
	}
	return s
}
