package main

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/gostem/gostem/internal/testpostgres"
)

// The systems on Postgres.
const (
	oursPG         = "pg-stem"          // results are stored and fenced
	oursPGNoResult = "pg-stem-noresult" // tasks are fenced, results ignored
	theirsPG       = "river"
	theirsPGTuned  = "river-tuned" // as its own benchmark sets it, and quicker still
	rawPG          = "pg-raw"      // a hand-written loop over a table: the limit of the store
	rawPGFenced    = "pg-raw-fenced"
)

var postgresStore = &store{
	name:    "Postgres",
	systems: []string{oursPG, oursPGNoResult, theirsPG, theirsPGTuned, rawPG, rawPGFenced},
	peer:    theirsPGTuned,
	limit:   rawPGFenced,
	asked:   "statements",
	more:    "WAL bytes",
	moreOf:  func(r row) string { return digits(r.WAL, 0) },
	start:   startPostgres,
	gauge:   newPostgresGauge,
	connect: connectPostgres,
}

func connectPostgres(ctx context.Context, c cell, _ *trips) (system, error) {
	switch c.System {
	case oursPG, oursPGNoResult:
		return newStemPostgres(ctx, c.Addr, c.System == oursPGNoResult)
	case theirsPG:
		return newRiver(ctx, c.Addr, false)
	case theirsPGTuned:
		return newRiver(ctx, c.Addr, true)
	case rawPG:
		return newRawPG(ctx, c.Addr)
	default:
		return newFencedPG(ctx, c.Addr)
	}
}

// settings are those of a server in production, but that nothing is written in the midst of a measure which is
// written every few minutes. It counts statements.
var settings = []string{
	"shared_buffers=512MB", "max_wal_size=16GB", "checkpoint_timeout=30min",
	"shared_preload_libraries=pg_stat_statements",
}

// startPostgres runs a server. The role gauge is for looking at it: what it asks is not counted.
func startPostgres(_ context.Context, folder string) (*server, error) {
	s, err := testpostgres.Run(testpostgres.Config{Settings: settings, Folder: folder})
	if err != nil {
		return nil, err
	}
	stop := func() { _ = s.Stop() }
	if _, err := s.Query("CREATE EXTENSION pg_stat_statements; CREATE ROLE gauge SUPERUSER"); err != nil {
		stop()
		return nil, fmt.Errorf("pg_stat_statements: %w: is the package installed that has the extensions of PostgreSQL (postgresql-contrib)?", err)
	}
	showOnce.Do(func() { err = show(s) })
	if err != nil {
		stop()
		return nil, err
	}
	return &server{s.URL(), s.PID(), stop}, nil
}

var showOnce sync.Once

// show prints the settings that tell what the figures are worth.
func show(s testpostgres.Running) error {
	const names = "server_version,fsync,synchronous_commit,full_page_writes,wal_level,shared_buffers,max_wal_size,autovacuum"
	rows, err := s.Query("SELECT string_agg(name || '=' || current_setting(name), ', ') FROM unnest('{" + names + "}'::text[]) AS name")
	if err == nil {
		fmt.Fprintln(os.Stderr, "PostgreSQL:", rows[0][0])
	}
	return err
}
