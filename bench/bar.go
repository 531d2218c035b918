package main

import (
	"fmt"
	"slices"
)

// bar is what a system must reach by a measure.
type bar struct {
	measure, system string
	limit           float64
	least           bool // whether the limit is the least, or the most
	unit            string
	of              func(row) float64
}

// barsOf gives those of Stem: those on Postgres are lower in three places where its data is on a disk.
func barsOf(onDisk bool) []bar {
	once, often, both := 3.0, 6.0, 5.0
	if onDisk {
		once, often, both = 2.5, 5, 2.5
	}
	return append(slices.Concat(memoryBars, redisBars),
		times("enqueue ×1", oursPG, once, theirsPGTuned),
		atMost("enqueue ×1", oursPG, 20, "allocations", func(r row) float64 { return r.Allocs }),
		atMost("enqueue ×1", oursPG, 1.05, "statements", func(r row) float64 { return r.Commands }),
		atMost("enqueue ×1", oursPG, 480, "bytes of WAL", func(r row) float64 { return r.WAL }),
		times("enqueue ×16", oursPG, often, theirsPGTuned),
		atMost("enqueue ×16", oursPG, 0.25, "statements", func(r row) float64 { return r.Commands }),
		times("batch of 1,000", oursPG, 1.8, theirsPGTuned),
		times("drain c10", oursPG, 10, theirsPGTuned),
		times("drain c10", oursPG, 0.5, rawPGFenced),
		times("drain c100", oursPG, 4, theirsPGTuned),
		times("drain c100", oursPG, 40, theirsPG),
		times("drain c100", oursPG, 0.5, rawPGFenced),
		atMost("drain c100", oursPG, 15, "allocations", func(r row) float64 { return r.Allocs }),
		atMost("drain c100", oursPG, 0.04, "statements", func(r row) float64 { return r.Commands }),
		atMost("drain c100", oursPG, 780, "bytes of WAL", func(r row) float64 { return r.WAL }),
		times("drain c1000", oursPG, 3, theirsPGTuned),
		times("produce+work", oursPG, both, theirsPGTuned),
		times("scheduled", oursPG, 4, theirsPGTuned),
		atMost("latency at 100/s", oursPG, 2, "ms, median", func(r row) float64 { return r.P50 }),
		atMost("latency at 100/s", oursPG, 6, "ms, 99 of 100", func(r row) float64 { return r.P99 }),
		atMost("latency at 1,000/s", oursPG, 2, "ms, median", func(r row) float64 { return r.P50 }),
		atMost("latency at 1,000/s", oursPG, 6, "ms, 99 of 100", func(r row) float64 { return r.P99 }),
		atMost("claim from a backlog", oursPG, 3, "× as slow as without", func(r row) float64 { return r.Slower }),
		atLeast("held snapshot", oursPG, 0.7, "× its rate without", func(r row) float64 { return r.Kept }),
		atMost("idle, 1 queue", oursPG, 2, "statements/s", func(r row) float64 { return r.Idle }),
		atMost("idle, 10 queues", oursPG, 2, "statements/s", func(r row) float64 { return r.Idle }),
	)
}

// memoryBars are of the whole runtime, codec of two fields included.
var memoryBars = []bar{
	atLeast("drain c100", oursMemory, 500_000, "tasks/s", func(r row) float64 { return r.Rate }),
}

// Seconds of CPU hold for a machine with nothing else to do.
var redisBars = []bar{
	times("enqueue ×1", ours, 1.2, theirs),
	atMost("enqueue ×1", ours, 15, "allocations", func(r row) float64 { return r.Allocs }),
	times("enqueue ×16", ours, 2.2, theirs),
	atMost("enqueue ×16", ours, 15, "allocations", func(r row) float64 { return r.Allocs }),
	times("batch of 1,000", ours, 8, theirs),
	times("drain c100", ours, 5, theirs),
	times("drain c100", ours, 0.5, rawFenced),
	atMost("drain c100", ours, 25, "allocations", func(r row) float64 { return r.Allocs }),
	atMost("drain c100", ours, 0.1, "commands", func(r row) float64 { return r.Commands }),
	atMost("drain c100", ours, 0.3, "round trips", func(r row) float64 { return r.Trips }),
	atMost("drain c100", ours, 0.6, "s of client CPU", func(r row) float64 { return r.ClientCPU }),
	atMost("drain c100", ours, 0.4, "s of server CPU", func(r row) float64 { return r.ServerCPU }),
	times("drain c100", oursNoResult, 6, theirs),
	times("produce+work", ours, 3.5, theirs),
	times("scheduled", ours, 5, theirs),
	atMost("latency at 100/s", ours, 0.5, "ms, median", func(r row) float64 { return r.P50 }),
	atMost("latency at 100/s", ours, 2, "ms, 99 of 100", func(r row) float64 { return r.P99 }),
	atMost("latency at 1,000/s", ours, 0.5, "ms, median", func(r row) float64 { return r.P50 }),
	atMost("latency at 1,000/s", ours, 2, "ms, 99 of 100", func(r row) float64 { return r.P99 }),
	atMost("idle, 1 queue", ours, 2, "commands/s", func(r row) float64 { return r.Idle }),
	atMost("idle, 10 queues", ours, 2, "commands/s", func(r row) float64 { return r.Idle }),
	atMost("stored", ours, 200, "bytes", func(r row) float64 { return r.Stored }),
}

// times wants a rate to be at least so many times that of another system.
func times(measure, system string, least float64, other string) bar {
	return atLeast(measure, system, least, "× "+other, func(r row) float64 { return r.byRate[other] })
}

// atLeast bounds a figure from below.
func atLeast(measure, system string, least float64, unit string, of func(row) float64) bar {
	return bar{measure, system, least, true, unit, of}
}

// atMost bounds a figure.
func atMost(measure, system string, most float64, unit string, of func(row) float64) bar {
	return bar{measure, system, most, false, unit, of}
}

func (b bar) String() string {
	if b.least {
		return fmt.Sprintf("≥ %g %s", b.limit, b.unit)
	}
	return fmt.Sprintf("≤ %g %s", b.limit, b.unit)
}

// unknown tells that the other system was not measured.
func (b bar) unknown(r row) bool { return b.least && b.of(r) == 0 }

// verdict tells what was found, and whether it is enough.
func (b bar) verdict(r row) (found, verdict string) {
	v := b.of(r)
	if b.least && v < b.limit || !b.least && v > b.limit {
		verdict = "missed"
	} else {
		verdict = "reached"
	}
	return fmt.Sprintf("%.2f", v), verdict
}
