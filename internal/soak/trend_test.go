package soak

import (
	"math/rand/v2"
	"testing"
)

// samples are those of a gauge that stands at a level, goes up and down by a part of it, and grows by so much from one to the next.
func samples(random *rand.Rand, level, part, growth float64) []float64 {
	all := make([]float64, 120)
	for i := range all {
		all[i] = level*(1+part*(2*random.Float64()-1)) + growth*float64(i)
	}
	return all
}

func TestATrendIsALeakOrNoise(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	steps := samples(random, 100, 0, 0)
	for i := range steps {
		if i < 40 {
			steps[i] = float64(i) // warming up
		}
		if i%30 < 5 {
			steps[i] = 1000 // a fault
		}
	}
	saw := samples(random, 1000, 0, 0)
	for i := range saw {
		saw[i] += float64(i%17) * 100 // swept now and then
	}
	for _, tt := range []struct {
		promise string
		samples []float64
		leaks   bool
	}{
		{"what stands still does not leak", samples(random, 100, 0, 0), false},
		{"nor does what is always nothing", samples(random, 0, 0, 0), false},
		{"one more at each sample is a leak", samples(random, 0, 0, 1), true},
		{"also on a high level", samples(random, 500, 0, 1), true},
		{"also under noise", samples(random, 100, 0.2, 1), true},
		{"one more at every second sample is a leak", samples(random, 100, 0.05, 0.5), true},
		{"what becomes less does not leak", samples(random, 1000, 0, -1), false},
		{"faults and a warm-up are no leak", steps, false},
		{"what is swept now and then does not leak", saw, false},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			if got := trendOf(tt.samples, 10); got.leaks() != tt.leaks {
				t.Errorf("got %+v, want a leak: %v", got, tt.leaks)
			}
		})
	}
}

func TestNoiseIsNoLeak(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		if got := trendOf(samples(random, 100, 0.2, 0), 0); got.leaks() {
			t.Errorf("got %+v, want no leak", got)
		}
	}
}
