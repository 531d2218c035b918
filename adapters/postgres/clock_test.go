package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
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

func OpenBare(ctx context.Context, url string, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = int32(cfg.PoolSize)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := MigrateDB(ctx, pool, cfg); err != nil {
		pool.Close()
		return nil, err
	}
	s := newStore(pool, config.ConnConfig.Copy(), cfg)
	s.owned = true
	return s, nil
}
