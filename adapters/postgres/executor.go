package postgres

import (
	"context"
	"database/sql"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// executor is what a statement runs on: the store's pool, or a transaction of the user's.
type executor interface {
	exec(ctx context.Context, sql string, args ...any) error
	// query calls row for each row of the answer.
	query(ctx context.Context, row func(scan func(...any) error) error, sql string, args ...any) error
}

// pgxConn is a pool, a connection or a transaction of pgx.
type pgxConn interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

type onPgx struct{ conn pgxConn }

func (p onPgx) exec(ctx context.Context, sql string, args ...any) error {
	_, err := p.conn.Exec(ctx, sql, args...)
	return err
}

func (p onPgx) query(ctx context.Context, row func(scan func(...any) error) error, sql string, args ...any) error {
	rows, err := p.conn.Query(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// onPool is the store's pool. Its statements are described before they are sent, also where that is not how the pool
// does it by default: lists can be encoded only then.
type onPool struct {
	pool *pgxpool.Pool
	mode []any // to go before the arguments; empty where the pool's own will do
}

func newOnPool(pool *pgxpool.Pool) onPool {
	switch pool.Config().ConnConfig.DefaultQueryExecMode {
	case pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol:
		return onPool{pool, []any{pgx.QueryExecModeCacheDescribe}}
	}
	return onPool{pool, nil}
}

func (p onPool) args(args []any) []any {
	if len(p.mode) == 0 {
		return args
	}
	return slices.Concat(p.mode, args)
}

func (p onPool) rows(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	return p.pool.Query(ctx, sql, p.args(args)...)
}

func (p onPool) exec(ctx context.Context, sql string, args ...any) error {
	return onPgx{p.pool}.exec(ctx, sql, p.args(args)...)
}

func (p onPool) query(ctx context.Context, row func(scan func(...any) error) error, sql string, args ...any) error {
	return onPgx{p.pool}.query(ctx, row, sql, p.args(args)...)
}

// onSQL is a transaction of database/sql, over the driver of pgx.
type onSQL struct{ tx *sql.Tx }

func (o onSQL) exec(ctx context.Context, sql string, args ...any) error {
	_, err := o.tx.ExecContext(ctx, sql, args...)
	return err
}

func (o onSQL) query(ctx context.Context, row func(scan func(...any) error) error, sql string, args ...any) error {
	rows, err := o.tx.QueryContext(ctx, sql, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
