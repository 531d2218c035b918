package stem

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var errBoom = errors.New("boom")

func TestJudge(t *testing.T) {
	first := Delivery{Attempt: 1, Envelope: &Envelope{MaxRetries: 2, Backoff: FixedBackoff(time.Second), Timeout: time.Minute}}
	last := first
	last.Attempt = 3
	bounded := first
	bounded.Envelope = &Envelope{MaxRetries: 2, Backoff: FixedBackoff(time.Second), RetryFor: time.Minute}
	boom := &Failure{Kind: FailureError, Message: "boom"}

	tests := []struct {
		promise string
		d       Delivery
		o       outcome
		want    judgement
	}{
		{"a result is acknowledged and saved", first, outcome{result: []byte{1}},
			judgement{verdict: VerdictAck, state: StateSucceeded, payload: []byte{1}}},
		{"a result stands although the time limit had passed", first, outcome{result: []byte{1}, cause: ErrTimeout},
			judgement{verdict: VerdictAck, state: StateSucceeded, payload: []byte{1}}},
		{"an error is retried after the back-off", first, outcome{err: errBoom},
			judgement{verdict: VerdictRetry, delay: time.Second, state: StateRetrying, failure: boom}},
		{"the last attempt that fails makes a dead letter", last, outcome{err: errBoom},
			judgement{verdict: VerdictDeadLetter, reason: "error: boom", state: StateFailed, failure: boom}},
		{"a permanent error makes a dead letter at once", first, outcome{err: fmt.Errorf("wrapped: %w", Permanent(errBoom))},
			judgement{verdict: VerdictDeadLetter, reason: "error: wrapped: boom", state: StateFailed, failure: &Failure{Kind: FailureError, Message: "wrapped: boom"}}},
		{"a permanent error is final although the worker stops", first, outcome{err: Permanent(errBoom), cause: ErrShutdown},
			judgement{verdict: VerdictDeadLetter, reason: "error: boom", state: StateFailed, failure: boom}},
		{"RetryAfter sets the delay", first, outcome{err: RetryAfter(time.Hour, errBoom)},
			judgement{verdict: VerdictRetry, delay: time.Hour, state: StateRetrying, failure: boom}},
		{"RetryAfter costs an attempt like any failure", last, outcome{err: RetryAfter(time.Hour, errBoom)},
			judgement{verdict: VerdictDeadLetter, reason: "error: boom", state: StateFailed, failure: boom}},
		{"a retry that is due within the budget is made", bounded, outcome{err: errBoom, due: 59 * time.Second},
			judgement{verdict: VerdictRetry, delay: time.Second, state: StateRetrying, failure: boom}},
		{"a retry that would be due beyond the budget is not made", bounded, outcome{err: errBoom, due: 59*time.Second + 1},
			judgement{verdict: VerdictDeadLetter, reason: "error: " + beyond("1m0s"), state: StateFailed, failure: &Failure{Kind: FailureError, Message: beyond("1m0s")}}},
		{"RetryAfter keeps to the budget", bounded, outcome{err: RetryAfter(2*time.Minute, errBoom)},
			judgement{verdict: VerdictDeadLetter, reason: "error: " + beyond("2m0s"), state: StateFailed, failure: &Failure{Kind: FailureError, Message: beyond("2m0s")}}},
		{"RetryAfter for ever is beyond each budget", bounded, outcome{err: RetryAfter(1<<63-1, errBoom), due: time.Hour},
			judgement{verdict: VerdictDeadLetter, reason: "error: " + beyond("8761h0m0s"), state: StateFailed, failure: &Failure{Kind: FailureError, Message: beyond("8761h0m0s")}}},
		{"a snooze goes beyond the budget", bounded, outcome{err: Snooze(time.Hour), due: time.Hour},
			judgement{verdict: VerdictSnooze, delay: time.Hour}},
		{"a snooze is no failure, even at the last attempt", last, outcome{err: Snooze(time.Minute)},
			judgement{verdict: VerdictSnooze, delay: time.Minute}},
		{"a run that the shutdown cut short is released", last, outcome{err: context.Canceled, cause: ErrShutdown},
			judgement{verdict: VerdictRelease}},
		{"a run whose lease was lost is released, which the store refuses if someone has it", last, outcome{err: context.Canceled, cause: ErrLeaseLost},
			judgement{verdict: VerdictRelease}},
		{"a revoked run is cancelled", first, outcome{err: context.Canceled, cause: ErrRevoked},
			judgement{verdict: VerdictAck, state: StateCancelled, failure: &Failure{Kind: FailureRevoked, Message: "revoked while it ran"}}},
		{"a timeout is a failure of its kind", first, outcome{err: context.DeadlineExceeded, cause: ErrTimeout},
			judgement{verdict: VerdictRetry, delay: time.Second, state: StateRetrying,
				failure: &Failure{Kind: FailureTimeout, Message: "timeout of 1m0s: context deadline exceeded"}}},
		{"a panic is a failure with its stack", first, outcome{err: &panicError{value: "oh", stack: []byte("here")}},
			judgement{verdict: VerdictRetry, delay: time.Second, state: StateRetrying,
				failure: &Failure{Kind: FailurePanic, Message: "panic: oh", Stack: "here"}}},
		{"a panic with a permanent error is permanent", first, outcome{err: &panicError{value: Permanent(errBoom)}},
			judgement{verdict: VerdictDeadLetter, reason: "panic: panic: boom", state: StateFailed,
				failure: &Failure{Kind: FailurePanic, Message: "panic: boom"}}},
		{"what no store can keep of an error's text is replaced", first, outcome{err: errors.New("a\x00b\xffc")},
			judgement{verdict: VerdictRetry, delay: time.Second, state: StateRetrying, failure: &Failure{Kind: FailureError, Message: "a�b�c"}}},
		{"a panic with a snooze is a panic", first, outcome{err: &panicError{value: Snooze(time.Hour)}},
			judgement{verdict: VerdictRetry, delay: time.Second, state: StateRetrying, failure: &Failure{Kind: FailurePanic, Message: "panic: stem: snoozed for 1h0m0s"}}},
		{"args that cannot be read are not tried again", first, outcome{err: &malformedError{errBoom}},
			judgement{verdict: VerdictDeadLetter, reason: "malformed: boom", state: StateFailed, failure: &Failure{Kind: FailureMalformed, Message: "boom"}}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			got := judge(&tt.d, tt.o)
			if diff := cmp.Diff(got, tt.want, cmp.AllowUnexported(judgement{})); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
		})
	}
}

