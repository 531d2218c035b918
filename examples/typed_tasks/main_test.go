package main

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

// write makes a folder with the files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheJobOnRealFiles(t *testing.T) {
	dir := write(t, map[string]string{
		"a.txt":        "one two\nthree\n",
		"sub/b.md":     strings.Repeat("x", 100_000) + "\nend",
		"sub/skip.bin": "\x00",
		".git/c.txt":   "hidden",
	})
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{dir}, &out, &errs); code != 0 || errs.Len() > 0 {
		t.Fatalf("exit %d, %s; want 0", code, errs.String())
	}
	for _, want := range []string{
		"================================ text files ================================",
		// The checksums are sha256sum's.
		"2      3      7        6481b98de00b  1",
		"2      2      100000   0c3161161ac6  1",
		"demo.hello          Hello Stem",
		"textfile.summarize  4 lines and 5 words in 2 files; the longest line has 100,000 bytes",
		"textfile.flaky      succeeded at attempt 3",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant a line with %q", out.String(), want)
		}
	}
}

func TestAPathThatCannotBeReadIsAFailedTaskAmongTheOthers(t *testing.T) {
	dir := write(t, map[string]string{"a.txt": "one two\nthree\n"})
	missing := filepath.Join(dir, "missing.txt")
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{missing, dir}, &out, &errs); code != 1 {
		t.Errorf("got exit %d, want 1", code)
	}
	for _, want := range []string{missing + "  FAILED: stat " + missing + ": no such file", "1 files", "6481b98de00b"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant a line with %q", out.String(), want)
		}
	}
	if !strings.Contains(errs.String(), "not every task succeeded") {
		t.Errorf("got %q on stderr, want it to say that not every task succeeded", errs.String())
	}
}

func TestOddPathsAreFailedTasksAndShownHarmless(t *testing.T) {
	dir := write(t, map[string]string{"a.txt": "x\n", "red\x1b[31m\n\xff.txt": "x\n"})
	if err := os.Symlink(dir, filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{dir, dir + "/./a.txt", os.DevNull, filepath.Join(dir, "loop")}, &out, &errs)
	if code != 1 {
		t.Errorf("got exit %d, want 1", code)
	}
	for want, times := range map[string]int{
		"FAILED: not a regular file": 2, // the device and the link to a folder
		"a.txt ":                     1, // named twice
		`red\x1b[31m\n\xff.txt"`:     1,
	} {
		if got := strings.Count(out.String(), want); got != times {
			t.Errorf("got %q %d times in\n%s\nwant %d", want, got, out.String(), times)
		}
	}
}

func TestManyFilesAreCutUnlessAllAreAskedFor(t *testing.T) {
	files := map[string]string{}
	for i := range 40 {
		files["f"+strconv.Itoa(i)+".txt"] = strings.Repeat("line\n", i)
	}
	dir := write(t, files)
	var out bytes.Buffer
	if code := run(t.Context(), []string{dir, dir + "/no1", dir + "/no2"}, &out, &out); code != 1 {
		t.Errorf("got exit %d, want 1", code)
	}
	if got := out.String(); !strings.Contains(got, "… and 30 more (-all shows them)") || strings.Count(got, "FAILED") != 2 || !strings.Contains(got, "f39.txt") {
		t.Errorf("got\n%s\nwant the failures, the longest files, and how many more there are", got)
	}
	out.Reset()
	if code := run(t.Context(), []string{"-all", dir}, &out, &out); code != 0 {
		t.Errorf("-all: got exit %d, want 0", code)
	}
	if got := strings.Count(out.String(), dir); got != 40 {
		t.Errorf("-all: got %d files, want 40", got)
	}
}

func TestAPaceGivesTimeToWatch(t *testing.T) {
	dir := write(t, map[string]string{"a.txt": "one\n", "b.txt": "two\n"})
	const pace = 300 * time.Millisecond
	var out bytes.Buffer
	began := time.Now()
	if code := run(t.Context(), []string{"-pace", pace.String(), dir}, &out, &out); code != 0 {
		t.Errorf("got exit %d, want 0", code)
	}
	if took := time.Since(began); took < pace {
		t.Errorf("two files took %v, want %v at least", took, pace)
	}
	if strings.Contains(out.String(), "WORKER") {
		t.Errorf("got\n%s\nwant no table of workers where there is one", out.String())
	}
	out.Reset()
	if code := run(t.Context(), []string{"-pace", "6s", dir}, &out, &out); code != 2 || !strings.Contains(out.String(), "-pace 6s: want 0s to 5s") {
		t.Errorf("got exit %d and %q, want 2 and what is allowed", code, out.String())
	}
}

func TestWrongFlagsAndInterrupts(t *testing.T) {
	var out bytes.Buffer
	if code := run(t.Context(), []string{"-wat"}, &out, &out); code != 2 || !strings.Contains(out.String(), "-wat") {
		t.Errorf("an unknown flag: got exit %d and %q, want 2", code, out.String())
	}
	if code := run(t.Context(), []string{"-h"}, &out, &out); code != 0 {
		t.Errorf("-h: got exit %d, want 0", code)
	}
	out.Reset()
	if code := run(t.Context(), []string{"-worker"}, &out, &out); code != 2 || !strings.Contains(out.String(), "-broker") {
		t.Errorf("a worker of a store that nobody reaches: got exit %d and %q, want 2", code, out.String())
	}
	out.Reset()
	if code := run(t.Context(), []string{"-broker", "nats://localhost"}, &out, &out); code != 1 || !strings.Contains(out.String(), "redis://") || !strings.Contains(out.String(), "postgres://") {
		t.Errorf("an unknown store: got exit %d and %q, want 1 and those that there are", code, out.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := run(ctx, []string{t.TempDir()}, &out, &out); code != 1 {
		t.Errorf("interrupted: got exit %d, want 1", code)
	}
}
