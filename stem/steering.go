package stem

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"
)

// HandlerOption adjusts how the workers of this process treat a task whose run failed.
// [Handle] takes it, and [Registry.Configure] for tasks that generated code registers.
// Options of the enqueue travel with the task; these are code, and stay where the handler
// is. A later one overrides an earlier one.
type HandlerOption func(*steering) error

// RetryIf says which errors a retry may mend: an error that again answers false to makes
// the task a dead letter at once, as [Permanent] does. It is asked about each failure
// that could be retried and that the handler has not steered itself, also about timeouts
// and panics, by the handler's goroutine. Its error is the handler's; that of a panic wraps what the
// handler panicked with, if that was an error.
func RetryIf(again func(err error) bool) HandlerOption {
	return func(s *steering) error {
		if again == nil {
			return &OptionError{Option: "RetryIf", Value: "nil", Want: "a function that tells whether an error may be retried"}
		}
		s.retryIf = again
		return nil
	}
}

// RetryWith lets a policy say how long the task waits before each retry, in place of
// its back-off.
func RetryWith(policy RetryPolicy) HandlerOption {
	return func(s *steering) error {
		if policy == nil {
			return &OptionError{Option: "RetryWith", Value: "nil", Want: "a policy"}
		}
		s.policy = policy
		return nil
	}
}

// RetryPolicy decides what follows a failed run: another one after delay, or none, which
// makes the task a dead letter. A delay below 0 counts as 0. It is asked only while MaxRetries
// leaves a retry, and its delay must keep to RetryFor: it can give up
// earlier than the envelope says, never later. It may be called by many goroutines at once, and should
// be quick. A panic in it, or in the function of RetryIf, is logged, and the back-off decides; so it is
// if one of them ends its goroutine.
type RetryPolicy func(run FailedRun) (delay time.Duration, again bool)

// FailedRun is what a RetryPolicy knows of a run that failed.
type FailedRun struct {
	// Err is the handler's error, or one that wraps its panic.
	Err error
	// Kind is what the result will say: FailureError, FailurePanic or FailureTimeout.
	Kind FailureKind
	// Attempt is the number of the run that failed, from 1; at least one more is allowed, and
	// no more than MaxRetries after the first.
	Attempt, MaxRetries int
	// Due is how long ago the task was due for the first time.
	Due time.Duration
	// Backoff is how long the task's own back-off would wait, its jitter drawn.
	Backoff time.Duration
}

// Configure adjusts how a registered task is treated in this process. It changes nothing for
// workers that have been made. A task that is not registered is an error.
func (r *Registry) Configure(task AnyTask, opts ...HandlerOption) error {
	if r == nil || task == nil {
		return errors.New("stem: Configure: the registry or the task is nil")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	t, ok := r.tasks[task.Name()]
	if !ok {
		return fmt.Errorf("stem: configure task %s: it is not registered: call the generated Register, or stem.Handle, first", clip(task.Name()))
	}
	if err := t.steering.apply(opts); err != nil {
		return fmt.Errorf("stem: configure task %s: %w", clip(task.Name()), err)
	}
	r.tasks[task.Name()] = t
	return nil
}

// steering is what a process says about the failures of a task, beside the envelope.
type steering struct {
	retryIf func(error) bool
	policy  RetryPolicy
}

func (s *steering) apply(opts []HandlerOption) error {
	for _, opt := range opts {
		if opt == nil {
			continue
		}
		if err := opt(s); err != nil {
			return err
		}
	}
	return nil
}

// steer gives the question to the task's predicate and policy, or nil where it has neither.
func (w *Worker) steer(l *loan) func(FailedRun) (time.Duration, bool) {
	s, ok := w.steers[l.Task]
	if !ok {
		return nil
	}
	return func(run FailedRun) (delay time.Duration, again bool) {
		return s.decide(run, w.log.With("task", l.Task, "id", l.ID, "attempt", l.Attempt))
	}
}

func (s *steering) decide(run FailedRun, log *slog.Logger) (delay time.Duration, again bool) {
	defer func() {
		if p := recover(); p != nil {
			log.Error("stem: RetryIf or RetryWith panicked, the task's back-off decides", "panic", p, "stack", string(debug.Stack()))
			delay, again = run.Backoff, true
		}
	}()
	if s.retryIf != nil && !s.retryIf(run.Err) {
		return 0, false
	}
	if s.policy == nil {
		return run.Backoff, true
	}
	return s.policy(run)
}
