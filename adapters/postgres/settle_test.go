package postgres_test

import (
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/stem"
)

// TestASettlementFindsRowsThatHaveMoved settles deliveries whose rows do not lie any more where the claim has put them: each is
// settled, and none beside it, whatever lies there now.
func TestASettlementFindsRowsThatHaveMoved(t *testing.T) {
	for _, tt := range []struct {
		promise string
		move    func(l *lender, ds []stem.Delivery)
	}{
		{"nothing moves", func(*lender, []stem.Delivery) {}},
		{"all get new versions", func(l *lender, _ []stem.Delivery) { exec(l.T, l.url, "UPDATE stem.task SET size = size") }},
		{"the table is written anew", func(l *lender, _ []stem.Delivery) { exec(l.T, l.url, "VACUUM FULL stem.task") }},
		{"others lie there", func(_ *lender, ds []stem.Delivery) { postgres.Misplace(ds) }},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			t.Parallel()
			l := newLender(t)
			l.put("default", "a", 30)
			ds := l.take("worker", time.Hour, from("default", 20))
			tt.move(l, ds)
			settlements := make([]stem.Settlement, 10)
			for i := range settlements {
				settlements[i] = stem.Settlement{Delivery: ds[i], Verdict: stem.VerdictAck}
			}
			settlements[9].Verdict = stem.VerdictRelease
			if err := l.Settle(t.Context(), settlements...); err != nil {
				t.Fatal(err)
			}
			if got := value(t, l.url, "SELECT count(*) FILTER (WHERE holder > 0) || ' ' || count(*) FILTER (WHERE holder IS NULL) FROM stem.task"); got != "10 11" {
				t.Errorf("got %s tasks that are held and that wait, want 10 and 11", got)
			}
			lost, err := l.Extend(t.Context(), stem.Session{ID: "worker", Lease: time.Hour}, ds[10:]...)
			if err != nil || len(lost) > 0 {
				t.Errorf("the others: got %v, %v; want all of them held", lost, err)
			}
		})
	}
}

// TestResultsAreSavedBesideOthersOfTheirIDs settles many at once, with results under ids that have some already: of an older delivery, of the
// same one while it ran, and of a later one, which stays. The first call is surprised by them, the second one is not.
func TestResultsAreSavedBesideOthersOfTheirIDs(t *testing.T) {
	l := newLender(t)
	for range 2 {
		l.put("default", "a", 20)
		ds := l.take("worker", time.Hour, from("default", 20))
		if len(ds) != 20 {
			t.Fatalf("got %d deliveries, want 20", len(ds))
		}
		ended := func(i int, number int64) stem.Result {
			return stem.Result{ID: ds[i].ID, Task: "a", Queue: "default", State: stem.StateSucceeded, Delivery: number, Attempt: 1, Keep: time.Hour}
		}
		older, running, later := ended(0, ds[0].Number-1), ended(1, ds[1].Number), ended(2, ds[2].Number+1)
		running.State, later.Attempt = stem.StateRunning, 2
		if err := l.Save(t.Context(), older, running, later); err != nil {
			t.Fatal(err)
		}
		settlements := make([]stem.Settlement, len(ds))
		ids := make([]string, len(ds))
		for i := range ds {
			result := ended(i, ds[i].Number)
			settlements[i] = stem.Settlement{Delivery: ds[i], Verdict: stem.VerdictAck, Result: &result}
			ids[i] = ds[i].ID
		}
		if err := l.SaveAndSettle(t.Context(), settlements...); err != nil {
			t.Fatal(err)
		}
		results, err := l.Load(t.Context(), ids...)
		if err != nil || len(results) != len(ids) {
			t.Fatalf("got %d results, %v; want %d", len(results), err, len(ids))
		}
		for i, r := range results {
			want := ds[i].Number
			if i == 2 {
				want++ // what a later delivery has saved stays
			}
			if r.ID != ids[i] || r.State != stem.StateSucceeded || r.Delivery != want {
				t.Errorf("result %d: got %s of delivery %d, want it succeeded by %d", i, r.State, r.Delivery, want)
			}
		}
	}
	if got := value(t, l.url, "SELECT count(*) FROM stem.task"); got != "0" {
		t.Errorf("got %s tasks that are left, want none", got)
	}
}
