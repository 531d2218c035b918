//go:build unix

package faultsite

import (
	"encoding/json"
	"os"
	"strconv"
	"time"

	"github.com/gostem/gostem/internal/ledger"
)

// Scale is how many times as much goes wrong in the tests that do a thing again and again: STEM_TEST_FAULT_SCALE, or 1.
func Scale() int {
	if n, err := strconv.Atoi(os.Getenv("STEM_TEST_FAULT_SCALE")); err == nil && n > 0 {
		return n
	}
	return 1
}

// ReportPrefix is what the line begins with that a site logs at its end: a Row in JSON follows.
const ReportPrefix = "the books: "

// Row is what a site has come to.
type Row struct {
	Seed       uint64 `json:"seed"`
	Enqueued   int    `json:"enqueued"`
	Done       int    `json:"done"`
	Lost       int    `json:"lost"`
	Duplicates int    `json:"duplicates"`
	Stale      int    `json:"stale"`
	// Rescues are how long after the death of its worker each of its tasks ran elsewhere, in milliseconds.
	Rescues []int64 `json:"rescues_ms,omitempty"`
}

// logRow logs the site's row when the test ends.
func (s *Site) logRow(seed uint64) {
	s.row.Seed = seed
	s.t.Cleanup(func() {
		text, err := json.Marshal(s.row)
		if err != nil {
			s.t.Error(err)
		}
		s.t.Logf("%s%s", ReportPrefix, text)
	})
}

// enter adds a balance to the row.
func (s *Site) enter(r ledger.Report) {
	s.row.Enqueued += r.Enqueued
	s.row.Done += r.Done
	s.row.Lost += len(r.Lost)
	s.row.Duplicates += r.Repeated()
	s.row.Stale += len(r.Stale)
}

// rescued adds to the row how long tasks have waited for another worker.
func (s *Site) rescued(took []time.Duration) {
	for _, d := range took {
		s.row.Rescues = append(s.row.Rescues, d.Milliseconds())
	}
}
