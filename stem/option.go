package stem

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// Option adjusts how a task is enqueued. The same options stand in three places,
// and a later one overrides an earlier one, also with a zero: the defaults of a
// client, the options of a task definition, the options of one call.
type Option func(*draft)

// draft is an envelope in the making.
type draft struct {
	*Envelope
	// ownHeaders tells that Headers is a map of this draft alone, ownID that the
	// caller has given the id.
	ownHeaders, ownID bool
	// ownLimit tells that Limit is this draft's alone, limitKey where its key comes from.
	ownLimit bool
	limitKey limitKey
	// empty names an id or a key that was given as "" where there was none to take back.
	empty string
	// followUps are the links that options have asked for, and depth is how deep among the
	// links of another draft this one is.
	followUps []followUp
	depth     int
	// unique is what options have said about uniqueness, nil where none has.
	unique *uniqueDraft
}

// Delay makes the task due d after it is enqueued. A negative d counts as 0.
func Delay(d time.Duration) Option {
	return func(e *draft) { e.Delay = max(d, 0) }
}

// At makes the task due at t; a time that has passed means at once. The wait is
// computed when the task is enqueued, and the store's clock measures it.
func At(t time.Time) Option {
	return func(e *draft) { e.Delay = max(time.Until(t), 0) }
}

// ExpiresIn cancels the task if a run of it, the first or a retry, has not started
// d after it is enqueued. 0 means that it never expires.
func ExpiresIn(d time.Duration) Option {
	return func(e *draft) { e.ExpiresIn = d }
}

// ExpiresAt cancels the task if a run of it has not started at t. As with At, only
// the time left reaches the store. The zero time means that it never expires.
func ExpiresAt(t time.Time) Option {
	return func(e *draft) {
		if e.ExpiresIn = 0; !t.IsZero() {
			e.ExpiresIn = max(time.Until(t), 1)
		}
	}
}

// OnQueue puts the task on a queue. The default is DefaultQueue.
func OnQueue(queue string) Option {
	return func(e *draft) { e.Queue = queue }
}

// Priority is 0–9; within a queue, a task of a higher priority is received
// first. The default is 0.
func Priority(p int) Option {
	return func(e *draft) { e.Priority = p }
}

// MaxRetries is how many failed attempts may be followed by another one. The
// default is 3.
func MaxRetries(n int) Option {
	return func(e *draft) { e.MaxRetries = n }
}

// RetryFor is for how long after the task was first due a failed attempt may be followed
// by another one: a retry that would be due later is not made, and the task becomes a
// dead letter whose failure says so. It bounds retries in time, as MaxRetries does by
// number, and whichever is reached first ends them. Snoozes and releases
// count as time, and are never refused for it; a run under way is not cut short. 0, the
// default, means no such bound.
func RetryFor(d time.Duration) Option {
	return func(e *draft) { e.RetryFor = d }
}

// Backoff says how long to wait before each retry. The default is exponential
// from 2 s to 5 min, with full jitter.
func Backoff(p BackoffPolicy) Option {
	return func(e *draft) { e.Backoff = p }
}

// Timeout bounds each run of the handler: its context is cancelled then with
// the cause ErrTimeout. 0, the default, means no bound.
func Timeout(d time.Duration) Option {
	return func(e *draft) { e.Timeout = d }
}

// SoftTimeout warns each run of the handler that lasts d: the channel that
// SoftTimeoutReached gives is closed, and observers are told TaskSoftTimeout. Nothing is
// cancelled. It must be less than the Timeout, where there is one: a call that sets one
// of them may have to set the other. Where one of the two is only a default of the client,
// a soft timeout that is not less has no effect. 0, the default, means no warning.
func SoftTimeout(d time.Duration) Option {
	return func(e *draft) { e.SoftTimeout = d }
}

// HeartbeatTimeout cancels a run that shows no sign of life for d, with the cause
// ErrHeartbeatTimeout, and has it judged as one that ran into its timeout. Signs are its start,
// [Heartbeat], [Progress] and a wait for a job. It is for tasks that run for long and tell
// so as they go: one that hangs is noticed long before a Timeout that all of its work would fit
// into. 0, the default, means that no sign is asked for.
func HeartbeatTimeout(d time.Duration) Option {
	return func(e *draft) { e.HeartbeatTimeout = d }
}

// Visibility is how long after its worker was last heard of the task may run
// elsewhere, for tasks that should wait longer for a silent worker than the
// lease of its session. A shorter one than the lease has no effect. The default is 0.
func Visibility(d time.Duration) Option {
	return func(e *draft) { e.Visibility = d }
}

// KeepResult is how long the result is kept. The default is 24 h.
func KeepResult(d time.Duration) Option {
	return func(e *draft) { e.KeepResult = d }
}

// IgnoreResult stores no result; nobody can wait for the task.
func IgnoreResult() Option { return KeepResult(0) }

// WithID gives the task an id of the caller's (1–200 printable ASCII bytes). It
// is also the task's dedupe key where no IdempotencyKey is given: enqueueing the
// same id on the same queue again within the dedupe window adds nothing, and
// the job tells so. After the window an id should not be used again as long as
// the earlier task's result is kept: who waits for it could get that one.
//
// "" takes back the id of the task definition. Where there is none to take back it is an
// error, since nothing would keep the task from being enqueued twice.
func WithID(id string) Option {
	return func(e *draft) {
		e.takesBack("id", e.ID, id)
		e.ID, e.ownID = id, id != ""
	}
}

