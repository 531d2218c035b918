package ops

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gostem/gostem/stem"
)

// Change tells what became of a change of many.
type Change struct {
	// Matched is how many there were that were meant, Changed how many of them were changed, and Skipped how many were left as
	// they are: they had moved on meanwhile, or something stood in their way, which Errors tells then.
	Matched, Changed, Skipped int
	// IDs are those that were changed, or that would have been; the first thousand.
	IDs []string
	// Errors tell of those that could not be changed, or not in full; the first thousand.
	Errors []ItemError
	// More tells that there may be others that are meant, beyond the limit.
	More   bool
	DryRun bool
}

// ItemError is why one of many could not be changed.
type ItemError struct {
	ID  string
	Err error
}

// The bounds of a change of many.
const (
	mostChanged    = 10_000
	defaultChanged = 100
	mostTold       = 1_000
)

func (c *Change) changed(ids ...string) {
	c.Changed += len(ids)
	c.name(ids...)
}

func (c *Change) name(ids ...string) {
	c.IDs = append(c.IDs, ids[:min(len(ids), mostTold-len(c.IDs))]...)
}

func (c *Change) failed(id string, err error) {
	if len(c.Errors) < mostTold {
		c.Errors = append(c.Errors, ItemError{id, err})
	}
}

// err is what an event tells of the errors of items.
func (c *Change) err() error {
	if len(c.Errors) == 0 {
		return nil
	}
	first := c.Errors[0]
	return fmt.Errorf("%d of %d were not changed in full, the first of them %s: %w", len(c.Errors), c.Matched, first.ID, first.Err)
}

// act makes a change in somebody's name and tells of it, whatever becomes of it.
func (s *Service) act(ctx context.Context, e Event, do func() (Change, error)) (Change, error) {
	if err := e.validate(); err != nil {
		return Change{}, err
	}
	c, err := do()
	e.Count, e.Err = c.Changed, err
	if err == nil {
		e.Err = c.err()
	}
	s.tell(ctx, e)
	return c, err
}

// TaskFilter says which tasks of a queue are meant.
type TaskFilter struct {
	Queue string
	// States are those that are meant; none means all in which the change is possible.
	States []State
	// Task leaves only tasks of this name, and IDs those of these ids, at most 1,000; none means all.
	Task string
	IDs  []string
	// Limit is the most tasks to change, up to 10,000. The default is 100.
	Limit int
	// DryRun changes nothing, and answers what is meant.
	DryRun bool
}

func (f *TaskFilter) complete(possible ...State) error {
	if err := stem.ValidateName("queue", f.Queue); err != nil {
		return err
	}
	for _, state := range f.States {
		if !slices.Contains(possible, state) {
			return &stem.OptionError{Option: "state", Value: quoted(string(state)), Want: fmt.Sprint("some of ", possible)}
		}
	}
	if len(f.States) == 0 {
		f.States = possible
	}
	return completeMany(f.Task, f.IDs, &f.Limit)
}

func completeMany(task string, ids []string, limit *int) error {
	if task != "" {
		if err := stem.ValidateName("task name", task); err != nil {
			return err
		}
	}
	if len(ids) > mostTold {
		return &stem.OptionError{Option: "ids", Value: fmt.Sprint(len(ids)), Want: "at most 1,000"}
	}
	for _, id := range ids {
		if err := stem.ValidateName("id", id); err != nil {
			return err
		}
	}
	if *limit == 0 {
		*limit = max(defaultChanged, len(ids))
	}
	if *limit < 1 || *limit > mostChanged {
		return &stem.OptionError{Option: "limit", Value: fmt.Sprint(*limit), Want: "1 to 10,000"}
	}
	return nil
}

// one gives the id that is meant where it is a single one.
func one(ids []string) string {
	if len(ids) == 1 {
		return ids[0]
	}
	return ""
}

