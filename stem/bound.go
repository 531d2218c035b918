package stem

import (
	"context"
	"sync"
	"time"
)

// boundContext ends with its parent, but not long after somebody has begun to
// depend on it: the time runs from the first look at Done or Deadline. Until then it has no
// timer and asks no clock, which spares stores that never block the cost of
// context.WithTimeout.
type boundContext struct {
	parent  context.Context
	timeout time.Duration

	mu     sync.Mutex
	timed  context.Context // nil until somebody looks
	cancel context.CancelFunc
}

// bound gives a context for one call to a store. The caller must call release.
func bound(ctx context.Context, timeout time.Duration) *boundContext {
	return &boundContext{parent: ctx, timeout: timeout}
}

func (c *boundContext) Deadline() (time.Time, bool) { return c.arm().Deadline() }
func (c *boundContext) Done() <-chan struct{}       { return c.arm().Done() }
func (c *boundContext) Err() error                  { return c.current().Err() }

// Value looks into the armed context first, where there is one, so that
// contexts derived from this one find its canceller without a goroutine.
func (c *boundContext) Value(key any) any { return c.current().Value(key) }

// current gives the armed context where there is one, else the parent.
func (c *boundContext) current() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed != nil {
		return c.timed
	}
	return c.parent
}

func (c *boundContext) arm() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.cancel = context.WithTimeout(c.parent, c.timeout)
	}
	return c.timed
}

// release ends the context and frees its timer.
func (c *boundContext) release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cancel != nil {
		c.cancel()
	}
}
