package stem

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// Of a task with a limited concurrency a worker runs only as many as it holds places for. It asks for
// places when it has received more than it holds places for, keeps those that runs leave for up to a second, since
// most often the next run follows, and lets the lease of all be renewed as often as that of its session. What it
// asks its broker for goes by what it believes to be free; only a place that it was granted is certain.

// places are those of a worker, by task.
type places struct {
	w      *Worker
	line   sync.Mutex // whoever has it may call the limiter: of two calls that cross, nobody would know what stands
	asking asking     // the line's

	mu     sync.Mutex
	byTask map[string]*place
}

// place is what is known of the places of one task. Guarded by places.mu.
type place struct {
	in      *places
	task    string
	limit   int       // as the latest envelope has it
	used    int       // those in hand, running or about to
	peak    int       // the most used since the limiter was last told
	held    int       // granted
	free    int       // as far as is known, beyond those
	renewed time.Time // when the limiter was last told
	leftOut bool      // the broker was asked for none
}

// of gives the place of a task. mu is held, or nobody else knows the places yet.
func (ps *places) of(task string, limit int) *place {
	p := ps.byTask[task]
	if p == nil {
		if ps.byTask == nil {
			ps.byTask = make(map[string]*place)
		}
		p = &place{in: ps, task: task, free: limit}
		ps.byTask[task] = p
	}
	p.limit = limit
	return p
}

// room gives how many more of the task may be received: as many as there are places, but no more ahead of the
// slots than half of what is free. A place that waits for a slot is of no use to others.
func (p *place) room() int {
	return max(0, min(p.held+p.free, int(p.in.w.room.size.Load().slots)+p.free/2)-p.used)
}

// atMost gives what a receive may lend of each task; nil where nothing is limited.
func (l *limits) atMost() map[string]int {
	if l == nil {
		return nil
	}
	ps := &l.places
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if len(ps.byTask) == 0 {
		return nil
	}
	atMost := make(map[string]int, len(ps.byTask))
	for task, p := range ps.byTask {
		room := p.room()
		p.leftOut = room == 0
		atMost[task] = room
	}
	return atMost
}

// limitedRuns reports whether there may be only so many runs of a delivery's task.
func limitedRuns(d *Delivery) bool {
	return d.Limit != nil && d.Limit.Concurrency > 0
}

// take takes places for deliveries, in order, and gives noPlace for those that have none; nil where all
// have one. All of them use a place until leavePlace, also those.
func (ps *places) take(ctx context.Context, ds []Delivery) (waits []time.Duration) {
	first := 0
	for first < len(ds) && !limitedRuns(&ds[first]) {
		first++
	}
	if first == len(ds) {
		return nil
	}
	ps.line.Lock()
	defer ps.line.Unlock()
	if short := ps.use(ds[first:]); len(short) > 0 {
		ps.tell(ctx, short)
	}
	ps.mu.Lock()
	defer ps.mu.Unlock()
	over := make(map[*place]int)
	for _, p := range ps.byTask {
		over[p] = p.used - p.held
	}
	for i := len(ds) - 1; i >= first; i-- {
		if !limitedRuns(&ds[i]) {
			continue
		}
		if p := ps.byTask[ds[i].Task]; over[p] > 0 {
			if waits == nil {
				waits = make([]time.Duration, len(ds))
			}
			over[p]--
			waits[i] = noPlace
		}
	}
	return waits
}

// use takes note of what was received, and gives the tasks of which more is in hand than places are held.
func (ps *places) use(ds []Delivery) (short []*place) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	lapsed := time.Now().Add(-ps.w.session.Lease)
	for i := range ds {
		if !limitedRuns(&ds[i]) {
			continue
		}
		p := ps.of(ds[i].Task, ds[i].Limit.Concurrency)
		p.used++
		p.peak = max(p.peak, p.used)
		if !p.renewed.After(lapsed) {
			p.held = 0
		}
	}
	for _, p := range ps.byTask {
		if p.used > p.held {
			short = append(short, p)
		}
	}
	return short
}

