package stem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// TestWhoDecidesAboutAFailure is the table of docs/guide/retries.md: the first that has
// something to say decides.
func TestWhoDecidesAboutAFailure(t *testing.T) {
	no := steering{retryIf: func(error) bool { return false }}
	yes := steering{retryIf: func(error) bool { return true }}
	minutes := func(again bool) RetryPolicy {
		return func(FailedRun) (time.Duration, bool) { return time.Minute, again }
	}
	tests := []struct {
		promise string
		err     error
		cause   error
		attempt int
		s       steering
		verdict Verdict
		delay   time.Duration
	}{
		{"Permanent, before a snooze that it wraps", Permanent(Snooze(time.Hour)), nil, 1, yes, VerdictDeadLetter, 0},
		{"Permanent, before RetryAfter", RetryAfter(time.Hour, Permanent(errBoom)), nil, 1, yes, VerdictDeadLetter, 0},
		{"an end from outside, before a snooze", Snooze(time.Hour), ErrShutdown, 1, no, VerdictRelease, 0},
		{"Snooze, before RetryAfter", RetryAfter(time.Second, Snooze(time.Hour)), nil, 1, no, VerdictSnooze, time.Hour},
		{"Snooze, before MaxRetries", Snooze(time.Hour), nil, 3, no, VerdictSnooze, time.Hour},
		{"MaxRetries, before RetryAfter", RetryAfter(time.Hour, errBoom), nil, 3, yes, VerdictDeadLetter, 0},
		{"MaxRetries, before the policy", errBoom, nil, 3, steering{policy: minutes(true)}, VerdictDeadLetter, 0},
		{"RetryAfter, before RetryIf", RetryAfter(time.Hour, errBoom), nil, 1, no, VerdictRetry, time.Hour},
		{"RetryAfter, before the policy", RetryAfter(time.Hour, errBoom), nil, 1, steering{policy: minutes(false)}, VerdictRetry, time.Hour},
		{"RetryIf, before the policy", errBoom, nil, 1, steering{no.retryIf, minutes(true)}, VerdictDeadLetter, 0},
		{"the policy, once RetryIf agrees", errBoom, nil, 1, steering{yes.retryIf, minutes(true)}, VerdictRetry, time.Minute},
		{"the policy, to give up", errBoom, nil, 1, steering{policy: minutes(false)}, VerdictDeadLetter, 0},
		{"the policy, within RetryFor", errBoom, nil, 1, steering{policy: func(FailedRun) (time.Duration, bool) { return 3 * time.Hour, true }}, VerdictDeadLetter, 0},
		{"the policy, and at once where it goes back in time", errBoom, nil, 1, steering{policy: func(FailedRun) (time.Duration, bool) { return -1, true }}, VerdictRetry, 0},
		{"RetryIf, about a panic", &panicError{value: Snooze(1)}, nil, 1, no, VerdictDeadLetter, 0},
		{"RetryIf, about a timeout", context.DeadlineExceeded, ErrTimeout, 1, no, VerdictDeadLetter, 0},
		{"the back-off, where nobody else does", errBoom, nil, 1, yes, VerdictRetry, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			d := Delivery{Attempt: tt.attempt, Envelope: &Envelope{MaxRetries: 2, RetryFor: 2 * time.Hour, Backoff: FixedBackoff(time.Second)}}
			steer := func(run FailedRun) (time.Duration, bool) { return tt.s.decide(run, slog.New(slog.DiscardHandler)) }
			got := judge(&d, outcome{err: tt.err, cause: tt.cause, steer: steer})
			if got.verdict != tt.verdict || got.delay != tt.delay {
				t.Errorf("got %v after %v, want %v after %v", got.verdict, got.delay, tt.verdict, tt.delay)
			}
		})
	}
}

func TestAPolicyKnowsTheRunThatFailed(t *testing.T) {
	d := Delivery{Attempt: 2, Envelope: &Envelope{MaxRetries: 5, Backoff: LinearBackoff(time.Minute, 0)}}
	var got FailedRun
	judge(&d, outcome{err: errBoom, cause: ErrTimeout, draw: 0.5, due: time.Hour, steer: func(run FailedRun) (time.Duration, bool) {
		got = run
		return 0, true
	}})
	if want := (FailedRun{Err: errBoom, Kind: FailureTimeout, Attempt: 2, MaxRetries: 5, Due: time.Hour, Backoff: time.Minute}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestAPanicOfThePolicyIsLoggedAndTheBackoffDecides(t *testing.T) {
	for name, s := range map[string]steering{
		"RetryIf":   {retryIf: func(error) bool { panic("oh") }},
		"RetryWith": {policy: func(FailedRun) (time.Duration, bool) { panic("oh") }},
	} {
		var log bytes.Buffer
		delay, again := s.decide(FailedRun{Err: errBoom, Backoff: time.Minute}, slog.New(slog.NewTextHandler(&log, nil)))
		if delay != time.Minute || !again {
			t.Errorf("%s: got %v, %v; want the back-off of a minute and another run", name, delay, again)
		}
		if !strings.Contains(log.String(), "panic=oh") || !strings.Contains(log.String(), "steering_test.go") {
			t.Errorf("%s: got the log %q, want the panic with its stack", name, log.String())
		}
	}
}

func TestHandlerOptionsAreJudged(t *testing.T) {
	var r Registry
	def := DefineNoArgs(TaskSpec{Name: "task"}, NoneCodec())
	run := func(context.Context) (None, error) { return None{}, nil }
	var option *OptionError
	for name, opt := range map[string]HandlerOption{"RetryIf": RetryIf(nil), "RetryWith": RetryWith(nil)} {
		if err := HandleNoArgs(&r, def, run, opt); !errors.As(err, &option) || option.Option != name {
			t.Errorf("%s(nil): got %v, want an *OptionError that names it", name, err)
		}
	}
	if err := r.Configure(def); err == nil || !strings.Contains(err.Error(), "not registered") {
		t.Errorf("a task that is not registered: got %v, want an error that says so", err)
	}
	if err := HandleNoArgs(&r, def, run, nil, RetryIf(func(error) bool { return true })); err != nil {
		t.Fatal(err)
	}
	if err := r.Configure(def, RetryWith(nil)); !errors.As(err, &option) || !strings.Contains(err.Error(), `configure task "task"`) {
		t.Errorf("Configure with RetryWith(nil): got %v, want an *OptionError that names the task", err)
	}
	if err := fmt.Errorf("nil: %w", r.Configure(nil)); !strings.Contains(err.Error(), "is nil") {
		t.Errorf("Configure of nothing: got %v, want an error", err)
	}
}
