package ops_test

import (
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
	"github.com/gostem/gostem/stem/ops"
)

// The limits of a queue are those of the tasks in it, with what is used up of them; to look uses nothing up.
func TestLimitsOfAQueueAreShown(t *testing.T) {
	operate(t, func(d *desk) {
		d.same("limits of an empty queue", len(must[[]ops.LimitView](d)(d.Limits(d.Context(), "default"))), 0)
		both := stem.Limit{Rate: stem.Rate{Count: 1, Per: time.Minute, Burst: 2}, Concurrency: 3}
		keyed := stem.Limit{Rate: stem.Rate{Count: 1, Per: time.Hour}, Key: "acme"}
		for id, l := range map[string]*stem.Limit{"a": &both, "b": &both, "c": &keyed, "d": nil} {
			if _, err := d.store.Publish(d.Context(), stem.Envelope{ID: id, Task: "demo", Queue: "default", Limit: l}); err != nil {
				d.Fatal(err)
			}
		}
		bucket := limit.Turn{Bucket: limit.Task("demo", ""), Interval: time.Minute, Tolerance: time.Minute}
		if _, err := d.store.TakeTurns(d.Context(), bucket, bucket, bucket); err != nil {
			d.Fatal(err)
		}
		if err := d.store.Penalize(d.Context(), limit.Task("demo", "acme"), 5*time.Minute); err != nil {
			d.Fatal(err)
		}
		session := stem.Session{ID: "s", Lease: time.Minute}
		if _, err := d.store.HoldPlaces(d.Context(), session, stem.Hold{Task: "demo", Limit: 3, N: 2}); err != nil {
			d.Fatal(err)
		}
		want := []ops.LimitView{
			{Task: "demo", Limit: both, Waiting: 2, NextTurn: 2 * time.Minute, Held: 2, Holders: []limit.Holder{{Session: "s", N: 2, Lapses: time.Minute}}},
			{Task: "demo", Limit: keyed, Waiting: 1, NextTurn: 5 * time.Minute, Penalty: 5 * time.Minute},
		}
		for range 2 {
			d.same("limits", must[[]ops.LimitView](d)(d.Limits(d.Context(), "default")), want)
		}
	})
}
