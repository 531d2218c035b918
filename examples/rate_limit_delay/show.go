package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gostem/gostem/stem"
)

// show enqueues everything, awaits it and tells what came of it.
func show(ctx context.Context, stdout io.Writer) error {
	began := time.Now()
	reminder, err := Remind.Enqueue(ctx, stem.Delay(time.Second))
	if err != nil {
		return err
	}
	reports, err := enqueueReports(ctx)
	if err != nil {
		return err
	}
	calls, err := enqueueCalls(ctx, "acme", "globex")
	if err != nil {
		return err
	}
	if err := tellCalls(ctx, stdout, calls); err != nil {
		return err
	}
	reminded, err := reminder.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\nremind, delayed by 1s: ran after %v\n", reminded.At.Sub(began).Round(10*time.Millisecond))
	return tellReports(ctx, stdout, reports)
}

// enqueueReports enqueues three that come due together: the most important one last.
func enqueueReports(ctx context.Context) (map[string]stem.Job[Run], error) {
	reports := make(map[string]stem.Job[Run])
	due := time.Now().Add(300 * time.Millisecond)
	for _, priority := range []int{1, 5, 9} {
		name := fmt.Sprint("priority ", priority)
		job, err := Report.Enqueue(ctx, name, stem.Priority(priority), stem.At(due))
		if err != nil {
			return nil, err
		}
		reports[name] = job
	}
	return reports, nil
}

func enqueueCalls(ctx context.Context, tenants ...string) (map[string][]stem.Job[Run], error) {
	calls := make(map[string][]stem.Job[Run])
	for _, tenant := range tenants {
		jobs, err := Call.EnqueueMany(ctx, slices.Repeat([]CallArgs{{Tenant: tenant}}, 25))
		if err != nil {
			return nil, err
		}
		calls[tenant] = jobs
	}
	return calls, nil
}

// tellCalls tells for each tenant how often its calls ran, and where.
func tellCalls(ctx context.Context, stdout io.Writer, calls map[string][]stem.Job[Run]) error {
	table := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "api.call, 10 a second for each tenant\ncalls\ttenant\ta second\tworkers")
	for _, tenant := range slices.Sorted(maps.Keys(calls)) {
		var first, last time.Time
		by := make(map[string]int)
		for _, job := range calls[tenant] {
			run, err := job.Wait(ctx)
			if err != nil {
				return err
			}
			by[run.Worker]++
			if first.IsZero() || run.At.Before(first) {
				first = run.At
			}
			if run.At.After(last) {
				last = run.At
			}
		}
		n := len(calls[tenant])
		fmt.Fprintf(table, "%d\t%s\t%.1f\t%s\n", n, tenant, float64(n-1)/last.Sub(first).Seconds(), shares(by))
	}
	return table.Flush()
}

// shares gives how many of the calls each worker has had.
func shares(by map[string]int) string {
	var parts []string
	for _, worker := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, fmt.Sprintf("%s: %d", worker, by[worker]))
	}
	return strings.Join(parts, ", ")
}

// tellReports tells in which order reports ran.
func tellReports(ctx context.Context, stdout io.Writer, reports map[string]stem.Job[Run]) error {
	at := make(map[string]time.Time)
	for name, job := range reports {
		run, err := job.Wait(ctx)
		if err != nil {
			return err
		}
		at[name] = run.At
	}
	names := slices.SortedFunc(maps.Keys(at), func(a, b string) int { return at[a].Compare(at[b]) })
	fmt.Fprintf(stdout, "report, one at a time: %s\n", strings.Join(names, ", "))
	return nil
}
