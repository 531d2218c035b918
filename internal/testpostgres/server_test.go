//go:build unix

package testpostgres_test

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/internal/testprocess"
)

// holding is set in the environment of a process that runs a server and does nothing.
const holding = "TESTPOSTGRES_HOLDING"

func TestMain(m *testing.M) {
	if os.Getenv(holding) != "" {
		testpostgres.Hold()
	}
	goleak.VerifyTestMain(testpostgres.Main(m))
}

// answer runs SQL that must be answered by one value.
func answer(t *testing.T, s *testpostgres.Server, sql, want string) {
	t.Helper()
	rows, err := s.Query(sql)
	if err != nil || len(rows) != 1 || rows[0][0] != want {
		t.Fatalf("%s: got %v, error %v, want %s", sql, rows, err, want)
	}
}

func run(t *testing.T, s *testpostgres.Server, sql string) {
	t.Helper()
	if _, err := s.Query(sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestWhatWasCommittedIsThereAfterEveryEnd(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{Settings: []string{"statement_timeout=7s"}})
	addr := s.Addr()
	answer(t, s, "SHOW fsync", "on")
	answer(t, s, "SHOW statement_timeout", "7s")
	run(t, s, "CREATE TABLE kept (n int)")
	for i, end := range []func(){s.Kill, s.Abort, s.Stop, func() {}} {
		pid := s.PID()
		run(t, s, fmt.Sprintf("INSERT INTO kept VALUES (%d)", i))
		end()
		s.Restart()
		if s.Addr() != addr || s.PID() == pid {
			t.Errorf("restarted: got %s, process %d, want %s and another process", s.Addr(), s.PID(), addr)
		}
		answer(t, s, "SELECT count(*) FROM kept", fmt.Sprint(i+1))
	}
}

func TestAServerThatWasKilledDoesNotAnswer(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := pgconn.Connect(ctx, s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	s.Kill()
	if _, err := c.Exec(ctx, "SELECT 1").ReadAll(); err == nil {
		t.Error("its backends: got an answer, want an error")
	}
	if _, err := s.Query("SELECT 1"); err == nil {
		t.Error("the server: got an answer, want an error")
	}
}

func TestAPausedServerLetsNobodyInUntilItGoesOn(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{})
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if c, err := pgconn.Connect(ctx, s.URL()); err == nil {
		c.Close(ctx)
		t.Error("paused: got a connection, want none")
	}
	s.Continue()
	answer(t, s, "SELECT 1", "1")
}

// exec1 runs SQL in a database and answers the first value.
func exec1(t *testing.T, url, sql string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	c, err := pgconn.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx)
	results, err := c.Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	last := results[len(results)-1].Rows
	if len(last) == 0 {
		return ""
	}
	return string(last[0][0])
}

const tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	var first, second string
	t.Run("one", func(t *testing.T) {
		first, second = testpostgres.URL(t), testpostgres.URL(t)
		exec1(t, first, "CREATE TABLE a (n int)")
		if got := exec1(t, second, tables); got != "0" {
			t.Errorf("the other database: got %s tables, want 0", got)
		}
	})
	if c, err := pgconn.Connect(t.Context(), first); err == nil {
		c.Close(t.Context())
		t.Error("after its test: got a connection, want the database gone")
	}
}

