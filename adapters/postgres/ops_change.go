package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

const (
	// changedAtOnce is how many tasks a statement changes.
	changedAtOnce = 500
	// changeTries is how often a task is tried that somebody holds fast, and changePause the time between: a claim is done by then.
	changeTries = 3
	changePause = 20 * time.Millisecond
)

// HastenTasks makes tasks due now. One that a transaction of the user's holds fast is named with [stem.ErrTransactionOpen].
func (s *Store) HastenTasks(ctx context.Context, tasks ...ops.Task) error {
	err := s.changeAll(ctx, "hasten tasks", false, tasks)
	told := make(map[string]bool)
	for i := range tasks {
		if e := tasks[i].Envelope; e != nil && !told[e.Queue] {
			told[e.Queue] = true
			s.announceQueue(e.Queue)
		}
	}
	return err
}

// DeleteTasks deletes tasks that wait. One that a transaction of the user's holds fast is named with [stem.ErrTransactionOpen].
func (s *Store) DeleteTasks(ctx context.Context, tasks ...ops.Task) error {
	return s.changeAll(ctx, "delete tasks", true, tasks)
}

func (s *Store) changeAll(ctx context.Context, operation string, del bool, tasks []ops.Task) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	var failed []stem.ItemError
	var todo []int
	seen := make(map[string]bool, len(tasks))
	for i := range tasks {
		place := tasks[i].Place
		_, _, ok := parsePlace(&tasks[i])
		twice := seen[place]
		seen[place] = true
		if !ok || twice || !del && !later(&tasks[i]) {
			failed = append(failed, stem.ItemError{Index: i, Err: ops.ErrGone})
			continue
		}
		todo = append(todo, i)
	}
	for try, busy := 1, []int(nil); len(todo) > 0; {
		n := min(len(todo), changedAtOnce)
		rows := newChangeRows(tasks, todo[:n])
		refused, err := s.change(ctx, operation, del, rows)
		if err != nil && len(failed)+len(todo)+len(busy) == len(tasks) {
			return err
		}
		if err != nil {
			return partial(unknown(failed, slices.Concat(todo, busy), err))
		}
		for _, item := range refused {
			if item.Err == stem.ErrTransactionOpen && try < changeTries {
				busy = append(busy, item.Index)
				continue
			}
			failed = append(failed, item)
		}
		if todo = todo[n:]; len(todo) == 0 && len(busy) > 0 {
			s.notifier.rest(changePause)
			todo, busy, try = busy, nil, try+1
		}
	}
	return partial(failed)
}

// change changes the rows and names those that it has left alone.
func (s *Store) change(ctx context.Context, operation string, del bool, r *changeRows) (refused []stem.ItemError, err error) {
	err = s.repeated(ctx, operation, func(ctx context.Context) error {
		refused = nil
		return s.on.query(ctx, func(scan func(...any) error) error {
			var place, code int
			if err := scan(&place, &code); err != nil {
				return err
			}
			if place >= len(r.indices) || code >= len(changeErrors) {
				return errAnswer
			}
			refused = append(refused, stem.ItemError{Index: r.indices[place], Err: changeErrors[code]})
			return nil
		}, s.sql.change, s.offset.Load(), del, listOf(r.places), listOf(r.seqs), listOf(r.laters), listOf(r.keys.queues), listOf(r.keys.keys), listOf(r.keys.ids), listOf(r.keys.whats))
	})
	return refused, err
}

var changeErrors = [...]error{1: ops.ErrGone, 2: stem.ErrTransactionOpen}

// changeRows are tasks by column.
type changeRows struct {
	indices []int // in the caller's list
	places  []string
	seqs    []int64
	laters  []bool
	keys    *keyRows
}

func newChangeRows(tasks []ops.Task, indices []int) *changeRows {
	r := &changeRows{indices: indices, keys: newKeyRows(0, len(indices))}
	for _, i := range indices {
		t := &tasks[i]
		place, seq, _ := parsePlace(t)
		r.places, r.seqs, r.laters = append(r.places, place), append(r.seqs, seq), append(r.laters, later(t))
		var what int16
		if u := t.Unique; u != nil {
			what = letGo
			if u.OnConflict == stem.ConflictReplace {
				what = cancelled
			}
		}
		r.keys.add(&stem.Delivery{Envelope: t.Envelope}, what)
	}
	return r
}

// later reports whether a task was listed among those that wait for their time.
func later(t *ops.Task) bool { return t.State == ops.Delayed || t.State == ops.Retrying }

// parsePlace gives where the row of a task was, and its number. It is not ok for what no list has answered, or not as something that waits.
func parsePlace(t *ops.Task) (place string, seq int64, ok bool) {
	var page uint32
	var line uint16
	if _, err := fmt.Sscanf(t.Place, "(%d,%d).%d", &page, &line, &seq); err != nil || t.Envelope == nil || t.State == ops.Running {
		return "", 0, false
	}
	place = fmt.Sprintf("(%d,%d)", page, line)
	return place, seq, fmt.Sprint(place, ".", seq) == t.Place
}
