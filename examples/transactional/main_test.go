//go:build unix

package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/internal/testpostgres"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

// TestExactlyWhatWasCommittedIsDone does what the README shows, on a server of its own, with workers that are killed.
func TestExactlyWhatWasCommittedIsDone(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "transactional")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	server := testpostgres.Start(t, testpostgres.Config{})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "-broker", server.URL())
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // it ends its workers
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, stderr.String())
	}
	t.Logf("\n%s", out)

	orders := numbers(t, out, `^(\d+) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$`)
	if orders[0] != 10_000 || orders[1]+orders[2] != 10_000 || orders[2] < 2_500 || orders[2] > 3_500 {
		t.Errorf("got %d orders, %d committed and %d rolled back, want 10,000 of which 3 in 10 rolled back", orders[0], orders[1], orders[2])
	}
	if orders[3] != orders[1] || orders[4] != 0 || orders[5] != 0 {
		t.Errorf("of %d orders got %d shipped, %d that were rolled back, %d missing; want exactly those", orders[1], orders[3], orders[4], orders[5])
	}
	completed := numbers(t, out, `^completed in their transaction +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$`)
	if completed[1] <= completed[0] {
		t.Errorf("got %d runs of %d tasks, want more: the workers that were killed had nothing in their hands", completed[1], completed[0])
	}
	if completed[2] != completed[0] || completed[3] != 0 || completed[4] != 0 {
		t.Errorf("of %d charges got %d, %d too many and %d missing; want each once", completed[0], completed[2], completed[3], completed[4])
	}
	naive := numbers(t, out, `^ended by the worker after it +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)$`)
	if naive[3] == 0 || naive[4] != 0 {
		t.Errorf("of those that are not completed got %d too many and %d missing; want some too many, or nothing is shown", naive[3], naive[4])
	}
	if !strings.Contains(string(out), "6 WORKERS KILLED") {
		t.Errorf("got\n%s\nwant 6 workers killed", out)
	}
	rows, err := server.Query("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'stem%'")
	if err != nil || rows[0][0] != "0" {
		t.Errorf("got %v, %v, want no schema left", rows, err)
	}
}

// numbers gives those of the line of a form.
func numbers(t *testing.T, out []byte, form string) (ns []int) {
	t.Helper()
	match := regexp.MustCompile("(?m)" + form).FindSubmatch(out)
	if match == nil {
		t.Fatalf("got\n%s\nwant a line %s", out, form)
	}
	for _, digits := range match[1:] {
		n, err := strconv.Atoi(string(digits))
		if err != nil {
			t.Fatal(err)
		}
		ns = append(ns, n)
	}
	return ns
}

func TestWhoHasNoDatabaseIsToldHowToGetOne(t *testing.T) {
	var out bytes.Buffer
	for _, args := range [][]string{nil, {"-broker", "redis://127.0.0.1"}, {"-worker"}} {
		out.Reset()
		if code := run(t.Context(), args, &out, &out); code != 2 || !strings.Contains(out.String(), "initdb -D") {
			t.Errorf("%q: got exit %d and %q, want 2 and how to get one", args, code, out.String())
		}
	}
	if code := run(t.Context(), []string{"-h"}, &out, &out); code != 0 {
		t.Errorf("-h: got exit %d, want 0", code)
	}
	out.Reset()
	if code := run(t.Context(), []string{"-broker", "postgres://nobody@127.0.0.1:1/none"}, &out, &out); code != 1 || !strings.Contains(out.String(), "127.0.0.1:1") {
		t.Errorf("got exit %d and %q, want 1 and who did not answer", code, out.String())
	}
}
