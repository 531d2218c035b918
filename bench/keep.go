package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// keep writes what was found into a folder: bench.md as it is printed, bench.json with each round, and bench.txt, which
// benchstat compares with that of another run.
func keep(folder string, heading []string, all []outcome, bars []bar) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var tables, rounds, lines bytes.Buffer
	if err := errors.Join(writeHeading(&tables, heading), writeTables(&tables, all, bars), writeJSON(&rounds, all), writeLines(&lines, all)); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, "bench.md"), tables.Bytes(), 0o644),
		os.WriteFile(filepath.Join(folder, "bench.json"), rounds.Bytes(), 0o644),
		os.WriteFile(filepath.Join(folder, "bench.txt"), lines.Bytes(), 0o644),
	)
}

func writeHeading(out io.Writer, heading []string) error {
	for _, line := range heading {
		if _, err := fmt.Fprintln(out, "-", line); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(out)
	return err
}

// writeLines prints each round as the testing package prints a benchmark.
func writeLines(out io.Writer, all []outcome) error {
	for _, o := range all {
		measure := benchName.Replace(o.Measure)
		name := "Benchmark" + strings.ToUpper(measure[:1]) + measure[1:] + "/" + o.System
		for _, f := range o.Rounds {
			if _, err := fmt.Fprint(out, name, "\t", max(f.Tasks, 1)); err != nil {
				return err
			}
			for _, m := range f.metrics() {
				if m.value != 0 {
					fmt.Fprintf(out, "\t%g %s", m.value, m.unit)
				}
			}
			fmt.Fprintln(out)
		}
	}
	return nil
}

var benchName = strings.NewReplacer(" ", "_", ",", "", "/", "_per_", "×", "x", "+", "_")

// metric is a figure with its unit. benchstat takes a unit that ends in /s for one of which more is better.
type metric struct {
	value float64
	unit  string
}

func (f figures) metrics() []metric {
	return []metric{
		{f.Rate, "tasks/s"}, {f.P50, "p50-ms"}, {f.P95, "p95-ms"}, {f.P99, "p99-ms"},
		{f.ClientCPU * 10, "client-us/op"}, {f.ServerCPU * 10, "server-us/op"}, {f.Allocs, "allocs/op"},
		{f.Commands, "commands/op"}, {f.Trips, "trips/op"}, {f.WAL, "wal-B/op"}, {f.Stored, "stored-B/op"},
		{f.Kept, "kept"}, {f.Slower, "slower"}, {f.Idle, "idle-commands/s"}, {f.ClientPeak, "client-MiB"}, {f.ServerPeak, "server-MiB"},
	}
}