// RetryNow makes delayed and retrying tasks due now; nothing else of them changes.
func (s *Service) RetryNow(ctx context.Context, by By, f TaskFilter) (Change, error) {
	return s.act(ctx, Event{By: by, Action: "task.retry", Queue: f.Queue, ID: one(f.IDs), DryRun: f.DryRun}, func() (Change, error) {
		changer, err := capable[TaskChanger](s.stores.Broker)
		if err != nil {
			return Change{}, err
		}
		if err := f.complete(Retrying, Delayed); err != nil {
			return Change{}, err
		}
		return s.changeTasks(ctx, f, func(ctx context.Context, tasks []Task) error { return changer.HastenTasks(ctx, tasks...) }, nil)
	})
}

// Delete deletes tasks that wait. Whoever waits for their results learns that they were cancelled, and by whom; what
// was to follow them does not. A task that runs is not deleted: revoke it.
func (s *Service) Delete(ctx context.Context, by By, f TaskFilter) (Change, error) {
	return s.act(ctx, Event{By: by, Action: "task.delete", Queue: f.Queue, ID: one(f.IDs), DryRun: f.DryRun}, func() (Change, error) {
		changer, err := capable[TaskChanger](s.stores.Broker)
		if err != nil {
			return Change{}, err
		}
		if err := f.complete(Ready, Retrying, Delayed, Unknown); err != nil {
			return Change{}, err
		}
		remove := func(ctx context.Context, tasks []Task) error { return changer.DeleteTasks(ctx, tasks...) }
		return s.changeTasks(ctx, f, remove, func(ctx context.Context, deleted []Task, c *Change) { s.saveDeleted(ctx, by, deleted, c) })
	})
}

// changeTasks changes what a filter means, page by page; then, if it is not nil, is told what has been changed.
func (s *Service) changeTasks(ctx context.Context, f TaskFilter, change func(context.Context, []Task) error, then func(context.Context, []Task, *Change)) (Change, error) {
	c := Change{DryRun: f.DryRun}
	err := s.eachPage(ctx, f, &c, func(tasks []Task) error {
		c.Matched += len(tasks)
		if f.DryRun {
			c.name(taskIDs(tasks)...)
			return nil
		}
		bound, cancel := bounded(ctx)
		err := change(bound, tasks)
		cancel()
		changed, err := c.sort(tasks, err)
		c.changed(taskIDs(changed)...)
		if then != nil && len(changed) > 0 {
			then(ctx, changed, &c)
		}
		return err
	})
	return c, err
}

// sort gives the tasks that were changed, and counts the others. An error of the whole ends the change.
func (c *Change) sort(tasks []Task, err error) (changed []Task, _ error) {
	if err != nil && !errors.As(err, new(*stem.PartialError)) {
		return nil, fmt.Errorf("ops: %w", err)
	}
	for i := range tasks {
		switch err := stem.ItemErr(err, i); {
		case err == nil:
			changed = append(changed, tasks[i])
		case errors.Is(err, ErrGone):
			c.Skipped++
		default:
			c.Skipped++
			c.failed(tasks[i].ID, err)
		}
	}
	return changed, nil
}

func taskIDs(tasks []Task) []string {
	ids := make([]string, len(tasks))
	for i := range tasks {
		ids[i] = tasks[i].ID
	}
	return ids
}

