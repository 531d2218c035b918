package stem

import (
	"context"
	"fmt"
)

// Slots gives how many tasks the worker runs at once: as it was configured, or as SetSlots or its autoscaling
// have set it since.
func (w *Worker) Slots() int {
	w.hand.mu.Lock()
	defer w.hand.mu.Unlock()
	return w.hand.slots
}

// SetSlots changes how many tasks the worker runs at once, 1 to 100,000, before or while it runs. It does not
// block, and may be called concurrently, also by handlers.
//
// More slots take tasks at once. Of fewer, those that are too many end as they become free: no handler is
// cancelled, and until enough have returned more of them run than there are slots. Handlers whose
// wait for a job is over (see Job.Wait) go on before new tasks start. What is fetched ahead follows the number. A worker with
// an Autoscale goes on from there. Once the worker stops it changes nothing.
func (w *Worker) SetSlots(n int) error {
	if n < 1 || n > mostSlots {
		return &OptionError{Option: "SetSlots", Value: fmt.Sprint(n), Want: "1 to 100,000"}
	}
	w.setSlots(func(int) int { return n })
	return nil
}

// setSlots changes the number of slots to what follows from that which is, and tells of it.
func (w *Worker) setSlots(follow func(slots int) int) {
	w.sizing.Lock()
	defer w.sizing.Unlock()
	h := w.hand
	h.mu.Lock()
	from, to := h.slots, follow(h.slots)
	if h.closed || from == to {
		h.mu.Unlock()
		return
	}
	w.begin(h.resize(to))
	h.mu.Unlock()
	w.room.resize(to)
	w.settler.resize(to)
	w.log.Info("stem: the worker has another number of slots", "from", from, "to", to)
	w.observe.tell(context.Background(), SlotsChanged{Worker: w.cfg.Name, From: from, To: to})
}

// begin starts slots. hand.mu is held: the hand is open, so nobody waits for the last of them yet.
func (w *Worker) begin(slots int) {
	for range slots {
		w.slots.Go(w.slot)
	}
}

// beginSlots starts as many slots as there shall be.
func (w *Worker) beginSlots() {
	w.hand.mu.Lock()
	defer w.hand.mu.Unlock()
	w.hand.begun = true
	w.begin(w.hand.slots)
}

// resize sets how many slots there shall be, and answers how many are to be started. mu is held.
func (h *hand) resize(slots int) (missing int) {
	more := slots - h.slots
	h.slots = slots
	if !h.begun {
		return 0
	}
	h.surplus -= more
	missing = max(-h.surplus, 0)
	h.surplus = max(h.surplus, 0)
	h.call()
	return missing
}
