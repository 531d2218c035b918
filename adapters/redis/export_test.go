package redis

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gostem/gostem/stem"
)

// Clock moves the clocks of stores that are connected to one server.
type Clock struct {
	mu     sync.Mutex
	stores []*core
	offset time.Duration
	moved  chan struct{} // closed when the clock moves next
}

// NewClock gives a clock that is as the server's.
func NewClock() *Clock { return &Clock{moved: make(chan struct{})} }

// Timed is a store whose receivers look again when its clock has moved.
type Timed interface {
	stem.Broker
	stem.Backend
}

// Set lets a store follow the clock. Only receivers of the store that it answers hear that the clock moves.
func (k *Clock) Set(store any) Timed {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch store := store.(type) {
	case *Store:
		k.follow(store.core)
		return timedStore{store, k}
	case *ClusterStore:
		k.follow(store.core)
		return timedClusterStore{store, k}
	}
	return nil
}

func (k *Clock) follow(c *core) {
	c.offset.Store(k.offset.Milliseconds())
	k.stores = append(k.stores, c)
}

// Advance moves the clock, and lets all that wait look at it.
func (k *Clock) Advance(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.offset += d
	for _, c := range k.stores {
		c.offset.Store(k.offset.Milliseconds())
	}
	close(k.moved)
	k.moved = make(chan struct{})
}

type timedStore struct {
	*Store
	clock *Clock
}

func (s timedStore) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	return s.clock.receive(ctx, s.core, req)
}

type timedClusterStore struct {
	*ClusterStore
	clock *Clock
}

func (s timedClusterStore) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	return s.clock.receive(ctx, s.core, req)
}

// receive ends a receive when the clock moves and begins it anew: it may have looked by the old time, and wait only now.
// The clock of a server does not jump, so a store has no other way to hear of it.
func (k *Clock) receive(ctx context.Context, c *core, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	for {
		k.mu.Lock()
		moved := k.moved
		k.mu.Unlock()
		ds, err := receiveUntil(ctx, moved, c, req)
		if !errors.Is(err, context.Canceled) || ctx.Err() != nil {
			return ds, err
		}
	}
}

func receiveUntil(ctx context.Context, moved <-chan struct{}, c *core, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	ctx, cancel := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	defer watcher.Wait()
	defer cancel()
	watcher.Go(func() {
		select {
		case <-moved:
			cancel()
		case <-ctx.Done():
		}
	})
	return c.Receive(ctx, req)
}

// DropWaiters lets the free connections for blocking reads go.
func DropWaiters(s *Store) {
	s.waiters.mu.Lock()
	defer s.waiters.mu.Unlock()
	for _, w := range s.waiters.free {
		w.drop()
	}
	s.waiters.free = nil
}
