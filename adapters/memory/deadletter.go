package memory

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// deadLetter is an entry that is set aside, as it was when that happened.
type deadLetter struct {
	entry  *entry
	reason string
	at     time.Time
	burial int64 // rises from one to the next
}

// setDead sets an entry aside. The oldest dead letter goes where there are too
// many.
func (q *queue) setDead(e *entry, reason string) {
	if most := q.store.maxDeadLetters(); len(q.dead) >= most {
		clear(q.dead[:len(q.dead)-most+1])
		q.dead = q.dead[len(q.dead)-most+1:]
	}
	q.store.lastBurial++
	q.dead = append(q.dead, deadLetter{e, reason, time.Now(), q.store.lastBurial})
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

// ListDeadLetters answers a page of dead letters. It looks at a thousand at most.
func (s *Store) ListDeadLetters(ctx context.Context, query ops.DeadLetterQuery) (ops.DeadLetterPage, error) {
	before := spot{math.MaxInt64}
	if query.After != "" {
		var err error
		if before, err = cursor(burial, query.After); err != nil {
			return ops.DeadLetterPage{}, err
		}
	}
	found, page, err := s.lookAtDead(ctx, &query, before[0])
	if err != nil {
		return ops.DeadLetterPage{}, err
	}
	for i := range found { // outside the lock, as in DeadLetters
		page.Letters = append(page.Letters, ops.DeadLetter{DeadLetter: found[i].letter(), Place: spot{found[i].burial}.text(burial)})
	}
	return page, nil
}

// burial is the kind of the places of dead letters.
const burial = "dead"

// lookAtDead copies dead letters from before a burial on, the newest first, that are wanted.
func (s *Store) lookAtDead(ctx context.Context, query *ops.DeadLetterQuery, before int64) (found []deadLetter, page ops.DeadLetterPage, err error) {
	if _, err := s.begin(ctx); err != nil {
		return nil, page, err
	}
	defer s.mu.Unlock()
	q := s.queues[query.Queue]
	if q == nil {
		return nil, page, nil
	}
	end, _ := q.burial(before)
	for i := end - 1; i >= 0; i-- {
		d := &q.dead[i]
		if !query.Since.IsZero() && d.at.Before(query.Since) {
			break // all others are older
		}
		if page.Looked == mostLooked || len(found) == query.Limit {
			page.Next = spot{q.dead[i+1].burial}.text(burial)
			break
		}
		if page.Looked++; d.wanted(query) {
			found = append(found, *d)
		}
	}
	return found, page, nil
}

// burial gives where in the dead letters a burial is, or would be.
func (q *queue) burial(burial int64) (at int, found bool) {
	return slices.BinarySearchFunc(q.dead, burial, func(d deadLetter, burial int64) int { return cmp.Compare(d.burial, burial) })
}

func (d *deadLetter) wanted(query *ops.DeadLetterQuery) bool {
	env := &d.entry.envelope
	return (query.Task == "" || query.Task == env.Task) && (query.ID == "" || query.ID == env.ID) &&
		(query.Until.IsZero() || d.at.Before(query.Until))
}

// RemoveDeadLetters deletes dead letters.
func (s *Store) RemoveDeadLetters(ctx context.Context, queue string, letters ...ops.DeadLetter) error {
	return s.each(ctx, len(letters), func(i int, _ instant) error {
		at, ok := parseSpot(burial, letters[i].Place)
		q := s.queues[queue]
		if !ok || q == nil {
			return ops.ErrGone
		}
		index, found := q.burial(at[0])
		if !found {
			return ops.ErrGone
		}
		q.dead = slices.Delete(q.dead, index, index+1)
		return nil
	})
}
