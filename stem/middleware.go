package stem

import (
	"context"
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
// The envelopes are the call's own, and may be changed before they are handed on:
// their Headers are a map of their own and never nil, a Payload may be replaced (not
// written to), for example by an encrypted one, and what stands then is checked
// again. All must be handed on, in order, and once. To answer an error without handing
// on is to refuse them all. A panic becomes the error of the enqueue.
//
// Complete envelopes that are given to [Client.Publish] pass none: they have passed.
type EnqueueMiddleware func(Enqueuer) Enqueuer

// wrapEnqueue puts middleware around what takes envelopes to the store.
func wrapEnqueue(middleware []EnqueueMiddleware, to Publisher, check func(*Envelope) error) (Enqueuer, error) {
	enqueue := func(ctx context.Context, envs []Envelope) ([]Published, error) {
		for i := range envs {
			if err := check(&envs[i]); err != nil {
				return nil, fmt.Errorf("after the enqueue middleware: envelope %d: %w", i, err)
			}
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
	return enqueue(ctx, envs)
}