// tell tells the limiter of the runs of tasks, and takes note of its answer. The caller has the line.
func (ps *places) tell(ctx context.Context, told []*place) {
	holds := ps.runs(told)
	sent := time.Now()
	var held []Held
	err := ps.asking.call(ctx, ps.w, func(ctx context.Context) (err error) {
		held, err = ps.w.limits.limiter.Hold(ctx, ps.w.session, holds...)
		return err
	})
	held = fit(held, len(told))
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for i, p := range told {
		switch {
		case held != nil:
			p.held, p.free, p.renewed = max(held[i].N, 0), max(held[i].Free, 0), sent
		case err != nil:
			p.held, p.free = min(p.held, holds[i].N), 0
		}
	}
}

// runs gives what the limiter is told: of each task the most runs that there have been since.
func (ps *places) runs(told []*place) []Hold {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	holds := make([]Hold, len(told))
	for i, p := range told {
		holds[i] = Hold{Task: p.task, Limit: p.limit, N: p.peak}
		p.peak = p.used
	}
	return holds
}

// leavePlace lets the place go of a delivery that does not run, or not any more.
func (l *loan) leavePlace() {
	w := l.worker
	if w.limits == nil || !limitedRuns(l.Delivery) {
		return
	}
	ps := &w.limits.places
	ps.mu.Lock()
	p := ps.byTask[l.Task]
	p.used--
	missed := p.missed()
	ps.mu.Unlock()
	if missed {
		w.room.interrupt()
	}
}

// missed reports, once, that the broker was asked for none of the task, and that there is room now. mu is held.
func (p *place) missed() bool {
	if !p.leftOut || p.room() == 0 {
		return false
	}
	p.leftOut = false
	return true
}

// How often it is looked at what places are needed, with jitter, so that workers which wait for the same
// place do not ask together.
const (
	soonestLook = 250 * time.Millisecond
	latestLook  = time.Second
)

// watch sees to the places until ctx ends: it gives back those that are not needed, renews the others, and
// asks for some where there is none.
func (ps *places) watch(ctx context.Context) {
	for sleep(ctx, soonestLook+rand.N(latestLook-soonestLook)) {
		if ps.look(ctx) {
			ps.w.room.interrupt()
		}
	}
}

// look looks once, and reports whether there is room for a task that the receive under way leaves out.
func (ps *places) look(ctx context.Context) (found bool) {
	ps.line.Lock()
	defer ps.line.Unlock()
	stale := ps.stale()
	if len(stale) == 0 {
		return false
	}
	ps.tell(ctx, stale)
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range stale {
		found = p.missed() || found
	}
	return found
}

// stale gives the tasks of which the limiter has to be told.
func (ps *places) stale() (stale []*place) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	beat := time.Now().Add(-ps.w.beat())
	for _, p := range ps.byTask {
		switch {
		case p.peak != p.held, // some can be given back, or more run than was granted
			p.held > 0 && !p.renewed.After(beat),
			p.held+p.free <= p.used && p.held < p.limit: // perhaps another worker has given one back
			stale = append(stale, p)
		default:
			p.peak = p.used
		}
	}
	return stale
}

// leavePlaces gives back all places that are not used any more, when the worker stops.
func (w *Worker) leavePlaces() {
	if w.limits != nil && !w.stops.hard.raised() { // who stops hard waits for nobody: the places lapse
		w.limits.places.leave(w.base)
	}
}

func (ps *places) leave(ctx context.Context) {
	ps.line.Lock()
	defer ps.line.Unlock()
	ps.mu.Lock()
	var all []*place
	for _, p := range ps.byTask {
		if p.peak = p.used; p.held > p.used {
			all = append(all, p)
		}
	}
	ps.mu.Unlock()
	if len(all) > 0 {
		ps.tell(ctx, all)
	}
}
