package stem

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// loan is a delivery in the hands of a worker, from its receive until it is
// settled. There is one for each task, so what few of them need stands behind a
// pointer, which is nil until then.
type loan struct {
	*Delivery
	worker     *Worker
	received   *time.Time    // one for all that were received together
	waited     time.Duration // until the handler started
	ctx        taskContext
	left       map[string]string // the marks for the next delivery
	goroutine  string            // the one that runs the handler
	prev, next *loan             // guarded by held.mu

	soft    *softLimit                // where the task has one
	pulse   *pulse                    // where the task has to show signs of life
	stuck   atomic.Pointer[stuckness] // where the handler goes on after the end of ctx
	refusal *refusal                  // where the store has refused the record

	completion atomic.Pointer[completion] // where a transaction of the handler's took one
	reporting  atomic.Pointer[reporting]  // where the handler has reported progress

	runs     atomic.Bool // the handler does
	asked    atomic.Bool // it has waited for a job
	waits    int32       // for how many it waits now; guarded by hand.mu
	lent     bool        // its slot is, meanwhile; guarded by hand.mu
	slotGone bool        // it has returned, and its slot is somebody else's
}

func (l *loan) init(w *Worker, d *Delivery, now *time.Time) {
	l.Delivery, l.worker, l.received, l.left = d, w, now, d.Marks
	l.ctx.loan = l
	l.ctx.parent, l.ctx.timeout, l.ctx.cause = w.base, d.Timeout, ErrTimeout
}

// weight is what the loan takes of the bytes in hand.
func (l *loan) weight() int64 { return int64(len(l.Payload)) }

// lose ends the handler's context, if it runs, and keeps it from running if it
// has not started.
func (l *loan) lose(cause error) { l.ctx.end(cause) }

// family is the id of the first task of the family.
func (l *loan) family() string {
	if l.Root != "" {
		return l.Root
	}
	return l.ID
}

// ancestors are the ids between a child of the task and the first of the family.
func (l *loan) ancestors() []string {
	if l.Parent == l.Root {
		return nil // it is the first itself, or a child of that
	}
	return append([]string{l.Parent}, l.Ancestors[:min(len(l.Ancestors), MaxAncestors-1)]...)
}

// revoked gives why the handler's context was cancelled, if the task was revoked.
func (l *loan) revoked() error {
	if l.ctx.Err() == nil {
		return nil
	}
	if cause := context.Cause(&l.ctx); errors.Is(cause, ErrRevoked) {
		return cause
	}
	return nil
}

// dueFor is how long ago the task became due for the first time; an adapter that gives no
// sense counts as none.
func (l *loan) dueFor(now time.Time) time.Duration {
	return max(l.Age-l.Delay, 0) + now.Sub(*l.received)
}

// started is when the handler was called, or the middleware before it.
func (l *loan) started() time.Time { return l.received.Add(l.waited - l.Waited) }

func (l *loan) ref() TaskRef {
	return TaskRef{ID: l.ID, Task: l.Task, Queue: l.Queue, Worker: l.worker.cfg.Name, Attempt: l.Attempt, Delivery: l.Number}
}

// record is the task's record as of this delivery, with the history in the marks.
func (l *loan) record(s State, marks map[string]string) Result {
	return Result{
		ID: l.ID, Task: l.Task, Queue: l.Queue, State: s,
		Delivery: l.Number, Attempt: l.Attempt,
		Interruptions: l.Interruptions, Snoozes: l.Snoozes, Releases: l.Releases,
		History: historyIn(marks), Worker: l.worker.cfg.Name, Waited: l.waited, Keep: l.KeepResult,
	}
}

// taskContext is a handler's context: one that knows its task.
type taskContext struct {
	lazyContext
	loan *loan
}

type loanKey struct{}

func (c *taskContext) Value(key any) any {
	switch key.(type) {
	case loanKey:
		return c.loan
	case clientKey:
		return c.loan.worker.client
	default:
		return c.lazyContext.Value(key)
	}
}

func loanFrom(ctx context.Context) *loan {
	l, _ := ctx.Value(loanKey{}).(*loan)
	return l
}

// held is all that a worker holds: a list through the loans themselves.
type held struct {
	mu    sync.Mutex
	first *loan
	count int
}

func (h *held) add(loans []loan) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range loans {
		l := &loans[i]
		if l.next = h.first; l.next != nil {
			l.next.prev = l
		}
		h.first = l
	}
	h.count += len(loans)
}

func (h *held) remove(endings []ending) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range endings {
		l := e.loan
		if l.next != nil {
			l.next.prev = l.prev
		}
		if l.prev != nil {
			l.prev.next = l.next
		} else {
			h.first = l.next
		}
		l.prev, l.next = nil, nil
		if l.Interruptions > 0 {
			l.worker.client.ward.dismiss(l)
		}
	}
	h.count -= len(endings)
}

// snapshot gives what is held now, as loans and as deliveries, in one order.
func (h *held) snapshot() ([]*loan, []Delivery) {
	h.mu.Lock()
	defer h.mu.Unlock()
	loans := make([]*loan, 0, h.count)
	deliveries := make([]Delivery, 0, h.count)
	for l := h.first; l != nil; l = l.next {
		loans = append(loans, l)
		deliveries = append(deliveries, *l.Delivery)
	}
	return loans, deliveries
}

func (h *held) len() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}

func (h *held) cancelAll(cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := h.first; l != nil; l = l.next {
		l.lose(cause)
	}
}

// expire loses every loan whose lease, last renewed at that time, is over, and
// answers when the next one will be; zero if none.
func (h *held) expire(renewed time.Time, lease time.Duration, now time.Time) (next time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := h.first; l != nil; l = l.next {
		if l.ctx.Err() != nil {
			continue
		}
		end := renewed.Add(max(lease, l.Visibility))
		if !now.Before(end) {
			l.lose(ErrLeaseLost)
		} else if next.IsZero() || end.Before(next) {
			next = end
		}
	}
	return next
}

// running names the tasks whose handlers have not returned.
func (h *held) running() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var names []string
	for l := h.first; l != nil; l = l.next {
		if l.runs.Load() {
			names = append(names, fmt.Sprintf("%s (%s)", l.Task, l.ID))
		}
	}
	return names
}
