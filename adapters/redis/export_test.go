package redis

import (
	"context"
	"sync"
	"time"
)

// Clock moves the clocks of stores that are connected to one server.
type Clock struct {
	mu     sync.Mutex
	stores []*core
	offset time.Duration
}

// NewClock gives a clock that is as the server's.
func NewClock() *Clock { return new(Clock) }

// Set lets a store follow the clock.
func (k *Clock) Set(s *Store) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s.offset.Store(k.offset.Milliseconds())
	k.stores = append(k.stores, s.core)
}

// Advance moves the clock, and lets all that wait look at it.
func (k *Clock) Advance(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.offset += d
	for _, c := range k.stores {
		c.offset.Store(k.offset.Milliseconds())
	}
	for _, c := range k.stores {
		c.waiters.wakeAll(context.Background())
	}
}
