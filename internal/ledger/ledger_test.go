package ledger_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/internal/ledger"
)

func open(t *testing.T, path, worker string) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(path, worker)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func read(t *testing.T, path string) []ledger.Entry {
	t.Helper()
	entries, err := ledger.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestManyAppendWholeLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	var all sync.WaitGroup
	const workers, writers, each = 4, 3, 200
	for w := range workers {
		l := open(t, path, fmt.Sprint("worker ", w))
		for i := range writers {
			all.Go(func() {
				for n := range each {
					e := ledger.Entry{Kind: ledger.Effect, ID: fmt.Sprintf("%d-%d-%d", w, i, n), Attempt: 2, Delivery: 3}
					if err := l.Append(e); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	entries := read(t, path)
	if got, want := len(entries), workers*writers*each; got != want {
		t.Errorf("got %d entries, want %d", got, want)
	}
	e := entries[0]
	if e.Kind != ledger.Effect || e.Attempt != 2 || e.Delivery != 3 || e.PID != os.Getpid() || e.Sequence != 1 {
		t.Errorf("got %+v", e)
	}
}

func TestALedgerThatIsDamagedIsNotBelieved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	l := open(t, path, "w")
	for _, id := range []string{"a", "b", "c"} {
		if err := l.Append(ledger.Entry{Kind: ledger.Effect, ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(text), "\n")
	for damage, text := range map[string]string{
		"a line is torn":    lines[0] + lines[1][:10],
		"a line is missing": lines[0] + lines[2],
		"a line came twice": lines[0] + lines[0],
	} {
		t.Run(damage, func(t *testing.T) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if entries, err := ledger.Read(path); err == nil || !strings.Contains(err.Error(), "entry 2") {
				t.Errorf("got %+v, error %v, want an error at entry 2", entries, err)
			}
		})
	}
}

func TestAnEntryThatCouldBeTornIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	l := open(t, path, "w")
	if err := l.Append(ledger.Entry{Kind: ledger.Effect, ID: strings.Repeat("x", 4096)}); err == nil {
		t.Error("an entry beyond 4 KiB: got no error, want one")
	}
	if err := l.Append(ledger.Entry{Kind: ledger.Effect, ID: "a"}); err != nil {
		t.Error(err)
	}
	if got := read(t, path); len(got) != 1 || got[0].Sequence != 1 {
		t.Errorf("got %+v, want the second alone", got)
	}
}

func TestCheck(t *testing.T) {
	entry := func(kind ledger.Kind, id string, delivery int64, worker string) ledger.Entry {
		return ledger.Entry{Kind: kind, ID: id, Delivery: delivery, Worker: worker}
	}
	enqueued := func(id string) ledger.Entry { return entry(ledger.Enqueued, id, 0, "client") }
	effect := func(id string, delivery int64, worker string) ledger.Entry {
		return entry(ledger.Effect, id, delivery, worker)
	}
	settled := func(id string, delivery int64, worker string) ledger.Entry {
		return entry(ledger.Settled, id, delivery, worker)
	}
	for promise, c := range map[string]struct {
		entries []ledger.Entry
		want    ledger.Report
	}{
		"a task that is done once is in order": {
			[]ledger.Entry{enqueued("a"), effect("a", 1, "w"), settled("a", 1, "w")},
			ledger.Report{Enqueued: 1, Done: 1},
		},
		"an effect may be written before the acknowledgement": {
			[]ledger.Entry{effect("a", 1, "w"), enqueued("a")},
			ledger.Report{Enqueued: 1, Done: 1},
		},
		"an acknowledged task without effect is lost": {
			[]ledger.Entry{enqueued("b"), enqueued("a"), enqueued("c"), effect("c", 1, "w")},
			ledger.Report{Enqueued: 3, Done: 1, Lost: []string{"a", "b"}},
		},
		"a second effect is a duplicate": {
			[]ledger.Entry{enqueued("a"), effect("a", 1, "w"), effect("a", 2, "v"), effect("a", 3, "v")},
			ledger.Report{Enqueued: 1, Done: 1, Duplicates: map[string]int{"a": 2}},
		},
		"an effect without an acknowledgement is counted": {
			[]ledger.Entry{effect("a", 1, "w")},
			ledger.Report{Unacknowledged: 1},
		},
		"a settlement that is repeated is not stale": {
			[]ledger.Entry{enqueued("a"), effect("a", 1, "w"), settled("a", 1, "w"), settled("a", 1, "w")},
			ledger.Report{Enqueued: 1, Done: 1},
		},
		"a settlement beside a later delivery is stale, whichever is written first": {
			[]ledger.Entry{enqueued("a"), effect("a", 1, "w"), settled("a", 1, "w"), effect("a", 2, "v"), settled("a", 2, "v")},
			ledger.Report{Enqueued: 1, Done: 1, Duplicates: map[string]int{"a": 1}, Stale: []ledger.Entry{settled("a", 1, "w")}},
		},
		"a settlement of a delivery that another has settled is stale": {
			[]ledger.Entry{enqueued("a"), effect("a", 2, "v"), settled("a", 2, "v"), settled("a", 2, "w")},
			ledger.Report{Enqueued: 1, Done: 1, Stale: []ledger.Entry{settled("a", 2, "w")}},
		},
	} {
		t.Run(promise, func(t *testing.T) {
			if c.want.Duplicates == nil {
				c.want.Duplicates = map[string]int{}
			}
			if diff := cmp.Diff(ledger.Check(c.entries), c.want); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
		})
	}
}

// recorder is a test that fails without failing this one.
type recorder struct {
	testing.TB
	says []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.says = append(r.says, fmt.Sprintf(format, args...))
}

func TestAssert(t *testing.T) {
	for promise, c := range map[string]struct {
		report   ledger.Report
		expected ledger.Expected
		want     string // how the failure begins, "" for none
	}{
		"nine of ten will do":                {ledger.Report{Enqueued: 9, Done: 9}, ledger.Expected{Tasks: 10}, ""},
		"a run in which little happens":      {ledger.Report{Enqueued: 8, Done: 8}, ledger.Expected{Tasks: 10}, "done: 8 of 10 tasks, want 9 at least"},
		"a run that tries nothing":           {ledger.Report{}, ledger.Expected{}, "done: 0 of 0"},
		"a small run is not rounded down":    {ledger.Report{Done: 0}, ledger.Expected{Tasks: 1}, "done: 0 of 1 tasks, want 1 at least"},
		"a loss":                             {ledger.Report{Enqueued: 10, Done: 9, Lost: []string{"a"}}, ledger.Expected{Tasks: 10}, "lost: 1 of 10 acknowledged tasks, such as a"},
		"duplicates that may be":             {ledger.Report{Done: 1, Duplicates: map[string]int{"a": 2}}, ledger.Expected{Tasks: 1, Duplicates: 2}, ""},
		"one duplicate more":                 {ledger.Report{Done: 1, Duplicates: map[string]int{"a": 2, "b": 1}}, ledger.Expected{Tasks: 1, Duplicates: 2}, "duplicates: 3 effects, want 2 at most, such as a, b"},
		"a stale write, though all was done": {ledger.Report{Done: 1, Stale: []ledger.Entry{{ID: "a"}}}, ledger.Expected{Tasks: 1}, "stale: 1 settlements"},
	} {
		t.Run(promise, func(t *testing.T) {
			r := &recorder{TB: t}
			c.report.Assert(r, c.expected)
			got := strings.Join(r.says, "\n")
			if !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") || len(r.says) > 1 {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAReportIsOneLine(t *testing.T) {
	got := ledger.Report{Enqueued: 3, Done: 2, Lost: []string{"a"}, Duplicates: map[string]int{"b": 4}}.String()
	if want := "3 enqueued, 2 done, 0 unacknowledged, 1 lost, 4 duplicates, 0 stale"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
