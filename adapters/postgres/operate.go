package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

// DeadLetters answers at most limit dead letters of a queue, the newest first.
func (s *Store) DeadLetters(ctx context.Context, queue string, limit int) ([]stem.DeadLetter, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	if limit < 1 {
		return nil, nil
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	var letters []stem.DeadLetter
	err := s.on.query(ctx, func(scan func(...any) error) error {
		l := stem.DeadLetter{Queue: queue}
		var marks *string
		if err := scan(&l.ID, &l.Task, &l.Reason, &l.Attempt, &l.Delivery, &l.At, &marks, &l.Envelope); err != nil {
			return err
		}
		l.At = l.At.UTC()
		readMarks(&l, marks)
		letters = append(letters, l)
		return nil
	}, s.sql.deadLetters, queue, limit)
	return letters, s.failed("dead letters", err)
}

// readMarks reads the marks of a dead letter, and says so where they are none.
func readMarks(l *stem.DeadLetter, marks *string) {
	if marks == nil {
		return
	}
	if err := json.Unmarshal([]byte(*marks), &l.Marks); err != nil {
		l.Reason = fmt.Sprintf("postgres: the marks of a dead letter: %v", err)
	}
}

// mostCounted is how far a queue is counted: a worker asks often, and a queue may hold millions.
const mostCounted = 100_000

// CountQueue answers the counts of a queue. Each is exact up to 100,000, and 100,000 where there are more.
func (s *Store) CountQueue(ctx context.Context, queue string) (stem.QueueCounts, error) {
	var counts stem.QueueCounts
	if err := s.begin(); err != nil {
		return counts, err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	err := s.on.query(ctx, func(scan func(...any) error) error {
		var kind, task string
		var print int64
		var n int
		if err := scan(&kind, &task, &print, &n); err != nil {
			return err
		}
		switch kind {
		case "ready", "lapsed":
			counts.Ready += n
		case "delayed":
			counts.Delayed = n
		case "running":
			counts.Running = n
		case "dead":
			counts.Dead = n
		case "paused":
			counts.Paused = n > 0
		case "unknown":
			if counts.Unknown == nil {
				counts.Unknown = make(map[stem.TaskSchema]int)
			}
			counts.Unknown[stem.TaskSchema{Task: task, Fingerprint: uint64(print)}] = n
		}
		return nil
	}, s.sql.count, s.offset.Load(), queue, mostCounted)
	return counts, s.failed("count", err)
}

// PauseQueue pauses a queue, or resumes it.
func (s *Store) PauseQueue(ctx context.Context, queue string, paused bool) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	if err := s.on.exec(ctx, s.sql.pause, queue, paused); err != nil {
		return s.failed("pause", err)
	}
	s.announceQueue(queue)
	return nil
}

// Revoke stores revocations, one statement for each.
func (s *Store) Revoke(ctx context.Context, rs ...stem.Revocation) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	var failed []stem.ItemError
	for i := range rs {
		r := &rs[i]
		if r.For <= 0 {
			err := &stem.OptionError{Option: "time of a revocation", Value: r.For.String(), Want: "more than 0"}
			failed = append(failed, stem.ItemError{Index: i, Err: err})
			continue
		}
		err := s.on.exec(ctx, s.sql.revoke, s.offset.Load(), r.Queue, r.ID, r.Family, micros(r.For), r.Reason)
		if err != nil {
			err = s.failed("revoke", err)
			if len(rs) == 1 {
				return err
			}
			failed = append(failed, stem.ItemError{Index: i, Err: fmt.Errorf("%w: %w", stem.ErrUnknownOutcome, err)})
		}
	}
	return partial(failed)
}

// Revoked answers which deliveries are revoked, also those of another broker.
func (s *Store) Revoked(ctx context.Context, ds ...stem.Delivery) ([]stem.Notice, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	notices, err := s.revokedOf(ctx, ds)
	return notices, s.failed("revocations", err)
}

// revocation is what is revoked: an id on a queue, or all of its family.
type revocation struct {
	queue, id string
	family    bool
}

// revokedOf looks for revocations of deliveries, by one query.
func (s *Store) revokedOf(ctx context.Context, ds []stem.Delivery) ([]stem.Notice, error) {
	if len(ds) == 0 {
		return nil, nil
	}
	queues, ids := make([]string, 0, 1), make([]string, 0, len(ds))
	seen := make(map[string]bool)
	for i := range ds {
		if !seen[ds[i].Queue] {
			seen[ds[i].Queue] = true
			queues = append(queues, ds[i].Queue)
		}
		for id := range ds[i].Lineage {
			ids = append(ids, id)
		}
	}
	found := make(map[revocation]string)
	err := s.on.query(ctx, func(scan func(...any) error) error {
		var r revocation
		var reason string
		err := scan(&r.queue, &r.id, &r.family, &reason)
		found[r] = reason
		return err
	}, s.sql.revoked, s.offset.Load(), queues, ids)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var notices []stem.Notice
	for i := range ds {
		if reason, ok := revokedIn(found, ds[i].Envelope); ok {
			notices = append(notices, stem.Notice{Index: i, Cause: stem.ErrRevoked, Reason: reason})
		}
	}
	return notices, nil
}

// revokedIn tells whether an envelope is among what is revoked, and why.
func revokedIn(found map[revocation]string, e *stem.Envelope) (reason string, ok bool) {
	if reason, ok = found[revocation{e.Queue, e.ID, false}]; ok {
		return reason, true
	}
	for id := range e.Lineage {
		if reason, ok = found[revocation{e.Queue, id, true}]; ok {
			return reason, true
		}
	}
	return "", false
}

// judgeRevoked marks what is revoked among deliveries.
func (s *Store) judgeRevoked(ctx context.Context, ds []stem.Delivery) error {
	notices, err := s.revokedOf(ctx, ds)
	for _, n := range notices {
		ds[n.Index].Revoked, ds[n.Index].Reason = true, n.Reason
	}
	return err
}

const (
	// tidyEvery is how often a store tidies that is in use, and tidyMost how many rows of each kind go at once.
	tidyEvery = 30 * time.Second
	tidyMost  = 1000
)

// tidyNowAndThen deletes what has expired, beside the call that asks, if that was not done for a while.
func (s *Store) tidyNowAndThen() {
	now, last := int64(time.Since(s.began)), s.tidied.Load()
	if last != 0 && now-last < int64(tidyEvery) || !s.tidied.CompareAndSwap(last, max(now, 1)) {
		return
	}
	s.calls.Add(1) // the caller is one of them
	go func() {
		defer s.calls.Done()
		if err := s.tidy(s.closing); err != nil && s.closing.Err() == nil {
			s.cfg.Logger.Warn("postgres: cannot delete what has expired", "error", err)
		}
	}()
}

// tidy deletes what has expired, a bounded part by each statement.
func (s *Store) tidy(ctx context.Context) error {
	for more := true; more; {
		call, cancel := bound(ctx)
		err := s.on.query(call, func(scan func(...any) error) error { return scan(&more) }, s.sql.tidy, s.offset.Load(), tidyMost, int64(s.cfg.MaxDeadLetters))
		cancel()
		if err != nil {
			return s.failed("tidy", err)
		}
	}
	call, cancel := bound(ctx)
	defer cancel()
	return s.failed("tidy", s.on.exec(call, s.sql.tidyLimits, s.offset.Load()))
}
