package ops

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

// LetterFilter says which dead letters of a queue are meant, the newest first.
type LetterFilter struct {
	Queue string
	// Task leaves only letters of this name, and IDs those of these ids, at most 1,000; none means all.
	Task string
	IDs  []string
	// Since and Until leave only what was set aside from the one to before the other; zero means no bound.
	Since, Until time.Time
	// Limit is the most letters to change, up to 10,000. The default is 100.
	Limit int
	// DryRun changes nothing, and answers what is meant.
	DryRun bool
}

// ReplayOptions adjust what is sent back.
type ReplayOptions struct {
	// Rate is how many are enqueued in a second, 0 for as fast as it goes.
	Rate float64
	// Delay is how long it is until they are due.
	Delay time.Duration
	// OnQueue is the queue that they are enqueued on, "" for the one that they come from.
	OnQueue string
}

// replayedFor is how long a letter that was sent back is not sent back once more, should it still be there.
const replayedFor = 24 * time.Hour

func (f *LetterFilter) complete() error {
	q := DeadLetterQuery{Queue: f.Queue, Since: f.Since, Until: f.Until}
	if err := q.complete(); err != nil {
		return err
	}
	return completeMany(f.Task, f.IDs, &f.Limit)
}

func (o *ReplayOptions) validate() error {
	switch {
	case !(o.Rate >= 0 && o.Rate <= 1e6):
		return &stem.OptionError{Option: "rate", Value: fmt.Sprint(o.Rate), Want: "0 to 1,000,000 in a second"}
	case o.Delay < 0:
		return &stem.OptionError{Option: "delay", Value: o.Delay.String(), Want: "0 or more"}
	case o.OnQueue != "":
		return stem.ValidateName("queue", o.OnQueue)
	}
	return nil
}

// Replay sends dead letters back: each becomes a new task with a new id, all attempts and its old id in ReplayOf, and the
// letter goes. The result of the old one stays that of a failure, and says how often, when and as what it was sent
// back (see [stem.Replays]), where it is kept and the backend is a [ResultAnnotator].
//
// What is interrupted may be repeated: for a day no second task is made of a letter on the same queue, also if two
// operators do it at once. A letter whose unique key another task holds stays, and so does one that cannot be read.
func (s *Service) Replay(ctx context.Context, by By, f LetterFilter, o ReplayOptions) (Change, error) {
	return s.act(ctx, Event{By: by, Action: "dlq.replay", Queue: f.Queue, ID: one(f.IDs), DryRun: f.DryRun}, func() (Change, error) {
		if err := o.validate(); err != nil {
			return Change{}, err
		}
		began := time.Now()
		sent := 0
		return s.changeLetters(ctx, f, o.batch(), func(ctx context.Context, keeper DeadLetterKeeper, letters []DeadLetter, c *Change) error {
			if err := o.wait(ctx, began, sent); err != nil {
				return err
			}
			sent += len(letters)
			return s.replay(ctx, keeper, letters, o, c)
		})
	})
}

// batch is how many letters are sent back at once: with a rate, as many as are due in a tenth of a second.
func (o *ReplayOptions) batch() int {
	const most = 100
	if o.Rate == 0 {
		return most
	}
	return min(max(int(o.Rate/10), 1), most)
}

