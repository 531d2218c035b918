//go:build unix

package faultsite

import (
	"bytes"
	"os"
	"slices"

	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// Kinds of ledger entries.
const (
	Tried   ledger.Kind = "tried"   // a run has begun
	Rescued ledger.Kind = "rescued" // a delivery was taken over from a session that had lapsed

	crashed ledger.Kind = "crashed" // the server came back, see Crashed
)

// Entries reads the ledger.
func (s *Site) Entries() []ledger.Entry {
	s.t.Helper()
	entries, err := ledger.Read(s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	return entries
}

// Without gives the ledger without the entries of a task.
func (s *Site) Without(id string) (entries []ledger.Entry) {
	for _, e := range s.Entries() {
		if e.ID != id {
			entries = append(entries, e)
		}
	}
	return entries
}

// Lines counts the entries of a kind.
func (s *Site) Lines(kind ledger.Kind) int {
	s.t.Helper()
	data, err := os.ReadFile(s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	return bytes.Count(data, []byte(`{"kind":"`+string(kind)+`"`))
}

// Crashed notes that the server has crashed and is back, one that forgets settlements of the last moments. They are
// made again, and the balance does not take the first for stale.
func (s *Site) Crashed() {
	s.t.Helper()
	if err := s.Book.Append(ledger.Entry{Kind: crashed, ID: "server"}); err != nil {
		s.t.Fatal(err)
	}
}

// afterCrash gives the entries since the server was last back.
func afterCrash(entries []ledger.Entry) []ledger.Entry {
	for i, e := range slices.Backward(entries) {
		if e.Kind == crashed {
			return entries[i:]
		}
	}
	return entries
}

// Balance checks the ledger, and that nothing was taken for poison.
func (s *Site) Balance(want ledger.Expected) ledger.Report {
	s.t.Helper()
	entries := s.Entries()
	report := ledger.Check(entries)
	s.t.Log(report)
	since := afterCrash(entries)
	report.Stale = slices.DeleteFunc(report.Stale, func(e ledger.Entry) bool { return !slices.Contains(since, e) })
	s.enter(report)
	report.Assert(s.t, want)
	s.NoneDead()
	return report
}

// NoneDead wants that there are no dead letters.
func (s *Site) NoneDead() {
	s.t.Helper()
	dead, err := s.Store.DeadLetters(s.t.Context(), stem.DefaultQueue, 10)
	if err != nil || len(dead) > 0 {
		s.t.Errorf("got dead letters %v, %v, want none", dead, err)
	}
}

// Excuse wants each effect that was not its task's last to be of a worker to whom something has happened, and of
// each such worker no more than it could have in hand.
func (s *Site) Excuse(harmed map[string]int) {
	s.t.Helper()
	last := make(map[string]ledger.Entry)
	for _, e := range s.Entries() {
		if e.Kind != ledger.Effect {
			continue
		}
		if before, ok := last[e.ID]; ok {
			if before.Delivery > e.Delivery {
				before = e
			}
			if harmed[before.Worker]--; harmed[before.Worker] < 0 {
				s.t.Errorf("%s was done twice: first by %s, which was well or had not so many in hand", e.ID, before.Worker)
			}
		}
		if last[e.ID].Delivery < e.Delivery {
			last[e.ID] = e
		}
	}
}

// RightResults wants each task's result to be of the delivery whose end was accepted.
func (s *Site) RightResults() {
	s.t.Helper()
	settled := make(map[string]ledger.Entry)
	var ids []string
	for _, e := range s.Entries() {
		if e.Kind == ledger.Settled {
			settled[e.ID] = e
			ids = append(ids, e.ID)
		}
	}
	results, err := s.Store.Load(s.t.Context(), ids...)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range results {
		if want := settled[r.ID].Delivery; r.Delivery != want || r.State != stem.StateSucceeded {
			s.t.Errorf("%s: got a result %v of delivery %d, want success of %d", r.ID, r.State, r.Delivery, want)
		}
	}
}
