package adaptertest

import (
	"context"
	"errors"

	"github.com/gostem/gostem/stem"
)

// call is a blocking call under way in a goroutine of its own. It has ended
// when the promise has: what nobody waited for is cancelled and waited for.
type call[T any] struct {
	x      *exam
	cancel context.CancelFunc
	done   chan struct{}
	// value and err are set when done is closed.
	value T
	err   error
}

// start makes a call in the background. It may block for as long as the store's
// clock is moved about; once somebody waits for its answer, patience is as
// limited as with any other call.
func start[T any](x *exam, f func(ctx context.Context) (T, error)) *call[T] {
	ctx, cancel := context.WithCancel(x.Context())
	c := &call[T]{x: x, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.value, c.err = f(ctx)
	}()
	x.Cleanup(func() {
		cancel()
		<-c.done
	})
	return c
}

// receiving starts to receive.
func (x *exam) receiving(req stem.ReceiveRequest) *call[[]stem.Delivery] {
	return start(x, func(ctx context.Context) ([]stem.Delivery, error) { return x.Broker.Receive(ctx, req) })
}

// publishing starts to publish.
func (x *exam) publishing(envs []stem.Envelope) *call[[]stem.Published] {
	return start(x, func(ctx context.Context) ([]stem.Published, error) { return x.Broker.Publish(ctx, envs...) })
}

// none is the value of a call that answers an error only.
type none struct{}

// saving starts to save.
func (x *exam) saving(rs ...stem.Result) *call[none] {
	return start(x, func(ctx context.Context) (none, error) { return none{}, x.Backend.Save(ctx, rs...) })
}

// loading starts to load a record that need not be there.
func (x *exam) loading(id string) *call[none] {
	return start(x, func(ctx context.Context) (none, error) {
		_, err := x.Backend.Load(ctx, id)
		if errors.Is(err, stem.ErrNoResult) {
			err = nil
		}
		return none{}, err
	})
}

// blocks expects the call to be still under way after a while.
func (c *call[T]) blocks() {
	c.x.Helper()
	ctx, cancel := context.WithTimeout(c.x.Context(), quiet)
	defer cancel()
	select {
	case <-c.done:
		c.x.Fatalf("got an answer (%v, error %v), want the call to block", brief(c.value), c.err)
	case <-ctx.Done():
	}
}

// answer waits for the call and expects it to succeed.
func (c *call[T]) answer() T {
	c.x.Helper()
	value, err := c.end()
	if err != nil {
		c.x.Fatalf("got error %v, want an answer", err)
	}
	return value
}

// end waits for the call and gives its error.
func (c *call[T]) end() (T, error) {
	c.x.Helper()
	ctx, cancel := c.x.bounded()
	defer cancel()
	select {
	case <-c.done:
	case <-ctx.Done():
		c.x.Fatalf("got no answer, want one")
	}
	return c.value, c.err
}
