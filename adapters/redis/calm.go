package redis

import (
	"context"
	"time"
)

// calm is what a session knows of a queue from which it has just got the little that came while it waited.
type calm struct {
	session string
	epoch   epoch
}

const (
	// longestCalm is how long a receiver waits at the streams of calm queues before it asks. It watches no time meanwhile, but for
	// what it knows to be due: an earlier time comes with a token.
	longestCalm = 100 * time.Millisecond
	// mostWhenCalm is how many deliveries are little. Of more, the next are better asked for at once.
	mostWhenCalm = 8
)

// calm tells how long the receiver may wait at its queues without asking anything first. What it would hear is what it heard when
// it got the last task, and what has changed since wakes it: it saves two calls for each task that comes alone.
func (r *receiver) calm(ctx context.Context) time.Duration {
	wait := longestCalm
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < 2*wait {
		return 0 // who ends a receive so soon wants to know what is due
	}
	now, err := r.about(ctx)
	if err != nil {
		return 0
	}
	for i := range r.places {
		s := &r.places[i]
		c := s.keys.calm.Load()
		if c == nil || c.session != r.req.Session.ID || r.req.Recover || !r.mayReadPlainly(s, r.all(), now) {
			return 0
		}
		s.epoch = c.epoch
		wait = min(wait, time.Duration(s.keys.next.Load()-now)*time.Millisecond)
	}
	return wait
}

// noteCalm notes whether the queues are calm, when so many deliveries have come.
func (r *receiver) noteCalm(got int) {
	for i := range r.places {
		s := &r.places[i]
		if r.waited && got <= mostWhenCalm && got < r.req.Max {
			s.keys.calm.Store(&calm{r.req.Session.ID, s.epoch})
		} else {
			s.keys.calm.Store(nil)
		}
	}
}
