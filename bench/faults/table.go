package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// row is what a system came to under a fault.
type row struct {
	system, fault string
	tasks         int // acknowledged
	lost          int // without effect, and the store knows nothing of them
	waiting       int // without effect within the bound, but still in the store
	duplicates    int
	stale         string // accepted of those taken over, or a dash where nobody looked or none was taken over
	rescues       []time.Duration
}

func writeTable(out io.Writer, rows []row, bound time.Duration) {
	fmt.Fprintln(out, "| fault | system | tasks | lost | undone at the bound | duplicates | stale accepted | rescues | half of them | 99 of 100 |")
	fmt.Fprintln(out, "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, r := range rows {
		fmt.Fprintf(out, "| %s | `%s` | %d | %d | %d | %d | %s | %d | %s | %s |\n", r.fault, r.system, r.tasks, r.lost, r.waiting, r.duplicates, r.stale,
			len(r.rescues), quantile(r.rescues, 50, bound), quantile(r.rescues, 99, bound))
	}
}

// quantile gives how long so many of a hundred rescues took at most. Those that were not seen took longer than the others.
func quantile(rescues []time.Duration, percent int, bound time.Duration) string {
	if len(rescues) == 0 {
		return "–"
	}
	sorted := slices.Clone(rescues)
	for i, d := range sorted {
		if d == never {
			sorted[i] = bound + 1
		}
	}
	slices.Sort(sorted)
	d := sorted[(len(sorted)*percent+99)/100-1]
	if d > bound {
		return fmt.Sprintf("not within %.0f s", bound.Seconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}
