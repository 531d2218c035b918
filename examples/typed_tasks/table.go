package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gostem/gostem/examples/typed_tasks/textfile"
	"github.com/gostem/gostem/stem"
)

// row is a task that has ended: what it gave, and how it got there.
type row[R any] struct {
	name   string
	result R
	err    error
	record stem.Result
}

// await waits for a job and asks how it went.
func await[R any](ctx context.Context, name string, job stem.Job[R]) row[R] {
	r := row[R]{name: name}
	if r.result, r.err = job.Wait(ctx); ctx.Err() != nil {
		return r
	}
	record, err := job.Status(ctx)
	if r.record = record; r.err == nil {
		r.err = err
	}
	return r
}

// text shows a result of any type as text.
func text[R any](r row[R]) row[string] {
	return row[string]{r.name, fmt.Sprintf("succeeded at attempt %v", r.result), r.err, r.record}
}

func failed[R any](rows []row[R]) bool {
	return slices.ContainsFunc(rows, func(r row[R]) bool { return r.err != nil })
}

// fewFiles is how many files are shown where not all are asked for.
const fewFiles = 12

func printAll(w io.Writer, title string, files []row[textfile.Stats], tasks []row[string], all bool) error {
	chosen, hidden := choose(files, all)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, title)
	fmt.Fprintln(t, "FILE\tLINES\tWORDS\tLONGEST\tSHA-256\tATTEMPTS\tWAITED")
	for _, f := range chosen {
		if f.err != nil {
			fmt.Fprintf(t, "%s\tFAILED: %s\n", shown(f.name), shown(reason(f.err)))
			continue
		}
		s := f.result
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%.12s\t%d\t%s\n", shown(f.name), s.Lines, s.Words, s.Longest, s.SHA256, f.record.Attempt, short(f.record.Waited))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if hidden > 0 {
		fmt.Fprintf(w, "… and %d more (-all shows them)\n", hidden)
	}
	fmt.Fprintln(w)
	fmt.Fprintln(t, "TASK\tRESULT\tATTEMPTS\tWAITED\tRAN")
	for _, r := range tasks {
		result := r.result
		if r.err != nil {
			result = "FAILED: " + shown(reason(r.err))
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", r.name, result, r.record.Attempt, short(r.record.Waited), short(r.record.Ran))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return printWorkers(w, files)
}

// printWorkers tells, where there was more than one, who inspected how many files, and how many inspections were
// cut short elsewhere before.
func printWorkers(w io.Writer, files []row[textfile.Stats]) error {
	inspected, rescued := make(map[string]int), make(map[string]int)
	for _, f := range files {
		if f.record.Worker != "" {
			inspected[f.record.Worker]++
			rescued[f.record.Worker] += min(f.record.Interruptions, 1)
		}
	}
	if len(inspected) < 2 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nWORKER\tFILES\tOF WHICH CUT SHORT ELSEWHERE")
	for _, name := range slices.Sorted(maps.Keys(inspected)) {
		fmt.Fprintf(t, "%s\t%d\t%d\n", name, inspected[name], rescued[name])
	}
	return t.Flush()
}

// choose gives the rows to show: all of them, or the failures and the longest
// files, each in the order of the names.
func choose(files []row[textfile.Stats], all bool) (shown []row[textfile.Stats], hidden int) {
	if all || len(files) <= fewFiles {
		return files, 0
	}
	shown = slices.Clone(files)
	slices.SortStableFunc(shown, func(a, b row[textfile.Stats]) int {
		if (a.err != nil) != (b.err != nil) {
			if a.err != nil {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.result.Lines, a.result.Lines)
	})
	most := fewFiles
	for most < len(shown) && shown[most].err != nil {
		most++ // a failure is never hidden
	}
	hidden = len(shown) - most
	shown = shown[:most]
	slices.SortStableFunc(shown, func(a, b row[textfile.Stats]) int { return strings.Compare(a.name, b.name) })
	return shown, hidden
}

// reason gives the failure of a task without the prefix that names it: the row
// does that.
func reason(err error) string {
	if failed, ok := err.(*stem.TaskError); ok {
		return failed.Failure.Message
	}
	return err.Error()
}

// shown quotes a text that would do something to a terminal or to the table.
func shown(s string) string {
	for _, r := range s {
		if !unicode.IsPrint(r) || r == utf8.RuneError {
			return strconv.Quote(s)
		}
	}
	return s
}

func short(d time.Duration) string {
	if d >= time.Millisecond {
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}
