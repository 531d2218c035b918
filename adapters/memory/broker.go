package memory

import (
	"context"
	"time"

	"github.com/gostem/gostem/stem"
)

// Publish stores envelopes. Their payloads and headers are shared from here on
// with all who receive them.
func (s *Store) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	published := make([]stem.Published, len(envs))
	next := newEntries(envs)
	now, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for i := range published {
		e := next
		next, e.next = e.next, nil
		published[i] = s.publish(e, now)
	}
	return published, nil
}

func (s *Store) publish(e *entry, now instant) stem.Published {
	env, q := &e.envelope, s.queue(e.envelope.Queue)
	keyed := env.DedupeKey != "" && env.DedupeWindow > 0
	var first *item[string]
	if keyed {
		q.keys.sweep(now, 2, nil) // more than is put, so expired keys do not pile up
		var live bool
		if first, live = q.keys.find(env.DedupeKey, now); live {
			return stem.Published{ID: first.value, Duplicate: true}
		}
	}
	e.queue, e.published, e.expires = q, now, never
	if env.ExpiresIn > 0 {
		e.expires = now.plus(env.ExpiresIn)
	}
	answer := stem.Published{ID: env.ID}
	var replaced *entry
	if env.Unique != nil {
		var holder string
		if holder, replaced = q.hold(e, now); holder != "" {
			return stem.Published{ID: holder, Duplicate: true, Conflict: true}
		}
	}
	if keyed {
		q.keys.put(first, env.DedupeKey, env.DedupeWindow, now).value = env.ID
	}
	q.put(e, env.Delay, now)
	if replaced != nil {
		answer.Replaces = replaced.envelope.ID
		replaced.replaceBy(env.ID, now)
	}
	return answer
}

// Receive lends due envelopes to a session, or waits for one.
func (s *Store) Receive(ctx context.Context, request stem.ReceiveRequest) ([]stem.Delivery, error) {
	if err := request.Validate(); err != nil {
		return nil, err
	}
	var waiting *receiver
	for {
		deliveries, next, err := s.receive(ctx, &request, waiting)
		if err != nil || deliveries != nil {
			return deliveries, err
		}
		waiting = next
		select {
		case <-waiting.woken:
		case <-ctx.Done():
			// The next turn sees that, and passes on what this one was promised.
		}
	}
}

// receive is one turn of a receiver: it answers deliveries, or a receiver that
// waits for its next turn, or an error.
func (s *Store) receive(ctx context.Context, request *stem.ReceiveRequest, r *receiver) ([]stem.Delivery, *receiver, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, stem.ErrClosed
	}
	if r != nil {
		r.promised = 0
		s.delist(r)
	}
	defer s.pass(request)
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	now := s.now()
	session := s.open(&request.Session, now)
	s.rescue(now)
	if picked := s.pick(request, session, now); len(picked) > 0 {
		return s.lend(picked, session, now), nil, nil
	}
	if r == nil {
		r = newReceiver(*request)
	}
	s.enlist(r, now)
	return nil, r, nil
}

// lend lends the session what was picked for it.
func (s *Store) lend(entries []*entry, session *session, now instant) []stem.Delivery {
	deliveries := make([]stem.Delivery, len(entries))
	wall := time.Now()
	for i, e := range entries {
		e.lend(session, s.nextNumber(wall))
		deliveries[i] = e.delivery(now)
	}
	clear(entries)
	return deliveries
}

// nextNumber gives the number of a delivery. It rises over all deliveries of the
// store, so it needs to remember no id to rise when one is published again.
func (s *Store) nextNumber(wall time.Time) int64 {
	s.lastNumber = max(s.lastNumber+1, wall.UnixMilli()<<11)
	return s.lastNumber
}

// Extend renews a session's lease. A delivery that it has settled itself is neither
// lost nor revoked, so no notice names it.
func (s *Store) Extend(ctx context.Context, want stem.Session, held ...stem.Delivery) ([]stem.Notice, error) {
	if err := want.Validate(); err != nil {
		return nil, err
	}
	now, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	s.renew(&want, now)
	s.rescue(now) // or sessions that nobody but extends would pile up
	var notices []stem.Notice
	for i := range held {
		d := &held[i]
		e, ok := s.loaned(d)
		if !ok || d.Session != want.ID || !e.current(d) && e.settled != d.Number {
			notices = append(notices, stem.Notice{Index: i, Cause: stem.ErrLeaseLost})
		} else if e.current(d) {
			notices = e.queue.revoked.notice(notices, i, &e.envelope, now)
		}
	}
	return notices, nil
}
