package adaptertest

import (
	"fmt"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

var limits = brokerHas[limit.Store]("limit.Store")

var turnPromises = []promise{
	{name: "turns taken together are spaced to the microsecond", check: turnsAreExact, needs: limits},
	{name: "turns come with the store's clock", check: turnsByTheClock, needs: limits},
	{name: "a burst is saved up again", check: turnsSaved, needs: limits},
	{name: "turns that are far ahead stand", check: turnsFarAhead, needs: limits},
	{name: "turns of one call are taken in order, each in its own bucket", check: turnsInOrder, needs: limits},
	{name: "buckets are told apart by every byte of their names", check: bucketsAreKeptApart, needs: limits},
	{name: "who has reserved a turn takes no other", check: turnsReserved, needs: limits},
	{name: "nobody has a turn during a penalty", check: penaltyHolds, needs: limits},
	{name: "a penalty makes those wait that had a turn", check: penaltyHoldsReserved, needs: limits},
	{name: "a longer penalty stands", check: penaltyLonger, needs: limits},
	{name: "a penalty that is over changes nothing", check: penaltyOver, needs: limits},
	{name: "no turn is more than ten years ahead", check: turnsLongest, needs: limits},
	{name: "everybody who takes turns takes another one", check: turnsAreShared, needs: limits},
	{name: "what no bucket can count is refused by name", check: turnsRefused, needs: limits},
	{name: "after close limits answer ErrClosed", check: limitsAreClosed, needs: limits},
}

func (x *exam) limits() limit.Store {
	store, _ := stem.As[limit.Store](x.Broker)
	return store
}

// turn gives a wish for a turn each hour: too long for real time to matter.
func turn(bucket string, options ...func(*limit.Turn)) limit.Turn {
	t := limit.Turn{Bucket: limit.Bucket(bucket), Interval: time.Hour}
	for _, option := range options {
		option(&t)
	}
	return t
}

func bursting(n int) func(*limit.Turn) {
	return func(t *limit.Turn) { t.Tolerance = time.Duration(n-1) * t.Interval }
}

func reserved(t *limit.Turn) { t.Reserved = true }

// turns repeats a wish.
func turns(n int, t limit.Turn) []limit.Turn { return slices.Repeat([]limit.Turn{t}, n) }

// turn takes turns and gives the waits.
func (x *exam) turns(ts ...limit.Turn) []time.Duration {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	waits, err := x.limits().TakeTurns(ctx, ts...)
	if err != nil {
		x.Fatalf("take turns: got error %v, want none", err)
	}
	if len(waits) != len(ts) {
		x.Fatalf("take turns: got %d waits, want one for each of %d turns", len(waits), len(ts))
	}
	return waits
}

func (x *exam) penalize(bucket string, d time.Duration) {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	if err := x.limits().Penalize(ctx, limit.Bucket(bucket), d); err != nil {
		x.Fatalf("penalize: got error %v, want none", err)
	}
}

// waits expects waits of so long, less what has passed since by a clock that runs on by itself; 0 is exact.
func (x *exam) waits(got []time.Duration, want ...time.Duration) {
	x.Helper()
	if len(got) != len(want) {
		x.Fatalf("got waits %v, want %v", got, want)
	}
	for i := range got {
		if got[i] > want[i] || got[i] < want[i]-x.patience && want[i] > 0 || got[i] < 0 {
			x.Errorf("got waits %v, want %v", got, want)
			return
		}
	}
}

// "In whole microseconds", and "turns in one bucket that are taken by one call are taken at one time".
func turnsAreExact(x *exam) {
	odd := limit.Turn{Bucket: "odd", Interval: 333_334 * time.Microsecond}
	got := x.turns(turns(100, odd)...)
	same(x, "first wait", got[0], 0)
	for i := range got {
		same(x, fmt.Sprintf("wait %d", i), got[i], time.Duration(i)*odd.Interval)
	}
	got = x.turns(turns(5, turn("burst", bursting(3)))...)
	same(x, "waits after a burst", got, []time.Duration{0, 0, 0, time.Hour, 2 * time.Hour})
	// The largest whole number of microseconds that two of these waits add up to takes 48 bits.
	far := limit.Turn{Bucket: "far", Interval: 8783*time.Hour + time.Microsecond}
	same(x, "waits of a year", x.turns(turns(4, far)...), []time.Duration{0, far.Interval, 2 * far.Interval, 3 * far.Interval})
}

// "The store's own clock decides."
func turnsByTheClock(x *exam) {
	x.waits(x.turns(turns(2, turn("a"))...), 0, time.Hour)
	x.Advance(30 * time.Minute)
	x.waits(x.turns(turn("a")), 90*time.Minute)
	x.Advance(150*time.Minute + tick)
	x.waits(x.turns(turns(2, turn("a"))...), 0, time.Hour)
}

// "What is not taken is saved up to" the burst.
func turnsSaved(x *exam) {
	three := turn("a", bursting(3))
	x.waits(x.turns(turns(3, three)...), 0, 0, 0)
	x.Advance(2*time.Hour + tick)
	x.waits(x.turns(turns(3, three)...), 0, 0, time.Hour)
	x.Advance(100 * time.Hour)
	x.waits(x.turns(turns(4, three)...), 0, 0, 0, time.Hour)
}

// None is refused: "there is always a turn, however late", and what was taken is taken for good.
func turnsFarAhead(x *exam) {
	x.turns(turns(1000, turn("a"))...)
	x.Advance(999 * time.Hour)
	x.waits(x.turns(turns(2, turn("a"))...), time.Hour, 2*time.Hour)
}

// "TakeTurns takes a turn in each of several buckets, in order."
func turnsInOrder(x *exam) {
	a, b, c := turn("a"), turn("b", bursting(2)), turn("c")
	same(x, "waits", x.turns(a, b, a, b, c, b, a), []time.Duration{0, 0, time.Hour, 0, 0, time.Hour, 2 * time.Hour})
	same(x, "waits of no turns", len(x.turns()), 0)
	hour, half := turn("d", bursting(3)), limit.Turn{Bucket: "d", Interval: 30 * time.Minute, Tolerance: 2 * time.Hour}
	same(x, "waits of turns that differ, in one bucket", x.turns(half, hour, half), []time.Duration{0, 0, 0})
	x.waits(x.turns(half, half), 0, 30*time.Minute)
}

// A bucket is named by "printable ASCII bytes, spaces among them".
func bucketsAreKeptApart(x *exam) {
	buckets := []string{"a b", "a", "a ", " a", "a  b", "A"}
	for _, name := range names {
		buckets = append(buckets, name, string(limit.Task(name, "")), string(limit.Task(name, name)), string(limit.Queue(name)))
	}
	for _, bucket := range buckets {
		x.waits(x.turns(turns(2, turn(bucket))...), 0, time.Hour)
		x.penalize(bucket, 3*time.Hour)
		x.waits(x.turns(turn(bucket)), 3*time.Hour)
	}
}

// "A turn that was reserved before takes none."
func turnsReserved(x *exam) {
	x.waits(x.turns(turns(2, turn("a"))...), 0, time.Hour)
	x.waits(x.turns(turn("a", reserved), turn("a"), turn("a", reserved), turn("never asked for", reserved)), 0, 2*time.Hour, 0, 0)
	x.waits(x.turns(turn("never asked for")), 0)
}

// "Penalize lets nobody have a turn", and afterwards they are spaced from its end on, without a burst.
func penaltyHolds(x *exam) {
	two := turn("a", bursting(2))
	x.penalize("a", 10*time.Hour)
	x.Advance(4 * time.Hour)
	x.waits(x.turns(turns(3, two)...), 6*time.Hour, 7*time.Hour, 8*time.Hour)
	x.Advance(6*time.Hour + tick)
	x.waits(x.turns(two), 3*time.Hour)
	x.waits(x.turns(turn("b")), 0)
}

// "… unless there is a penalty": then it takes a new turn.
func penaltyHoldsReserved(x *exam) {
	x.waits(x.turns(turns(2, turn("a"))...), 0, time.Hour)
	x.penalize("a", 10*time.Hour)
	x.Advance(time.Hour)
	x.waits(x.turns(turn("a", reserved), turn("a", reserved)), 9*time.Hour, 10*time.Hour)
	x.Advance(9*time.Hour + tick)
	x.waits(x.turns(turn("a", reserved), turn("a", reserved)), 0, 0)
}

// "A longer penalty stands, and one of 0 or less has no effect."
func penaltyLonger(x *exam) {
	x.penalize("a", 10*time.Hour)
	x.penalize("a", time.Hour)
	x.penalize("a", 0)
	x.penalize("a", -time.Hour)
	x.waits(x.turns(turn("a")), 10*time.Hour)
	x.penalize("b", 0)
	x.penalize("b", -time.Hour)
	x.waits(x.turns(turns(2, turn("b"))...), 0, time.Hour)
}

// Nobody came during the penalty, so nobody has to be spaced.
func penaltyOver(x *exam) {
	x.penalize("a", time.Hour)
	x.Advance(time.Hour + tick)
	x.waits(x.turns(turns(3, turn("a", bursting(2)))...), 0, 0, time.Hour)
}

// "Where the wait would be more than LongestWait, it is LongestWait and no turn is taken."
func turnsLongest(x *exam) {
	year := limit.Turn{Bucket: "a", Interval: 8784 * time.Hour}
	x.turns(turns(10, year)...)
	for range 3 {
		same(x, "wait", x.turns(year)[0], limit.LongestWait)
	}
	x.Advance(8784*time.Hour + tick)
	x.waits(x.turns(year), 9*year.Interval)
	x.penalize("b", 2*limit.LongestWait)
	x.waits(x.turns(turn("b")), limit.LongestWait)
}

// "All that use the same store share its limits."
func turnsAreShared(x *exam) {
	const callers, each = 8, 5
	var calls []*call[[]time.Duration]
	for i := range callers {
		y := x
		if i%2 == 1 {
			y = x.peer()
		}
		calls = append(calls, start(x, y.taking(turns(each, turn("a"))...)))
	}
	var hours []int
	for _, c := range calls {
		for _, wait := range c.answer() {
			hours = append(hours, int((wait+30*time.Minute)/time.Hour))
		}
	}
	slices.Sort(hours)
	for i := range hours {
		if hours[i] != i {
			x.Fatalf("turns taken, in hours from now: got %v, want each once", hours)
		}
	}
}

// What no limit ever asks for is an *OptionError, and takes no turn.
func turnsRefused(x *exam) {
	for _, bad := range []limit.Turn{
		{Bucket: "", Interval: time.Hour}, {Bucket: "ü", Interval: time.Hour},
		{Bucket: "a"}, {Bucket: "a", Interval: time.Hour + 1}, {Bucket: "a", Interval: limit.LongestWait + time.Microsecond},
		{Bucket: "a", Interval: time.Hour, Tolerance: -time.Microsecond}, {Bucket: "a", Interval: time.Hour, Tolerance: 1},
	} {
		_, err := x.taking(turn("a"), bad)(x.Context())
		x.isOptionError(fmt.Sprintf("turn %+v", bad), err)
	}
	x.isOptionError("a penalty for no bucket", x.limits().Penalize(x.Context(), "", time.Hour))
	x.waits(x.turns(turn("a")), 0)
}

func limitsAreClosed(x *exam) {
	x.waits(x.turns(turn("a")), 0)
	s := x.session()
	x.close()
	_, err := x.taking(turn("a"))(x.Context())
	x.closed("take turns", err)
	x.closed("penalize", x.limits().Penalize(x.Context(), "a", time.Hour))
	_, err = x.holding(s, stem.Hold{Task: "a", Limit: 1, N: 1})(x.Context())
	x.closed("hold places", err)
}
