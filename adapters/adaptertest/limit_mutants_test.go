package adaptertest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// faultyLimits changes what passes between the caller and a correct store of limits. A nil hook
// changes nothing.
type faultyLimits struct {
	stem.Broker
	limit.Store
	turn     func(t *limit.Turn)
	wait     func(t *limit.Turn, wait time.Duration) time.Duration
	take     func(ctx context.Context, ts []limit.Turn) ([]time.Duration, error)
	penalize func(d time.Duration) time.Duration
	hold     func(s *stem.Session, h *stem.Hold)
	held     func(h stem.Hold, held *stem.Held)
	failure  func(err error) error
	state    func(s *limit.State)
	holders  func(task string, hs []limit.Holder) []limit.Holder
}

func (f *faultyLimits) ReadBuckets(ctx context.Context, buckets ...limit.Bucket) ([]limit.State, error) {
	states, err := f.Store.(limit.Reader).ReadBuckets(ctx, buckets...)
	for i := range states {
		if f.state != nil {
			f.state(&states[i])
		}
	}
	return states, f.fail(err)
}

func (f *faultyLimits) ReadPlaces(ctx context.Context, tasks ...string) ([][]limit.Holder, error) {
	holders, err := f.Store.(limit.Reader).ReadPlaces(ctx, tasks...)
	for i := range holders {
		if f.holders != nil {
			holders[i] = f.holders(tasks[i], holders[i])
		}
	}
	return holders, f.fail(err)
}

func (f *faultyLimits) Unwrap() stem.Broker { return f.Broker }

func (f *faultyLimits) TakeTurns(ctx context.Context, turns ...limit.Turn) ([]time.Duration, error) {
	asked := append([]limit.Turn(nil), turns...)
	for i := range asked {
		if f.turn != nil {
			f.turn(&asked[i])
		}
	}
	take := f.take
	if take == nil {
		take = func(ctx context.Context, ts []limit.Turn) ([]time.Duration, error) {
			return f.Store.TakeTurns(ctx, ts...)
		}
	}
	waits, err := take(ctx, asked)
	for i := range waits {
		if f.wait != nil {
			waits[i] = f.wait(&turns[i], waits[i])
		}
	}
	return waits, f.fail(err)
}

func (f *faultyLimits) Penalize(ctx context.Context, bucket limit.Bucket, d time.Duration) error {
	if f.penalize != nil {
		d = f.penalize(d)
	}
	return f.fail(f.Store.Penalize(ctx, bucket, d))
}

func (f *faultyLimits) HoldPlaces(ctx context.Context, s stem.Session, holds ...stem.Hold) ([]stem.Held, error) {
	asked := append([]stem.Hold(nil), holds...)
	for i := range asked {
		if f.hold != nil {
			f.hold(&s, &asked[i])
		}
	}
	held, err := f.Store.HoldPlaces(ctx, s, asked...)
	for i := range held {
		if f.held != nil {
			f.held(holds[i], &held[i])
		}
	}
	return held, f.fail(err)
}

func (f *faultyLimits) fail(err error) error {
	if f.failure != nil {
		return f.failure(err)
	}
	return err
}

// limiting makes a fault of what to set on faulty limits.
func limiting(set func(f *faultyLimits)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		right, _ := stem.As[limit.Store](s.Broker)
		f := &faultyLimits{Broker: s.Broker, Store: right}
		set(f)
		s.Broker = f
	}
}

