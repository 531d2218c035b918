//go:build unix

package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"time"
)

// writeTable prints what was found, a line for each fault and adapter, and reports whether anything has failed.
func writeTable(out io.Writer, results []result, began time.Time, scale int) (failed bool) {
	fmt.Fprintf(out, "%s, %s/%s, %d CPUs, scale %d, %v in all.\n\n", began.UTC().Format("2 January 2006"), runtime.GOOS, runtime.GOARCH,
		runtime.NumCPU(), scale, time.Since(began).Round(time.Second))
	fmt.Fprintln(out, "| | what goes wrong | adapter | tests | runs | seeds | tasks | lost | duplicates | stale accepted | rescue, half / 99 of 100 | verdict |")
	fmt.Fprintln(out, "|--:|---|---|--:|--:|---|--:|--:|--:|--:|--:|---|")
	for _, f := range faults {
		for _, adapter := range []string{memory, redis, postgres} {
			l := lineOf(results, f.number, adapter)
			if l.runs == 0 {
				continue
			}
			fmt.Fprintf(out, "| %d | %s | %s | %d | %d | %s | %s | %s |\n", f.number, f.name, adapter, len(l.tests), l.runs, l.seedText(), l.bookText(), l.verdict())
			failed = failed || l.failed > 0
		}
	}
	return failed
}

// line is what a fault came to on an adapter.
type line struct {
	tests         map[string]bool
	runs, failed  int
	seeds         []uint64
	enqueued      int
	lost          int
	duplicates    int
	stale         int
	rescues       []int64
	booksWereKept bool
}

func lineOf(results []result, number int, adapter string) line {
	l := line{tests: make(map[string]bool)}
	for _, r := range results {
		p := partOf(r.pkg, r.test)
		if p.fault != number || p.adapter != adapter || isParent(results, r) {
			continue
		}
		l.tests[r.pkg+" "+r.test] = true
		l.runs++
		if !r.passed {
			l.failed++
		}
		for _, row := range r.rows {
			l.seeds = append(l.seeds, row.Seed)
			l.booksWereKept = l.booksWereKept || row.Enqueued > 0
			l.enqueued += row.Enqueued
			l.lost += row.Lost
			l.duplicates += row.Duplicates
			l.stale += row.Stale
			l.rescues = append(l.rescues, row.Rescues...)
		}
	}
	return l
}

// isParent reports whether a test has subtests that are told themselves.
func isParent(results []result, r result) bool {
	return slices.ContainsFunc(results, func(other result) bool { return other.pkg == r.pkg && strings.HasPrefix(other.test, r.test+"/") })
}

// seedText gives the first and the last seed: those between are in the output of the tests.
func (l line) seedText() string {
	switch len(l.seeds) {
	case 0:
		return "–"
	case 1:
		return fmt.Sprint(l.seeds[0])
	default:
		return fmt.Sprintf("%d … %d", slices.Min(l.seeds), slices.Max(l.seeds))
	}
}

// bookText gives the columns of the ledger, or dashes where a test asks the store itself.
func (l line) bookText() string {
	rescue := "–"
	if n := len(l.rescues); n > 0 {
		slices.Sort(l.rescues)
		rescue = fmt.Sprintf("%.1f / %.1f s", float64(l.rescues[n/2])/1000, float64(l.rescues[n*99/100])/1000)
	}
	if !l.booksWereKept {
		return "– | – | – | – | " + rescue
	}
	return fmt.Sprintf("%d | %d | %d | %d | %s", l.enqueued, l.lost, l.duplicates, l.stale, rescue)
}

func (l line) verdict() string {
	if l.failed > 0 {
		return fmt.Sprintf("**%d failed**", l.failed)
	}
	return "held"
}
