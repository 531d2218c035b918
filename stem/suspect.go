package stem

import (
	"context"
	"sync"
	"time"
)

// A task whose runs were cut short so often that one more makes it poison is a
// suspect. Its last try runs with no other suspect in the process: if the process
// dies again, this one was there and no other that would be condemned with it.

// ward is where the process's one suspect is, from when it is received until its
// settlement has been accepted. The workers of one client share it.
type ward struct {
	mu    sync.Mutex
	here  *loan
	since time.Time     // it is here
	left  chan struct{} // closed when it goes
}

// quietTime is how long nothing is received beside a suspect at first. What a receive brings that is under way when the
// process dies was interrupted too, and another suspect among that would be condemned without having run.
const quietTime = time.Second

// admit takes a suspect in, if there is none.
func (w *ward) admit(l *loan) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.here != nil {
		return false
	}
	w.here, w.since, w.left = l, time.Now(), make(chan struct{})
	return true
}

// quiet waits until the suspect that is here, if one is, has gone or has lived for a while.
func (w *ward) quiet(ctx context.Context) {
	w.mu.Lock()
	here, left, rest := w.here, w.left, quietTime-time.Since(w.since)
	w.mu.Unlock()
	if here == nil || rest <= 0 {
		return
	}
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-left:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// dismiss lets a loan go, if it is the one that is here.
func (w *ward) dismiss(l *loan) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.here == l {
		w.here = nil
		close(w.left)
	}
}

// suspects reports whether one more interruption would make the task poison.
func (w *Worker) suspects(d *Delivery) bool {
	return w.cfg.MaxInterruptions > 1 && d.Interruptions == w.cfg.MaxInterruptions-1
}

func (w *Worker) suspectAmong(deliveries []Delivery) bool {
	for i := range deliveries {
		if w.suspects(&deliveries[i]) {
			return true
		}
	}
	return false
}

// isolate takes loans in hand of which some are suspects: one of those, if no other
// is in the process, and that one first, so that it does not wait beside others for
// long. The rest go back at once, and only then does the one begin: what the worker
// holds counts as interrupted if the process dies, be it running or not.
func (w *Worker) isolate(loans []*loan) {
	var one []*loan
	var others []ending
	for i, l := range loans {
		switch {
		case !w.suspects(l.Delivery):
			w.hand.put(loans[i : i+1])
		case w.client.ward.admit(l):
			one = loans[i : i+1]
		default:
			others = append(others, w.later(l))
		}
	}
	if len(others) > 0 && !w.settler.now(others) && one != nil {
		w.settler.now([]ending{w.later(one[0])}) // they are still here, so it cannot be
		return
	}
	w.hand.putFirst(one)
}

// How long a suspect is sent away that comes while there is another, at first and at most.
const (
	firstTurnAway   = time.Second
	longestTurnAway = 30 * time.Second
)

// later gives the end of a loan that is to come again when its turn may have come.
func (w *Worker) later(l *loan) ending {
	w.room.vacate(l)
	l.leavePlace()
	return ending{l, judgement{verdict: VerdictRelease, delay: turnAwayFor(l.Releases)}}
}

// turnAwayFor is for how long a delivery is sent away that has been so often.
func turnAwayFor(releases int) time.Duration {
	return jitter(min(firstTurnAway<<min(releases, 5), longestTurnAway))
}
