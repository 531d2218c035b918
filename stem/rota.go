package stem

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// rota is the order in which a worker serves its queues: always the same, or, where
// they have weights, drawn for each receive.
type rota struct {
	queues  []string
	weights []int // of the queues; nil for a strict order
	total   int
	draw    func(n int) int // from [0, n)
}

func newRota(cfg WorkerConfig) rota {
	if len(cfg.QueueWeights) == 0 {
		return rota{queues: slices.Clone(cfg.Queues)}
	}
	r := rota{queues: slices.Sorted(maps.Keys(cfg.QueueWeights)), draw: rand.IntN}
	for _, q := range r.queues {
		r.weights = append(r.weights, cfg.QueueWeights[q])
		r.total += cfg.QueueWeights[q]
	}
	return r
}

// next gives all the queues, in the order for one receive. Each place is drawn by weight
// among those that have none yet: whoever is first may take all that is received,
// and none is left out, so that no slot is idle while one of them has work.
func (r *rota) next() []string {
	if r.weights == nil {
		return r.queues
	}
	queues, weights, total := slices.Clone(r.queues), slices.Clone(r.weights), r.total
	for i := range queues {
		at := i
		for lot := r.draw(total); lot >= weights[at]; at++ {
			lot -= weights[at]
		}
		total -= weights[at]
		queues[i], queues[at] = queues[at], queues[i]
		weights[i], weights[at] = weights[at], weights[i]
	}
	return queues
}
