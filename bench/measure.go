package main

import (
	"context"
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

var (
	all         = []string{ours, oursNoResult, theirs, raw, rawFenced}
	atTheirBest = []string{ours, theirs, theirsQuick, raw, rawFenced}
	withBacklog = []string{ours, oursNoResult, rawFenced}
	frameworks  = []string{ours, theirs}
)

// measures are all, in the order in which they run.
var measures = []measure{
	{name: "enqueue ×1", systems: all, run: enqueue(1)},
	{name: "enqueue ×16", systems: all, run: enqueue(16)},
	{name: "batch of 1,000", systems: all, run: batch},
	{name: "drain c10", systems: all, before: preload, run: drain(10)},
	{name: "drain c100", systems: all, before: preload, run: drain(100)},
	{name: "produce+work", systems: all, run: produceAndWork},
	{name: "scheduled", systems: all, before: schedule, run: scheduled},
	{name: "latency at 100/s", systems: atTheirBest, run: latency(100)},
	{name: "latency at 1,000/s", systems: atTheirBest, run: latency(1000)},
	{name: "backlog of 10k", systems: withBacklog, before: pile(10_000), run: fromPile},
	{name: "backlog of 1M", systems: withBacklog, before: pile(1_000_000), run: fromPile},
	{name: "idle, 1 queue", systems: frameworks, run: idle(1)},
	{name: "idle, 10 queues", systems: frameworks, run: idle(10)},
	{name: "stored", systems: all, before: preload, run: stored},
}

// quickness is about how many tasks a system does in a second; as many are prepared for it.
func quickness(system string) float64 {
	if system == theirs || system == theirsQuick {
		return 25_000
	}
	return 150_000
}

// prepared is how many tasks wait for a measure.
func (b *bench) prepared() int64 { return int64(quickness(b.System) * b.For.Seconds()) }

func preload(ctx context.Context, b *bench) error { return b.fill(ctx, b.prepared(), time.Time{}) }

// work runs a worker until ctx ends; its error, nil too, comes back.
func (b *bench) work(ctx context.Context, queues []string, slots int, ran func(n int32)) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- b.Work(ctx, queues, slots, ran) }()
	return ended
}
