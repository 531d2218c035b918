package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/gostem/gostem/stem"
)

const (
	// pollEvery is how often one who waits looks for itself: an announcement can be lost, and nobody announces what
	// a transaction of the user's commits.
	pollEvery = 650 * time.Millisecond
	// afterwards is how long a call that is under way may take when its caller has gone: what it takes would be lost with it.
	afterwards = 2 * time.Second
)

// Receive lends due envelopes to a session: one call of a function for each look at the queues.
func (s *Store) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	if err := req.Validate(); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	r := receiver{Store: s, req: &req, tasks: tasksOf(req.Tasks)}
	one := s.waiting.add(req.Queues)
	defer s.waiting.remove(one)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if err := r.ended(ctx); err != nil {
			return nil, err
		}
		ds, next, err := r.look(ctx)
		if gone := ctx.Err(); err != nil && gone != nil {
			return nil, gone // that the look was cut off then tells nobody anything
		}
		if err != nil {
			return nil, r.failed("receive", err)
		}
		if len(ds) > 0 {
			for _, queue := range req.Queues {
				s.waiting.wake(queue)
			}
			return ds, nil
		}
		timer.Reset(next)
		select {
		case <-one.woken:
		case <-timer.C:
		case <-ctx.Done():
		case <-s.closing.Done():
		}
	}
}

// receiver is one call of Receive.
type receiver struct {
	*Store
	req   *stem.ReceiveRequest
	tasks *knowledge
}

func (r *receiver) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.closing.Err() != nil {
		return stem.ErrClosed
	}
	return nil
}

// look is one look at all queues. Where it finds nothing it tells when to look again.
func (r *receiver) look(caller context.Context) ([]stem.Delivery, time.Duration, error) {
	ctx, cancel := bound(context.WithoutCancel(caller))
	defer cancel()
	defer context.AfterFunc(caller, func() { time.AfterFunc(afterwards, cancel) })()
	begun := time.Now()
	reaches := make([]reach, len(r.req.Queues))
	for i, queue := range r.req.Queues {
		reaches[i] = r.boundsOf(queue).next(begun)
	}
	c, err := r.claim(ctx, reaches)
	if err != nil {
		return nil, 0, err
	}
	r.learn(c, reaches, time.Since(begun))
	if len(c.deliveries) == 0 {
		return nil, r.pause(c), nil
	}
	r.waiting.found(begun)
	if c.revoked {
		if err := r.judgeRevoked(ctx, c.deliveries); err != nil {
			r.cfg.Logger.WarnContext(caller, "postgres: cannot look for revocations, the tasks run", "error", err)
		}
	}
	return c.deliveries, 0, nil
}

// learn notes what a look has shown of the queues.
func (r *receiver) learn(c *claimed, reaches []reach, took time.Duration) {
	for i, queue := range r.req.Queues {
		n := &c.queues[i]
		how := reaches[i]
		if n.flags&flagFromStart != 0 {
			how = fromStart
		}
		r.boundsOf(queue).taken(&n.lasts, &n.counts, n.found, n.back, n.flags&flagMore != 0, how, c.now, took)
		if n.flags&flagSetAside != 0 {
			r.notifier.notify(workChannel, queue) // somebody else may know what was set aside
			r.waiting.wake(queue)
		}
	}
}

func (s *Store) boundsOf(queue string) *bounds {
	if b, ok := s.line.Load(queue); ok {
		return b.(*bounds)
	}
	b, _ := s.line.LoadOrStore(queue, new(bounds))
	return b.(*bounds)
}

// pause tells how long one who has found nothing waits, if nobody wakes it.
func (r *receiver) pause(c *claimed) time.Duration {
	for i := range c.queues {
		if flags := c.queues[i].flags; flags&flagSetAside != 0 && flags&flagMore != 0 {
			return 0 // so many were unknown that it has not come to the end of them
		}
	}
	pause := time.Duration(float64(pollEvery) * (0.95 + 0.1*rand.Float64()))
	if c.next > 0 {
		pause = min(pause, max(c.next, time.Millisecond))
	}
	return min(pause, r.waiting.soon())
}

var errAnswer = errors.New("postgres: the server gave an answer that is not understood: is another version at work in the schema?")
