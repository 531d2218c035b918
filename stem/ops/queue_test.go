package ops_test

import (
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// A queue's rate is that of the workers that serve it, as each says.
func TestARateIsThatOfTheWorkersWhoAreThere(t *testing.T) {
	operate(t, func(d *desk) {
		for _, w := range []stem.WorkerInfo{
			{ID: "a", Queues: []string{"other", "default"}, Rates: []float64{100, 2.5}},
			{ID: "b", Queues: []string{"default"}, Rates: []float64{4}},
			{ID: "c", Queues: []string{"default"}}, // has ended none
			{ID: "d", Queues: []string{"default"}, Rates: []float64{7}, Stopped: true},
			{ID: "e", Queues: []string{"other", "default"}, Rates: []float64{1}}, // what nobody writes, and a store may hold
		} {
			w.Name, w.For = w.ID, time.Minute
			if err := d.store.Announce(d.Context(), w); err != nil {
				d.Fatal(err)
			}
		}
		q := must[ops.Queue](d)(d.Queue(d.Context(), "default"))
		d.same("workers", q.Workers, 4)
		d.same("rate", q.Rate, 6.5)
	})
}