func TestADatabaseInUseIsDroppedAllTheSame(t *testing.T) {
	var c *pgconn.PgConn
	t.Run("one", func(t *testing.T) {
		var err error
		if c, err = pgconn.Connect(context.Background(), testpostgres.URL(t)); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := c.Exec(t.Context(), "SELECT 1").ReadAll(); err == nil {
		t.Error("the connection: got an answer, want an error")
	}
	c.Close(t.Context())
}

func TestATemplateIsPreparedOnceAndCopied(t *testing.T) {
	prepared := 0
	template := testpostgres.Template{Prepare: func(url string) error {
		prepared++
		exec1(t, url, "CREATE TABLE migrated (n int)")
		return nil
	}}
	for range 2 {
		url := template.URL(t)
		if got := exec1(t, url, tables); got != "1" {
			t.Errorf("a copy: got %s tables, want that of the template", got)
		}
		exec1(t, url, "DROP TABLE migrated")
	}
	if prepared != 1 {
		t.Errorf("prepared: got %d times, want once", prepared)
	}
}

func TestADatabaseIsReachedByTLSAlone(t *testing.T) {
	t.Setenv("STEM_TEST_POSTGRES_TLS_URL", "")
	database, ca := testpostgres.TLS(t)
	if got := exec1(t, database, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"); got != "t" {
		t.Errorf("ssl: got %s, want t", got)
	}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{"sslmode=disable", "sslmode=verify-full"} { // without the authority
		u.RawQuery = options
		if c, err := pgconn.Connect(t.Context(), u.String()); err == nil {
			c.Close(t.Context())
			t.Errorf("%s: got a connection, want none", options)
		}
	}

	// The same server, as if the environment named it.
	t.Setenv("STEM_TEST_POSTGRES_TLS_URL", u.String())
	t.Setenv("STEM_TEST_POSTGRES_TLS_CA_CERT", ca)
	other, given := testpostgres.TLS(t)
	if exec1(t, other, "SELECT 1"); given != ca || other == database {
		t.Errorf("got database %s and authority %s, want another database and %s", other, given, ca)
	}
}

// again runs a test of this binary in a process of its own.
func again(t *testing.T, test string, env ...string) (pid int, out string, err error) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$")
	cmd.Env = append(os.Environ(), env...)
	text, err := cmd.CombinedOutput()
	return cmd.Process.Pid, string(text), err
}

func TestTheEnvironmentMayNameTheServer(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{})
	const test = "TestEachTestHasADatabaseOfItsOwn"
	if _, out, err := again(t, test, "STEM_TEST_POSTGRES_URL="+s.URL()); err != nil {
		t.Errorf("got error %v, want the test to pass:\n%s", err, out)
	}
	s.Stop()
	_, out, err := again(t, test, "STEM_TEST_POSTGRES_URL="+s.URL())
	u, bad := url.Parse(s.URL())
	if bad != nil {
		t.Fatal(bad)
	}
	if password, _ := u.User.Password(); err == nil || !strings.Contains(out, "create a database for a test: ") || strings.Contains(out, password) {
		t.Errorf("nobody there: got error %v and %s, want a failure that says so and no password", err, out)
	}
}

func TestNothingIsLeftAfterTheTests(t *testing.T) {
	pid, out, err := again(t, "TestATemplateIsPreparedOnceAndCopied", "STEM_TEST_POSTGRES_URL=")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if left := testpostgres.Folders(pid); len(left) > 0 {
		t.Errorf("got %q, want nothing", left)
	}
}

func TestAServerDiesWithTheTestProcessAndTheNextOneTidiesUp(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux kills the children of who dies")
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stdout = append(os.Environ(), holding+"=1"), theirs
	p, err := testprocess.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	_, _ = ready.Read(make([]byte, 1))
	if held := testpostgres.Folders(p.PID()); len(held) == 0 || p.Ended(0) {
		t.Errorf("before: got folders %q, ended %v, want some and a process that runs", held, p.Ended(0))
	}
	if err := p.End(syscall.SIGKILL, 20*time.Second); err != nil { // the end of all that it has started
		t.Errorf("the server outlives the test process: %v", err)
	}
	testpostgres.Start(t, testpostgres.Config{})
	if left := testpostgres.Folders(p.PID()); len(left) > 0 {
		t.Errorf("after: got %q, want nothing", left)
	}
	if own := testpostgres.Folders(os.Getpid()); len(own) == 0 {
		t.Error("our own folders: got none, want those of the living left alone")
	}
}

// recorder is a test that fails without failing this one.
type recorder struct {
	testing.TB
	says string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatal(args ...any) {
	r.says += fmt.Sprint(args...)
	runtime.Goexit()
}

func TestAServerThatCannotStartShowsItsLog(t *testing.T) {
	r := &recorder{TB: t}
	var done sync.WaitGroup
	done.Go(func() { testpostgres.Start(r, testpostgres.Config{Settings: []string{"no_such_setting=1"}}) })
	done.Wait()
	for _, want := range []string{"exit status 1", "no_such_setting"} {
		if !strings.Contains(r.says, want) {
			t.Errorf("got %q, want it to mention %q", r.says, want)
		}
	}
}

func TestTheNewestCompleteServerIsFound(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"9/bin/initdb", "9/bin/postgres", "16/bin/initdb", "16/bin/postgres", "17/bin/psql"} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", "/nowhere")
	if got, err := testpostgres.Programs(root + "/*/bin"); err != nil || got != filepath.Join(root, "16/bin") {
		t.Errorf("got %s, error %v, want that of 16", got, err)
	}
	if got, err := testpostgres.Programs(root + "/17/bin"); err == nil || !strings.Contains(err.Error(), "apt-get install postgresql") {
		t.Errorf("a client alone: got %s, error %v, want an error that says how to get a server", got, err)
	}
	t.Setenv("PATH", filepath.Join(root, "9/bin"))
	if got, err := testpostgres.Programs(root + "/*/bin"); err != nil || got != filepath.Join(root, "9/bin") {
		t.Errorf("one on PATH: got %s, error %v, want that one", got, err)
	}
}