// wait keeps to the rate: what is sent next is due when all before it have had their time.
func (o *ReplayOptions) wait(ctx context.Context, began time.Time, sent int) error {
	if o.Rate == 0 || sent == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(time.Until(began.Add(time.Duration(float64(sent) / o.Rate * float64(time.Second)))))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// replay sends some letters back: they are published, then this is noted, then they go. After a crash in between the
// same is done again, and the dedupe key keeps a second copy away.
func (s *Service) replay(ctx context.Context, keeper DeadLetterKeeper, letters []DeadLetter, o ReplayOptions, c *Change) error {
	var sound []DeadLetter
	var envs []stem.Envelope
	for i := range letters {
		e, err := o.envelope(&letters[i])
		if err != nil {
			c.Skipped++
			c.failed(letters[i].ID, err)
			continue
		}
		sound, envs = append(sound, letters[i]), append(envs, e)
	}
	if len(envs) == 0 {
		return nil
	}
	published, err := s.client.Publish(ctx, envs...)
	if err != nil && !errors.As(err, new(*stem.PartialError)) {
		return fmt.Errorf("ops: replay dead letters of queue %s: %w", sound[0].Queue, err)
	}
	var done []DeadLetter
	ours := make(map[string]string) // by the places of letters, the tasks that we have made of them
	for i := range sound {
		if err := s.sentBack(ctx, sound[i].ID, &envs[i], published[i], stem.ItemErr(err, i)); err != nil {
			c.Skipped++
			c.failed(sound[i].ID, err)
			continue
		}
		done = append(done, sound[i])
		if !published[i].Duplicate {
			ours[sound[i].Place] = published[i].ID
		}
	}
	return c.take(ctx, keeper, done, ours)
}

// envelope makes the new task of a letter.
func (o *ReplayOptions) envelope(l *DeadLetter) (stem.Envelope, error) {
	e, err := stem.ParseEnvelope(l.Envelope)
	if err == nil {
		err = e.Validate()
	}
	if err != nil {
		return e, fmt.Errorf("ops: it cannot be sent back: %w", err)
	}
	e.ReplayOf, e.ID = l.ID, stem.NewID()
	e.DedupeKey, e.DedupeWindow = fmt.Sprintf("replay %d %s", l.Delivery, l.ID), replayedFor
	e.Delay = o.Delay
	if o.OnQueue != "" {
		e.Queue = o.OnQueue
	}
	return e, nil
}

// sentBack notes that a letter has become a task, or answers why it has not.
func (s *Service) sentBack(ctx context.Context, id string, e *stem.Envelope, p stem.Published, err error) error {
	switch {
	case err != nil:
		return err
	case p.Conflict:
		return &stem.UniqueConflictError{Task: e.Task, ID: p.ID}
	}
	annotator, ok := stem.As[ResultAnnotator](s.stores.Backend)
	if !ok {
		return nil
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := annotator.AnnotateReplay(ctx, id, p.ID); err != nil && !errors.Is(err, stem.ErrNoResult) {
		return fmt.Errorf("ops: it was sent back as %s, and that could not be noted; repeat it within a day: %w", p.ID, err)
	}
	return nil
}

// Purge deletes dead letters for good.
func (s *Service) Purge(ctx context.Context, by By, f LetterFilter) (Change, error) {
	return s.act(ctx, Event{By: by, Action: "dlq.purge", Queue: f.Queue, ID: one(f.IDs), DryRun: f.DryRun}, func() (Change, error) {
		return s.changeLetters(ctx, f, MaxPage, func(ctx context.Context, keeper DeadLetterKeeper, letters []DeadLetter, c *Change) error {
			return c.remove(ctx, keeper, letters)
		})
	})
}

// remove deletes letters, and counts them as changed. Those that are gone somebody else has changed.
func (c *Change) remove(ctx context.Context, keeper DeadLetterKeeper, letters []DeadLetter) error {
	return c.take(ctx, keeper, letters, nil)
}

// take deletes letters. Of one that is gone it is told where we have made a task of it: somebody has deleted or sent back the letter
// meanwhile, and the task is there all the same.
func (c *Change) take(ctx context.Context, keeper DeadLetterKeeper, letters []DeadLetter, ours map[string]string) error {
	if len(letters) == 0 {
		return nil
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	err := keeper.RemoveDeadLetters(ctx, letters[0].Queue, letters...)
	if err != nil && !errors.As(err, new(*stem.PartialError)) {
		return fmt.Errorf("ops: remove dead letters of queue %s: %w", letters[0].Queue, err)
	}
	for i := range letters {
		switch err := stem.ItemErr(err, i); {
		case err == nil:
			c.changed(letters[i].ID)
		case errors.Is(err, ErrGone):
			c.Skipped++
			if as := ours[letters[i].Place]; as != "" {
				c.failed(letters[i].ID, fmt.Errorf("ops: it was sent back as %s, and somebody else has removed the dead letter meanwhile: %w", as, ErrGone))
			}
		default:
			c.Skipped++
			c.failed(letters[i].ID, err)
		}
	}
	return nil
}

// changeLetters changes the dead letters that a filter means, so many at once.
func (s *Service) changeLetters(ctx context.Context, f LetterFilter, batch int, change func(context.Context, DeadLetterKeeper, []DeadLetter, *Change) error) (Change, error) {
	c := Change{DryRun: f.DryRun}
	keeper, err := capable[DeadLetterKeeper](s.stores.Broker)
	if err != nil {
		return c, err
	}
	if err := f.complete(); err != nil {
		return c, err
	}
	err = s.eachLetters(ctx, f, batch, &c, func(letters []DeadLetter) error {
		c.Matched += len(letters)
		if !f.DryRun {
			return change(ctx, keeper, letters, &c)
		}
		for i := range letters {
			c.name(letters[i].ID)
		}
		return nil
	})
	return c, err
}

// eachLetters gives the dead letters that a filter means, up to its limit, some at a time. Of an id that is named the
// newest is meant.
func (s *Service) eachLetters(ctx context.Context, f LetterFilter, batch int, c *Change, do func([]DeadLetter) error) error {
	for _, id := range f.IDs {
		if c.Matched == f.Limit {
			c.More = true
			return nil
		}
		missing := &NotFoundError{What: "dead letter", ID: id}
		letter, err := s.findDead(ctx, DeadLetterQuery{Queue: f.Queue, Task: f.Task, ID: id, Since: f.Since, Until: f.Until}, missing)
		if err != nil {
			return err
		}
		if letter == nil {
			c.failed(id, missing)
		} else if err := do([]DeadLetter{*letter}); err != nil {
			return err
		}
	}
	if len(f.IDs) > 0 {
		return nil
	}
	q := DeadLetterQuery{Queue: f.Queue, Task: f.Task, Since: f.Since, Until: f.Until}
	for {
		if c.Matched == f.Limit {
			c.More = true
			return nil
		}
		q.Limit = min(f.Limit-c.Matched, batch)
		page, err := s.DeadLetters(ctx, q)
		if err != nil {
			return err
		}
		if len(page.Letters) > 0 {
			if err := do(page.Letters); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}
