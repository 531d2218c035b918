package memory

import (
	"context"
	"time"

	"github.com/gostem/gostem/stem"
)

// deadLetter is an entry that is set aside, as it was when that happened.
type deadLetter struct {
	entry  *entry
	reason string
	at     time.Time
}

// setDead sets an entry aside. The oldest dead letter goes where there are too
// many.
func (q *queue) setDead(e *entry, reason string) {
	if most := q.store.maxDeadLetters(); len(q.dead) >= most {
		clear(q.dead[:len(q.dead)-most+1])
		q.dead = q.dead[len(q.dead)-most+1:]
	}
	q.dead = append(q.dead, deadLetter{e, reason, time.Now()})
}

func (s *Store) maxDeadLetters() int {
	if s.MaxDeadLetters > 0 {
		return s.MaxDeadLetters
	}
	return defaultMaxDeadLetters
}

// DeadLetters answers dead letters, the newest first.
func (s *Store) DeadLetters(ctx context.Context, queue string, limit int) ([]stem.DeadLetter, error) {
	newest, err := s.newestDead(ctx, queue, limit)
	if err != nil {
		return nil, err
	}
	letters := make([]stem.DeadLetter, len(newest))
	for i := range newest {
		letters[i] = newest[len(newest)-1-i].letter()
	}
	return letters, nil
}

// newestDead copies the newest dead letters, in their order. They are encoded
// outside the lock: nothing changes an entry that is set aside.
func (s *Store) newestDead(ctx context.Context, queue string, limit int) ([]deadLetter, error) {
	if _, err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	q := s.queues[queue]
	if q == nil || limit <= 0 {
		return nil, nil
	}
	newest := q.dead[max(len(q.dead)-limit, 0):]
	return append([]deadLetter(nil), newest...), nil
}

// letter describes the dead letter, with the bytes that were published.
func (d *deadLetter) letter() stem.DeadLetter {
	env := &d.entry.envelope
	return stem.DeadLetter{
		ID:       env.ID,
		Task:     env.Task,
		Queue:    env.Queue,
		Reason:   d.reason,
		Attempt:  int(d.entry.failures) + 1,
		Delivery: d.entry.number,
		At:       d.at,
		Marks:    d.entry.marks,
		Envelope: stem.AppendEnvelope(nil, env),
	}
}
