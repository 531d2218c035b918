package stem

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
)

// Enqueuer takes complete envelopes to the store, and answers as Publish of a
// [Publisher] does. It is what enqueue middleware wraps.
type Enqueuer func(ctx context.Context, envs []Envelope) ([]Published, error)

// EnqueueMiddleware wraps what becomes of envelopes once their options are resolved,
// however they are enqueued: one, many, raw, or in a transaction. The first of a list is
// the outermost. It is called once for a client, and for each enqueue in a transaction.
//
// The envelopes are the call's own, and may be changed where they are before they are handed on:
// their Headers are a map of their own and never nil, a Payload may be replaced (not
// written to), for example by an encrypted one, and what stands then is checked
// again. All must be handed on, in order, and once. To answer an error without handing
// on is to refuse them all. A panic becomes the error of the enqueue.
//
// Complete envelopes that are given to [Client.Publish] pass none: they have passed. What lies in
// Links has not: it passes when a worker publishes it, through the middleware of its client.
type EnqueueMiddleware func(Enqueuer) Enqueuer

// wrapEnqueue puts middleware around what takes envelopes to the store.
func wrapEnqueue(middleware []EnqueueMiddleware, to Publisher, check func(*Envelope) error) (Enqueuer, error) {
	enqueue := func(ctx context.Context, envs []Envelope) ([]Published, error) {
		for i := range envs {
			if err := check(&envs[i]); err != nil {
				return nil, fmt.Errorf("after the enqueue middleware: envelope %d: %w", i, err)
			}
		}
		if reached, _ := ctx.Value(reachedKey{}).(*bool); reached != nil {
			*reached = true
		}
		return to.Publish(ctx, envs...)
	}
	for i, wrap := range slices.Backward(middleware) {
		if wrap == nil {
			return nil, fmt.Errorf("stem: ClientConfig.Middleware: number %d is nil", i)
		}
		if enqueue = wrap(enqueue); enqueue == nil {
			return nil, fmt.Errorf("stem: ClientConfig.Middleware: number %d gave no Enqueuer: return the next one to do nothing", i)
		}
	}
	return enqueue, nil
}

// reachedKey finds in a context where to note that envelopes have passed the middleware, for who must tell its refusals
// from those of the store.
type reachedKey struct{}

// publish takes envelopes through the client's middleware, if it has any, to the
// store or the transaction of the route.
func (r route) publish(ctx context.Context, client *Client, envs []Envelope) (answers []Published, err error) {
	to := r.via
	if to == nil {
		to = client
	}
	if client == nil || client.enqueue == nil {
		return to.Publish(ctx, envs...)
	}
	defer func() {
		if p := recover(); p != nil {
			client.cfg.Logger.ErrorContext(ctx, "stem: the enqueue middleware panicked", "panic", p, "stack", string(debug.Stack()))
			answers, err = nil, fmt.Errorf("the enqueue middleware panicked: %v", p)
		}
	}()
	enqueue := client.enqueue
	if r.via != nil {
		if enqueue, err = wrapEnqueue(client.cfg.Middleware, r.via, client.check); err != nil {
			return nil, err
		}
	}
	for i := range envs {
		headers := make(map[string]string, len(envs[i].Headers)+1)
		maps.Copy(headers, envs[i].Headers)
		envs[i].Headers = headers
	}
	answers, err = enqueue(ctx, envs)
	if err == nil && (len(answers) != len(envs) || slices.ContainsFunc(answers, func(p Published) bool { return p.ID == "" })) {
		return nil, fmt.Errorf("the enqueue middleware gave the ids of %d tasks for %d: it must hand on all envelopes, once, and answer what next does (its tasks may have been enqueued)", withID(answers), len(envs))
	}
	return answers, err
}

// withID counts the answers that name a task.
func withID(answers []Published) (n int) {
	for _, p := range answers {
		if p.ID != "" {
			n++
		}
	}
	return n
}

// Receiver looks at a delivery that is about to run and gives the one that the handler
// gets. It is what receive middleware wraps.
type Receiver func(ctx context.Context, d *Delivery) (*Delivery, error)

// ReceiveMiddleware wraps what stands between the receive of a task and its run: it may
// verify or decrypt. The first of a list is the outermost; it is called once for a worker.
//
// It sees each delivery that may run, before its args are decoded, TaskStarted is told
// and other middleware is called. What must not run (expired, revoked, poison, unreadable)
// never comes so far. The delivery is shared: to change its payload is to hand on a
// copy, as [Delivery.WithPayload] makes; whatever it changes, the delivery that was
// received is the one that is settled.
//
// An error, or a panic, is judged as one of the handler's, which is not called:
// Permanent makes a dead letter, Snooze costs no attempt, others are retried. The context is
// that of the handler, and the task's limits of time count from before the middleware.
type ReceiveMiddleware func(Receiver) Receiver

// WithPayload gives a copy of the delivery with another payload.
func (d *Delivery) WithPayload(payload []byte) *Delivery {
	other, envelope := *d, *d.Envelope
	envelope.Payload = payload
	other.Envelope = &envelope
	return &other
}

// wrapReceive puts middleware around a Receiver that does nothing; none gives nil.
func wrapReceive(middleware []ReceiveMiddleware) (Receiver, error) {
	if len(middleware) == 0 {
		return nil, nil
	}
	receive := func(_ context.Context, d *Delivery) (*Delivery, error) { return d, nil }
	for i, wrap := range slices.Backward(middleware) {
		if wrap == nil {
			return nil, fmt.Errorf("stem: WorkerConfig.ReceiveMiddleware: number %d is nil", i)
		}
		if receive = wrap(receive); receive == nil {
			return nil, fmt.Errorf("stem: WorkerConfig.ReceiveMiddleware: number %d gave no Receiver: return the next one to do nothing", i)
		}
	}
	return receive, nil
}

var errNoDelivery = errors.New("the receive middleware gave no delivery, and no error")

// handed gives the delivery that the handler gets.
func (w *Worker) handed(l *loan) (*Delivery, error) {
	if w.unpack == nil {
		return l.Delivery, nil
	}
	d, err := w.unpack(&l.ctx, l.Delivery)
	if err == nil && (d == nil || d.Envelope == nil) {
		err = errNoDelivery
	}
	return d, err
}
