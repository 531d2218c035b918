package ops

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gostem/gostem/stem"
)

// Tasks answers a page of the tasks of a queue. State "" goes through all of [States], one after the other and behind
// one cursor; Limit 0 is [DefaultPage]. A page may have fewer tasks than there is room for, or none, and yet not be
// the last.
func (s *Service) Tasks(ctx context.Context, q TaskQuery) (TaskPage, error) {
	if err := q.complete(); err != nil {
		return TaskPage{}, err
	}
	lister, err := capable[TaskLister](s.stores.Broker)
	if err != nil {
		return TaskPage{}, err
	}
	if q.State != "" {
		return list(ctx, lister, q)
	}
	return walk(ctx, lister, q)
}

// list answers a page of one state.
func list(ctx context.Context, lister TaskLister, q TaskQuery) (TaskPage, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	page, err := lister.ListTasks(ctx, q)
	if err != nil {
		return TaskPage{}, fmt.Errorf("ops: list tasks of queue %s: %w", q.Queue, err)
	}
	return page, nil
}

// walk answers a page of all states: what room one state leaves is the next one's. Its cursor is that of a state, with the
// state before it.
func walk(ctx context.Context, lister TaskLister, q TaskQuery) (TaskPage, error) {
	at := 0
	if q.After != "" {
		state, after, _ := strings.Cut(q.After, ":")
		if at = slices.Index(States, State(state)); at < 0 {
			return TaskPage{}, &stem.OptionError{Option: "cursor", Value: quoted(q.After), Want: "the one that the page before gave"}
		}
		q.After = after
	}
	var all TaskPage
	for room := q.Limit; at < len(States); at++ {
		q.State, q.Limit = States[at], room-len(all.Tasks)
		page, err := list(ctx, lister, q)
		if err != nil {
			return TaskPage{}, err
		}
		all.Tasks = append(all.Tasks, page.Tasks...)
		all.Looked += page.Looked
		if page.Next != "" {
			all.Next = string(States[at]) + ":" + page.Next
			return all, nil
		}
		q.After = ""
		if len(all.Tasks) == room && at+1 < len(States) {
			all.Next = string(States[at+1]) + ":"
			return all, nil
		}
	}
	return all, nil
}

// complete fills in what the query leaves out, and refuses what no store is asked.
func (q *TaskQuery) complete() error {
	if err := stem.ValidateName("queue", q.Queue); err != nil {
		return err
	}
	if q.State != "" && !slices.Contains(States, q.State) {
		return &stem.OptionError{Option: "state", Value: quoted(string(q.State)), Want: "running, ready, retrying, delayed, unknown, or none for all of them"}
	}
	return completePage(q.Task, q.ID, q.After, &q.Limit)
}

// completePage does that for what every list has.
func completePage(task, id, after string, limit *int) error {
	if task != "" {
		if err := stem.ValidateName("task name", task); err != nil {
			return err
		}
	}
	if id != "" {
		if err := stem.ValidateName("id", id); err != nil {
			return err
		}
	}
	const longestState = len(Retrying) + 1 // that the walk through all states puts before a cursor
	if len(after) > MaxCursor+longestState || strings.ContainsFunc(after, func(r rune) bool { return r < '!' || r > '~' }) {
		return &stem.OptionError{Option: "cursor", Value: quoted(after), Want: "the one that the page before gave"}
	}
	if *limit == 0 {
		*limit = DefaultPage
	}
	if *limit < 1 || *limit > MaxPage {
		return &stem.OptionError{Option: "limit", Value: fmt.Sprint(*limit), Want: fmt.Sprintf("1 to %d", MaxPage)}
	}
	return nil
}

// DeadLetters answers a page of the dead letters of a queue, the newest first. Limit 0 is [DefaultPage].
func (s *Service) DeadLetters(ctx context.Context, q DeadLetterQuery) (DeadLetterPage, error) {
	if err := q.complete(); err != nil {
		return DeadLetterPage{}, err
	}
	keeper, err := capable[DeadLetterKeeper](s.stores.Broker)
	if err != nil {
		return DeadLetterPage{}, err
	}
	return listDead(ctx, keeper, q)
}

func listDead(ctx context.Context, keeper DeadLetterKeeper, q DeadLetterQuery) (DeadLetterPage, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	page, err := keeper.ListDeadLetters(ctx, q)
	if err != nil {
		return DeadLetterPage{}, fmt.Errorf("ops: list dead letters of queue %s: %w", q.Queue, err)
	}
	return page, nil
}

func (q *DeadLetterQuery) complete() error {
	if err := stem.ValidateName("queue", q.Queue); err != nil {
		return err
	}
	if !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until) {
		return &stem.OptionError{Option: "until", Value: q.Until.String(), Want: "later than since, which is " + q.Since.String()}
	}
	return completePage(q.Task, q.ID, q.After, &q.Limit)
}

// mostLooked bounds how many entries of a queue are looked at to find an id: in some stores there is no index of
// ids. A page counts as fewestLooked at least, so that no store is asked for ever.
const (
	mostLooked   = 20_000
	fewestLooked = 100
)

// DeadLetter answers the dead letter of an id, the newest if there are several, of at most 20,000 that are
// looked at. It answers a *NotFoundError if it is not among them.
func (s *Service) DeadLetter(ctx context.Context, queue, id string) (DeadLetter, error) {
	if err := stem.ValidateName("id", id); err != nil {
		return DeadLetter{}, err
	}
	missing := &NotFoundError{What: "dead letter", ID: id}
	letter, err := s.findDead(ctx, DeadLetterQuery{Queue: queue, ID: id}, missing)
	switch {
	case err != nil:
		return DeadLetter{}, err
	case letter == nil:
		return DeadLetter{}, missing
	}
	return *letter, nil
}

// findDead gives the newest dead letter of a query, or nil and takes note of where it looked.
func (s *Service) findDead(ctx context.Context, q DeadLetterQuery, missing *NotFoundError) (*DeadLetter, error) {
	missing.Queues = append(missing.Queues, q.Queue)
	q.Limit = 1
	for looked := 0; ; {
		page, err := s.DeadLetters(ctx, q)
		if err != nil {
			return nil, err
		}
		if len(page.Letters) > 0 {
			return &page.Letters[0], nil
		}
		looked += max(page.Looked, fewestLooked)
		missing.Looked += page.Looked
		if q.After = page.Next; q.After == "" {
			return nil, nil
		}
		if looked >= mostLooked {
			missing.Bounded = true
			return nil, nil
		}
	}
}

// find gives the task of an id in one state of a queue, or nil and takes note of where it looked.
func (s *Service) find(ctx context.Context, queue, id string, missing *NotFoundError) (*Task, error) {
	missing.Queues = append(missing.Queues, queue)
	for _, state := range States {
		q := TaskQuery{Queue: queue, State: state, ID: id, Limit: 1}
		for looked := 0; ; {
			page, err := s.Tasks(ctx, q)
			if err != nil {
				return nil, err
			}
			if len(page.Tasks) > 0 {
				return &page.Tasks[0], nil
			}
			looked += max(page.Looked, fewestLooked)
			missing.Looked += page.Looked
			if q.After = page.Next; q.After == "" {
				break
			}
			if looked >= mostLooked {
				missing.Bounded = true
				break
			}
		}
	}
	return nil, nil
}
