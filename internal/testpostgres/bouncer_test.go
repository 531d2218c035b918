//go:build unix

package testpostgres_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gostem/gostem/internal/testpostgres"
)

// connect opens a connection that ends with the test.
func connect(t *testing.T, url string) *pgconn.PgConn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	c, err := pgconn.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(ctx) })
	return c
}

// ask runs SQL on a connection, and answers the first value.
func ask(t *testing.T, c *pgconn.PgConn, sql string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	results, err := c.Exec(ctx, sql).ReadAll()
	if err != nil || len(results) == 0 || len(results[0].Rows) == 0 {
		return "", err
	}
	return string(results[0].Rows[0][0]), nil
}

func TestClientsOfPgBouncerShareConnectionsByTheTransaction(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{})
	b := testpostgres.Bounce(t, s.URL(), "default_pool_size=1")
	const backend = "SELECT pg_backend_pid()"
	first, second := connect(t, b.URL(s.URL())), connect(t, b.URL(s.URL()))
	one, err := ask(t, first, backend)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := ask(t, second, backend); err != nil || other != one {
		t.Errorf("another client: got backend %s, error %v, want %s", other, err, one)
	}

	// Who is in a transaction has the connection, and nobody else.
	if _, err := ask(t, first, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := second.Exec(ctx, backend).ReadAll(); !pgconn.Timeout(err) {
		t.Errorf("another client meanwhile: got error %v, want that it waits", err)
	}
	if got, err := ask(t, first, backend); err != nil || got != one {
		t.Errorf("in the transaction: got backend %s, error %v, want %s", got, err, one)
	}
}

func TestAnyDatabaseAndUserAreReachedThroughPgBouncer(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{})
	b := testpostgres.Bounce(t, s.URL())
	run(t, s, "CREATE ROLE app LOGIN PASSWORD 'its own'")
	run(t, s, "CREATE DATABASE other")
	url := "postgres://app:its%20own@" + s.Addr() + "/other"
	if got, err := ask(t, connect(t, b.URL(url)), "SELECT current_user || '@' || current_database()"); err != nil || got != "app@other" {
		t.Errorf("got %s, error %v, want app@other", got, err)
	}
	if c, err := pgconn.Connect(t.Context(), b.URL(strings.Replace(url, "own", "wrong", 1))); err == nil {
		c.Close(t.Context())
		t.Error("with another password: got a connection, want none")
	}
}

func TestPgBouncerDiesAndComesBackAndSoDoesItsServer(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{})
	b := testpostgres.Bounce(t, s.URL())
	url := b.URL(s.URL())
	c := connect(t, url)
	addr := b.Addr()
	b.Kill()
	if _, err := ask(t, c, "SELECT 1"); err == nil {
		t.Error("killed: got an answer, want an error")
	}
	s.Kill()
	b.Restart()
	s.Restart()
	if got := exec1(t, url, "SELECT 1"); got != "1" || b.Addr() != addr {
		t.Errorf("restarted: got %s at %s, want 1 at %s", got, b.Addr(), addr)
	}
}

func TestAMissingPgBouncerIsAFailureThatSaysHowToGetIt(t *testing.T) {
	t.Setenv("PATH", "/nowhere")
	file := filepath.Join(t.TempDir(), "pgbouncer")
	if got, err := testpostgres.Program(file); err == nil || !strings.Contains(err.Error(), "apt-get install pgbouncer") {
		t.Errorf("got %s, error %v, want an error that says how to get it", got, err)
	}
	if err := os.WriteFile(file, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := testpostgres.Program(file); err != nil || got != file {
		t.Errorf("got %s, error %v, want %s", got, err, file)
	}
}
