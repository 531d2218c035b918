package stem

import (
	"fmt"
	"time"
)

// BackoffPolicy says how long a failed task waits before its next attempt. It
// is data, because it travels in the envelope. The zero value retries at once.
type BackoffPolicy struct {
	Kind BackoffKind
	// Base is the wait of a fixed policy, the step of a linear one and the
	// first wait of an exponential one.
	Base time.Duration
	// Cap bounds a linear or exponential wait; 0 means no bound.
	Cap time.Duration
}

// BackoffKind is the shape of a back-off.
type BackoffKind uint8

// The shapes. Linear and exponential waits have full jitter: each is drawn, by the task's id and
// attempt, evenly between 0 and the computed wait, which spreads a crowd of retries better than
// any other jitter ("Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
const (
	BackoffFixed BackoffKind = iota
	BackoffLinear
	BackoffExponential
)

// FixedBackoff waits d before every retry, without jitter.
func FixedBackoff(d time.Duration) BackoffPolicy {
	return BackoffPolicy{Kind: BackoffFixed, Base: d}
}

// LinearBackoff waits up to step, 2·step, 3·step …, at most limit (0: no limit).
func LinearBackoff(step, limit time.Duration) BackoffPolicy {
	return BackoffPolicy{Kind: BackoffLinear, Base: step, Cap: limit}
}

// ExponentialBackoff waits up to base, 2·base, 4·base …, at most limit (0: no limit).
func ExponentialBackoff(base, limit time.Duration) BackoffPolicy {
	return BackoffPolicy{Kind: BackoffExponential, Base: base, Cap: limit}
}

// longestBackoff is where a policy without a cap, or with a larger one, stops growing.
const longestBackoff = 365 * 24 * time.Hour

// Delay gives the wait after the failure of the given attempt (1 is the first).
// draw is evenly distributed in [0, 1) and decides the jitter.
func (p BackoffPolicy) Delay(attempt int, draw float64) time.Duration {
	limit := p.Cap
	if limit <= 0 || limit > longestBackoff {
		limit = longestBackoff
	}
	attempt = max(attempt, 1)
	wait := p.Base
	switch p.Kind {
	case BackoffFixed:
		return p.Base
	case BackoffLinear:
		if p.Base > limit/time.Duration(attempt) {
			wait = limit
		} else {
			wait = p.Base * time.Duration(attempt)
		}
	case BackoffExponential:
		for i := 1; i < attempt && wait < limit; i++ {
			wait *= 2
		}
	}
	return time.Duration(draw * float64(min(wait, limit)))
}

// drawFor decides the jitter of the retry after an attempt, evenly in [0, 1). It is made of the task's id
// (FNV-1a, with the finalizer of SplitMix64): ids differ, so it spreads a crowd as well as chance
// does, and a test with ids of its own sees the same waits each time.
func drawFor(id string, attempt int) float64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(id) {
		h = (h ^ uint64(id[i])) * 0x100000001b3
	}
	h += uint64(attempt) * 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	h ^= h >> 31
	return float64(h>>11) / (1 << 53)
}

func (p BackoffPolicy) validate() error {
	if p.Kind > BackoffExponential {
		return &OptionError{Option: "back-off kind", Value: fmt.Sprint(p.Kind), Want: "fixed, linear or exponential"}
	}
	if p.Base < 0 || p.Cap < 0 {
		return &OptionError{Option: "back-off", Value: fmt.Sprintf("%v, cap %v", p.Base, p.Cap), Want: "zero or positive durations"}
	}
	return nil
}
