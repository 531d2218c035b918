package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// Report is what Check has found.
type Report struct {
	// Enqueued counts the tasks that the store has acknowledged.
	Enqueued int
	// Done counts those that have had an effect.
	Done int
	// Unacknowledged counts the tasks with an effect whose acknowledgement nobody has seen.
	Unacknowledged int
	// Lost are the acknowledged tasks without an effect, in order.
	Lost []string
	// Duplicates says how many effects more than one a task has had.
	Duplicates map[string]int
	// Stale are the settlements that were accepted from a delivery that had no say: there was a later
	// one, or another holder was heard for the same.
	Stale []Entry
}

// Check balances the books.
func Check(entries []Entry) Report {
	r := Report{Duplicates: make(map[string]int)}
	enqueued, effects := make(map[string]bool), make(map[string]int)
	for _, e := range entries {
		switch e.Kind {
		case Enqueued:
			enqueued[e.ID] = true
		case Effect:
			effects[e.ID]++
		}
	}
	r.Enqueued = len(enqueued)
	for _, id := range slices.Sorted(maps.Keys(enqueued)) {
		if effects[id] > 0 {
			r.Done++
		} else {
			r.Lost = append(r.Lost, id)
		}
	}
	r.Unacknowledged = len(effects) - r.Done
	for id, n := range effects {
		if n > 1 {
			r.Duplicates[id] = n - 1
		}
	}
	r.Stale = stale(entries)
	return r
}

// stale finds the settlements of deliveries that were not the last of their task. A
// settlement ends its task, so that no delivery can come after it.
func stale(entries []Entry) []Entry {
	last, heard := make(map[string]int64), make(map[string]Entry)
	for _, e := range entries {
		last[e.ID] = max(last[e.ID], e.Delivery)
	}
	var found []Entry
	for _, e := range entries {
		if e.Kind != Settled {
			continue
		}
		first, ok := heard[e.ID]
		other := ok && (first.Worker != e.Worker || first.PID != e.PID)
		if e.Delivery < last[e.ID] || other {
			found = append(found, e)
			continue
		}
		heard[e.ID] = e
	}
	return found
}

// Expected is what a run must come to.
type Expected struct {
	// Tasks is how many the run tried to enqueue. Nine of ten must have been acknowledged and
	// have had an effect: a run in which nothing happens proves nothing.
	Tasks int
	// Duplicates is how many there may be. Default: none.
	Duplicates int
}

// Assert fails the test if a task was lost, a stale write accepted, more was done twice
// than may be, or too little was done at all.
func (r Report) Assert(t testing.TB, want Expected) {
	t.Helper()
	if len(r.Lost) > 0 {
		t.Errorf("lost: %d of %d acknowledged tasks, such as %s", len(r.Lost), r.Enqueued, some(r.Lost))
	}
	if len(r.Stale) > 0 {
		t.Errorf("stale: %d settlements were accepted that should not, such as %+v", len(r.Stale), r.Stale[0])
	}
	if n := r.Repeated(); n > want.Duplicates {
		t.Errorf("duplicates: %d effects, want %d at most, such as %s", n, want.Duplicates, some(slices.Sorted(maps.Keys(r.Duplicates))))
	}
	if least := (want.Tasks*9 + 9) / 10; r.Done < least || want.Tasks < 1 {
		t.Errorf("done: %d of %d tasks, want %d at least", r.Done, want.Tasks, least)
	}
}

// Repeated counts the duplicates of all tasks.
func (r Report) Repeated() int {
	n := 0
	for _, more := range r.Duplicates {
		n += more
	}
	return n
}

// String tells the report on one line.
func (r Report) String() string {
	return fmt.Sprintf("%d enqueued, %d done, %d unacknowledged, %d lost, %d duplicates, %d stale",
		r.Enqueued, r.Done, r.Unacknowledged, len(r.Lost), r.Repeated(), len(r.Stale))
}

func some(ids []string) string { return strings.Join(ids[:min(len(ids), 5)], ", ") }
