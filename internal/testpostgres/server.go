//go:build unix

package testpostgres

import (
	"net/url"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Config says how a server is to be.
type Config struct {
	// Settings are what postgresql.conf may say, such as "statement_timeout=1s". Default: the
	// server's own, and fsync is one of them.
	Settings []string
	// Folder is where the server has a folder of its own. Default: memory, where there is room for some.
	Folder string
}

// Server is a PostgreSQL server of one test. Its methods may be called from any goroutine, one at
// a time; what goes wrong fails the test.
type Server struct {
	t testing.TB
	*instance
}

// plain are the options of the URL of a server without TLS.
var plain = url.Values{"sslmode": {"disable"}}

// Start runs a server for this test alone, on a port and in a folder of its own. It ends
// with the test.
func Start(t testing.TB, cfg Config) *Server {
	t.Helper()
	return run(t, cfg, plain, func(*instance) error { return nil })
}

func run(t testing.TB, cfg Config, options url.Values, prepare func(*instance) error) *Server {
	t.Helper()
	i, err := newInstance(cfg, options, prepare)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t, i}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of postgres on %s:\n%s", s.Addr(), s.log())
		}
		s.check(s.remove())
	})
	return s
}

// Addr gives host and port. They stay the same over a restart.
func (s *Server) Addr() string { return s.addr() }

// URL gives the address of the database postgres as a URL, with user and password. The user may do anything.
func (s *Server) URL() string { return s.url("postgres") }

// PID gives the number of the server's first process.
func (s *Server) PID() int { return s.process.PID() }

// Query runs SQL in the database postgres and answers the rows of the last statement as text.
func (s *Server) Query(sql string) ([][]string, error) { return query(s.URL(), sql) }

// Set changes a setting of the running server, one that needs no restart and that its Config did not name, such as
// default_transaction_read_only. New connections have it, and the others from their next statement on.
func (s *Server) Set(name, value string) {
	s.t.Helper()
	const loaded = "SELECT pg_conf_load_time()"
	before := s.value(loaded)
	s.value("ALTER SYSTEM SET " + name + " = '" + value + "'")
	s.value("SELECT pg_reload_conf()")
	for deadline := time.Now().Add(patience); s.value(loaded) == before; {
		if time.Now().After(deadline) {
			s.t.Errorf("postgres on %s: it has not read its configuration after %v", s.Addr(), patience)
			return
		}
	}
}

// Terminate ends all connections of clients, as an administrator does, and answers how many there were.
func (s *Server) Terminate() int {
	s.t.Helper()
	n, err := strconv.Atoi(s.value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"))
	s.check(err)
	return n
}

// value runs SQL and answers the first value that it gives, if any.
func (s *Server) value(sql string) string {
	s.t.Helper()
	rows, err := s.Query(sql)
	s.check(err)
	if len(rows) == 0 {
		return ""
	}
	return rows[0][0]
}

// Kill kills the first process by SIGKILL and waits until the others have noticed and are gone,
// too: an idle one does so at once, a busy one when its statement is done.
func (s *Server) Kill() { s.check(s.process.End(syscall.SIGKILL, patience)) }

// Abort ends the server at once and without writing anything, as pg_ctl stop -m immediate does.
func (s *Server) Abort() { s.check(s.process.End(syscall.SIGQUIT, patience)) }

// Stop ends the server's connections, and then the server, as pg_ctl stop does.
func (s *Server) Stop() { s.check(s.process.End(syscall.SIGINT, patience)) }

// Restart starts the server anew on its port and in its folder, and waits until it has
// recovered and lets clients in. One that still runs is killed first.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.check(s.start())
}

// Pause freezes the first process: no new connection is let in. Those that there are go on, since each has
// a process of its own.
func (s *Server) Pause() { s.check(s.process.Pause()) }

// Continue wakes a paused server.
func (s *Server) Continue() { s.check(s.process.Continue()) }

func (s *Server) check(err error) {
	if err != nil {
		s.t.Helper()
		s.t.Errorf("postgres on %s: %v", s.Addr(), err)
	}
}
