package adaptertest

import (
	"slices"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

var limitReader = brokerHas[limit.Reader]("limit.Reader")

var limitReaderPromises = []promise{
	{name: "operators see how long turns have to wait, and take none", check: bucketsAreRead, needs: limitReader},
	{name: "operators see who holds places and until when, and take none", check: placesAreRead, needs: limitReader},
	{name: "after close nobody reads limits", check: limitReaderIsClosed, needs: limitReader},
}

func (x *exam) limitReader() limit.Reader {
	reader, _ := stem.As[limit.Reader](x.Broker)
	return reader
}

func (x *exam) readBuckets(buckets ...limit.Bucket) []limit.State {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	states, err := x.limitReader().ReadBuckets(ctx, buckets...)
	if err != nil || len(states) != len(buckets) {
		x.Fatalf("read buckets: got %d states and error %v, want %d", len(states), err, len(buckets))
	}
	return states
}

func (x *exam) readPlaces(tasks ...string) [][]limit.Holder {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	holders, err := x.limitReader().ReadPlaces(ctx, tasks...)
	if err != nil || len(holders) != len(tasks) {
		x.Fatalf("read places: got %d tasks and error %v, want %d", len(holders), err, len(tasks))
	}
	return holders
}

// "With times that count from now, by the store's clock: 0 where one is over."
func bucketsAreRead(x *exam) {
	x.turns(turns(3, turn("a"))...)
	if err := x.limits().Penalize(x.Context(), "b", time.Hour); err != nil {
		x.Fatal(err)
	}
	look := func(a, b time.Duration) {
		x.Helper()
		states := x.peer().readBuckets("b", "nobody's", "a", "a")
		x.waits([]time.Duration{states[0].Next, states[0].Penalty, states[2].Next, states[2].Penalty}, 0, b, a, 0)
		same(x, "a bucket that nobody has asked for", states[1], limit.State{})
		same(x, "a bucket that is asked for twice", states[3].Next, states[2].Next)
	}
	for range 2 { // nothing is taken
		look(3*time.Hour, time.Hour)
	}
	x.Advance(2 * time.Hour)
	look(time.Hour, 0)
	x.Advance(2 * time.Hour)
	look(0, 0)
	same(x, "buckets of nobody", len(x.readBuckets()), 0)
	_, err := x.limitReader().ReadBuckets(x.Context(), "a", "")
	x.isOptionError("a bucket without a name", err)
}

// "In the order of their sessions; what has lapsed is not among them."
func placesAreRead(x *exam) {
	s, r := x.session(), x.session()
	x.hold(s, stem.Hold{Task: "a", Limit: 5, N: 2}, stem.Hold{Task: "b", Limit: 1, N: 1})
	x.Advance(lease / 2)
	x.hold(r, stem.Hold{Task: "a", Limit: 5, N: 1})
	byName := func(a, b limit.Holder) int { return strings.Compare(a.Session, b.Session) }
	look := func(want ...limit.Holder) {
		x.Helper()
		got := x.peer().readPlaces("a", "nobody's")
		var left, wanted []time.Duration
		slices.SortFunc(want, byName)
		for i := range want {
			wanted, want[i].Lapses = append(wanted, want[i].Lapses), 0
		}
		for i := range got[0] {
			left, got[0][i].Lapses = append(left, got[0][i].Lapses), 0
		}
		if same(x, "places of a", got[0], want); len(left) == len(wanted) {
			x.waits(left, wanted...)
		}
		same(x, "places of a task that nobody runs", len(got[1]), 0)
	}
	for range 2 { // nothing is renewed
		look(limit.Holder{Session: s.ID, N: 2, Lapses: lease / 2}, limit.Holder{Session: r.ID, N: 1, Lapses: lease})
	}
	same(x, "places of b", len(x.readPlaces("b")[0]), 1)
	x.Advance(lease/2 + tick)
	look(limit.Holder{Session: r.ID, N: 1, Lapses: lease/2 - tick})
	x.hold(r, stem.Hold{Task: "a", Limit: 5})
	look()
}

func limitReaderIsClosed(x *exam) {
	x.close()
	_, err := x.limitReader().ReadBuckets(x.Context(), "a")
	x.closed("read buckets", err)
	_, err = x.limitReader().ReadPlaces(x.Context(), "a")
	x.closed("read places", err)
}
