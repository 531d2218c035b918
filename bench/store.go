package main

import (
	"context"
	"slices"
	"time"
)

// store is what systems keep tasks in. Systems of different stores are not compared.
type store struct {
	name    string
	systems []string
	peer    string // the system of which Stem must be several times as quick
	limit   string // the hand-written loop that keeps Stem's promises; "" where that is the peer
	asked   string // what it is asked by; "" where there is no server
	more    string // the column for a figure of its own, with moreOf
	moreOf  func(row) string
	// inProcess tells that it lives with the process that uses it: what is prepared for a measure is prepared there.
	inProcess bool
	// start runs a server with its data below a folder; "" is memory, where there is such a place.
	start func(ctx context.Context, folder string) (*server, error)
	// gauge looks at the cell's server.
	gauge func(ctx context.Context, c cell) (gauge, error)
	// connect makes a system a client of the cell's server.
	connect func(ctx context.Context, c cell, t *trips) (system, error)
}

// server is one that runs for one measure.
type server struct {
	addr string
	pid  int
	stop func()
}

// gauge tells what a server counts. What it asks does not count.
type gauge interface {
	read(ctx context.Context) (reading, error)
	// stored tells how many bytes all takes that the server keeps.
	stored(ctx context.Context) (int64, error)
}

// reading is what a server had done at some time.
type reading struct {
	cpu       time.Duration
	commands  int64                 // or statements
	wal       int64                 // bytes of its log
	peak      float64               // MiB of memory
	byCommand map[string][2]float64 // calls and microseconds
}

var stores = []*store{memoryStore, redisStore, postgresStore}

// storeOf finds the store of a system, which there is for each that measures name.
func storeOf(system string) *store {
	i := slices.IndexFunc(stores, func(s *store) bool { return slices.Contains(s.systems, system) })
	return stores[i]
}
