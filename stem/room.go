package stem

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// room counts the tasks in hand, received and not yet run to their end, and says how many
// more there may be: one for each slot, and some ahead. How many ahead is what the
// configuration says until tasks turn out to wait in hand beside other workers that may be
// idle; from then on it is what the slots have lately taken in half a beat,
// until that is as much again. Where the configuration leaves it open there are more while tasks are so short
// that round trips would be what slots wait for.
type room struct {
	slots  int
	full   int64        // the most ahead, as a rule
	most   int64        // the most ahead while tasks are short
	done   atomic.Int64 // how many have ended in all
	since  time.Time    // when pace last decided, and how many had ended then
	before int64
	ahead  atomic.Int64 // how many there may be ahead now
	inHand atomic.Int64
	ended  atomic.Int64 // since the last look, counted while ahead is less than full
	freed  chan struct{}

	mu     sync.Mutex
	recall context.CancelFunc // ends the receive under way, which may ask for too much
}

func (r *room) init(slots, prefetch int, open bool) {
	r.slots, r.full, r.freed = slots, int64(slots*(prefetch-1)), make(chan struct{}, 1)
	r.most = r.full
	if open {
		r.most = max(r.full, quickAhead)
	}
	r.ahead.Store(r.full)
}

const (
	// quickAhead is the most that is fetched ahead of slots that are quick, and quick is how soon they have to be through
	// with it.
	quickAhead = 512
	quick      = 50 * time.Millisecond
	// quickBytes is the most that the payloads of a receive may weigh for the next one to ask for more.
	quickBytes = 1 << 20
)

// pace allows more ahead, or less, by how soon the slots are through with as many tasks as there may be in hand. Only the one
// who receives calls it, with what it has asked for and got.
func (r *room) pace(now time.Time, asked int, got []Delivery) {
	ahead, done := r.ahead.Load(), r.done.Load()
	if r.most == r.full || ahead < r.full {
		return // it is fixed, or tasks were slow
	}
	took := now.Sub(r.since)
	if done-r.before < ahead+int64(r.slots) && took <= quick {
		return // it is too early to tell
	}
	r.since, r.before = now, done
	bytes := 0
	for i := range got {
		bytes += len(got[i].Payload)
	}
	next := ahead
	switch {
	case took > quick || bytes > quickBytes:
		next = max(r.full, ahead/2)
	case len(got) >= asked:
		next = min(r.most, 2*ahead+int64(r.slots))
	}
	r.ahead.CompareAndSwap(ahead, next) // or narrow has been faster
}

// enough is how many free places are worth a round trip. Half of what may be ahead:
// slots have work while the next trip is under way, and a trip brings many.
func enough(ahead int64) int { return max(1, int(ahead+1)/2) }

// wait gives the number of free places once there are enough, 0 when ctx ends first.
func (r *room) wait(ctx context.Context) int {
	for {
		ahead := r.ahead.Load()
		if free := r.slots + int(ahead-r.inHand.Load()); free >= enough(ahead) {
			return free
		}
		select {
		case <-r.freed:
		case <-ctx.Done():
			return 0
		}
	}
}

func (r *room) enter(n int) { r.inHand.Add(int64(n)) }

// leave says that a slot has room again.
func (r *room) leave() {
	r.done.Add(1)
	if r.ahead.Load() < r.full {
		r.ended.Add(1)
	}
	r.vacate()
}

// vacate says that a task is not in hand any more.
func (r *room) vacate() {
	inHand := r.inHand.Add(-1) // first: whoever changes ahead after it has been read tells wait
	ahead := r.ahead.Load()
	if r.slots+int(ahead-inHand) == enough(ahead) {
		r.tell()
	}
}

func (r *room) tell() {
	select {
	case r.freed <- struct{}{}:
	default:
	}
}

// asking says how to end the receive that begins.
func (r *room) asking(recall context.CancelFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.recall = recall
}

// narrow allows nothing ahead any more, and ends the receive under way.
func (r *room) narrow() {
	r.ended.Store(0)
	r.ahead.Store(0)
	r.tell()
	r.interrupt()
}

// interrupt ends the receive under way.
func (r *room) interrupt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.recall != nil {
		r.recall()
	}
}

// adapt allows ahead half of what has ended since the last look beyond one for each slot:
// that alone would be slots which take one in a beat, and more might wait for longer.
func (r *room) adapt() {
	if r.ahead.Load() < r.full {
		r.ahead.Store(min(r.full, max(0, r.ended.Swap(0)-int64(r.slots))/2))
		r.tell()
	}
}

// lookAtHand gives back what has been in hand for a beat without a slot for it: another
// worker may be idle. It is called once a beat, when the store has just answered.
func (w *Worker) lookAtHand(now time.Time) {
	h := w.hand
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.waitsSince(now.Add(-w.beat())) {
		w.room.adapt()
		return
	}
	w.room.narrow() // first, or this worker would have it back
	rest := h.empty()
	w.slots.Go(func() { // not by the caller, who keeps the lease; some slot still runs, since the hand is open
		for _, l := range rest {
			w.room.vacate()
			w.settler.settle(ending{l, released()})
		}
	})
}
