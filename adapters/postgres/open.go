package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// dial makes one connection, whose statements pass through any pooler.
func dial(ctx context.Context, target *pgx.ConnConfig) (*pgx.Conn, error) {
	target = target.Copy()
	target.DefaultQueryExecMode = pgx.QueryExecModeExec
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

// connectError is what the driver says of servers that it did not reach, on one line and each thing once: it tries
// again without TLS where that is only preferred.
type connectError struct {
	user string
	err  error
}

func (e *connectError) Error() string {
	var refused *pgconn.ConnectError
	if !errors.As(e.err, &refused) {
		return "postgres: connect: " + e.err.Error()
	}
	var lines []string
	for line := range strings.Lines(refused.Unwrap().Error()) {
		if line = strings.TrimSpace(line); !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return fmt.Sprintf("postgres: connect as user %s: %s", e.user, strings.Join(lines, "; "))
}

func (e *connectError) Unwrap() error { return e.err }
