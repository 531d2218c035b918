package postgres_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
)

// TestWhatIsSettledIsFoundWithoutALookAtAllThatIsHeld makes statistics while nothing is on loan, as a vacuum does before the workers
// of a backlog begin, and reads the plans of what comes then: none may walk through all that is held.
func TestWhatIsSettledIsFoundWithoutALookAtAllThatIsHeld(t *testing.T) {
	url := testpostgres.URL(t)
	planner, pool := newPlanner(t, url, "")
	store, err := postgres.New(t.Context(), pool, postgres.Config{PollOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var envs []stem.Envelope
	for i := range 200 {
		envs = append(envs, stem.Envelope{ID: fmt.Sprint("task", i), Queue: "mail", Task: "demo.hello"})
	}
	if _, err := store.Publish(t.Context(), envs...); err != nil {
		t.Fatal(err)
	}
	exec(t, url, "VACUUM ANALYZE stem.task", "VACUUM ANALYZE stem.result")

	session := stem.Session{ID: "s", Lease: time.Hour}
	ds, err := store.Receive(t.Context(), stem.ReceiveRequest{Session: session, Queues: []string{"mail"}, Max: len(envs)})
	if err != nil || len(ds) != len(envs) {
		t.Fatalf("got %d tasks, %v, want %d", len(ds), err, len(envs))
	}
	if notices, err := store.Extend(t.Context(), session, ds...); err != nil || len(notices) > 0 {
		t.Fatalf("got %v, %v, want no notices", notices, err)
	}
	var ss []stem.Settlement
	for i, verdict := range []stem.Verdict{stem.VerdictAck, stem.VerdictRetry, stem.VerdictSnooze, stem.VerdictDeadLetter, stem.VerdictRelease} {
		ss = append(ss, stem.Settlement{Delivery: ds[i], Verdict: verdict})
	}
	result := stem.Result{ID: ds[0].ID, Delivery: ds[0].Number, State: stem.StateSucceeded, Keep: time.Hour}
	ss[0].Result = &result
	if err := store.SaveAndSettle(t.Context(), ss...); err != nil {
		t.Fatal(err)
	}

	plans := planner.take()
	found := 0
	for _, plan := range plans {
		_, steps, _ := strings.Cut(plan, "plan:")
		found += strings.Count(steps, "Index Cond: ((holder = ")
		if strings.Contains(steps, "Index Cond: (holder > 0)") {
			t.Errorf("got the plan\n%s\nwant none that walks through all", plan)
		}
	}
	if found < 4 {
		t.Errorf("got %d plans by holder in %d, want those of renewal and all settlements", found, len(plans))
	}
}
