//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/internal/testprocess"
	"github.com/gostem/gostem/internal/testredis"
)

// TestAWorkerIsKilledAndNothingIsLost does what the README shows: workers beside the program take
// part in its job, and one is killed with tasks in its hands. The others run these when its lease is over.
func TestAWorkerIsKilledAndNothingIsLost(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "typed_tasks")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		server := testredis.Start(t, testredis.Config{})
		killAWorker(t, binary, server.URL(), func() int { return redisHolders(t, server) })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		server := testpostgres.Start(t, testpostgres.Config{})
		killAWorker(t, binary, server.URL(), func() int { return postgresHolders(t, server) })
	})
}

func killAWorker(t *testing.T, binary, broker string, holders func() int) {
	files := 80 * runtime.NumCPU() // more than two workers take in hand
	texts := make(map[string]string)
	for i := range files {
		texts[fmt.Sprint(i, ".txt")] = "one two three\n"
	}
	dir := write(t, texts)
	worker, victim := start(t, binary, "-worker", "-broker", broker), start(t, binary, "-worker", "-broker", broker)
	worker.says("worker started")
	victim.says("worker started")

	whole := start(t, binary, "-all", "-pace", "1s", "-broker", broker, dir)
	within(t, time.Minute, "all three processes have tasks", func() bool {
		return holders() == 3 || whole.Ended(0)
	})
	if err := victim.End(syscall.SIGKILL, time.Minute); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	if !whole.Ended(2 * time.Minute) {
		t.Fatal("the table is not complete after two minutes")
	}
	if took := time.Since(killed); took < 5*time.Second {
		t.Errorf("the table was complete %v after the kill: nobody waited for the lease of the one who was killed: it held nothing", took)
	}
	out := whole.read(whole.stdout)
	if got := strings.Count(out, dir); got != files || strings.Contains(out, "FAILED") || !whole.State().Success() {
		t.Errorf("got %d rows and %v, want %d, none failed, and success", got, whole.State(), files)
	}
	if want := fmt.Sprintf("in %d files;", files); !strings.Contains(out, want) {
		t.Errorf("got\n%s\nwant a summary of results %s", out, want)
	}
	if !regexp.MustCompile(`(?m)^\S+ +\d+ +[1-9]\d*$`).MatchString(out) {
		t.Errorf("got\n%s\nwant a worker with files that were cut short at the one who was killed", out)
	}
	if err := worker.End(syscall.SIGTERM, time.Minute); err != nil || !worker.State().Success() {
		t.Errorf("a worker that was asked to stop: got %v, %v, want success", err, worker.State())
	}
}

// redisHolders counts the workers that hold tasks.
func redisHolders(t *testing.T, server *testredis.Server) int {
	t.Helper()
	pending, err := server.Do("XPENDING", "stem:{default}:0", "stem")
	if err != nil && !strings.Contains(err.Error(), "NOGROUP") {
		t.Fatal(err)
	}
	summary, _ := pending.([]any)
	if len(summary) != 4 {
		return 0
	}
	consumers, _ := summary[3].([]any)
	return len(consumers)
}

// postgresHolders is the same.
func postgresHolders(t *testing.T, server *testpostgres.Server) int {
	t.Helper()
	rows, err := server.Query("SELECT count(DISTINCT holder) FROM stem.task WHERE holder > 0")
	if err != nil {
		t.Fatal(err)
	}
	holders, err := strconv.Atoi(rows[0][0])
	if err != nil {
		t.Fatal(err)
	}
	return holders
}

// program is a process of the example. What it says is in files.
type program struct {
	*testprocess.Process
	t              *testing.T
	stdout, stderr string
}

func start(t *testing.T, binary string, args ...string) *program {
	t.Helper()
	dir := t.TempDir()
	p := &program{t: t, stdout: filepath.Join(dir, "stdout"), stderr: filepath.Join(dir, "stderr")}
	cmd := exec.Command(binary, args...)
	stdout, err := os.Create(p.stdout)
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	stderr, err := os.Create(p.stderr)
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if p.Process, err = testprocess.Start(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.End(syscall.SIGKILL, time.Minute)
		if t.Failed() {
			t.Logf("%v said:\n%s", args, p.read(p.stderr))
		}
	})
	return p
}

func (p *program) read(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(bytes.TrimSpace(text))
}

// says waits until the program has logged something.
func (p *program) says(what string) {
	p.t.Helper()
	within(p.t, time.Minute, "a process says: "+what, func() bool { return strings.Contains(p.read(p.stderr), what) })
}

// within waits until something is so.
func within(t *testing.T, most time.Duration, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(most); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", most, what)
		}
		pause := time.NewTimer(time.Millisecond)
		<-pause.C
	}
}
