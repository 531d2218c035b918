//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/internal/testprocess"
	"github.com/gostem/gostem/internal/testredis"
)

// Two processes share the limits that they keep in a store.
func TestTwoProcesses(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "rate_limit_delay")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Run("Redis", func(t *testing.T) {
		t.Parallel()
		twoProcesses(t, binary, testredis.Start(t, testredis.Config{}).URL())
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		twoProcesses(t, binary, testpostgres.Start(t, testpostgres.Config{}).URL())
	})
}

func twoProcesses(t *testing.T, binary, broker string) {
	log := filepath.Join(t.TempDir(), "log")
	said, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	cmd := exec.Command(binary, "-worker", "-broker", broker)
	cmd.Stderr = said
	worker, err := testprocess.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = worker.End(syscall.SIGKILL, time.Minute) })
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		text, err := os.ReadFile(log)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("got %s, %v; want that the worker has started", text, err)
		}
		if strings.Contains(string(text), "worker started") {
			break
		}
	}
	out, err := exec.CommandContext(t.Context(), binary, "-broker", broker).Output()
	if err != nil {
		t.Fatal(err)
	}
	verify(t, string(out))
	if err := worker.End(syscall.SIGTERM, time.Minute); err != nil || !worker.State().Success() {
		t.Errorf("a worker that was asked to stop: got %v, %v, want success", err, worker.State())
	}
}