// IdempotencyKey (1–200 printable ASCII bytes) makes a second task of the same
// name with the same key on the same queue, within the dedupe window, a
// duplicate: it is not stored, and the job that Enqueue answers is the first one's.
// A task that is renamed starts anew: keys that were used under an alias do not count.
// "" takes back the key of the task definition, and is an error where there is none.
func IdempotencyKey(key string) Option {
	return func(e *draft) {
		e.takesBack("idempotency key", e.DedupeKey, key)
		e.DedupeKey = key
	}
}

// takesBack notes an empty id or key that overrides none: it comes from a variable that
// should not be empty, and would cost the caller what it relies on.
func (e *draft) takesBack(option, earlier, later string) {
	switch {
	case later != "" && e.empty == option:
		e.empty = ""
	case later == "" && earlier == "":
		e.empty = option
	}
}

// DedupeWindow is how long a WithID or IdempotencyKey is remembered, counted
// from the first enqueue. The default is 10 min.
func DedupeWindow(d time.Duration) Option {
	return func(e *draft) { e.DedupeWindow = d }
}

// Header adds one header; all together may have 64 KiB. Handlers see headers with Info(ctx).
func Header(key, value string) Option {
	return func(e *draft) {
		if !e.ownHeaders {
			e.Headers, e.ownHeaders = maps.Clone(e.Headers), true
			if e.Headers == nil {
				e.Headers = make(map[string]string, 1)
			}
		}
		e.Headers[key] = value
	}
}

// Fingerprint says which schema the payload of an EnqueueRaw has (see [Schema]), so
// that only workers that read it get the task. It has no effect where the task
// definition tells the schema of its own args. The default is 0, unknown.
func Fingerprint(schema uint64) Option {
	return func(e *draft) { e.Fingerprint = schema }
}

// resolve makes the draft a complete envelope out of what the client, the
// definition and the call say, in this order.
func (e *draft) resolve(ctx context.Context, client *Client, spec *TaskSpec, payload []byte, opts []Option) error {
	e.fill(client, spec, payload, opts)
	if parent := loanFrom(ctx); parent != nil {
		if cause := parent.revoked(); cause != nil {
			return fmt.Errorf("stem: enqueue task %s from task %s (%s): %w", clip(spec.Name), parent.Task, parent.ID, cause)
		}
		e.Parent, e.Root, e.Ancestors = parent.ID, parent.family(), parent.ancestors()
	}
	if err := e.complete(client); err != nil {
		return fmt.Errorf("enqueue task %s: %w", clip(spec.Name), err)
	}
	return e.tooLarge(client.maxPayload())
}

// fill says what the client, the definition and the call do.
func (e *draft) fill(client *Client, spec *TaskSpec, payload []byte, opts []Option) {
	if client != nil {
		*e.Envelope, e.limitKey = client.base, client.limitKey
	} else {
		*e.Envelope = builtin()
	}
	e.apply(spec.Options)
	e.apply(opts)
	if client != nil {
		e.forgiveSoft(&client.base)
	}
	e.Payload = payload
	e.identify(spec)
}

// forgiveSoft drops a soft timeout that would come too late, where it or the timeout is a
// default of the client: whoever sets defaults for a whole program, perhaps from its
// environment, must not make the enqueue of a task fail that has limits of its own.
func (e *draft) forgiveSoft(base *Envelope) {
	if e.Timeout > 0 && e.SoftTimeout >= e.Timeout && (e.SoftTimeout == base.SoftTimeout || e.Timeout == base.Timeout) {
		e.SoftTimeout = 0
	}
}

// identify says which task this is and which schema its args have.
func (e *draft) identify(spec *TaskSpec) {
	e.Task = spec.Name
	if spec.Schema.Fingerprint != 0 {
		e.Fingerprint = spec.Schema.Fingerprint
	}
}

// builtin is what holds where nobody says otherwise.
func builtin() Envelope {
	return Envelope{
		Queue:        DefaultQueue,
		MaxRetries:   defaultMaxRetries,
		Backoff:      defaultBackoff,
		KeepResult:   defaultKeepResult,
		DedupeWindow: defaultDedupeWindow,
	}
}

// apply runs options in order.
func (e *draft) apply(opts []Option) {
	for _, opt := range opts {
		if opt != nil {
			opt(e)
		}
	}
}

// complete fills in what follows from the rest and checks the whole. The key of one
// task is not that of another, whose result is of another type; a space, which no
// name contains, keeps them apart.
func (e *draft) complete(client *Client) error {
	if e.empty != "" {
		return validName(e.empty, "")
	}
	switch {
	case e.DedupeKey != "":
		if err := validName("idempotency key", e.DedupeKey); err != nil {
			return err
		}
		e.DedupeKey = e.Task + " " + e.DedupeKey
	case e.ID != "":
		e.DedupeKey = e.ID
	default:
		e.DedupeWindow = 0
	}
	if e.ID == "" {
		e.ID = NewID()
	}
	if err := e.completeLimit(); err != nil {
		return err
	}
	if e.followUps != nil {
		if err := e.link(client); err != nil {
			return err
		}
	}
	if e.unique != nil {
		if err := e.makeUnique(client); err != nil {
			return err
		}
	}
	return e.Validate()
}
