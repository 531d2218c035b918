package main

import (
	"context"
	"slices"
	"time"
)

// measure is one way of looking at systems.
type measure struct {
	name    string
	systems []string
	// before runs in a process of its own, before. It may be nil.
	before func(ctx context.Context, b *bench) error
	run    func(ctx context.Context, b *bench) (figures, error)
}

// bench is a measure of one system, in a process of its own.
type bench struct {
	cell
	system
	meter *meter
}

// The systems that are looked at by more than one measure.
var (
	inMemory    = []string{oursMemory, oursMemoryNoResult}
	atTheirBest = []string{ours, oursNoResult, theirs, raw, rawFenced, oursPG, oursPGNoResult, theirsPGTuned, rawPG, rawPGFenced}
	everywhere  = slices.Concat(inMemory, atTheirBest)
	asIs        = slices.Concat(inMemory, []string{channelPool}, atTheirBest, []string{theirsPG})
	onPostgres  = []string{oursPG, oursPGNoResult, theirsPGTuned, rawPG, rawPGFenced, theirsPG}
	timed       = slices.Concat(inMemory, atTheirBest, []string{theirsPG})
	answering   = []string{oursMemory, ours, theirs, theirsQuick, raw, rawFenced, oursPG, theirsPG, theirsPGTuned, rawPG, rawPGFenced}
	withBacklog = []string{ours, oursNoResult, rawFenced, oursPG, rawPGFenced}
	frameworks  = []string{ours, theirs, oursPG, theirsPG, theirsPGTuned}
)

// measures are all, in the order in which they run.
var measures = []measure{
	{name: "enqueue ×1", systems: everywhere, run: enqueue(1)},
	{name: "enqueue ×16", systems: everywhere, run: enqueue(16)},
	{name: "batch of 100", systems: everywhere, run: batch(100)},
	{name: "batch of 1,000", systems: everywhere, run: batch(1000)},
	{name: "drain c10", systems: asIs, before: preload(10), run: drain(10)},
	{name: "drain c100", systems: asIs, before: preload(100), run: drain(100)},
	{name: "drain c1000", systems: onPostgres, before: preload(1000), run: drain(1000)},
	{name: "produce+work", systems: asIs, run: produceAndWork},
	{name: "scheduled", systems: timed, before: schedule, run: scheduled},
	{name: "latency at 100/s", systems: answering, run: latency(100)},
	{name: "latency at 1,000/s", systems: answering, run: latency(1000)},
	{name: "backlog of 10k", systems: withBacklog, before: pile(10_000), run: fromPile},
	{name: "backlog of 1M", systems: withBacklog, before: pile(1_000_000), run: fromPile},
	{name: "claim from a backlog", systems: []string{oursPG, rawPGFenced}, run: claims},
	{name: "held snapshot", systems: []string{oursPG, theirsPGTuned, rawPG, rawPGFenced}, run: held},
	{name: "idle, 1 queue", systems: frameworks, run: idle(1)},
	{name: "idle, 10 queues", systems: frameworks, run: idle(10)},
	{name: "stored", systems: atTheirBest, before: preload(100), run: stored},
}

// quickness is about how many tasks a system does in a second by so many handlers; as many are prepared for it.
func quickness(system string, slots int) float64 {
	switch system {
	case theirsPG:
		return 10 * float64(slots) // it asks ten times a second for as many as there are handlers
	case theirs, theirsQuick, theirsPGTuned:
		return 25_000
	case oursMemory, oursMemoryNoResult, channelPool:
		return 600_000
	default:
		return 150_000
	}
}

// prepared is how many tasks wait for a measure.
func (b *bench) prepared(slots int) int64 {
	return max(1, int64(quickness(b.System, slots)*b.For.Seconds()))
}

func preload(slots int) func(context.Context, *bench) error {
	return func(ctx context.Context, b *bench) error { return b.fill(ctx, b.prepared(slots), time.Time{}) }
}

// work runs a worker until ctx ends; its error, nil too, comes back.
func (b *bench) work(ctx context.Context, queues []string, slots int, ran func(n int32)) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- b.Work(ctx, queues, slots, ran) }()
	return ended
}
