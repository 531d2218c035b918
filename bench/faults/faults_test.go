package main

import (
	"log"
	"os"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/testpostgres"
)

// TestMain lets the test's program be the worker that the command would start.
func TestMain(m *testing.M) {
	if text := os.Getenv(workerVariable); text != "" {
		if err := work(text); err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(testpostgres.Main(m).Run())
}

// No system loses what it has acknowledged when a worker is killed: what is undone when nobody waits any longer is in the store.
func TestWorkersAreKilledAndTheStoresKeepTheirTasks(t *testing.T) {
	for _, e := range entrants {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			c := cell{e, faults[0], config{bound: time.Second, seed: 1, kills: 2, beat: time.Second}}
			got, err := c.try(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got.tasks == 0 || got.lost != 0 || len(got.rescues) == 0 {
				t.Errorf("got %+v, want tasks, rescues of some and none lost", got)
			}
		})
	}
}

func TestARescueThatWasNotSeenIsTheSlowest(t *testing.T) {
	rescues := []time.Duration{never, 2 * time.Second, time.Second}
	if got, want := quantile(rescues, 50, time.Minute), "2.0 s"; got != want {
		t.Errorf("half of them: got %q, want %q", got, want)
	}
	if got, want := quantile(rescues, 99, time.Minute), "not within 60 s"; got != want {
		t.Errorf("99 of 100: got %q, want %q", got, want)
	}
	if got, want := quantile(nil, 50, time.Minute), "–"; got != want {
		t.Errorf("of none: got %q, want %q", got, want)
	}
}

func TestARescueIsTheNextRunOfAnother(t *testing.T) {
	var j journal
	j.hear("a", "began", "1")
	j.hear("a", "began", "2")
	j.hear("a", "began", "3")
	j.hear("a", "ended", "1")
	time.Sleep(time.Millisecond)
	fell := time.Now()
	time.Sleep(time.Millisecond)
	j.hear("b", "began", "2")
	j.hear("b", "began", "1") // again, but a did not have it in hand
	took := j.rescues("a", fell)
	if len(took) != 2 || took[0] <= 0 || took[1] != never {
		t.Errorf("got %v, want that of 2, and none of 3", took)
	}
	if ended := j.ended(); len(ended) != 1 || ended["1"].IsZero() {
		t.Errorf("got %v ended, want 1 alone", ended)
	}
}
