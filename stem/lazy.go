package stem

import (
	"context"
	"sync"
	"time"
)

// lazyContext is a context that costs nothing until somebody looks at it: most
// calls to a store in memory, and most short handlers, never do. Only then does it
// become one of package context's, with its canceller and its timer.
type lazyContext struct {
	parent  context.Context
	timeout time.Duration // runs from the first look; 0 means none
	cause   error         // of the timeout; nil means context.DeadlineExceeded

	mu     sync.Mutex
	due    *time.Time      // when the timeout is over, from when somebody has asked for that alone
	armed  context.Context // nil until somebody looks
	cancel context.CancelCauseFunc
	ended  bool
	why    error // it ended, if that was before somebody looked
}

// callContext gives a context for one call to a store, which ends with ctx or at its
// timeout. The caller must end it.
func callContext(ctx context.Context, timeout time.Duration) *lazyContext {
	return &lazyContext{parent: ctx, timeout: timeout}
}

// end cancels the context for a reason, as context.CancelCauseFunc does, and
// frees its timer. Only the first end counts.
func (c *lazyContext) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	c.ended, c.why = true, why
	if c.cancel != nil {
		c.cancel(why)
	}
}

// again makes a context that has ended ready for another call, where nobody has looked
// at it; else it gives a new one. Whoever makes one call after the other, and calls
// only what does not use a context after it has returned, pays for one.
func (c *lazyContext) again(ctx context.Context, timeout time.Duration) *lazyContext {
	if c == nil {
		return callContext(ctx, timeout)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.armed != nil {
		return callContext(ctx, timeout)
	}
	c.parent, c.timeout, c.due = ctx, timeout, nil
	c.ended, c.why = false, nil
	return c
}

// look gives the context of package context that stands behind this one.
func (c *lazyContext) look() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.armed != nil {
		return c.armed
	}
	c.armed, c.cancel = context.WithCancelCause(c.parent)
	if c.timeout > 0 {
		timed, stop := context.WithDeadlineCause(c.armed, c.over(), c.cause)
		cancel := c.cancel
		c.armed, c.cancel = timed, func(why error) { cancel(why); stop() }
	}
	if c.ended {
		c.cancel(c.why)
	}
	return c.armed
}

// Deadline implements context.Context. Drivers of stores ask for it at every call and look no further as a
// rule, so it needs no timer.
func (c *lazyContext) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.armed != nil {
		return c.armed.Deadline()
	}
	deadline, ok := c.parent.Deadline()
	if c.timeout > 0 && (!ok || c.over().Before(deadline)) {
		return c.over(), true
	}
	return deadline, ok
}

// over gives when the timeout is over, which runs from the first time that this is asked.
func (c *lazyContext) over() time.Time {
	if c.due == nil {
		due := time.Now().Add(c.timeout)
		c.due = &due
	}
	return *c.due
}

// Done implements context.Context.
func (c *lazyContext) Done() <-chan struct{} { return c.look().Done() }

// Err implements context.Context. It is asked often, before work begins, and needs no look.
func (c *lazyContext) Err() error {
	c.mu.Lock()
	parent, armed, ended := c.parent, c.armed, c.ended
	c.mu.Unlock()
	switch {
	case armed != nil:
		return armed.Err()
	case ended:
		return context.Canceled
	default:
		return parent.Err()
	}
}

// Value implements context.Context. Package context finds through it what
// stands behind, so that context.Cause works and derived contexts need no goroutine.
func (c *lazyContext) Value(key any) any { return c.look().Value(key) }
