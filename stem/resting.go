package stem

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// resting is the queues of a worker from which it receives nothing, by command.
type resting struct {
	some atomic.Bool // there are any; most workers never have one

	mu      sync.Mutex
	queues  []string
	changed chan struct{} // closed at a change; nil while nobody waits for one
}

// set lets those of a worker's queues rest that are named, or all where none is, or ends that. It answers how many
// are meant.
func (r *resting) set(all, named []string, rest bool) (meant int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, queue := range all {
		if len(named) > 0 && !slices.Contains(named, queue) {
			continue
		}
		meant++
		r.queues = slices.DeleteFunc(r.queues, func(q string) bool { return q == queue })
		if rest {
			r.queues = append(r.queues, queue)
		}
	}
	r.some.Store(len(r.queues) > 0)
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
	return meant
}

// list gives the queues that rest, in their order.
func (r *resting) list() []string {
	if !r.some.Load() {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.queues))
}

// without gives queues but those that rest.
func (r *resting) without(queues []string) []string {
	if !r.some.Load() {
		return queues
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(queues), func(q string) bool { return slices.Contains(r.queues, q) })
}

// wait waits while all queues rest, and reports whether they did. It ends with ctx.
func (r *resting) wait(ctx context.Context, queues []string) (waited bool) {
	for r.some.Load() && ctx.Err() == nil {
		r.mu.Lock()
		if len(r.queues) < len(queues) {
			r.mu.Unlock()
			return waited
		}
		if r.changed == nil {
			r.changed = make(chan struct{})
		}
		changed := r.changed
		r.mu.Unlock()
		waited = true
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return waited
}
