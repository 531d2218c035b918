package ops

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

// TaskDetail is all that is known of one task.
type TaskDetail struct {
	// Task is nil where it is in no queue any more, as far as was looked.
	Task *Task
	// Result is nil where there is no record, Dead where there is no dead letter.
	Result *stem.Result
	Dead   *DeadLetter
	// Why are the reasons for which the task waits, those first that somebody must do something about. There is none where it
	// runs, or has ended.
	Why []Reason
	// Timeline is what has happened and when, as far as it is known, the oldest first. Attempts have the time of
	// their workers' clocks, all else the store's.
	Timeline []Moment
}

// Moment is something that has happened to a task.
type Moment struct {
	At   time.Time
	What string
	// Detail says more, as it stands in the store: it may hold what a terminal obeys.
	Detail string
}

// Task answers all that is known of the task of an id. Without a queue it looks where the result says that the task was, or
// else through all queues. No store has to have an index of ids, so at most 20,000 tasks of each state of a queue, and
// as many dead letters, are looked at. A task of which nothing is found is a *NotFoundError.
func (s *Service) Task(ctx context.Context, queue, id string) (TaskDetail, error) {
	var d TaskDetail
	if err := stem.ValidateName("id", id); err != nil {
		return d, err
	}
	if err := s.loadInto(ctx, &d, id); err != nil {
		return d, err
	}
	queues, err := s.whereToLook(ctx, queue, d.Result)
	if err != nil {
		return d, err
	}
	missing := &NotFoundError{What: "task", ID: id}
	for _, queue := range queues {
		if err := s.lookFor(ctx, &d, queue, id, missing); err != nil {
			return d, err
		}
		if d.Task != nil || d.Dead != nil {
			break
		}
	}
	if d.Task == nil && d.Result == nil && d.Dead == nil {
		return d, missing
	}
	if d.Task != nil {
		f, err := s.facts(ctx, d.Task)
		if err != nil {
			return d, err
		}
		d.Why = why(d.Task, f)
	}
	d.Timeline = timeline(&d)
	return d, nil
}

// loadInto loads the record of a task, if there is one.
func (s *Service) loadInto(ctx context.Context, d *TaskDetail, id string) error {
	r, err := s.Result(ctx, id)
	switch {
	case err == nil:
		d.Result = &r
	case errors.As(err, new(*NotFoundError)), errors.Is(err, stem.ErrNoBackend):
	default:
		return err
	}
	return nil
}

// whereToLook gives the queues in which a task may be: in one whose name no queue can have, none is.
func (s *Service) whereToLook(ctx context.Context, queue string, r *stem.Result) ([]string, error) {
	switch {
	case queue != "":
		return []string{queue}, stem.ValidateName("queue", queue)
	case r != nil && r.Queue != "":
		return []string{r.Queue}, nil
	default:
		names, err := s.queueNames(ctx)
		return slices.DeleteFunc(names, func(name string) bool { return stem.ValidateName("queue", name) != nil }), err
	}
}

// lookFor looks for a task in a queue, then among its dead letters.
func (s *Service) lookFor(ctx context.Context, d *TaskDetail, queue, id string, missing *NotFoundError) (err error) {
	if d.Task, err = s.find(ctx, queue, id, missing); err != nil || d.Task != nil {
		return err
	}
	letters := &NotFoundError{What: "dead letter", ID: id}
	d.Dead, err = s.findDead(ctx, DeadLetterQuery{Queue: queue, ID: id}, letters)
	missing.Looked += letters.Looked
	missing.Bounded = missing.Bounded || letters.Bounded
	return err
}

// facts gathers what there is to know about why a task waits.
func (s *Service) facts(ctx context.Context, t *Task) (f facts, err error) {
	if f.counts, err = s.counts(ctx, t.Queue); err != nil {
		return f, err
	}
	if f.workers, err = s.Workers(ctx); err != nil {
		return f, err
	}
	if s.stores.Revocations == nil {
		return f, nil
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	notices, err := s.stores.Revocations.Revoked(ctx, stem.Delivery{Envelope: t.Envelope})
	if err != nil {
		return f, fmt.Errorf("ops: is task %s revoked: %w", t.ID, err)
	}
	if len(notices) > 0 {
		f.revoked, f.reason = true, notices[0].Reason
	}
	return f, nil
}

// timeline puts what is known of a task in order.
func timeline(d *TaskDetail) []Moment {
	var ms []Moment
	add := func(at time.Time, what, detail string) {
		if !at.IsZero() {
			ms = append(ms, Moment{at, what, detail})
		}
	}
	if d.Task != nil {
		add(d.Task.Published, "published", "")
	}
	for _, a := range d.history() { // of one instant, what an attempt has led to comes after it
		add(a.At, fmt.Sprintf("attempt %d failed", a.Attempt), fmt.Sprintf("%s on %s: %s", a.Kind, a.Worker, a.Message))
	}
	if t := d.Task; t != nil {
		if t.Due.After(t.Published) {
			add(t.Due, "due", "")
		}
		if t.Session != "" && t.Lapses.Before(t.Now) {
			add(t.Lapses, "worker lost", "session "+t.Session)
		}
	}
	if l := d.Dead; l != nil {
		add(l.At, "dead-lettered", l.Reason)
	}
	if r := d.Result; r != nil && r.Progress != nil {
		add(r.Progress.At, "progress", fmt.Sprintf("%.4g %% %s", r.Progress.Percent, r.Progress.Message))
	}
	if r := d.Result; r != nil && r.Replays != nil {
		add(r.Replays.At, "sent back", "as "+r.Replays.As)
	}
	slices.SortStableFunc(ms, func(a, b Moment) int { return a.At.Compare(b.At) })
	return ms
}

// history gives the attempts that failed, as the latest of those who know them has them.
func (d *TaskDetail) history() []stem.AttemptRecord {
	switch {
	case d.Task != nil:
		delivery := stem.Delivery{Envelope: d.Task.Envelope, Marks: d.Task.Marks}
		return delivery.History()
	case d.Dead != nil:
		return d.Dead.History()
	case d.Result != nil:
		return d.Result.History
	default:
		return nil
	}
}
