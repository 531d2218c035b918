package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// dead is the kind of the cursors of dead letters.
const dead = "dead"

// ListDeadLetters answers a page of the dead letters of a queue, by one statement that looks at no more than 1,000, and answers no more than
// 4 MiB of envelopes unless one alone is longer.
func (s *Store) ListDeadLetters(ctx context.Context, q ops.DeadLetterQuery) (ops.DeadLetterPage, error) {
	after, err := parseCursor(dead, q.After)
	if err != nil {
		return ops.DeadLetterPage{}, err
	}
	args := []any{q.Queue, textOrNull(q.Task), textOrNull(q.ID), timeOrNull(q.Since), timeOrNull(q.Until), q.Limit, mostLooked, pageBytes, nil, nil}
	if after != nil {
		args[8], args[9] = after.at, after.seq
	}
	var page ops.DeadLetterPage
	var read pager
	err = s.repeated(ctx, "list dead letters", func(ctx context.Context) error {
		page.Letters, read = nil, pager{}
		return s.on.query(ctx, func(scan func(...any) error) error {
			var what, n int
			var seq int64
			var marks *string
			l := stem.DeadLetter{Queue: q.Queue}
			if err := scan(&what, &n, &seq, &l.ID, &l.Task, &l.Reason, &l.Attempt, &l.Delivery, &l.At, &marks, &l.Envelope); err != nil {
				return err
			}
			here := position{at: l.At, seq: seq}
			if read.add(what, n, here) {
				letter := ops.DeadLetter{DeadLetter: l, Place: here.cursor(dead)}
				letter.At = l.At.UTC()
				readMarks(&letter.DeadLetter, marks)
				page.Letters = append(page.Letters, letter)
			}
			return nil
		}, s.sql.letters, args...)
	})
	if err != nil {
		return ops.DeadLetterPage{}, err
	}
	page.Next, page.Looked = read.cursor(dead), read.looked
	return page, nil
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// RemoveDeadLetters deletes dead letters, 500 by each statement.
func (s *Store) RemoveDeadLetters(ctx context.Context, queue string, letters ...ops.DeadLetter) error {
	var failed []stem.ItemError
	for begin := 0; begin < len(letters); begin += changedAtOnce {
		end := min(begin+changedAtOnce, len(letters))
		removed, err := s.removeDeadLetters(ctx, queue, letters[begin:end])
		if err != nil && begin == 0 {
			return err
		}
		for i := begin; i < end; i++ {
			switch {
			case err != nil:
				failed = unknown(failed, []int{i}, err)
			case !removed[i-begin]:
				failed = append(failed, stem.ItemError{Index: i, Err: ops.ErrGone})
			}
		}
	}
	return partial(failed)
}

// removeDeadLetters deletes some and tells which of them it has deleted.
func (s *Store) removeDeadLetters(ctx context.Context, queue string, letters []ops.DeadLetter) (removed []bool, err error) {
	ats, seqs := make([]time.Time, len(letters)), make([]int64, len(letters))
	seen := make(map[string]bool, len(letters))
	for i := range letters {
		place := letters[i].Place
		if ats[i], seqs[i] = parseLetterPlace(place); seen[place] {
			ats[i], seqs[i] = nowhere, -1
		}
		seen[place] = true
	}
	err = s.repeated(ctx, "remove dead letters", func(ctx context.Context) error {
		removed = make([]bool, len(letters))
		return s.on.query(ctx, func(scan func(...any) error) error {
			var place int
			if err := scan(&place); err != nil {
				return err
			}
			if place >= len(removed) {
				return errAnswer
			}
			removed[place] = true
			return nil
		}, s.sql.removeLetters, queue, ats, seqs)
	})
	return removed, err
}

// nowhere is when no dead letter was set aside.
var nowhere = time.Unix(0, 0)

// parseLetterPlace gives when a dead letter was set aside, and its number: what no row has where no list has answered the place.
func parseLetterPlace(place string) (time.Time, int64) {
	if p, err := parseCursor(dead, place); p != nil && err == nil {
		return p.at, p.seq
	}
	return nowhere, -1
}

// annotateTries is how often a record is written anew that others write to at the same time.
const annotateTries = 10

// AnnotateReplay notes in a record that its dead letter was sent back. The record is replaced only as it was read.
func (s *Store) AnnotateReplay(ctx context.Context, id, as string) error {
	for range annotateTries {
		done := false
		err := s.repeated(ctx, "note a replay", func(ctx context.Context) error {
			now, old, err := s.recordOf(ctx, id)
			if err != nil {
				return err
			}
			r, err := parseRecord(true, old)
			if err != nil {
				return err
			}
			var before stem.Replays
			if r.Replays != nil {
				before = *r.Replays
			}
			if before.As == as {
				done = true // it is noted already
				return nil
			}
			r.Replays = &stem.Replays{Count: before.Count + 1, As: as, At: now.Truncate(time.Millisecond).UTC()}
			return s.on.query(ctx, func(scan func(...any) error) error { return scan(&done) }, s.sql.annotate, id, old, record(&r))
		})
		if err != nil || done {
			return err
		}
	}
	return fmt.Errorf("postgres: note a replay: the record of %s was written by others %d times meanwhile", id, annotateTries)
}

// recordOf gives the record of a result that has not expired, and the time.
func (s *Store) recordOf(ctx context.Context, id string) (now time.Time, record []byte, err error) {
	err = s.on.query(ctx, func(scan func(...any) error) error { return scan(&now, &record) }, s.sql.record, s.offset.Load(), id)
	if err == nil && record == nil {
		err = stem.ErrNoResult
	}
	return now, record, err
}
