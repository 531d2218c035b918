package postgres

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
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