// eachPage gives the tasks that a filter means, up to its limit, page by page.
func (s *Service) eachPage(ctx context.Context, f TaskFilter, c *Change, do func([]Task) error) error {
	if len(f.IDs) > 0 {
		return s.eachNamed(ctx, f, c, do)
	}
	for _, state := range f.States {
		q := TaskQuery{Queue: f.Queue, State: state, Task: f.Task}
		for {
			if c.Matched == f.Limit {
				c.More = true
				return nil
			}
			q.Limit = min(f.Limit-c.Matched, MaxPage)
			page, err := s.Tasks(ctx, q)
			if err != nil {
				return err
			}
			if len(page.Tasks) > 0 {
				if err := do(page.Tasks); err != nil {
					return err
				}
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
	}
	return nil
}

// eachNamed gives the tasks of ids one by one, and tells of those that are not there, or not in a state that is meant.
func (s *Service) eachNamed(ctx context.Context, f TaskFilter, c *Change, do func([]Task) error) error {
	for _, id := range f.IDs {
		if c.Matched == f.Limit {
			c.More = true
			return nil
		}
		missing := &NotFoundError{What: "task", ID: id}
		t, err := s.find(ctx, f.Queue, id, missing)
		switch {
		case err != nil:
			return err
		case t == nil || f.Task != "" && t.Task != f.Task:
			c.failed(id, missing)
		case t.State == Running && !slices.Contains(f.States, Running):
			c.failed(id, fmt.Errorf("ops: task %s is running: revoke it, if it is to end", id))
		case !slices.Contains(f.States, t.State):
			c.failed(id, fmt.Errorf("ops: task %s is %s, not one of %v", id, t.State, f.States))
		default:
			if err := do([]Task{*t}); err != nil {
				return err
			}
		}
	}
	return nil
}

// saveDeleted saves that tasks were cancelled, where their results are kept. A record that a later delivery has written stands.
func (s *Service) saveDeleted(ctx context.Context, by By, deleted []Task, c *Change) {
	var records []stem.Result
	for i := range deleted {
		if t := &deleted[i]; t.KeepResult > 0 && s.stores.Backend != nil {
			records = append(records, cancelled(t, "deleted "+by.text()))
		}
	}
	if len(records) == 0 {
		return
	}
	ctx, cancel := bounded(context.WithoutCancel(ctx)) // they are gone: who waits for them must learn it
	defer cancel()
	err := s.stores.Backend.Save(ctx, records...)
	for i := range records {
		if err := stem.ItemErr(err, i); err != nil && !errors.Is(err, stem.ErrLeaseLost) {
			c.failed(records[i].ID, fmt.Errorf("ops: deleted, and its result could not be saved: %w", err))
		}
	}
}

// cancelled is the record of a task that no worker will see any more.
func cancelled(t *Task, message string) stem.Result {
	d := stem.Delivery{Envelope: t.Envelope, Marks: t.Marks}
	return stem.Result{
		ID: t.ID, Task: t.Task, Queue: t.Queue, State: stem.StateCancelled,
		Failure:  &stem.Failure{Kind: stem.FailureRevoked, Message: message},
		Delivery: t.Delivery, Attempt: t.Attempt, Interruptions: t.Interruptions, Snoozes: t.Snoozes, Releases: t.Releases,
		History: d.History(), Keep: t.KeepResult,
	}
}

// text tells who did something, as failures do.
func (b By) text() string {
	if b.Reason == "" {
		return "by " + b.Actor
	}
	return "by " + b.Actor + ": " + b.Reason
}

// Revoke cancels tasks, whether they wait, run or are still to come (see [stem.Client.Revoke]). The reason of the
// revocation is by's, with its actor, unless an option says another.
func (s *Service) Revoke(ctx context.Context, by By, queue string, ids []string, opts ...stem.RevokeOption) (Change, error) {
	return s.act(ctx, Event{By: by, Action: "task.revoke", Queue: queue, ID: one(ids)}, func() (c Change, err error) {
		if s.stores.Revocations == nil {
			if _, err := capable[stem.Revoker](s.stores.Broker); err != nil {
				return c, err
			}
		}
		limit := 0
		if err := completeMany("", ids, &limit); err != nil {
			return c, err
		}
		if err := stem.ValidateName("queue", queue); err != nil {
			return c, err
		}
		opts = append([]stem.RevokeOption{stem.RevokeReason("revoked " + by.text())}, opts...)
		for _, id := range ids {
			c.Matched++
			if err := s.client.Revoke(ctx, queue, id, opts...); err != nil {
				c.Skipped++
				c.failed(id, err)
				continue
			}
			c.changed(id)
		}
		return c, nil
	})
}
