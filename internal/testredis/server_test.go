//go:build unix

package testredis_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/internal/testredis"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testredis.Main(m)) }

// reply sends a command that must be answered so.
func reply(t *testing.T, s *testredis.Server, want any, args ...string) {
	t.Helper()
	if got, err := s.Do(args...); err != nil || got != want {
		t.Fatalf("%q: got %v, error %v, want %v", args, got, err, want)
	}
}

func TestAKilledServerComesBackWithItsAppendOnlyFile(t *testing.T) {
	s := testredis.Start(t, testredis.Config{AppendOnly: true, AppendFsync: "always"})
	addr, pid := s.Addr(), s.PID()
	reply(t, s, "OK", "SET", "k", "v")
	s.Kill()
	if _, err := s.Do("PING"); err == nil {
		t.Fatal("a killed server answers")
	}
	s.Restart()
	if s.Addr() != addr || s.PID() == pid {
		t.Errorf("restarted: got %s, process %d, want %s and another process than %d", s.Addr(), s.PID(), addr, pid)
	}
	reply(t, s, "v", "GET", "k")
}

func TestAServerWithoutPersistenceForgets(t *testing.T) {
	s := testredis.Start(t, testredis.Config{})
	reply(t, s, "OK", "SET", "k", "v")
	s.Stop()
	s.Restart()
	reply(t, s, nil, "GET", "k")
}

func TestAServerIsConfigured(t *testing.T) {
	s := testredis.Start(t, testredis.Config{
		AppendOnly: true, AppendFsync: "no", MaxMemory: "10mb", Policy: "allkeys-lru", Args: []string{"--maxclients", "17"},
	})
	for name, want := range map[string]string{
		"appendonly": "yes", "appendfsync": "no", "maxmemory": "10485760", "maxmemory-policy": "allkeys-lru", "maxclients": "17", "save": "",
	} {
		got, err := s.Do("CONFIG", "GET", name)
		pair, _ := got.([]any)
		if err != nil || len(pair) != 2 || pair[1] != want {
			t.Errorf("%s: got %v, error %v, want %q", name, got, err, want)
		}
	}
}

func TestAPausedServerAnswersWhenItGoesOn(t *testing.T) {
	s := testredis.Start(t, testredis.Config{})
	s.Pause()
	answered := make(chan error, 1)
	go func() {
		_, err := s.Do("PING")
		answered <- err
	}()
	select {
	case err := <-answered:
		t.Errorf("paused: got an answer, error %v, want none", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.Continue()
	if err := <-answered; err != nil {
		t.Errorf("continued: got %v", err)
	}
}

func TestARefusalIsAnError(t *testing.T) {
	s := testredis.Start(t, testredis.Config{})
	reply(t, s, int64(1), "LPUSH", "list", "a")
	if _, err := s.Do("GET", "list"); err == nil || !strings.HasPrefix(err.Error(), "WRONGTYPE") {
		t.Errorf("GET of a list: got error %v, want WRONGTYPE", err)
	}
}

func TestAllTestsShareOneServer(t *testing.T) {
	t.Setenv("STEM_TEST_REDIS_URL", "")
	url := testredis.URL(t)
	if again := testredis.URL(t); again != url || !strings.HasPrefix(url, "redis://127.0.0.1:") {
		t.Errorf("URL: got %q, then %q, want one server on the loopback", url, again)
	}
	t.Setenv("STEM_TEST_REDIS_URL", "redis://elsewhere:6379/3")
	if got, want := testredis.URL(t), "redis://elsewhere:6379/3"; got != want {
		t.Errorf("URL: got %q, want %q", got, want)
	}
}

// A machine without Redis must not look as if all were well.
func TestAMissingBinaryFailsTheTestAndSaysWhereToGetIt(t *testing.T) {
	for test, want := range map[string]string{
		"TestARefusalIsAnError":      "apt-get install redis-server",
		"TestAllTestsShareOneServer": "let STEM_TEST_REDIS_URL name a server",
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^"+test+"$")
		cmd.Env = append(os.Environ(), "PATH=/nowhere", "STEM_TEST_REDIS_URL=")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: got error %v and %s, want a failure that says %q", test, err, out, want)
		}
	}
}

// recorder is a test that fails without failing this one.
type recorder struct {
	testing.TB
	says string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) { r.says += fmt.Sprintf(format, args...) }

func (r *recorder) Fatal(args ...any) {
	r.says += fmt.Sprint(args...)
	runtime.Goexit()
}

func TestAServerThatCannotStartShowsItsLog(t *testing.T) {
	r := &recorder{TB: t}
	var wg sync.WaitGroup
	wg.Go(func() { testredis.Start(r, testredis.Config{Args: []string{"--no-such-option", "1"}}) })
	wg.Wait()
	for _, want := range []string{"exit status 1", "no-such-option"} {
		if !strings.Contains(r.says, want) {
			t.Errorf("got %q, want it to mention %q", r.says, want)
		}
	}
}

func TestARestartOnAPortThatIsTakenFails(t *testing.T) {
	r := &recorder{TB: t}
	s := testredis.Start(r, testredis.Config{})
	s.Kill()
	l, err := net.Listen("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() { // a neighbour that knows none of us
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			c.Close()
		}
	}()
	s.Restart()
	if want := "Address already in use"; !strings.Contains(r.says, want) {
		t.Errorf("got %q, want it to mention %q", r.says, want)
	}
}
