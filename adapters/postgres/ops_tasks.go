package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/ops"
)

// ListTasks answers a page of the tasks of a queue, by one statement that looks at no more than 1,000 rows, and answers no more than 4 MiB of
// envelopes unless one alone is longer. For Running these are rows of all queues.
func (s *Store) ListTasks(ctx context.Context, q ops.TaskQuery) (ops.TaskPage, error) {
	if !slices.Contains(ops.States, q.State) {
		return ops.TaskPage{}, &stem.OptionError{Option: "state", Value: fmt.Sprintf("%q", string(q.State)), Want: fmt.Sprint("one of ", ops.States)}
	}
	args, err := s.listArgs(&q)
	if err != nil {
		return ops.TaskPage{}, err
	}
	var page ops.TaskPage
	var read pager
	err = s.repeated(ctx, "list tasks", func(ctx context.Context) error {
		page.Tasks, read = nil, pager{}
		return s.on.query(ctx, func(scan func(...any) error) error {
			var row taskRow
			if err := scan(row.columns()...); err != nil {
				return err
			}
			if read.add(row.what, row.n, row.position(q.State)) {
				page.Tasks = append(page.Tasks, row.task(q.Queue, q.State))
			}
			return nil
		}, s.sql.list, args...)
	})
	if err != nil {
		return ops.TaskPage{}, err
	}
	if q.ID != "" {
		// That the bytes of an id stand where ids stand need not mean that it is this one.
		page.Tasks = slices.DeleteFunc(page.Tasks, func(t ops.Task) bool { return t.ID != q.ID })
	}
	page.Next, page.Looked = read.cursor(string(q.State)), read.looked
	return page, nil
}

func (s *Store) listArgs(q *ops.TaskQuery) ([]any, error) {
	after, err := parseCursor(string(q.State), q.After)
	if err != nil {
		return nil, err
	}
	var head []byte
	var seq *int64
	if q.ID != "" {
		head = codec.AppendString(nil, q.ID)
		if n, err := strconv.ParseInt(strings.TrimPrefix(q.ID, malformedID), 10, 64); err == nil && strings.HasPrefix(q.ID, malformedID) {
			seq = &n
		}
	}
	args := []any{s.offset.Load(), q.Queue, string(q.State), textOrNull(q.Task), head, seq, q.Limit, mostLooked, pageBytes}
	if after == nil {
		return append(args, nil, nil, nil, nil, nil, nil), nil
	}
	return append(args, after.holder, after.task, after.print, after.priority, after.at, after.seq), nil
}

// malformedID begins the id of what has none that can be read; the number of its row follows.
const malformedID = "malformed-"

func textOrNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// taskRow is a row of list_1.
type taskRow struct {
	what, n, cuts               int
	place                       string
	seq                         int64
	holder                      *int32
	number, print               *int64
	due, published, now         time.Time
	priority                    int32
	name                        string
	failures, snoozes, releases *int
	session                     *string
	lapses                      *time.Time
	marks                       *string
	envelope                    []byte
}

func (r *taskRow) columns() []any {
	return []any{&r.what, &r.n, &r.place, &r.seq, &r.holder, &r.number, &r.due, &r.published, &r.priority, &r.print, &r.name,
		&r.cuts, &r.failures, &r.snoozes, &r.releases, &r.session, &r.lapses, &r.marks, &r.envelope, &r.now}
}

// position gives what the order of a state asks for.
func (r *taskRow) position(state ops.State) position {
	p := position{priority: r.priority, at: r.due, seq: r.seq}
	switch state {
	case ops.Running:
		p.holder = orZero(r.holder)
	case ops.Unknown:
		p.print, p.task = r.print, r.name
	}
	return p
}

func (r *taskRow) task(queue string, state ops.State) ops.Task {
	t := ops.Task{
		State: state, Place: r.place + "." + strconv.FormatInt(r.seq, 10),
		Attempt: orZero(r.failures) + 1, Interruptions: r.cuts, Snoozes: orZero(r.snoozes), Releases: orZero(r.releases),
		Delivery: orZero(r.number), Session: orZero(r.session), Lapses: orZero(r.lapses).UTC(),
		Published: r.published.UTC(), Due: r.due.UTC(), Now: r.now.UTC(),
	}
	e, err := stem.ParseEnvelope(r.envelope)
	if err == nil && e.Queue != queue {
		err = fmt.Errorf("postgres: an envelope of queue %s lies in queue %s", e.Queue, queue)
	}
	if r.marks != nil {
		if wrong := json.Unmarshal([]byte(*r.marks), &t.Marks); wrong != nil && err == nil {
			err = fmt.Errorf("postgres: the marks beside the envelope: %w", wrong)
		}
	}
	if err != nil {
		e = stem.Envelope{ID: malformedID + strconv.FormatInt(r.seq, 10), Queue: queue, Task: r.name, Priority: int(r.priority)}
	}
	t.Envelope, t.Malformed = &e, err
	return t
}

// orZero gives what a pointer points to.
func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
