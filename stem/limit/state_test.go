package limit_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// step is something that happens to a bucket at a time of the store's clock.
type step struct {
	at       time.Duration
	turns    int           // taken at once
	reserved bool          // they were taken before
	penalty  time.Duration // or this is imposed
	want     []time.Duration
}

const sec = time.Second

func TestTurnsAreSpaced(t *testing.T) {
	tests := []struct {
		promise string
		rate    stem.Rate
		steps   []step
	}{
		{"without a burst turns are spaced evenly, and none is refused", stem.Rate{Count: 1, Per: sec}, []step{
			{at: 5 * sec, turns: 4, want: []time.Duration{0, sec, 2 * sec, 3 * sec}},
			{at: 6 * sec, turns: 1, want: []time.Duration{3 * sec}},
			{at: 9500 * time.Millisecond, turns: 1, want: []time.Duration{500 * time.Millisecond}},
		}},
		{"a burst comes at once, what follows is spaced", stem.Rate{Count: 1, Per: sec, Burst: 3}, []step{
			{turns: 5, want: []time.Duration{0, 0, 0, sec, 2 * sec}},
		}},
		{"what was not taken is saved, up to the burst", stem.Rate{Count: 1, Per: sec, Burst: 3}, []step{
			{turns: 3, want: []time.Duration{0, 0, 0}},
			{at: 2 * sec, turns: 3, want: []time.Duration{0, 0, sec}},
			{at: 100 * sec, turns: 4, want: []time.Duration{0, 0, 0, sec}},
		}},
		{"who has waited for a turn takes no other", stem.Rate{Count: 1, Per: sec}, []step{
			{turns: 2, want: []time.Duration{0, sec}},
			{at: sec, turns: 1, reserved: true, want: []time.Duration{0}},
			{at: sec, turns: 1, want: []time.Duration{sec}},
		}},
		{"nobody has a turn during a penalty, and after it turns are spaced without a burst", stem.Rate{Count: 1, Per: sec, Burst: 3}, []step{
			{penalty: 10 * sec},
			{at: 4 * sec, turns: 3, want: []time.Duration{6 * sec, 7 * sec, 8 * sec}},
		}},
		{"a penalty makes those wait that had a turn", stem.Rate{Count: 1, Per: sec}, []step{
			{turns: 3, want: []time.Duration{0, sec, 2 * sec}},
			{penalty: 10 * sec},
			{at: sec, turns: 1, reserved: true, want: []time.Duration{9 * sec}},
			{at: 2 * sec, turns: 1, reserved: true, want: []time.Duration{9 * sec}},
			{at: 10 * sec, turns: 1, reserved: true, want: []time.Duration{0}},
		}},
		{"a longer penalty stands", stem.Rate{Count: 1, Per: sec}, []step{
			{penalty: 10 * sec}, {penalty: 5 * sec}, {penalty: -sec},
			{turns: 1, want: []time.Duration{10 * sec}},
		}},
		{"turns that were taken far ahead outlast a penalty", stem.Rate{Count: 1, Per: 10 * sec}, []step{
			{turns: 3, want: []time.Duration{0, 10 * sec, 20 * sec}},
			{penalty: sec},
			{turns: 1, want: []time.Duration{30 * sec}},
		}},
		{"a penalty that nobody met leaves the burst", stem.Rate{Count: 1, Per: sec, Burst: 2}, []step{
			{penalty: 10 * sec},
			{at: 10 * sec, turns: 2, want: []time.Duration{0, 0}},
		}},
		{"no wait is longer than ten years, and what would be takes no turn", stem.Rate{Count: 1, Per: 8784 * time.Hour}, []step{
			{turns: 12, want: []time.Duration{
				0, 8784 * time.Hour, 2 * 8784 * time.Hour, 3 * 8784 * time.Hour, 4 * 8784 * time.Hour, 5 * 8784 * time.Hour, 6 * 8784 * time.Hour,
				7 * 8784 * time.Hour, 8 * 8784 * time.Hour, 9 * 8784 * time.Hour, limit.LongestWait, limit.LongestWait,
			}},
			{at: 8784 * time.Hour, turns: 1, want: []time.Duration{9 * 8784 * time.Hour}},
		}},
		{"nor a penalty", stem.Rate{Count: 1, Per: sec}, []step{
			{penalty: 2 * limit.LongestWait},
			{turns: 2, want: []time.Duration{limit.LongestWait, limit.LongestWait}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			var s limit.State
			for _, step := range tt.steps {
				if step.penalty != 0 {
					s.Penalize(step.at, step.penalty)
				}
				var got []time.Duration
				for range step.turns {
					got = append(got, s.Take(step.at, limit.Turn{Interval: tt.rate.Interval(), Tolerance: tt.rate.Tolerance(), Reserved: step.reserved}))
				}
				if diff := cmp.Diff(got, step.want); diff != "" {
					t.Errorf("at %v: waits: got -, want +:\n%s", step.at, diff)
				}
			}
		})
	}
}

func TestAStateIsIdleWhenAFreshOneWouldAnswerTheSame(t *testing.T) {
	s := limit.State{}
	s.Take(0, limit.Turn{Interval: sec})
	if s.Idle(sec-1) || !s.Idle(sec) {
		t.Errorf("after a turn each second: got idle %v and %v, want it when the second is over", s.Idle(sec-1), s.Idle(sec))
	}
	s.Penalize(sec, sec)
	if s.Idle(2*sec-1) || !s.Idle(2*sec) {
		t.Errorf("after a penalty: got idle %v and %v, want it when that is over", s.Idle(2*sec-1), s.Idle(2*sec))
	}
}
