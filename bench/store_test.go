package main

import (
	"context"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestEachSystemIsOfOneStoreAndIsMeasured(t *testing.T) {
	var measured []string
	for _, m := range measures {
		measured = append(measured, m.systems...)
	}
	count := make(map[string]int)
	for _, s := range stores {
		for _, system := range s.systems {
			count[system]++
			if !slices.Contains(measured, system) {
				t.Errorf("%s on %s: no measure has it", system, s.name)
			}
		}
	}
	for _, system := range measured {
		if count[system] != 1 {
			t.Errorf("%s: got %d stores, want 1", system, count[system])
		}
	}
}

func TestWhatLooksAtPostgresIsNotCounted(t *testing.T) {
	ctx := t.Context()
	s, err := startPostgres(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	g, err := newPostgresGauge(ctx, cell{Addr: s.addr, PID: s.pid})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(ctx, s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	before, err := g.read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	const rows = 20_000
	for _, statement := range []string{"CREATE TABLE t (n int)", "INSERT INTO t SELECT generate_series(1, 20000)", "DELETE FROM t WHERE n < 0"} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	stored, err := g.stored(ctx)
	if err != nil || stored < 24*rows {
		t.Errorf("stored: got %d bytes, error %v, want 24 for each of %d rows at least", stored, err, rows)
	}
	after, err := g.read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := after.commands - before.commands; got != 3 {
		t.Errorf("statements: got %d, want 3: %v", got, after.byCommand)
	}
	if got := after.wal - before.wal; got < 24*rows {
		t.Errorf("WAL: got %d bytes, want 24 for each of %d rows at least", got, rows)
	}
	if after.cpu < before.cpu {
		t.Errorf("CPU: got %v, want %v or more", after.cpu, before.cpu)
	}
}
