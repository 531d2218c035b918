package stem

import (
	"context"
	"sync"
	"time"
)

// boundContext ends at a deadline, and with its parent if it has one to end with. Its
// timer exists only once somebody asks for Done, which spares stores that never
// block most of the cost of context.WithTimeout.
type boundContext struct {
	parent   context.Context
	deadline time.Time

	mu     sync.Mutex
	timed  context.Context // nil until Done needs it
	cancel context.CancelFunc
}

// bound gives a context that ends with ctx, but d from now at the latest. The
// caller must call release.
func bound(ctx context.Context, d time.Duration) *boundContext {
	deadline := time.Now().Add(d)
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(deadline) {
		deadline = earlier
	}
	return &boundContext{parent: ctx, deadline: deadline}
}

func (c *boundContext) Deadline() (time.Time, bool) { return c.deadline, true }
func (c *boundContext) Done() <-chan struct{}       { return c.arm().Done() }

// Err needs no timer: it looks at the parent and at the clock.
func (c *boundContext) Err() error {
	c.mu.Lock()
	timed := c.timed
	c.mu.Unlock()
	if timed != nil {
		return timed.Err()
	}
	if err := c.parent.Err(); err != nil {
		return err
	}
	if !time.Now().Before(c.deadline) {
		return context.DeadlineExceeded
	}
	return nil
}

// Value looks into the armed context first, where there is one, so that
// contexts derived from this one find its canceller without a goroutine.
func (c *boundContext) Value(key any) any {
	c.mu.Lock()
	timed := c.timed
	c.mu.Unlock()
	if timed != nil {
		return timed.Value(key)
	}
	return c.parent.Value(key)
}

func (c *boundContext) arm() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.timed == nil {
		c.timed, c.cancel = context.WithDeadline(c.parent, c.deadline)
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
