package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Open connects to the database of a URL, postgres://[user[:password]@][host][:port][,…][/database], with what pgx reads from its
// query, such as sslmode=verify-full, pool_max_conns or target_session_attrs=read-write, and what is the store's:
// schema and poll_only go before [Config.Schema] and [Config.PollOnly]. What the URL leaves out is taken from the environment (PGHOST,
// PGUSER, …) as psql does. The store has a small pool of its own, and closes it with itself.
//
// It looks at the server first, for 10 s at most. An empty schema is migrated; what would lose tasks or break them is an
// error: a version below 13, an encoding that is not UTF8, a server that takes no writes, a schema of a version that this program
// does not know or has not migrated (see [Migrate]), rights that the user lacks. What an operator should know is logged: what the
// server would lose if it were killed, a pooler in between, few connections left, a clock that is off, a connection that
// others can read.
//
// Behind a pooler, such as PgBouncer in transaction mode, the store prepares no statements and polls, for nobody can listen
// there. One that can prepare (PgBouncer 1.21 with max_prepared_statements) is told by default_query_exec_mode=cache_statement
// in the URL.
func Open(ctx context.Context, url string, cfg Config) (*Store, error) {
	target, err := parseURL(url, cfg)
	if err != nil {
		return nil, err
	}
	found, err := target.boot(ctx)
	if err != nil {
		return nil, err
	}
	if found.sets {
		target.pool.ConnConfig.RuntimeParams["default_transaction_isolation"] = readCommitted
	}
	listen := target.pool.ConnConfig.Copy()
	if found.pooled {
		listen = nil
		if !target.mode {
			target.pool.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, target.pool)
	if err != nil {
		return nil, fmt.Errorf("postgres: open: %w", err)
	}
	s := newStore(pool, listen, target.cfg)
	s.owned = true
	return s, nil
}

// boot looks at the server on a connection that is closed again.
func (t *target) boot(ctx context.Context) (*facts, error) {
	dialing, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	plain := t.pool.ConnConfig.Copy()
	plain.DefaultQueryExecMode = pgx.QueryExecModeExec // whether the pool's is the right one depends on what is found
	conn, err := dial(dialing, plain)
	if err != nil {
		return nil, err
	}
	defer hangUp(conn)
	return boot(ctx, conn, t.cfg, t.cfg.PoolSize, true)
}

// New makes a store on a pool of the user's, which stays the user's to close: for programs that enqueue, or that enqueue in
// transactions of their own. Workers should have a store of [Open], so that handlers that hold all connections of a
// pool do not keep them from renewing their leases. It listens on a connection beside the pool, unless that has a
// BeforeConnect. [Config.PoolSize] is not looked at.
//
// It looks at the server first, as Open does.
func New(ctx context.Context, pool *pgxpool.Pool, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	acquiring, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	conn, err := pool.Acquire(acquiring)
	if err != nil {
		return nil, &connectError{pool.Config().ConnConfig.User, err}
	}
	defer conn.Release()
	found, err := boot(ctx, conn.Conn(), cfg, int(pool.Config().MaxConns-pool.Stat().TotalConns()), false)
	if err != nil {
		return nil, err
	}
	listen := pool.Config().ConnConfig
	if found.pooled || pool.Config().BeforeConnect != nil {
		listen = nil
	}
	return newStore(pool, listen, cfg), nil
}

// dial makes one connection.
func dial(ctx context.Context, target *pgx.ConnConfig) (*pgx.Conn, error) {
	conn, err := pgx.ConnectConfig(ctx, target)
	if err != nil {
		return nil, &connectError{target.User, err}
	}
	return conn, nil
}

// hangUp ends a connection.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // it is gone, one way or the other
}
