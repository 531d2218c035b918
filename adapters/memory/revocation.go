package memory

import (
	"context"

	"github.com/gostem/gostem/stem"
)

// revocations are what is revoked on a queue: the reasons, by id.
type revocations struct {
	tasks, families shelf[string]
}

// Revoke stores revocations. The envelopes stay where they are: a worker is told when it
// receives one, or extends its session.
func (s *Store) Revoke(ctx context.Context, rs ...stem.Revocation) error {
	return s.each(ctx, len(rs), func(i int, now instant) error { return s.revoke(&rs[i], now) })
}

func (s *Store) revoke(r *stem.Revocation, now instant) error {
	if r.For <= 0 {
		return &stem.OptionError{Option: "time of a revocation", Value: r.For.String(), Want: "more than 0"}
	}
	kept := &s.queue(r.Queue).revoked.tasks
	if r.Family {
		kept = &s.queue(r.Queue).revoked.families
	}
	kept.sweep(now, 2, nil) // more than is put, so expired ones do not pile up
	i, live := kept.find(r.ID, now)
	if !live || i.expires < now.plus(r.For) {
		i = kept.put(i, r.ID, r.For, now)
	}
	i.value = r.Reason
	return nil
}

// Revoked answers which deliveries are revoked, also those of another broker.
func (s *Store) Revoked(ctx context.Context, ds ...stem.Delivery) ([]stem.Notice, error) {
	now, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var notices []stem.Notice
	for i := range ds {
		if q := s.queues[ds[i].Queue]; q != nil {
			notices = q.revoked.notice(notices, i, ds[i].Envelope, now)
		}
	}
	return notices, nil
}

// notice adds the notice that a held envelope is revoked, if it is.
func (r *revocations) notice(notices []stem.Notice, i int, e *stem.Envelope, now instant) []stem.Notice {
	if reason, revoked := r.find(e, now); revoked {
		return append(notices, stem.Notice{Index: i, Cause: stem.ErrRevoked, Reason: reason})
	}
	return notices
}

// find tells whether an envelope is revoked, and why.
func (r *revocations) find(e *stem.Envelope, now instant) (reason string, revoked bool) {
	if i, live := r.tasks.find(e.ID, now); live {
		return i.value, true
	}
	if r.families.len() == 0 {
		return "", false
	}
	for id := range e.Lineage {
		if i, live := r.families.find(id, now); live {
			return i.value, true
		}
	}
	return "", false
}

// idle reports whether nothing is revoked.
func (r *revocations) idle(now instant) bool {
	r.tasks.sweep(now, r.tasks.len(), nil)
	r.families.sweep(now, r.families.len(), nil)
	return r.tasks.len()+r.families.len() == 0
}
