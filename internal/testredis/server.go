//go:build unix

package testredis

import (
	"syscall"
	"testing"

	"github.com/gostem/gostem/internal/testcert"
)

// Config says how a server is to be. The zero value is one that keeps everything
// in memory, without a limit.
type Config struct {
	// AppendOnly lets the server write each command to its append-only file, so that
	// Restart finds it again.
	AppendOnly bool
	// AppendFsync is how often that file is synced: always, everysec or no. The server's default is everysec.
	AppendFsync string
	// MaxMemory limits what the server keeps, such as "10mb". Default: no limit.
	MaxMemory string
	// Policy is what the server evicts at that limit. The server's default is noeviction.
	Policy string
	// Args are more arguments for redis-server, such as "--maxclients", "10".
	Args []string
}

// spec adds the one default that is not the server's own: no snapshots.
func (c Config) spec() spec {
	args := []string{"--save", ""}
	if c.AppendOnly {
		args = append(args, "--appendonly", "yes")
	}
	for _, option := range [][2]string{
		{"--appendfsync", c.AppendFsync}, {"--maxmemory", c.MaxMemory}, {"--maxmemory-policy", c.Policy},
	} {
		if option[1] != "" {
			args = append(args, option[0], option[1])
		}
	}
	return spec{args: append(args, c.Args...)}
}

// Server is a redis-server of one test. Its methods may be called from any
// goroutine, one at a time; what goes wrong fails the test.
type Server struct {
	t testing.TB
	*instance
}

// Start runs a server for this test alone, on a port and in a folder of its own. It ends
// with the test.
func Start(t testing.TB, cfg Config) *Server {
	t.Helper()
	return run(t, t.TempDir(), cfg.spec())
}

// WithACL runs a server for this test whose URL is that of a user with the rights that
// the rules give, such as "~queue:*", "+@all", "-keys", and no others. Do has all rights.
func WithACL(t testing.TB, rules ...string) *Server {
	t.Helper()
	const name, password = "limited", "secret"
	s := Config{Args: append([]string{"--user", name, "on", ">" + password}, rules...)}.spec()
	s.user = name + ":" + password + "@"
	return run(t, t.TempDir(), s)
}

// TLS runs a server for this test that speaks TLS alone, and with clients alone that have the
// certificate of the set.
func TLS(t testing.TB) (*Server, *testcert.Set) {
	t.Helper()
	set := testcert.New(t, "default")
	return WithCertificates(t, set), set
}

// WithCertificates runs such a server with the certificates that a set has now.
func WithCertificates(t testing.TB, set *testcert.Set) *Server {
	t.Helper()
	s := Config{Args: []string{
		"--tls-cert-file", set.ServerCert, "--tls-key-file", set.ServerKey, "--tls-ca-cert-file", set.CA, "--tls-auth-clients", "yes",
	}}.spec()
	s.tls = set.Client()
	s.tls.InsecureSkipVerify = true // what the server shows may be wrong on purpose
	return run(t, t.TempDir(), s)
}

func run(t testing.TB, dir string, spec spec) *Server {
	t.Helper()
	i, err := newInstance(dir, spec)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t, i}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of redis-server on %s:\n%s", s.Addr(), s.log())
		}
		s.Kill()
	})
	return s
}

// Addr gives host and port. They stay the same over a restart.
func (s *Server) Addr() string { return s.addr() }

// URL gives the address as a URL.
func (s *Server) URL() string { return s.url() }

// PID gives the number of the server's process.
func (s *Server) PID() int { return s.process.PID() }

// Do sends a command and answers string, int64, []any or nil, or the error with which
// the server refuses it.
func (s *Server) Do(args ...string) (any, error) { return s.do(args...) }

// Kill ends the server by SIGKILL and waits until it is gone.
func (s *Server) Kill() { s.check(s.end(syscall.SIGKILL)) }

// Stop ends the server by SIGTERM, at which it writes what it keeps to disk, and waits until it is gone.
func (s *Server) Stop() { s.check(s.end(syscall.SIGTERM)) }

// Restart starts the server anew on its port and in its folder, and waits until it
// has loaded what it finds there. One that still runs is killed first.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	s.check(s.start())
}

// Pause freezes the server: the kernel still accepts connections and bytes for it, and nobody answers.
func (s *Server) Pause() { s.check(s.process.Pause()) }

// Continue wakes a paused server.
func (s *Server) Continue() { s.check(s.process.Continue()) }

func (s *Server) check(err error) {
	if err != nil {
		s.t.Helper()
		s.t.Errorf("redis-server on %s: %v", s.Addr(), err)
	}
}
