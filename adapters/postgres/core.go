package postgres

import (
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Store is a broker and a result backend in one schema of a PostgreSQL database. All methods may be called
// concurrently.
type Store struct {
	cfg    Config
	pool   *pgxpool.Pool
	owned  bool            // the pool is ours to close
	target *pgx.ConnConfig // where it listens; nil where only polls tell
}

// newStore makes a store on a pool. It listens on a connection of its own to target, or nowhere where that is nil.
func newStore(pool *pgxpool.Pool, target *pgx.ConnConfig, cfg Config) *Store {
	if cfg.PollOnly {
		target = nil
	}
	return &Store{cfg: cfg, pool: pool, target: target}
}

// Close lets the connections go that are the store's own. What the server holds stays. It may be repeated.
func (s *Store) Close() error {
	if s.owned {
		s.pool.Close()
	}
	return nil
}
