//go:build unix

package testprocess_test

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/internal/testprocess"
)

// parent is set in the environment of a process that starts a child and waits for its own end.
const parent = "TESTPROCESS_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parent) != "" {
		if _, err := testprocess.Start(exec.Command("sleep", "60")); err != nil {
			panic(err)
		}
		os.Stdout.Close() // the child is there
		time.Sleep(time.Minute)
	}
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, cmd *exec.Cmd) *testprocess.Process {
	t.Helper()
	p, err := testprocess.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.End(syscall.SIGKILL, 10*time.Second); err != nil {
			t.Error(err)
		}
	})
	return p
}

func TestAProcessRunsUntilASignalEndsIt(t *testing.T) {
	p := start(t, exec.Command("sleep", "60"))
	if p.Ended(10*time.Millisecond) || p.State() != nil {
		t.Fatal("it has ended, want it to run")
	}
	if err := p.End(syscall.SIGTERM, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	if got, want := p.State().String(), "signal: terminated"; got != want {
		t.Errorf("state: got %q, want %q", got, want)
	}
	if err := p.Signal(syscall.SIGTERM); err == nil {
		t.Error("a signal to a process that has ended: got no error, want one")
	}
	if err := p.End(syscall.SIGKILL, 0); err != nil {
		t.Errorf("the second end: got %v, want nil", err)
	}
}

func TestAProcessThatTakesItsTimeIsNotGone(t *testing.T) {
	p := start(t, exec.Command("sleep", "60"))
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := p.End(syscall.SIGTERM, 10*time.Millisecond); err == nil {
		t.Error("a paused process: got an end, want an error")
	}
	if err := p.Continue(); err != nil {
		t.Fatal(err)
	}
	if !p.Ended(10*time.Second) || p.State().String() != "signal: terminated" {
		t.Errorf("continued: got state %v, want it to obey the signal that waited", p.State())
	}
	if err := p.Pause(); err == nil {
		t.Error("a pause of one that has ended: got no error, want one")
	}
}

func TestOneThatCannotBeStartedIsAnError(t *testing.T) {
	if _, err := testprocess.Start(exec.Command("/nowhere/program")); err == nil {
		t.Error("got no error, want one")
	}
}

func TestAChildDiesWithTheTestProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux kills the children of who dies")
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env, cmd.Stdout = append(os.Environ(), parent+"=1"), theirs
	p := start(t, cmd)
	theirs.Close()
	_, _ = ready.Read(make([]byte, 1))
	if p.Ended(10 * time.Millisecond) {
		t.Fatalf("the parent has ended (%v), want it to run", p.State())
	}
	// The end is one of all descendants.
	if err := p.End(syscall.SIGKILL, 10*time.Second); err != nil {
		t.Errorf("the child outlives its parent: %v", err)
	}
}
