package postgres

import (
	"sync"
	"time"
)

// Clock moves the clocks of stores of one schema.
type Clock struct {
	mu     sync.Mutex
	stores []*Store
	offset time.Duration
}

// NewClock gives a clock that is as the server's.
func NewClock() *Clock { return new(Clock) }

// Set lets a store follow the clock.
func (k *Clock) Set(s *Store) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s.offset.Store(k.offset.Microseconds())
	k.stores = append(k.stores, s)
}

// Advance moves the clock, and lets all that wait look at it.
func (k *Clock) Advance(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.offset += d
	for _, s := range k.stores {
		s.offset.Store(k.offset.Microseconds())
	}
	for _, s := range k.stores {
		s.waiting.wakeAll()
		s.watch.lookAtAll()
	}
}

// ForTx lets a transaction follow the clock.
func (k *Clock) ForTx() TxOption {
	return func(t *Transaction) {
		t.offset = func() int64 {
			k.mu.Lock()
			defer k.mu.Unlock()
			return k.offset.Microseconds()
		}
	}
}
