//go:build unix

package faults_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/internal/testpostgres"
)

// A server ends under load without writing anything down, and comes back. What it had acknowledged is there again. Workers claim and
// settle without waiting for the disk, so some of that is done again, but not what was completed in a transaction: each effect of that
// kind is there once.
func TestAServerIsKilledAndNothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	for how, end := range map[string]func(*testpostgres.Server){
		"kill -9":      (*testpostgres.Server).Kill,
		"-m immediate": (*testpostgres.Server).Abort,
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			const kills = 3
			server := testpostgres.Start(t, testpostgres.Config{})
			underBooked(t, server.URL(), ledger.Expected{Duplicates: kills * 2 * faultsite.InHand}, func(s *faultsite.Site) {
				for range kills {
					s.Progress(1 + s.Random.IntN(100))
					end(server)
					faultsite.Yield(time.Second) // workers look for themselves, and so notice
					server.Restart()
					s.Crashed()
				}
				s.Progress(50)
			})
		})
	}
}

// underBooked has two workers do a load of chores and of what is booked in a transaction while something happens. What is booked is there
// once; of chores there may be more.
func underBooked(t *testing.T, place string, want ledger.Expected, happens func(s *faultsite.Site)) {
	t.Helper()
	database := strings.TrimPrefix(place, onPool)
	query(t, database, keepBooks)
	s := newSite(t, place)
	s.Staff(2, faultsite.Orders{Lease: 10 * time.Second})
	bookings := s.LoadOf(booked, "booked")
	chores := s.Load("chore")
	s.Progress(20)
	happens(s)
	s.Progress(20)
	want.Tasks = bookings() + chores()
	s.Quiet()
	s.Dismiss()
	enter(t, s, database)
	for id, more := range s.Balance(want).Duplicates {
		if strings.HasPrefix(id, "booked") {
			t.Errorf("%s: got %d effects, want 1", id, more+1)
		}
	}
}

const terminate = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
	WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND datname = current_database()`

// An administrator ends connections at random. Nothing is done twice: what a settlement had done that was cut off is known when it
// is asked for again.
func TestConnectionsAreTerminatedAtRandom(t *testing.T) {
	t.Parallel()
	server := testpostgres.Start(t, testpostgres.Config{})
	underBooked(t, server.URL(), ledger.Expected{}, func(s *faultsite.Site) {
		for range 20 {
			s.Progress(1 + s.Random.IntN(20))
			query(t, server.URL(), terminate+" AND random() < 0.5")
		}
	})
}

func TestAServerIsAwayAndNobodySpins(t *testing.T) {
	t.Parallel()
	server := testpostgres.Start(t, testpostgres.Config{})
	s := newSite(t, server.URL())
	s.Away(server.Kill, func() {
		server.Restart()
		s.Crashed()
	})
}

// query runs SQL in a database and answers the rows of the last statement as text.
func query(t *testing.T, database, sql string) (rows [][]string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), faultsite.Patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	results, err := conn.PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, values := range results[len(results)-1].Rows {
		var row []string
		for _, v := range values {
			row = append(row, string(v))
		}
		rows = append(rows, row)
	}
	return rows
}
