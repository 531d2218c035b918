package postgres

import (
	"slices"
	"sync"
	"time"
)

// waiting is the calls of Receive that wait, by queue. Who has had its turn and found something wakes the next one.
type waiting struct {
	mu      sync.Mutex
	byQueue map[string][]*waiter
	last    time.Time     // when something was found
	gap     time.Duration // between that and the time before
}

// waiter is a call that waits, or is about to.
type waiter struct {
	queues []string
	woken  chan struct{} // holds one wake-up
}

func (w *waiting) add(queues []string) *waiter {
	one := &waiter{queues: queues, woken: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byQueue == nil {
		w.byQueue = make(map[string][]*waiter)
	}
	for _, queue := range queues {
		w.byQueue[queue] = append(w.byQueue[queue], one)
	}
	return one
}

// remove ends a wait. A wake-up that it has not seen goes to the next one.
func (w *waiting) remove(one *waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, queue := range one.queues {
		rest := slices.DeleteFunc(w.byQueue[queue], func(other *waiter) bool { return other == one })
		if len(rest) > 0 {
			w.byQueue[queue] = rest
		} else {
			delete(w.byQueue, queue)
		}
	}
	select {
	case <-one.woken:
		for _, queue := range one.queues {
			w.wakeNext(queue)
		}
	default:
	}
}

// wake wakes the one that has waited longest for a queue.
func (w *waiting) wake(queue string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wakeNext(queue)
}

func (w *waiting) wakeNext(queue string) {
	for _, one := range w.byQueue[queue] {
		select {
		case one.woken <- struct{}{}:
			return
		default: // it has been woken already
		}
	}
}

// wakeAll wakes all.
func (w *waiting) wakeAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, all := range w.byQueue {
		for _, one := range all {
			select {
			case one.woken <- struct{}{}:
			default:
			}
		}
	}
}

// busy is how often tasks are found for one to look soon again instead of waiting to be told: an announcement
// takes as long as a look.
const busy = 5 * time.Millisecond

// found notes when something was found.
func (w *waiting) found(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gap, w.last = now.Sub(w.last), now
}

// soon tells when to look again after a look that found nothing.
func (w *waiting) soon() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	since := time.Since(w.last)
	if w.gap > busy || since > 2*busy {
		return time.Hour
	}
	return max(since, time.Millisecond)
}
