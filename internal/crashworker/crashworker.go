//go:build unix

// Package crashworker lets a test binary run itself again as a worker process that the
// test can kill. What the process does is up to the test: this package knows
// neither stores nor tasks. It is for the tests of this module; no user needs it.
package crashworker

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/testprocess"
)

// program names, in the environment, what the process runs instead of tests.
const program = "STEM_TEST_CRASHWORKER"

// Program is what a worker process runs. It calls ready when it is at work, and may say
// more on standard output, a line at a time, to a test that reads it.
type Program func(args []string, ready func()) error

// Main runs what the process was started for, and reports whether that was anything:
//
//	func TestMain(m *testing.M) {
//		if code, ran := crashworker.Main(programs); ran {
//			os.Exit(code)
//		}
//		goleak.VerifyTestMain(m)
//	}
func Main(programs map[string]Program) (code int, ran bool) {
	name, ran := os.LookupEnv(program)
	if !ran {
		return 0, false
	}
	run, ok := programs[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "crashworker: there is no program %q here\n", name)
		return 1, true
	}
	if err := run(os.Args[1:], func() { fmt.Fprintln(os.Stdout, "ready") }); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// Worker is a process that runs a program. Its methods may be called from any goroutine,
// but for Line, which one may call at a time; what goes wrong fails the test.
type Worker struct {
	*testprocess.Process
	t      testing.TB
	stdout *os.File
	lines  *bufio.Reader
	stderr string
}

// patience is how long a worker may take to start, and to be gone after it was killed.
const patience = 20 * time.Second

// Start runs a program in a process of its own and waits until it is ready. It is killed at
// the end of the test, and what it said on standard error is shown if the test has failed.
func Start(t testing.TB, name string, args ...string) *Worker {
	t.Helper()
	w := &Worker{t: t, stderr: filepath.Join(t.TempDir(), "stderr")}
	if err := w.start(name, args); err != nil {
		t.Fatalf("crashworker: %s: %v", name, err)
	}
	t.Cleanup(func() {
		w.Close()
		if t.Failed() {
			t.Logf("%s %v, process %d (%v), said:\n%s", name, args, w.PID(), w.State(), w.said())
		}
	})
	for {
		switch line, err := w.line(patience); {
		case err != nil:
			t.Fatalf("crashworker: %s: it is not ready: %v", name, err)
		case line == "ready":
			return w
		}
	}
}

func (w *Worker) start(name string, args []string) error {
	stderr, err := os.Create(w.stderr)
	if err != nil {
		return err
	}
	defer stderr.Close()
	stdout, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), program+"="+name), theirs, stderr
	if w.Process, err = testprocess.Start(cmd); err != nil {
		stdout.Close()
		return err
	}
	w.stdout, w.lines = stdout, bufio.NewReader(stdout)
	return nil
}

// Line gives the next line that the program writes to standard output, within a time. A test
// that expects lines reads them: a pipe that nobody reads is full after 64 KiB.
func (w *Worker) Line(within time.Duration) string {
	w.t.Helper()
	line, err := w.line(within)
	if err != nil {
		w.t.Errorf("process %d: %v", w.PID(), err)
	}
	return line
}

func (w *Worker) line(within time.Duration) (string, error) {
	_ = w.stdout.SetReadDeadline(time.Now().Add(within))
	line, err := w.lines.ReadString('\n')
	switch {
	case err == nil:
		return strings.TrimSuffix(line, "\n"), nil
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "", fmt.Errorf("it has said nothing for %v", within)
	case w.Ended(time.Second):
		return "", fmt.Errorf("it has ended (%v)", w.State())
	}
	return "", err
}

// Kill ends the process by SIGKILL and waits until it is gone. It may be repeated.
func (w *Worker) Kill() { w.end(syscall.SIGKILL, patience) }

// Close is Kill for a test that has so many workers, one after the other, that it must not keep what it hears them by.
func (w *Worker) Close() {
	w.Kill()
	w.stdout.Close()
}

// Terminate asks the process to stop by SIGTERM, waits until it has, and answers its exit code: 0 is
// that of a program that returned nil.
func (w *Worker) Terminate(within time.Duration) int {
	w.t.Helper()
	if !w.end(syscall.SIGTERM, within) {
		return -1
	}
	return w.State().ExitCode()
}

// Pause freezes the process and waits until it stands still. It knows nothing of the time that passes.
func (w *Worker) Pause() { w.check(w.Process.Pause()) }

// Continue wakes a paused process.
func (w *Worker) Continue() { w.check(w.Process.Continue()) }

func (w *Worker) end(sig syscall.Signal, within time.Duration) bool {
	return w.check(w.End(sig, within))
}

func (w *Worker) check(err error) bool {
	if err != nil {
		w.t.Helper()
		w.t.Errorf("crashworker: %v", err)
	}
	return err == nil
}

// said gives what the process wrote to standard error.
func (w *Worker) said() string {
	text, err := os.ReadFile(w.stderr)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
