//go:build unix

package crashworker_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/internal/crashworker"
	"github.com/gostem/gostem/internal/ledger"
)

var programs = map[string]crashworker.Program{
	"count":  count,
	"broken": func([]string, func()) error { return errors.New("no store at all") },
	"mute":   func([]string, func()) error { return nil },
	"sour": func(_ []string, ready func()) error {
		ready()
		panic("poison")
	},
}

func TestMain(m *testing.M) {
	if code, ran := crashworker.Main(programs); ran {
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}

// count writes an effect every millisecond until SIGTERM: args are the ledger and the worker.
func count(args []string, ready func()) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	book, err := ledger.Open(args[0], args[1])
	if err != nil {
		return err
	}
	defer book.Close()
	for i := 0; ; i++ {
		if err := book.Append(ledger.Entry{Kind: ledger.Effect, ID: fmt.Sprintf("%s-%d", args[1], i)}); err != nil {
			return err
		}
		if i == 0 {
			ready()
			fmt.Println("counting")
		}
		select {
		case <-stop:
			return nil
		case <-time.After(time.Millisecond):
		}
	}
}

func effects(t *testing.T, path string) int {
	t.Helper()
	entries, err := ledger.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// grows waits until the ledger has more entries than before.
func grows(t *testing.T, path string) {
	t.Helper()
	before := effects(t, path)
	for range 1000 {
		if effects(t, path) > before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("the ledger: got no entry after %d, want more", before)
}

func TestAWorkerIsPausedContinuedAndAskedToStop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	w := crashworker.Start(t, "count", path, "a")
	if got := w.Line(10 * time.Second); got != "counting" {
		t.Errorf("the line after ready: got %q, want counting", got)
	}
	grows(t, path)
	w.Pause()
	before := effects(t, path)
	time.Sleep(50 * time.Millisecond)
	if got := effects(t, path); got != before {
		t.Errorf("paused: got %d entries after %d, want none", got, before)
	}
	w.Continue()
	grows(t, path)
	if code := w.Terminate(10 * time.Second); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
}

// What workers have written stands in the ledger though they are killed in the midst of it.
func TestKilledWorkersLeaveAWholeLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	var all sync.WaitGroup
	for i := range 3 {
		w := crashworker.Start(t, "count", path, fmt.Sprint(i))
		all.Go(func() {
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
			w.Kill()
			if got, want := fmt.Sprint(w.State()), "signal: killed"; got != want {
				t.Errorf("got state %q, want %q", got, want)
			}
		})
	}
	all.Wait()
	if got := effects(t, path); got < 3 {
		t.Errorf("got %d effects, want one of each worker at least", got)
	}
}

func TestAWorkerMayEndByItself(t *testing.T) {
	w := crashworker.Start(t, "sour")
	if !w.Ended(10 * time.Second) {
		t.Fatal("it runs on, want it to end")
	}
	if got, want := w.State().ExitCode(), 2; got != want {
		t.Errorf("exit code: got %d, want %d", got, want)
	}
}

// recorder is a test that fails without failing this one.
type recorder struct {
	testing.TB
	says     string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Failed() bool     { return r.says != "" }
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Logf(format string, args ...any)   { r.says += fmt.Sprintf(format, args...) }
func (r *recorder) Errorf(format string, args ...any) { r.says += fmt.Sprintf(format, args...) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failure runs a test to its end and answers what it says.
func failure(t *testing.T, test func(testing.TB)) string {
	r := &recorder{TB: t}
	var done sync.WaitGroup
	done.Go(func() { test(r) })
	done.Wait()
	for _, f := range r.cleanups {
		f()
	}
	return r.says
}

func TestAWorkerThatIsNeverReadyFailsTheTestAndShowsWhatItSaid(t *testing.T) {
	for name, want := range map[string][]string{
		"broken":  {"it is not ready: it has ended (exit status 1)", "no store at all"},
		"mute":    {"it is not ready: it has ended (exit status 0)"},
		"unknown": {"it is not ready: it has ended (exit status 1)", `there is no program "unknown" here`},
	} {
		got := failure(t, func(t testing.TB) { crashworker.Start(t, name) })
		for _, part := range want {
			if !strings.Contains(got, part) {
				t.Errorf("%s: got %q, want it to mention %q", name, got, part)
			}
		}
	}
}

func TestAWorkerThatDoesNotStopFailsTheTest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	got := failure(t, func(t testing.TB) {
		w := crashworker.Start(t, "count", path, "a")
		w.Line(10 * time.Second) // counting
		w.Pause()
		w.Line(10 * time.Millisecond)
		if code := w.Terminate(10 * time.Millisecond); code != -1 {
			t.Errorf("exit code of one that runs on: got %d, want -1", code)
		}
	})
	for _, want := range []string{"it has said nothing for 10ms", "runs on 10ms after terminated"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %q, want it to mention %q", got, want)
		}
	}
}
