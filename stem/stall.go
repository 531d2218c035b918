package stem

import "time"

// Waits between calls to a store that fails.
const (
	firstBackoff = 50 * time.Millisecond
	longestStall = 5 * time.Second
	// longestPause is the longest one where calls before it have gone well: there is work to be had.
	longestPause = time.Second
	// steadyAfter is how long the store must have answered to be said to do so again.
	steadyAfter = 5 * time.Second
)

// stall grows the wait between failing calls; the zero value is the first. Calls of a kind may fail
// in turns (a store that takes no more connections refuses the one and serves the
// next by an older one), so one that goes well ends nothing.
type stall struct {
	last     time.Duration
	answered time.Time // since when calls have gone well; zero after one that failed
}

// next tells how long to wait after a failure. The waits begin anew where the store has answered
// for as long as the last one: a failure now and then costs little.
func (s *stall) next() time.Duration {
	most := longestStall
	if !s.answered.IsZero() {
		most = longestPause
		if time.Since(s.answered) >= s.last {
			s.last = 0
		}
	}
	s.answered = time.Time{}
	s.last = min(max(2*s.last, firstBackoff), most)
	return jitter(s.last)
}

// answers notes a call that has gone well.
func (s *stall) answers() {
	if s.last > 0 && s.answered.IsZero() {
		s.answered = time.Now()
	}
}

// over reports, once, that the store answers again without failures in between.
func (s *stall) over() bool {
	if s.answered.IsZero() || time.Since(s.answered) < steadyAfter {
		return false
	}
	*s = stall{}
	return true
}
