package stem

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Over many receives each queue comes first as often as its weight says: within
// five standard deviations of the binomial, which few runs in a million leave.
func TestQueuesComeFirstByTheirWeights(t *testing.T) {
	const receives = 100_000
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	weights := map[string]int{"critical": 6, "default": 3, "low": 1}
	r := newRota(WorkerConfig{QueueWeights: weights})
	r.draw = rand.New(rand.NewPCG(seed, 0)).IntN
	first, second := map[string]int{}, map[string]int{}
	for range receives {
		order := r.next()
		if sorted := slices.Sorted(slices.Values(order)); !slices.Equal(sorted, []string{"critical", "default", "low"}) {
			t.Fatalf("got the queues %q, want each once", order)
		}
		first[order[0]]++
		if order[0] == "critical" {
			second[order[1]]++
		}
	}
	near := func(what string, got, of int, p float64) {
		want, tolerance := p*float64(of), 5*math.Sqrt(float64(of)*p*(1-p))
		if math.Abs(float64(got)-want) > tolerance {
			t.Errorf("%s: got %d of %d, want %.0f ± %.0f", what, got, of, want, tolerance)
		}
	}
	for queue, weight := range weights {
		near(queue+" first", first[queue], receives, float64(weight)/10)
	}
	near("default behind critical", second["default"], first["critical"], 3.0/4)
}

func TestAStrictOrderIsKept(t *testing.T) {
	r := newRota(WorkerConfig{Queues: []string{"b", "c", "a"}})
	for range 10 {
		if got := r.next(); !slices.Equal(got, []string{"b", "c", "a"}) {
			t.Fatalf("got %q, want the order of the configuration", got)
		}
	}
}
