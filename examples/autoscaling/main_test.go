package main

import (
	"bytes"
	"io"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(m)
}

var line = regexp.MustCompile(`(?m)^ *[\d.]+ s +(\d+) +(\d+)  █+$`)

func TestTheSlotsFollowTheBurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out, stderr bytes.Buffer
		if code := run(t.Context(), nil, &out, &stderr); code != 0 {
			t.Fatalf("got exit code %d, want 0\n%s", code, stderr.String())
		}
		lines := line.FindAllStringSubmatch(out.String(), -1)
		first, last := lines[0], lines[len(lines)-1]
		if first[1] != "2" || first[2] < "190" || last[1] != "2" || last[2] != "0" {
			t.Errorf("got %s at first and %s at last, want 2 slots with 190 tasks or more waiting, and 2 with none", first[0], last[0])
		}
		if !strings.Contains(out.String(), "  20  ") || !strings.Contains(out.String(), strings.Repeat("█", 20)+"\n") {
			t.Errorf("got no 20 slots, want them in between:\n%s", out.String())
		}
	})
}

func TestWhatCannotBeIsRefused(t *testing.T) {
	for _, args := range [][]string{{"-slots", "0"}, {"-broker", "nowhere://"}, {"-pictures"}} {
		var stderr bytes.Buffer
		if code := run(t.Context(), args, io.Discard, &stderr); code == 0 || stderr.Len() == 0 {
			t.Errorf("%v: got exit code %d and %q, want an error", args, code, stderr.String())
		}
	}
}
