package main

import (
	"bytes"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

// verify expects of what the program has printed that its limits were kept by two workers together.
func verify(t *testing.T, out string) {
	t.Helper()
	rows := regexp.MustCompile(`(?m)^25 +(acme|globex) +([\d.]+) +(.*)$`).FindAllStringSubmatch(out, -1)
	if len(rows) != 2 {
		t.Fatalf("got\n%s\nwant a row for each of two tenants", out)
	}
	var workers []string
	for _, row := range rows {
		// 25 turns, a tenth of a second apart: the last may come late and the first not early.
		if rate, err := strconv.ParseFloat(row[2], 64); err != nil || rate > 10.5 || rate < 4 {
			t.Errorf("got %s calls a second for %s, want 10 at most, and not many fewer", row[2], row[1])
		}
		for part := range strings.SplitSeq(row[3], ", ") {
			name, _, _ := strings.Cut(part, ":")
			workers = append(workers, name)
		}
	}
	slices.Sort(workers)
	if n := len(slices.Compact(workers)); n != 2 {
		t.Errorf("got\n%s\nwant calls by two workers", out)
	}
	// Of two reports that two workers have received, either may get the one place, and the other goes back.
	for _, want := range []string{`remind, delayed by 1s: ran after 1`, `report, one at a time: priority \d, priority \d, priority \d\n`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("got\n%s\nwant a line with %s", out, want)
		}
	}
}

func TestTwoWorkersInMemory(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run(t.Context(), nil, &out, &errs); code != 0 || errs.Len() > 0 {
		t.Fatalf("exit %d, %s; want 0", code, errs.String())
	}
	verify(t, out.String())
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	for _, args := range [][]string{{"-worker"}, {"-unheard-of"}} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != 2 || errs.Len() == 0 {
			t.Errorf("%v: got exit %d and %q, want 2 and why", args, code, errs.String())
		}
	}
}
