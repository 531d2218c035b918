package adaptertest

import (
	"errors"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

// outcome gives the record of a task that succeeded in the given delivery.
func outcome(id string, number int64, options ...func(*stem.Result)) stem.Result {
	r := stem.Result{
		ID: id, Task: "exam.task", Queue: queue, State: stem.StateSucceeded,
		Payload: blob([]byte(id)), Delivery: number, Attempt: 1, Worker: "examiner", Keep: 24 * time.Hour,
	}
	for _, option := range options {
		option(&r)
	}
	return r
}

// in puts a record into a state; only a success has a payload.
func in(state stem.State) func(*stem.Result) {
	return func(r *stem.Result) {
		r.State = state
		if state != stem.StateSucceeded {
			r.Payload = nil
		}
	}
}

func keep(d time.Duration) func(*stem.Result) { return func(r *stem.Result) { r.Keep = d } }
func worker(name string) func(*stem.Result)   { return func(r *stem.Result) { r.Worker = name } }

// trySave saves and gives the answer.
func (x *exam) trySave(rs ...stem.Result) error {
	ctx, cancel := x.bounded()
	defer cancel()
	return x.Backend.Save(ctx, rs...)
}

// save saves and expects that to be accepted.
func (x *exam) save(rs ...stem.Result) {
	x.Helper()
	if err := x.trySave(rs...); err != nil {
		x.Fatalf("save: got error %v, want none", err)
	}
}

// tryLoad loads and expects one record per id, be it empty.
func (x *exam) tryLoad(ids ...string) ([]stem.Result, error) {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	rs, err := x.Backend.Load(ctx, ids...)
	if len(rs) != len(ids) {
		x.Fatalf("load: got %d records and error %v, want one for each of %d ids", len(rs), err, len(ids))
	}
	return rs, err
}

// stands expects the records to be those that stand.
func (x *exam) stands(want ...stem.Result) {
	x.Helper()
	names := make([]string, len(want))
	for i, r := range want {
		names[i] = r.ID
	}
	got, err := x.tryLoad(names...)
	if err != nil {
		x.Fatalf("load: got error %v, want none", err)
	}
	for i := range want {
		x.sameRecord(got[i], want[i])
	}
}

// sameRecord compares all that a record says. How long it is kept is a matter
// between Save and the store, which need not give it back.
func (x *exam) sameRecord(got, want stem.Result) {
	x.Helper()
	x.samePayload(got.Payload, want.Payload)
	got.Keep = want.Keep
	got.Payload, want.Payload = nil, nil
	same(x, "record", got, want)
}

// absent expects that there is no record, whether or not the store still knows
// that there was one.
func (x *exam) absent(id string) {
	x.Helper()
	_, err := x.tryLoad(id)
	if item := stem.ItemErr(x.asPartial(err), 0); !errors.Is(item, stem.ErrNoResult) && !errors.Is(item, stem.ErrResultExpired) {
		x.Errorf("load %s: got error %v, want %v or %v", id, item, stem.ErrNoResult, stem.ErrResultExpired)
	}
}

// records gives n outcomes with ids that sort in their order.
func records(prefix string, n int) []stem.Result {
	rs := make([]stem.Result, n)
	for i := range rs {
		rs[i] = outcome(fmt.Sprintf("%s-%03d", prefix, i), 1)
	}
	return rs
}
