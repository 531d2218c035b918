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
// that round trips would be what slots wait for. And it weighs the payloads in hand: while they are heavy, there are fewer.
type room struct {
	prefetch int
	open     bool // the configuration leaves to us how many there are ahead
	heaviest int64

	done   atomic.Int64 // how many have ended in all
	since  time.Time    // when pace last decided, and how many had ended then
	before int64
	inHand atomic.Int64
	weight atomic.Int64 // of what is in hand, in bytes
	ended  atomic.Int64 // since the last look, counted while ahead is less than full
	freed  chan struct{}
	filled atomic.Bool // the last receive brought all that was asked for

	mu     sync.Mutex           // for those who change what follows
	size   atomic.Pointer[size] // what follows from the number of slots
	ahead  atomic.Int64         // how many there may be ahead now
	recall context.CancelFunc   // ends the receive under way, which may ask for too much
}

// size is what follows from the number of slots.
type size struct {
	slots int64
	full  int64 // the most ahead, as a rule
	most  int64 // the most ahead while tasks are short
}

func (r *room) sizeFor(slots int) *size {
	full := int64(slots) * int64(r.prefetch-1)
	if r.open {
		return &size{int64(slots), full, max(full, quickAhead)}
	}
	return &size{int64(slots), full, full}
}

func (r *room) init(cfg *WorkerConfig, open bool) {
	r.prefetch, r.open, r.heaviest, r.freed = cfg.Prefetch, open, int64(cfg.PrefetchBytes), make(chan struct{}, 1)
	r.size.Store(r.sizeFor(cfg.Slots))
	r.ahead.Store(r.size.Load().full)
}

// resize makes it the room of so many slots. More of them ask for more with the receive that follows the one under way; of
// fewer the one under way would ask for too much, so it ends.
func (r *room) resize(slots int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old, now := r.size.Load(), r.sizeFor(slots)
	ahead := now.full
	if before := r.ahead.Load(); before < old.full {
		ahead = min(before, now.full) // tasks were slow
	}
	r.size.Store(now)
	r.ahead.Store(ahead)
	r.tell()
	if now.slots < old.slots && r.recall != nil {
		r.recall()
	}
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
	r.filled.Store(len(got) >= asked)
	r.mu.Lock()
	defer r.mu.Unlock()
	ahead, done, size := r.ahead.Load(), r.done.Load(), r.size.Load()
	if size.most == size.full || ahead < size.full {
		return // it is fixed, or tasks were slow
	}
	took := now.Sub(r.since)
	if done-r.before < ahead+size.slots && took <= quick {
		return // it is too early to tell
	}
	r.since, r.before = now, done
	bytes := 0
	for i := range got {
		bytes += len(got[i].Payload)
	}
	switch {
	case took > quick || bytes > quickBytes:
		r.ahead.Store(max(size.full, ahead/2))
	case len(got) >= asked:
		r.ahead.Store(min(size.most, 2*ahead+size.slots))
	}
}

// enough is how many free places are worth a round trip. Half of what may be ahead:
// slots have work while the next trip is under way, and a trip brings many.
func enough(ahead int64) int { return max(1, int(ahead+1)/2) }

// light is the most that may be in hand for a round trip to be worth its while: seven eighths of what there may be.
func (r *room) light() int64 { return r.heaviest - r.heaviest/8 }

// wait gives the number of free places, and of bytes for them, once there are enough of both; 0 places when ctx ends first.
func (r *room) wait(ctx context.Context) (free, bytes int) {
	for {
		ahead, weight := r.ahead.Load(), r.weight.Load()
		if free := int(r.size.Load().slots + ahead - r.inHand.Load()); free >= enough(ahead) && weight <= r.light() {
			return free, max(1, int(r.heaviest-weight))
		}
		select {
		case <-r.freed:
		case <-ctx.Done():
			return 0, 0
		}
	}
}

// enter says that loans are in hand.
func (r *room) enter(loans []loan) {
	weight := int64(0)
	for i := range loans {
		weight += loans[i].weight()
	}
	r.weight.Add(weight)
	r.inHand.Add(int64(len(loans)))
}

// returned says that a task is in hand again whose handler had lent its slot.
func (r *room) returned(l *loan) {
	r.weight.Add(l.weight())
	r.inHand.Add(1)
}

// leave says that a slot has room again.
func (r *room) leave(l *loan) {
	r.done.Add(1)
	if r.ahead.Load() < r.size.Load().full {
		r.ended.Add(1)
	}
	r.vacate(l)
}

// vacate says that a task is not in hand any more.
func (r *room) vacate(l *loan) {
	weight := l.weight()
	if now := r.weight.Add(-weight); now <= r.light() && now+weight > r.light() {
		r.tell()
	}
	inHand := r.inHand.Add(-1) // first: whoever changes ahead or the size after it has been read tells wait
	ahead := r.ahead.Load()
	if int(r.size.Load().slots+ahead-inHand) == enough(ahead) {
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
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended.Store(0)
	r.ahead.Store(0)
	r.tell()
	if r.recall != nil {
		r.recall()
	}
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
	r.mu.Lock()
	defer r.mu.Unlock()
	if size := r.size.Load(); r.ahead.Load() < size.full {
		r.ahead.Store(min(size.full, max(0, r.ended.Swap(0)-size.slots)/2))
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
			w.room.vacate(l)
			l.leavePlace()
			w.settler.settle(ending{l, released()})
		}
	})
}
