package stem

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"
)

// mostEvents is how many events may wait for an observer.
const mostEvents = 8192

// observe tells an observer, if there is one. What happens waits in line for a
// goroutine that lives only while there is something to tell: a client needs no closing,
// and no observer holds up who works.
type observe struct {
	log      *slog.Logger
	observer Observer

	mu      sync.Mutex
	waiting []told
	dropped int
	telling bool // the goroutine lives

	// The goroutine's own.
	batch []told
	next  int // of batch
}

// told is an event in line, or the wish to be told that all before it has been.
type told struct {
	ctx     context.Context
	event   Event
	reached chan struct{}
}

func (o *observe) on() bool { return o.observer != nil }

func (o *observe) tell(ctx context.Context, e Event) {
	if o.observer == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) >= mostEvents {
		o.dropped++
		return
	}
	o.enter(told{ctx: ctx, event: e})
}

// enter puts something in line. mu is held.
func (o *observe) enter(t told) {
	o.waiting = append(o.waiting, t)
	if !o.telling {
		o.telling = true
		go o.work()
	}
}

// flush waits until all that has happened so far has been told, at most so long.
func (o *observe) flush(patience time.Duration) {
	if o.observer == nil {
		return
	}
	reached := make(chan struct{})
	o.mu.Lock()
	o.enter(told{reached: reached})
	o.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-reached:
	case <-timer.C:
		o.log.Warn("stem: the observer has not taken all events, the last ones may be lost")
	}
}

// work tells until nothing is left. An observer that ends its goroutine ends this one;
// another goes on behind the event that it was told.
func (o *observe) work() {
	returned := false
	defer func() {
		if !returned {
			o.log.Error("stem: the observer ended its goroutine with runtime.Goexit", "event", fmt.Sprintf("%T", o.batch[o.next-1].event))
			go o.work()
		}
	}()
	for o.next < len(o.batch) || o.load() {
		o.next++
		o.hand(o.batch[o.next-1])
	}
	returned = true
}

// load makes what waits the next batch, and reports whether there is any. What was
// dropped happened behind it and before all that comes.
func (o *observe) load() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.batch)
	o.waiting, o.batch, o.next = o.batch[:0], o.waiting, 0
	if o.dropped > 0 {
		o.waiting = append(o.waiting, told{ctx: context.Background(), event: EventsDropped{o.dropped}})
		o.dropped = 0
	}
	o.telling = len(o.batch) > 0
	return o.telling
}

func (o *observe) hand(t told) {
	if t.reached != nil {
		close(t.reached)
		return
	}
	if dropped, ok := t.event.(EventsDropped); ok {
		o.log.Warn("stem: the observer is too slow, events were dropped", "events", dropped.N)
	}
	ctx := context.WithoutCancel(t.ctx)
	defer func() {
		if p := recover(); p != nil {
			o.log.ErrorContext(ctx, "stem: the observer panicked",
				"event", fmt.Sprintf("%T", t.event), "panic", p, "stack", string(debug.Stack()))
		}
	}()
	o.observer.Observe(ctx, t.event)
}

func (o *observe) enqueued(ctx context.Context, e *Envelope, p Published, inTransaction bool) {
	if o.observer != nil {
		o.tell(ctx, TaskEnqueued{
			TaskRef: TaskRef{ID: p.ID, Task: e.Task, Queue: e.Queue}, Duplicate: p.Duplicate, InTransaction: inTransaction, Replaces: p.Replaces,
		})
	}
}
