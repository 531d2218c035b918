package limit

import "time"

// LongestWait is the longest that any turn is waited for: ten years, so that sums of
// microseconds stay exact in every store.
const LongestWait = 10 * 365 * 24 * time.Hour

// State is what a store keeps of a bucket. Its times, and now, are those of the store's clock since an
// epoch of its own choice. The zero State is that of a bucket nobody has asked for lately; a store may forget
// one for which Idle answers true.
//
// It is the generic cell rate algorithm (ITU-T I.371) as a virtual schedule, which needs one time
// for each bucket: when the next turn would be due if all were spaced evenly. It differs in one thing:
// what comes too early is not refused but takes the turn that comes next.
type State struct {
	// Next is when the next turn is due if turns are spaced evenly.
	Next time.Duration
	// Penalty is until when nobody has a turn.
	Penalty time.Duration
}

// Take takes a turn and answers how long it is until then. A turn that was reserved before takes none,
// unless there is a penalty.
//
// Where the wait would be more than LongestWait, it is LongestWait and no turn is taken.
func (s *State) Take(now time.Duration, t Turn) (wait time.Duration) {
	penalized := s.Penalty > now
	if t.Reserved && !penalized {
		return 0
	}
	next := max(s.Next, now)
	if penalized {
		// After a penalty turns are spaced evenly from its end on: whoever was told to
		// slow down does not come with a burst.
		next = max(next, s.Penalty+t.Tolerance)
	}
	if wait = max(next-t.Tolerance-now, 0); wait > LongestWait {
		return LongestWait
	}
	s.Next = next + t.Interval
	return wait
}

// Penalize lets nobody have a turn for d from now, at most for LongestWait. A longer penalty stands, and one of
// 0 or less has no effect. Turns that have been taken wait for it when they are asked
// about again.
func (s *State) Penalize(now, d time.Duration) {
	s.Penalty = max(s.Penalty, now+min(max(d, 0), LongestWait))
}

// Idle reports whether the state is as good as the zero State.
func (s *State) Idle(now time.Duration) bool { return s.Next <= now && s.Penalty <= now }
