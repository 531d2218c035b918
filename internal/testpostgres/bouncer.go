//go:build unix

package testpostgres

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gostem/gostem/internal/freeport"
	"github.com/gostem/gostem/internal/testprocess"
)

// Bouncer is a PgBouncer of one test, in transaction mode, before a server. Its methods may be called from any
// goroutine, one at a time; what goes wrong fails the test.
type Bouncer struct {
	t testing.TB
	*installation
	program string
	dir     string
	port    int
	server  *url.URL
	process *testprocess.Process
}

// Bounce runs a PgBouncer before the server of a URL, on a port and in a folder of its own. It ends with
// the test. The settings are what its file may say, such as "default_pool_size=2"; the server's users log in with
// their own passwords, which PgBouncer asks the server for as the user of the URL.
func Bounce(t testing.TB, server string, settings ...string) *Bouncer {
	t.Helper()
	b, err := newBouncer(server, settings)
	if err != nil {
		t.Fatal(err)
	}
	b.t = t
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of PgBouncer on %s:\n%s", b.Addr(), tail(b.logFile()))
		}
		b.check(errors.Join(b.process.End(syscall.SIGKILL, patience), os.RemoveAll(b.dir)))
	})
	return b
}

func newBouncer(server string, settings []string) (*Bouncer, error) {
	u, err := url.Parse(server)
	if err != nil {
		return nil, errors.New("the server's URL is none") // the error would tell the password
	}
	in, err := installed()
	if err != nil {
		return nil, err
	}
	b := &Bouncer{installation: in, server: u}
	if b.program, err = bouncer(bouncers); err != nil {
		return nil, err
	}
	if b.dir, err = in.newFolder(root()); err != nil {
		return nil, err
	}
	err = somewhere(func(port int) error {
		b.port = port
		return errors.Join(b.configure(settings), b.start())
	})
	if err != nil {
		_ = os.RemoveAll(b.dir)
		return nil, err
	}
	return b, nil
}

// configure writes PgBouncer's file, and that of the one user whose password it knows.
func (b *Bouncer) configure(settings []string) error {
	user := b.server.User.Username()
	password, _ := b.server.User.Password()
	lines := append([]string{
		"[databases]",
		fmt.Sprintf("* = host=%s port=%s", b.server.Hostname(), b.server.Port()),
		"[pgbouncer]",
		"pool_mode=transaction",
		"listen_addr=127.0.0.1",
		fmt.Sprintf("listen_port=%d", b.port),
		"unix_socket_dir=",
		"auth_type=" + login,
		"auth_file=" + b.userFile(),
		"auth_user=" + user,
		"admin_users=" + user,
		"server_login_retry=0.1", // else who comes while the server starts waits 15 s
	}, settings...)
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	return errors.Join(
		b.write(b.file(), []byte(strings.Join(lines, "\n")+"\n")),
		b.write(b.userFile(), []byte(quote(user)+" "+quote(password)+"\n")))
}

// start runs PgBouncer and waits until it lets clients in.
func (b *Bouncer) start() error {
	log, err := os.Create(b.logFile())
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := b.command(b.dir, b.program, b.file())
	cmd.Stdout, cmd.Stderr = log, log
	if b.process, err = testprocess.Start(cmd); err != nil {
		return err
	}
	if err := answers(b.process, b.URL(within(b.server.String(), "pgbouncer")), "SHOW VERSION"); err != nil { // which asks no server
		_ = b.process.End(syscall.SIGKILL, patience)
		return fmt.Errorf("PgBouncer on %s: %w; its log:\n%s", b.Addr(), err, tail(b.logFile()))
	}
	return nil
}

// Addr gives host and port. They stay the same over a restart.
func (b *Bouncer) Addr() string { return freeport.Address(b.port) }

// URL gives the URL by which the database of a URL, of the same server, is reached through PgBouncer.
func (b *Bouncer) URL(database string) string {
	u, err := url.Parse(database)
	if err != nil {
		b.t.Helper()
		b.t.Fatal("the database's URL is none")
	}
	u.Host, u.RawQuery = b.Addr(), plain.Encode()
	return u.String()
}

// Kill kills PgBouncer, and with it all connections through it.
func (b *Bouncer) Kill() { b.check(b.process.End(syscall.SIGKILL, patience)) }

// Restart starts PgBouncer anew on its port. One that still runs is killed first.
func (b *Bouncer) Restart() {
	b.t.Helper()
	b.Kill()
	b.check(b.start())
}

func (b *Bouncer) file() string     { return filepath.Join(b.dir, "pgbouncer.ini") }
func (b *Bouncer) userFile() string { return filepath.Join(b.dir, "users") }
func (b *Bouncer) logFile() string  { return filepath.Join(b.dir, "pgbouncer.log") }

func (b *Bouncer) check(err error) {
	if err != nil {
		b.t.Helper()
		b.t.Errorf("PgBouncer on %s: %v", b.Addr(), err)
	}
}
