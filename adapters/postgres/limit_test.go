package postgres_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// What limits leave in their tables goes when it says nothing any more, and not before.
func TestWhatLimitsLeaveBehindGoes(t *testing.T) {
	t.Parallel()
	url := testpostgres.URL(t)
	store, err := postgres.Open(t.Context(), url, postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	clock := postgres.NewClock()
	clock.Set(store)
	const buckets = 5000 // more than a sixteenth of the table is looked at while it is small
	turns := make([]limit.Turn, buckets)
	for i := range turns {
		turns[i] = limit.Turn{Bucket: limit.Task("mail", fmt.Sprint(i)), Interval: time.Minute}
	}
	turns[0].Interval = 3 * time.Hour
	if _, err := store.TakeTurns(t.Context(), turns...); err != nil {
		t.Fatal(err)
	}
	if err := store.Penalize(t.Context(), limit.Queue("q"), 3*time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, lease := range []time.Duration{time.Minute, 3 * time.Hour} {
		if _, err := store.HoldPlaces(t.Context(), stem.Session{ID: "s", Lease: lease}, stem.Hold{Task: fmt.Sprint("for.", lease), Limit: 1, N: 1}); err != nil {
			t.Fatal(err)
		}
	}
	left := func(want string) {
		t.Helper()
		if err := store.Tidy(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := value(t, url, "SELECT (SELECT count(*) FROM stem.bucket) || ' buckets, ' || (SELECT count(*) FROM stem.place) || ' places'"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	left(fmt.Sprint(buckets+1, " buckets, 2 places"))
	clock.Advance(2 * time.Hour)
	left("2 buckets, 1 places")
	clock.Advance(3 * time.Hour)
	left("0 buckets, 0 places")
}

// A pool of the user's may have another isolation: a call that the server undoes, since another has been faster, is made again, and no
// place is granted twice.
func TestPlacesAreLimitedWhateverTheIsolation(t *testing.T) {
	t.Parallel()
	const most, sessions = 3, 8
	for _, level := range []string{"read committed", "repeatable read", "serializable"} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			url := testpostgres.URL(t)
			first, err := postgres.Open(t.Context(), url, postgres.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer first.Close()
			cfg, err := pgxpool.ParseConfig(url)
			if err != nil {
				t.Fatal(err)
			}
			cfg.MaxConns = sessions
			cfg.ConnConfig.RuntimeParams["default_transaction_isolation"] = level
			pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer pool.Close()
			store, err := postgres.New(t.Context(), pool, postgres.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			for round := range 20 {
				var callers sync.WaitGroup
				var mu sync.Mutex
				granted := 0
				for i := range sessions {
					callers.Go(func() {
						hold := stem.Hold{Task: fmt.Sprint("round.", round), Limit: most, N: 1}
						held, err := store.HoldPlaces(t.Context(), stem.Session{ID: fmt.Sprint(i), Lease: time.Minute}, hold)
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						defer mu.Unlock()
						granted += held[0].N
					})
				}
				callers.Wait()
				if granted != most {
					t.Fatalf("got %d places granted, want %d", granted, most)
				}
			}
		})
	}
}