var limitMutants = []mutant{
	{"lets everybody have a turn", limiting(func(f *faultyLimits) {
		f.wait = func(*limit.Turn, time.Duration) time.Duration { return 0 }
	}), []string{
		"Capabilities/turns taken together are spaced to the microsecond",
		"Capabilities/turns come with the store's clock",
		"Capabilities/a burst is saved up again",
		"Capabilities/turns that are far ahead stand",
		"Capabilities/turns of one call are taken in order, each in its own bucket",
		"Capabilities/everybody who takes turns takes another one",
		"Capabilities/no turn is more than ten years ahead",
	}},
	{"counts milliseconds", limiting(func(f *faultyLimits) {
		f.turn = func(t *limit.Turn) { t.Interval = t.Interval.Truncate(time.Millisecond) }
	}), []string{"Capabilities/turns taken together are spaced to the microsecond"}},
	{"takes turns by a clock that stands", limiting(func(f *faultyLimits) {
		states := map[limit.Bucket]*limit.State{}
		f.take = func(_ context.Context, ts []limit.Turn) (waits []time.Duration, err error) {
			for _, t := range ts {
				if states[t.Bucket] == nil {
					states[t.Bucket] = new(limit.State)
				}
				waits = append(waits, states[t.Bucket].Take(0, t))
			}
			return waits, nil
		}
	}), []string{
		"Capabilities/turns come with the store's clock",
		"Capabilities/a burst is saved up again",
		"Capabilities/turns that are far ahead stand",
	}},
	{"saves up no burst", limiting(func(f *faultyLimits) { f.turn = func(t *limit.Turn) { t.Tolerance = 0 } }), []string{
		"Capabilities/turns taken together are spaced to the microsecond",
		"Capabilities/a burst is saved up again",
		"Capabilities/a penalty that is over changes nothing",
	}},
	{"takes the last turn first", limiting(func(f *faultyLimits) {
		f.take = func(ctx context.Context, ts []limit.Turn) ([]time.Duration, error) {
			waits := make([]time.Duration, len(ts))
			for i := len(ts) - 1; i >= 0; i-- {
				w, err := f.Store.TakeTurns(ctx, ts[i])
				if err != nil {
					return nil, err
				}
				waits[i] = w[0]
			}
			return waits, nil
		}
	}), []string{"Capabilities/turns of one call are taken in order, each in its own bucket"}},
	{"takes words for the bucket of the first", limiting(func(f *faultyLimits) {
		f.turn = func(t *limit.Turn) { t.Bucket = limit.Bucket(strings.TrimRight(string(t.Bucket), " ")) }
	}), []string{"Capabilities/buckets are told apart by every byte of their names"}},
	{"has no case", limiting(func(f *faultyLimits) {
		f.turn = func(t *limit.Turn) { t.Bucket = limit.Bucket(strings.ToLower(string(t.Bucket))) }
	}), []string{"Capabilities/buckets are told apart by every byte of their names"}},
	{"takes turns from who has one", limiting(func(f *faultyLimits) { f.turn = func(t *limit.Turn) { t.Reserved = false } }), []string{
		"Capabilities/who has reserved a turn takes no other",
		"Capabilities/a penalty makes those wait that had a turn",
	}},
	{"lets who has a turn through", limiting(func(f *faultyLimits) {
		f.wait = func(t *limit.Turn, wait time.Duration) time.Duration {
			if t.Reserved {
				return 0
			}
			return wait
		}
	}), []string{"Capabilities/a penalty makes those wait that had a turn"}},
	{"penalizes nobody", limiting(func(f *faultyLimits) { f.penalize = func(time.Duration) time.Duration { return 0 } }), []string{
		"Capabilities/nobody has a turn during a penalty",
		"Capabilities/a longer penalty stands",
	}},
	{"penalizes for an hour at least", limiting(func(f *faultyLimits) {
		f.penalize = func(d time.Duration) time.Duration { return max(d, time.Hour) }
	}), []string{"Capabilities/a longer penalty stands"}},
	{"penalizes for ever", limiting(func(f *faultyLimits) {
		f.penalize = func(time.Duration) time.Duration { return limit.LongestWait }
	}), []string{
		"Capabilities/nobody has a turn during a penalty",
		"Capabilities/a penalty that is over changes nothing",
	}},
	{"answers who asks at once alike", limiting(func(f *faultyLimits) {
		var mu sync.Mutex
		var last []time.Duration
		f.take = func(ctx context.Context, ts []limit.Turn) ([]time.Duration, error) {
			mu.Lock()
			defer mu.Unlock()
			if waits := last; len(waits) == len(ts) {
				last = nil
				return waits, nil
			}
			waits, err := f.Store.TakeTurns(ctx, ts...)
			last = waits
			return waits, err
		}
	}), []string{"Capabilities/everybody who takes turns takes another one"}},
	{"takes everything for a limit", limiting(func(f *faultyLimits) {
		f.failure = func(err error) error {
			if errors.As(err, new(*stem.OptionError)) {
				return nil
			}
			return err
		}
	}), []string{
		"Capabilities/what no bucket can count is refused by name",
		"Capabilities/places that nobody can hold are refused by name",
	}},
	{"limits on after its close", limiting(func(f *faultyLimits) {
		f.failure = func(err error) error {
			if errors.Is(err, stem.ErrClosed) {
				return nil
			}
			return err
		}
	}), []string{
		"Capabilities/after close limits answer ErrClosed",
		"Capabilities/after close nobody reads limits",
	}},

	{"grants what is asked for", limiting(func(f *faultyLimits) {
		f.held = func(h stem.Hold, held *stem.Held) { held.N = h.N }
	}), []string{
		"Capabilities/places are granted up to the limit, in all sessions together",
		"Capabilities/places that are given back are free at once",
		"Capabilities/a lower limit takes no place away and grants none",
		"Capabilities/places are of one task",
		"Capabilities/sessions that ask at once are granted no more than the limit",
	}},
	{"adds up what it is told", limiting(func(f *faultyLimits) {
		told := map[string]int{}
		f.hold = func(s *stem.Session, h *stem.Hold) {
			told[s.ID] += h.N
			h.N = told[s.ID]
		}
	}), []string{"Capabilities/what a session holds is what it was granted last"}},
	{"takes no place back", limiting(func(f *faultyLimits) {
		told := map[string]int{}
		f.hold = func(s *stem.Session, h *stem.Hold) {
			told[s.ID] = max(told[s.ID], h.N)
			h.N = told[s.ID]
		}
	}), []string{
		"Capabilities/what a session holds is what it was granted last",
		"Capabilities/places that are given back are free at once",
	}},
	{"keeps places for ever", limiting(func(f *faultyLimits) { f.hold = func(s *stem.Session, _ *stem.Hold) { s.Lease *= 1000 } }), []string{
		"Capabilities/places are kept as long as they are told of, and lapse with the lease",
		"Capabilities/a call renews the places that it names and no others",
	}},
	{"takes away what a lower limit does not allow", limiting(func(f *faultyLimits) {
		f.hold = func(_ *stem.Session, h *stem.Hold) { h.N = min(h.N, h.Limit) }
	}), []string{"Capabilities/a lower limit takes no place away and grants none"}},
	{"shows operators penalties that are over", limiting(func(f *faultyLimits) {
		f.state = func(s *limit.State) { s.Penalty = max(s.Penalty, time.Minute) }
	}), []string{"Capabilities/operators see how long turns have to wait, and take none"}},
	{"takes a turn for each look", limiting(func(f *faultyLimits) {
		f.state = func(*limit.State) {
			_, _ = f.Store.TakeTurns(context.Background(), limit.Turn{Bucket: "a", Interval: time.Hour})
		}
	}), []string{"Capabilities/operators see how long turns have to wait, and take none"}},
	{"shows operators who has left", limiting(func(f *faultyLimits) {
		seen := map[string][]limit.Holder{}
		f.holders = func(task string, hs []limit.Holder) []limit.Holder {
			if len(hs) >= len(seen[task]) {
				seen[task] = append([]limit.Holder(nil), hs...)
			}
			return append([]limit.Holder(nil), seen[task]...)
		}
	}), []string{"Capabilities/operators see who holds places and until when, and take none"}},
	{"counts the places of all tasks together", limiting(func(f *faultyLimits) { f.hold = func(_ *stem.Session, h *stem.Hold) { h.Task = "one" } }),
		[]string{"Capabilities/places are of one task"}},
}
