package stem

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Revocation says that a task shall not run: it starts no more, and where it runs its
// handler's context is cancelled with [ErrRevoked]. It is about one id on one queue,
// whether that is there already, comes later or is published again.
type Revocation struct {
	// Queue is the scope: a task of the same id on another queue is not meant.
	Queue string
	// ID is the id of the task.
	ID string
	// Family tells that all descendants of the task on the queue are meant too,
	// those that are there and those to come: every envelope in whose
	// Lineage the id stands.
	Family bool
	// For is how long the store keeps the revocation, from now and by its own
	// clock. More than 0.
	For time.Duration
	// Reason is shown in the failure of what the revocation cancels.
	Reason string
}

// Revoker keeps revocations, a capability. A broker that is one obeys them: what
// it lends of revoked envelopes has Revoked set, and Extend names the held deliveries
// that have been revoked. It does nothing else to them: an envelope waits for its turn
// as ever, and the worker that receives it judges. A store can keep the ids beside the
// queue, in a hash on Redis and in a table on Postgres: a receive and an extend then look
// into it once for all their deliveries, and only where the queue has any.
type Revoker interface {
	// Revoke stores revocations. It may be repeated: the later end stands, and the
	// newer reason. One with Family and one without stand beside each other.
	//
	// It says nothing of the tasks: whether one is there, runs or has ended would
	// cost a search, and could change before the answer arrives.
	Revoke(ctx context.Context, rs ...Revocation) error
}

// RevocationStore keeps revocations for brokers that are no [Revoker] (see
// ClientConfig.Revocations).
type RevocationStore interface {
	Revoker
	// Revoked answers a notice with the cause ErrRevoked for each delivery that is
	// revoked. It goes by their Queue and Lineage alone.
	Revoked(ctx context.Context, ds ...Delivery) ([]Notice, error)
}

// defaultRevokeFor is how long a revocation is kept that does not say it: longer
// than tasks lie in a queue, and longer than a weekend without workers.
const defaultRevokeFor = 7 * 24 * time.Hour

// RevokeOption adjusts one revocation.
type RevokeOption func(*revoking)

// revoking is a revocation in the making.
type revoking struct {
	Revocation
	queues []string // of the descendants, beside the task's own
}

// WithDescendants revokes the task's descendants as well: the tasks that its handler
// has enqueued or enqueues later, those that theirs enqueue, and so on. They are looked
// for on the task's own queue and on those that are named here. The task may have ended;
// its descendants are found none the less.
//
// A descendant is found by the ids that its envelope carries: of the first task of
// the family, and of the nearest [MaxAncestors] + 1 tasks above it. What lies further below a
// task that is not the family's first is not reached.
func WithDescendants(queues ...string) RevokeOption {
	return func(r *revoking) {
		r.Family = true
		r.queues = append(r.queues, queues...)
	}
}

// RevokeFor is how long the revocation is kept, from now on. What has not been received
// by then runs. The default is 7 days; where a [Job] is revoked that was enqueued with
// a delay, 7 days more than that delay.
func RevokeFor(d time.Duration) RevokeOption {
	return func(r *revoking) { r.For = d }
}

// RevokeReason is shown in the failure of what is cancelled, and in the cause that
// the handler's context gives. The default is none.
func RevokeReason(reason string) RevokeOption {
	return func(r *revoking) { r.Reason = reason }
}

// Revoke cancels the task of an id on a queue, whether it is queued, running, between
// two attempts or not enqueued yet. When it answers nil the store has the revocation:
//
//   - A task that no worker has received starts no more. The worker that receives it,
//     when it is due and its turn has come, writes its record: cancelled.
//   - A running task's context is cancelled with [ErrRevoked] within 5 s, as long as its
//     worker reaches the store. If the handler then returns an error, the task is cancelled; if
//     it gives a result all the same, that counts.
//   - A task that has ended is not changed.
//
// Revoke does not tell which of them was the case; Job.Wait does, with ErrCancelled. It
// may be repeated, and cannot be taken back: an id stays revoked for as long as the
// revocation is kept (see [RevokeFor]).
func (c *Client) Revoke(ctx context.Context, queue, id string, opts ...RevokeOption) error {
	if c == nil {
		return ErrNoClient
	}
	return c.revoke(ctx, revoking{Revocation: Revocation{Queue: queue, ID: id, For: defaultRevokeFor}}, opts)
}

// Revoke cancels the task, as [Client.Revoke] does.
func (j Job[R]) Revoke(ctx context.Context, opts ...RevokeOption) error {
	if j.client == nil {
		return ErrNoClient
	}
	keep := max(defaultRevokeFor, j.delay, defaultRevokeFor+j.delay) // the sum may overflow
	return j.client.revoke(ctx, revoking{Revocation: Revocation{Queue: j.queue, ID: j.id, For: keep}}, opts)
}

func (c *Client) revoke(ctx context.Context, r revoking, opts []RevokeOption) error {
	for _, opt := range opts {
		if opt != nil {
			opt(&r)
		}
	}
	if err := r.validate(); err != nil {
		return fmt.Errorf("revoke task %s: %w", clip(r.ID), err)
	}
	if c.revoker == nil {
		return fmt.Errorf("stem: revoke task %s: the broker %T is no stem.Revoker: set ClientConfig.Revocations to a store that is", r.ID, c.broker)
	}
	call := callContext(ctx, c.cfg.CallTimeout)
	defer call.end(nil)
	revocations := r.each()
	err := c.revoker.Revoke(call, revocations...)
	if err == nil {
		return nil
	}
	var failed []error
	for i := range revocations {
		if itemErr := ItemErr(err, i); itemErr != nil {
			failed = append(failed, fmt.Errorf("stem: revoke task %s on queue %s: %w", r.ID, revocations[i].Queue, itemErr))
		}
	}
	return errors.Join(failed...)
}

func (r *revoking) validate() error {
	if err := validName("id", r.ID); err != nil {
		return err
	}
	for _, q := range append([]string{r.Queue}, r.queues...) {
		if err := validName("queue", q); err != nil {
			return err
		}
	}
	if r.For <= 0 {
		return &OptionError{Option: "RevokeFor", Value: r.For.String(), Want: "a positive duration"}
	}
	return nil
}

// each gives one revocation for each queue, the task's own first.
func (r *revoking) each() []Revocation {
	r.Reason = text(r.Reason, longestMessage)
	rs := []Revocation{r.Revocation}
	for _, q := range r.queues {
		if q != r.Queue {
			other := r.Revocation
			other.Queue = q
			rs = append(rs, other)
		}
	}
	return rs
}

// revoked gives the cause that tells of a revocation.
func revoked(reason string) error {
	if reason == "" {
		return ErrRevoked
	}
	return &revokedError{reason}
}

// revokedError is ErrRevoked with a reason.
type revokedError struct{ reason string }

func (e *revokedError) Error() string { return ErrRevoked.Error() + ": " + e.reason }
func (e *revokedError) Unwrap() error { return ErrRevoked }

// cancelledFor judges that a task was revoked or replaced, and tells the cause's reason.
func cancelledFor(cause error, when string) judgement {
	var because *revokedError
	if !errors.As(cause, &because) {
		return cancelled(FailureRevoked, when)
	}
	if isReplaced(because.reason) {
		return cancelled(FailureReplaced, because.reason)
	}
	return cancelled(FailureRevoked, when+": "+because.reason)
}
