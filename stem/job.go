package stem

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem/codec"
)

// ticket says which task an enqueue led to and who can ask for its result.
type ticket struct {
	id, queue string
	delay     time.Duration // from its enqueue until it is due
	replaces  string
	duplicate bool
	ignored   bool
	client    *Client
}

// Job is a typed claim on the result of one task. It is a small value, to be
// copied freely.
type Job[R any] struct {
	ticket
	spec *TaskSpec
	read func(*codec.Reader, *R)
}

// ID gives the task's id.
func (j Job[R]) ID() string { return j.id }

// Queue gives the name of the task's queue.
func (j Job[R]) Queue() string { return j.queue }

// Duplicate reports that the enqueue added nothing, because a task with the same
// id or idempotency key was enqueued within the dedupe window, or because one holds the
// unique key. The job is that task's.
func (j Job[R]) Duplicate() bool { return j.duplicate }

// Replaces gives the id of the task that was cancelled in favour of this one (see
// ConflictReplace), or "".
func (j Job[R]) Replaces() string { return j.replaces }

// Wait blocks until the task has ended and answers its result.
//
// A task that failed or was cancelled gives a *TaskError (a cancelled one
// matches ErrCancelled). When ctx ends first the error wraps ErrNoResult and
// ctx.Err(): the task may be queued, running, or unknown. At ctx's deadline the broker is
// asked, for a quarter of a second at most, whether something keeps the tasks of the queue
// waiting, and the error's text tells it. A store that fails meanwhile does not end the wait: it is asked again, with back-off. A result that is no longer kept gives ErrResultExpired, an id that is another task's ErrOtherTask.
//
// Inside a handler, with a context made from the handler's, Wait lends the slot to
// another task until the wait is over, and then waits for a free one before it returns
// (see WorkerConfig.MaxLent). A task that waits for itself is told so. When the worker stops, the handler is cancelled with
// ErrShutdown and its task given back: nobody may be left to run what it waits for.
func (j Job[R]) Wait(ctx context.Context) (R, error) {
	var result R
	if err := j.waitable(ctx); err != nil {
		return result, err
	}
	record, err := j.await(ctx)
	if err == nil {
		err = j.owns(record)
	}
	if err != nil {
		return result, fmt.Errorf("stem: wait for task %s (%s) in queue %s: %w%s", j.spec.Name, j.id, j.queue, err, j.obstacle(ctx, err))
	}
	if record.State != StateSucceeded {
		return result, taskError(record)
	}
	if len(record.Payload) == 0 {
		return result, nil // of a Handler that gave nil
	}
	r := codec.NewReader(record.Payload)
	j.read(&r, &result)
	if err := r.Finish(); err != nil {
		return result, fmt.Errorf("stem: task %s (%s): decode result: %w", j.spec.Name, j.id, err)
	}
	return result, nil
}

// waitable reports why nobody can wait for the task here.
func (j Job[R]) waitable(ctx context.Context) error {
	switch l := loanFrom(ctx); {
	case j.client == nil:
		return ErrNoClient
	case j.ignored:
		return fmt.Errorf("stem: wait for task %s (%s): %w", j.spec.Name, j.id, ErrResultIgnored)
	case l != nil && l.ID == j.id:
		return fmt.Errorf("stem: task %s (%s) waits for itself: that would never end: enqueue another task, or return", j.spec.Name, j.id)
	default:
		return nil
	}
}

// await blocks until the task's record is terminal; inside a handler, with its slot lent.
func (j Job[R]) await(ctx context.Context) (Result, error) {
	if l := loanFrom(ctx); l != nil {
		return l.await(ctx, j.client, j.id)
	}
	return j.client.await(ctx, j.id)
}

// Status answers the record that the result backend has of the task now. A task
// without one is StatePending.
func (j Job[R]) Status(ctx context.Context) (Result, error) {
	if j.client == nil {
		return Result{}, ErrNoClient
	}
	record, err := j.client.load(ctx, j.id)
	if err == nil {
		err = j.owns(record)
	}
	switch {
	case errors.Is(err, ErrNoResult):
		return Result{ID: j.id, Task: j.spec.Name, State: StatePending}, nil
	case err != nil:
		return Result{}, fmt.Errorf("stem: status of task %s (%s): %w", j.spec.Name, j.id, err)
	}
	return record, nil
}

// owns refuses the record of another task: ids are the caller's to give, and one
// of another task may be of another type. What was enqueued under an alias is this
// task's.
func (j Job[R]) owns(r Result) error {
	if !j.spec.answersTo(r.Task) {
		return fmt.Errorf("%w: the id is that of a task %s", ErrOtherTask, r.Task)
	}
	return nil
}

func taskError(r Result) error {
	e := &TaskError{ID: r.ID, Task: r.Task, State: r.State, Attempt: r.Attempt, History: r.History}
	if r.Failure != nil {
		e.Failure = *r.Failure
	}
	return e
}
