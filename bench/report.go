package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// outcome is what was found of one system by one measure, each round.
type outcome struct {
	Measure string    `json:"measure"`
	System  string    `json:"system"`
	Rounds  []figures `json:"rounds"`
}

func writeJSON(out io.Writer, all []outcome) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "\t")
	return e.Encode(all)
}

// writeTables prints, in Markdown, what was found on each store and which bars were reached.
func writeTables(out io.Writer, all []outcome, bars []bar) error {
	for _, s := range stores {
		of := slices.DeleteFunc(rowsOf(all), func(r row) bool { return !slices.Contains(s.systems, r.System) })
		if len(of) == 0 {
			continue
		}
		fmt.Fprintf(out, "### %s\n\n", s.name)
		if err := errors.Join(writeFigures(out, s, of), writeBars(out, of, bars)); err != nil {
			return err
		}
	}
	return nil
}

// writeFigures leaves out columns in which there is nothing.
func writeFigures(out io.Writer, s *store, rows []row) error {
	lines := [][]string{{
		"measure", "system", "median", "spread", "× " + s.peer, "× " + s.limit, "× " + s.peer + " by CPU",
		"CPU client", "CPU server", "MiB client", "MiB server", "allocs", s.asked, s.more,
	}}
	for _, r := range rows {
		more := ""
		if s.moreOf != nil {
			more = s.moreOf(r)
		}
		lines = append(lines, []string{
			r.Measure, r.System, r.headline(), r.spread(),
			digits(r.byRate[s.peer], ratioDigits(r.byRate[s.peer])), digits(r.byRate[s.limit], 2), digits(r.byCPU[s.peer], ratioDigits(r.byCPU[s.peer])),
			digits(r.ClientCPU, 2), digits(r.ServerCPU, 2), digits(r.ClientPeak, 0), digits(r.ServerPeak, 0),
			digits(r.Allocs, 1), digits(r.Commands, 3), more,
		})
	}
	lines = withoutEmpty(lines)
	t := newTable(out, lines[0]...)
	for _, line := range lines[1:] {
		t.row(line...)
	}
	return t.end()
}

// withoutEmpty leaves out the columns that have nothing below the first line.
func withoutEmpty(lines [][]string) [][]string {
	kept := make([][]string, len(lines))
	for column := range lines[0] {
		if !slices.ContainsFunc(lines[1:], func(line []string) bool { return line[column] != "" }) {
			continue
		}
		for i, line := range lines {
			kept[i] = append(kept[i], line[column])
		}
	}
	return kept
}

// spread is how far the rounds lie apart: the slowest and the quickest.
func (r row) spread() string {
	if len(r.Rounds) < 2 {
		return ""
	}
	of, unit := func(f figures) float64 { return f.Rate / 1000 }, "k/s"
	if r.Rate == 0 {
		of, unit = func(f figures) float64 { return f.P50 }, " ms"
	}
	least, most := of(r.Rounds[0]), of(r.Rounds[0])
	for _, f := range r.Rounds {
		least, most = min(least, of(f)), max(most, of(f))
	}
	if most == 0 {
		return ""
	}
	return fmt.Sprintf("%s–%s%s", digits(least, 1), digits(most, 1), unit)
}

// ratioDigits is how many digits a ratio is worth: small ones would be 0.
func ratioDigits(ratio float64) int {
	if ratio < 0.1 {
		return 3
	}
	return 1
}

func writeBars(out io.Writer, rows []row, bars []bar) error {
	t := newTable(out, "measure", "system", "bar", "found", "")
	for _, r := range rows {
		for _, b := range bars {
			if b.measure == r.Measure && b.system == r.System && !b.unknown(r) {
				value, verdict := b.verdict(r)
				t.row(b.measure, b.system, b.String(), value, verdict)
			}
		}
	}
	return t.end()
}

// headline is the figure that the measure is about.
func (r row) headline() string {
	switch {
	case r.Slower > 0:
		return fmt.Sprintf("%.2f / %.2f ms, %.1f ×", r.P50, r.P99, r.Slower)
	case r.Kept > 0:
		return fmt.Sprintf("%.1fk/s → %.1fk/s, %.2f ×", r.AtFirst/1000, r.Rate/1000, r.Kept)
	case r.P50 > 0:
		return fmt.Sprintf("%.2f / %.2f / %.2f ms", r.P50, r.P95, r.P99)
	case r.Stored > 0:
		return fmt.Sprintf("%.0f bytes", r.Stored)
	case r.Rate > 0:
		return fmt.Sprintf("%.1fk/s", r.Rate/1000)
	default:
		return fmt.Sprintf("%.2f %s/s", r.Idle, storeOf(r.System).asked)
	}
}

// digits prints a figure, or nothing where there is none.
func digits(v float64, n int) string {
	if v == 0 {
		return ""
	}
	return strconv.FormatFloat(v, 'f', n, 64)
}

// table is one in Markdown, of which the first two columns are texts.
type table struct{ *tabwriter.Writer }

func newTable(out io.Writer, columns ...string) table {
	t := table{tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)}
	t.row(columns...)
	for i := range columns {
		columns[i] = "--:"
		if i < 2 {
			columns[i] = "---"
		}
	}
	t.row(columns...)
	return t
}

func (t table) row(cells ...string) { fmt.Fprintln(t, "| "+strings.Join(cells, "\t| ")+"\t|") }

// end writes the table and a line after it.
func (t table) end() error {
	fmt.Fprintln(t)
	return t.Flush()
}
