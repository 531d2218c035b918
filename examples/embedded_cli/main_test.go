package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/testredis"
)

func TestMain(m *testing.M) {
	if os.Getenv("EMBEDDED_CLI") != "" {
		os.Exit(run())
	}
	os.Exit(testredis.Main(m).Run())
}

// program gives a run of the program, as a process of its own.
func program(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), "EMBEDDED_CLI=1", "STEM_BROKER_URL="+testredis.URL(t), "STEM_WORKER_NAMESPACE=embedded", "STEM_CONFIG="+t.TempDir()+"/none")
	return cmd
}

func TestTheBinaryRunsAndOperatesItsOwnTasks(t *testing.T) {
	worker := program(t, "worker", "start", "--queues", "letters", "--concurrency", "2")
	var log bytes.Buffer
	worker.Stderr = &log
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	out, err := program(t, "task", "enqueue", "letter", "--args", `{"To": "ada", "Copies": 2}`, "--wait", "--timeout", "1m", "-o", "json").Output()
	var result struct{ State, Value string }
	if jsonErr := json.Unmarshal(out, &result); err != nil || jsonErr != nil || result.State != "succeeded" || result.Value != "2 to ada" {
		t.Errorf("got %s (%v), want a result of 2 to ada", out, err)
	}
	if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- worker.Wait() }()
	select {
	case err := <-stopped:
		if err != nil || !strings.Contains(log.String(), "level=INFO") {
			t.Errorf("the worker ended with %v and said %q, want no error and what it did", err, log.String())
		}
	case <-time.After(time.Minute):
		t.Error("the worker has not stopped within a minute of SIGTERM")
	}
}
