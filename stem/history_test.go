package stem

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func record(attempt int, message string) AttemptRecord {
	return AttemptRecord{
		Attempt: attempt, At: time.UnixMilli(1_700_000_000_123).UTC(), Worker: "host-1", Kind: FailureError, Message: message,
	}
}

// TestHistoryBytesNeverChange pins the text form: it lies in stores between attempts.
func TestHistoryBytesNeverChange(t *testing.T) {
	second := record(2, "tab\there\nline \\n end")
	second.Kind, second.StackDigest = FailurePanic, "00000000deadbeef"
	marks := remember(remember(nil, record(1, "boom")), second)
	want := map[string]string{"stem.history": "1\t1700000000123\thost-1\terror\t\tboom\n" +
		"2\t1700000000123\thost-1\tpanic\t00000000deadbeef\ttab\there\\nline \\\\n end\n"}
	if diff := cmp.Diff(marks, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	if diff := cmp.Diff(historyIn(marks), []AttemptRecord{record(1, "boom"), second}); diff != "" {
		t.Errorf("read -, written +:\n%s", diff)
	}
}

func TestAnyMessageIsRemembered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := record(rapid.IntMin(1).Draw(t, "attempt"), text(rapid.String().Draw(t, "message"), longestInLine))
		if diff := cmp.Diff(historyIn(remember(nil, want)), []AttemptRecord{want}); diff != "" {
			t.Fatalf("read -, written +:\n%s", diff)
		}
	})
}

func TestTheNewestAttemptsAreRemembered(t *testing.T) {
	var marks map[string]string
	for i := range 50 {
		marks = remember(marks, record(i+1, "boom"))
	}
	got := historyIn(marks)
	if len(got) != MaxHistory || got[0].Attempt != 31 || got[19].Attempt != 50 {
		t.Errorf("got %d attempts from %d on, want 20 from 31 on", len(got), got[0].Attempt)
	}
}

func TestHistoryLeavesRoomForTheMarksOfOthers(t *testing.T) {
	for _, theirs := range []int{0, 1000, 6000, MaxMarks - 1} {
		marks := map[string]string{"x": strings.Repeat("x", theirs)}
		for i := range 50 {
			marks = remember(marks, record(i+1, strings.Repeat("\\", longestInLine)))
		}
		size := 0
		for key, value := range marks {
			size += len(key) + len(value)
		}
		if size > MaxMarks || len(marks["x"]) != theirs {
			t.Errorf("beside %d bytes: got %d in all and %d of theirs, want at most %d and all of theirs", theirs, size, len(marks["x"]), MaxMarks)
		}
		if history := historyIn(marks); theirs < 6000 && (len(history) == 0 || history[len(history)-1].Attempt != 50) {
			t.Errorf("beside %d bytes: got %d attempts, want the newest among them", theirs, len(history))
		}
	}
}

func TestRememberingChangesNoMarksOfADelivery(t *testing.T) {
	standing := map[string]string{"limit": "7", historyMark: "1\t0\tw\terror\t\tboom\n"}
	before := maps.Clone(standing)
	marks := remember(standing, record(2, "again"))
	if diff := cmp.Diff(standing, before); diff != "" {
		t.Errorf("the delivery's: got -, want +:\n%s", diff)
	}
	if marks["limit"] != "7" || len(historyIn(marks)) != 2 {
		t.Errorf("got %v, want the limit and two attempts", marks)
	}
}

func TestMangledHistoryIsPassedOver(t *testing.T) {
	const good = "3\t0\tw\terror\t\tboom\n"
	for name, tt := range map[string]struct {
		mark string
		want int
	}{
		"nothing":             {"", 0},
		"no line":             {"\n\n", 0},
		"too few fields":      {"1\t0\tw\n" + good, 1},
		"no attempt":          {"x\t0\tw\terror\t\tboom\n" + good, 1},
		"a negative attempt":  {"-1\t0\tw\terror\t\tboom\n" + good, 1},
		"no time":             {"1\tnoon\tw\terror\t\tboom\n" + good, 1},
		"an end cut off":      {good + "4\t0\tw\terror\t\tbo", 2},
		"a trailing escape":   {"4\t0\tw\terror\t\tbo\\\n", 1},
		"no UTF-8":            {good + "4\t0\tw\terror\t\t\xff\n", 0},
		"a NUL":               {good + "4\t0\tw\terror\t\t\x00\n", 0},
		"a megabyte":          {strings.Repeat(good, 50_000), 0},
		"more than there are": {strings.Repeat(good, 30), MaxHistory},
	} {
		if got := (&Delivery{Marks: map[string]string{historyMark: tt.mark}}).History(); len(got) != tt.want {
			t.Errorf("%s: got %d attempts, want %d", name, len(got), tt.want)
		}
	}
}

func TestAStackDigestNamesLinesOfCode(t *testing.T) {
	stack := func(goroutine, arg, line int) string {
		return fmt.Sprintf("goroutine %d [running]:\nmain.f(%#x)\n\t/src/f.go:%d +0x%x\n", goroutine, arg, line, arg)
	}
	first := stackDigest(stack(1, 0xc000, 12))
	if again := stackDigest(stack(7, 0xd000, 12)); again != first || len(first) != 16 {
		t.Errorf("the same lines: got %q and %q, want the same 16 digits", first, again)
	}
	if other := stackDigest(stack(1, 0xc000, 13)); other == first {
		t.Errorf("another line: got %q for both, want another digest", other)
	}
	if none := stackDigest(""); none != "" {
		t.Errorf("no stack: got %q, want none", none)
	}
}
