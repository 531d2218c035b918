//go:build unix

package faults_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// booked has its effect in a table, in the transaction that completes it.
var booked = stem.Define(stem.TaskSpec{Name: "fault.booked", Options: []stem.Option{
	stem.MaxRetries(100), stem.Backoff(stem.FixedBackoff(100 * time.Millisecond)),
}}, faultsite.Text, faultsite.Text)

// keepBooks makes the table of effects. Nothing in it keeps an effect from being there twice.
const keepBooks = "CREATE TABLE booked (id text NOT NULL, delivery bigint NOT NULL)"

// book gives workers the handler of booked, which has a pool of its own at the place of the store, as a user's would.
func book(r *stem.Registry, o faultsite.Orders) error {
	pool, err := pgxpool.New(context.Background(), strings.TrimPrefix(o.Place, onPool))
	if err != nil {
		return err
	}
	return stem.Handle(r, booked, func(ctx context.Context, span string) (string, error) {
		took, err := time.ParseDuration(span)
		if err != nil {
			return "", stem.Permanent(err)
		}
		info, _ := stem.Info(ctx)
		return span, postgres.InTx(ctx, pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "INSERT INTO booked VALUES ($1, $2)", info.ID, info.Delivery); err != nil {
				return err
			}
			faultsite.Yield(took)
			return booked.Complete(ctx, postgres.Tx(tx), span)
		})
	})
}

// enter enters the effects of a database into the ledger.
func enter(t *testing.T, s *faultsite.Site, database string) {
	t.Helper()
	for _, row := range query(t, database, "SELECT id, delivery FROM booked") {
		delivery, err := strconv.ParseInt(row[1], 10, 64)
		if err == nil {
			err = s.Book.Append(ledger.Entry{Kind: ledger.Effect, ID: row[0], Delivery: delivery})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
