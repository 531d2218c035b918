package main

import (
	"slices"
	"sync"
	"time"
)

// run is one of a task, as its worker has told of it. The ledger says what was done, and this when.
type run struct {
	id, worker   string
	began, ended time.Time
}

// journal is what all workers of a cell have told. It may be used concurrently.
type journal struct {
	mu   sync.Mutex
	runs []run
}

func (j *journal) hear(worker, word, id string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if word == "began" {
		j.runs = append(j.runs, run{id: id, worker: worker, began: time.Now()})
		return
	}
	for i := len(j.runs) - 1; i >= 0; i-- {
		if r := &j.runs[i]; r.id == id && r.worker == worker {
			r.ended = time.Now()
			return
		}
	}
}

// ended gives when each task had first run to its end.
func (j *journal) ended() map[string]time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	first := make(map[string]time.Time)
	for _, r := range j.runs {
		if at, ok := first[r.id]; !r.ended.IsZero() && (!ok || r.ended.Before(at)) {
			first[r.id] = r.ended
		}
	}
	return first
}

// begun tells how many runs a worker has begun.
func (j *journal) begun(worker string) (n int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.runs {
		if r.worker == worker {
			n++
		}
	}
	return n
}

// holds reports whether a worker has something in hand.
func (j *journal) holds(worker string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.ContainsFunc(j.runs, func(r run) bool { return r.worker == worker && r.ended.IsZero() })
}

// never stands for a rescue that was not seen.
const never = time.Duration(-1)

// rescues tells for each task that a worker has in hand, which fell at some time and is dead or asleep, how long after that another
// began it.
func (j *journal) rescues(worker string, fell time.Time) (took []time.Duration) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.runs {
		if r.worker != worker || !r.ended.IsZero() {
			continue
		}
		after := never
		for _, other := range j.runs {
			if d := other.began.Sub(fell); other.id == r.id && other.worker != worker && d > 0 && (after == never || d < after) {
				after = d
			}
		}
		took = append(took, after)
	}
	return took
}
