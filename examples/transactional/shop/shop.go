// Package shop holds the tasks of the example: what they do they write into tables of the shop's own, which lie in
// the same database as the tasks.
package shop

import (
	"context"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/stem"
)

//go:generate go tool stemgen

// Schema is where everything lies: the shop's tables, and those of the store.
const Schema = "stem_example_transactional"

// Tables makes those of the shop. None has a unique key: what is written twice is there twice.
const Tables = `
CREATE TABLE ` + Schema + `.purchase (no int NOT NULL);
CREATE TABLE ` + Schema + `.shipment (no int NOT NULL);
CREATE TABLE ` + Schema + `.charge (no int NOT NULL);
CREATE TABLE ` + Schema + `.naive_charge (no int NOT NULL);
CREATE TABLE ` + Schema + `.run (task text NOT NULL, worker int NOT NULL)`

// Shop has the handlers, and the connections by which they write.
type Shop struct{ Pool *pgxpool.Pool }

// Ship ships what was bought.
//
//stem:task name=shop.ship
func (s *Shop) Ship(ctx context.Context, no int) error {
	_, err := s.Pool.Exec(ctx, "INSERT INTO "+Schema+".shipment (no) VALUES ($1)", no)
	return err
}

// Charge takes the money. That, and the end of the task, are one commit.
//
//stem:task name=shop.charge
func (s *Shop) Charge(ctx context.Context, no int) error {
	return s.charge(ctx, "charge", no, func(tx pgx.Tx) error {
		return ShopChargeTask.Complete(ctx, postgres.Tx(tx, postgres.Schema(Schema)), stem.None{})
	})
}

// NaiveCharge takes the money, and leaves it to the worker to end the task after that.
//
//stem:task name=shop.naive_charge
func (s *Shop) NaiveCharge(ctx context.Context, no int) error {
	return s.charge(ctx, "naive_charge", no, func(pgx.Tx) error { return nil })
}

func (s *Shop) charge(ctx context.Context, table string, no int, end func(pgx.Tx) error) error {
	// This commits by itself, and counts how often the handler has begun.
	if _, err := s.Pool.Exec(ctx, "INSERT INTO "+Schema+".run (task, worker) VALUES ($1, $2)", table, os.Getpid()); err != nil {
		return err
	}
	err := pgx.BeginFunc(ctx, s.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "INSERT INTO "+Schema+"."+table+" (no) VALUES ($1)", no); err != nil {
			return err
		}
		ponder(ctx)
		return end(tx)
	})
	ponder(ctx)
	return err
}

// ponder takes a moment, so that a worker that is killed is caught before the commit of some tasks and after that of others.
func ponder(ctx context.Context) {
	timer := time.NewTimer(20 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