func beyond(due string) string {
	return fmt.Sprintf("boom (no retry: the next would be due %s after the task first was, and it may be retried for 1m0s)", due)
}

func TestJudgeUnstarted(t *testing.T) {
	envelope := &Envelope{ExpiresIn: time.Minute}
	tests := []struct {
		promise string
		d       Delivery
		known   bool
		most    int
		want    judgement
		refused bool
	}{
		{"a sound delivery starts", Delivery{Interruptions: 2}, true, 3, judgement{}, false},
		{"an expired one is cancelled", Delivery{Attempt: 1, Expired: true}, true, 3,
			judgement{verdict: VerdictAck, state: StateCancelled, failure: &Failure{Kind: FailureExpired, Message: "a run of attempt 1 could not start within 1m0s of the enqueue"}}, true},
		{"one that expired while it waited in the worker is cancelled", Delivery{Attempt: 1, StartWithin: time.Second - 1}, true, 3,
			judgement{verdict: VerdictAck, state: StateCancelled, failure: &Failure{Kind: FailureExpired, Message: "a run of attempt 1 could not start within 1m0s of the enqueue"}}, true},
		{"one that is in time starts", Delivery{StartWithin: time.Second}, true, 3, judgement{}, false},
		{"a revoked one is cancelled", Delivery{Revoked: true}, true, 3,
			judgement{verdict: VerdictAck, state: StateCancelled, failure: &Failure{Kind: FailureRevoked, Message: "revoked before it started"}}, true},
		{"a revoked one tells why", Delivery{Revoked: true, Reason: "enough"}, true, 3,
			judgement{verdict: VerdictAck, state: StateCancelled, failure: &Failure{Kind: FailureRevoked, Message: "revoked before it started: enough"}}, true},
		{"one that was cut short too often is poison", Delivery{Interruptions: 3}, true, 3,
			judgement{verdict: VerdictDeadLetter, reason: "poison: 3 runs in a row were cut short by a crash or a lost lease", state: StateFailed,
				failure: &Failure{Kind: FailurePoison, Message: "3 runs in a row were cut short by a crash or a lost lease"}}, true},
		{"without a limit nothing is poison", Delivery{Interruptions: 3}, true, -1, judgement{}, false},
		{"an unknown task goes back, also one that was cut short too often", Delivery{Interruptions: 3}, false, 3,
			judgement{verdict: VerdictRelease, delay: unknownTaskDelay}, true},
		{"malformed bytes make a dead letter, known task or not", Delivery{Malformed: errBoom}, false, 3,
			judgement{verdict: VerdictDeadLetter, reason: "malformed: boom", state: StateFailed, failure: &Failure{Kind: FailureMalformed, Message: "boom"}}, true},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			tt.d.Envelope = envelope
			got, refused := judgeUnstarted(&tt.d, time.Second, tt.known, tt.most)
			if refused != tt.refused {
				t.Errorf("refused: got %v, want %v", refused, tt.refused)
			}
			if diff := cmp.Diff(got, tt.want, cmp.AllowUnexported(judgement{})); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
		})
	}
}
