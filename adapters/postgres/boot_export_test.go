package postgres

import (
	"context"
	"io/fs"

	"github.com/jackc/pgx/v5"
)

// MissingRights tells what the user of a connection lacks in a schema with the relations of some files.
func MissingRights(ctx context.Context, conn *pgx.Conn, schema string, files fs.FS) error {
	steps, err := load(files)
	if err != nil {
		return err
	}
	is, err := look(ctx, conn, schema)
	if err != nil {
		return err
	}
	return is.missingRights(ctx, conn, steps.relations())
}

// Mode tells how a store runs its statements.
func (s *Store) Mode() pgx.QueryExecMode { return s.pool.Config().ConnConfig.DefaultQueryExecMode }

// Most tells how many connections the pool of a store may have.
func (s *Store) Most() int { return int(s.pool.Config().MaxConns) }

// Listens tells whether a store listens.
func (s *Store) Listens() bool { return s.listener != nil }

// Ask runs a statement that answers one text on the pool of a store.
func (s *Store) Ask(ctx context.Context, sql string, args ...any) (answer string, err error) {
	err = s.pool.QueryRow(ctx, sql, args...).Scan(&answer)
	return answer, err
}
