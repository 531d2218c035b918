package ops_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// bury lets tasks fail for good.
func (d *desk) bury(ids []string, opts ...stem.Option) {
	d.Helper()
	for _, id := range ids {
		d.enqueue([]string{id}, opts...)
		d.work(time.Second, failing)
	}
}

func (d *desk) replay(f ops.LetterFilter, o ops.ReplayOptions) ops.Change {
	d.Helper()
	f.Queue = "default"
	return must[ops.Change](d)(d.Replay(d.Context(), by, f, o))
}

// newestFirst gives ids in the order in which dead letters are shown.
func newestFirst(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Reverse(ids)
	return ids
}

func TestADeadLetterIsSentBackAsANewTask(t *testing.T) {
	operate(t, func(d *desk) {
		d.bury([]string{"a"}, stem.Priority(4), stem.Header("tenant", "acme"))
		c := d.replay(ops.LetterFilter{}, ops.ReplayOptions{Delay: time.Minute})
		d.same("change", c, ops.Change{Matched: 1, Changed: 1, IDs: []string{"a"}})
		d.same("dead letters", len(d.dead()), 0)
		page := must[ops.TaskPage](d)(d.Tasks(d.Context(), ops.TaskQuery{Queue: "default"}))
		if len(page.Tasks) != 1 {
			d.Fatalf("tasks: got %d, want one", len(page.Tasks))
		}
		again := page.Tasks[0]
		if again.ID == "a" || again.ReplayOf != "a" || again.Attempt != 1 || again.Priority != 4 || again.Headers["tenant"] != "acme" || again.State != ops.Delayed {
			d.Errorf("sent back: got %+v in state %s, want a new task like the old one, delayed", again.Envelope, again.State)
		}
		old := must[stem.Result](d)(d.Result(d.Context(), "a"))
		if old.State != stem.StateFailed || old.Replays == nil || old.Replays.Count != 1 || old.Replays.As != again.ID {
			d.Errorf("old result: got %s with replays %+v, want a failure that was sent back as %s", old.State, old.Replays, again.ID)
		}
		time.Sleep(time.Minute)
		d.work(time.Second, succeeding)
		d.same("state of the new one", must[stem.Result](d)(d.Result(d.Context(), again.ID)).State, stem.StateSucceeded)
	})
}

func TestADryRunSendsNothingBack(t *testing.T) {
	operate(t, func(d *desk) {
		d.bury(names("a", 3))
		c := d.replay(ops.LetterFilter{DryRun: true, Limit: 2}, ops.ReplayOptions{})
		d.same("change", c, ops.Change{Matched: 2, IDs: []string{"a-002", "a-001"}, DryRun: true, More: true})
		d.same("dead letters", d.dead(), newestFirst(names("a", 3)))
		d.same("tasks", d.waiting(), map[string]ops.State{})
		if e := d.events[0]; !e.DryRun || e.Count != 0 {
			d.Errorf("event: got %+v, want a dry run of nothing", e)
		}
	})
}

func TestOnlyWhatIsMeantIsSentBackOrPurged(t *testing.T) {
	operate(t, func(d *desk) {
		start := time.Now()
		d.bury(names("a", 6)) // one a second
		d.same("by id", d.replay(ops.LetterFilter{IDs: []string{"a-003"}}, ops.ReplayOptions{}).IDs, []string{"a-003"})
		missing := d.replay(ops.LetterFilter{IDs: []string{"a-003"}}, ops.ReplayOptions{})
		if missing.Matched != 0 || len(missing.Errors) != 1 || !errors.As(missing.Errors[0].Err, new(*ops.NotFoundError)) {
			d.Errorf("by an id that is gone: got %+v, want that it is not there", missing)
		}
		d.same("by name", d.replay(ops.LetterFilter{Task: "other"}, ops.ReplayOptions{}), ops.Change{})
		purged := must[ops.Change](d)(d.Purge(d.Context(), by, ops.LetterFilter{Queue: "default", Until: start.Add(1500 * time.Millisecond)}))
		d.same("purged by time", purged, ops.Change{Matched: 2, Changed: 2, IDs: []string{"a-001", "a-000"}})
		d.same("dead letters", d.dead(), []string{"a-005", "a-004", "a-002"})
	})
}

// Five a second: the sixth comes after a second at the earliest.
func TestLettersAreSentBackAtARate(t *testing.T) {
	operate(t, func(d *desk) {
		d.bury(names("a", 11))
		began := time.Now()
		c := d.replay(ops.LetterFilter{}, ops.ReplayOptions{Rate: 5, OnQueue: "slow"})
		d.same("changed", c.Changed, 11)
		d.same("took", time.Since(began), 2*time.Second)
		d.same("on the queue", must[stem.QueueCounts](d)(d.store.CountQueue(d.Context(), "slow")).Ready, 11)

		d.bury(names("b", 5))
		ctx, cancel := context.WithTimeout(d.Context(), 400*time.Millisecond)
		defer cancel()
		cut, err := d.Replay(ctx, by, ops.LetterFilter{Queue: "default"}, ops.ReplayOptions{Rate: 2})
		if !errors.Is(err, context.DeadlineExceeded) || cut.Changed != 1 || len(d.dead()) != 4 {
			d.Errorf("with too little time: got %+v and error %v, want one of five and the deadline", cut, err)
		}
	})
}

func TestALetterWhoseUniqueKeyIsHeldStays(t *testing.T) {
	operate(t, func(d *desk) {
		d.bury([]string{"a"}, stem.Unique(stem.UntilDone), stem.UniqueKey("key"))
		d.enqueue([]string{"holder"}, stem.Unique(stem.UntilDone), stem.UniqueKey("key"))
		c := d.replay(ops.LetterFilter{}, ops.ReplayOptions{})
		var conflict *stem.UniqueConflictError
		if c.Changed != 0 || c.Skipped != 1 || len(c.Errors) != 1 || !errors.As(c.Errors[0].Err, &conflict) || conflict.ID != "holder" {
			d.Errorf("got %+v, want it skipped for the holder", c)
		}
		d.same("dead letters", d.dead(), []string{"a"})
	})
}

// crashing is a store that fails in the midst of a replay.
type crashing struct {
	stem.Broker
	ops.DeadLetterKeeper
	remove func() error
}

func (c *crashing) Unwrap() stem.Broker { return c.Broker }

func (c *crashing) RemoveDeadLetters(ctx context.Context, queue string, letters ...ops.DeadLetter) error {
	if err := c.remove(); err != nil {
		return err
	}
	return c.DeadLetterKeeper.RemoveDeadLetters(ctx, queue, letters...)
}

var errCrash = errors.New("the connection is gone")

func TestAReplayThatCrashedMakesOneCopy(t *testing.T) {
	operate(t, func(d *desk) {
		d.bury(names("a", 3))
		crashes := 2
		d.serve(ops.Stores{Backend: d.store, Broker: &crashing{Broker: d.store, DeadLetterKeeper: d.store, remove: func() error {
			if crashes--; crashes >= 0 {
				return errCrash
			}
			return nil
		}}})
		for range 2 {
			if _, err := d.Replay(d.Context(), by, ops.LetterFilter{Queue: "default"}, ops.ReplayOptions{}); !errors.Is(err, errCrash) {
				d.Fatalf("got error %v, want %v", err, errCrash)
			}
			d.same("dead letters after the crash", len(d.dead()), 3)
			time.Sleep(time.Hour)
		}
		d.work(time.Second, succeeding) // the copies have run when the letters are sent back at last
		c := d.replay(ops.LetterFilter{}, ops.ReplayOptions{})
		d.same("changed", c.Changed, 3)
		d.same("dead letters", len(d.dead()), 0)
		d.same("second copies", d.waiting(), map[string]ops.State{})
		for _, id := range names("a", 3) {
			r := must[stem.Result](d)(d.Result(d.Context(), id))
			d.same("replays of "+id, r.Replays.Count, 1)
			d.same("the copy of "+id, must[stem.Result](d)(d.Result(d.Context(), r.Replays.As)).State, stem.StateSucceeded)
		}
	})
}

// Who purges while another sends back does not hide what was sent back.
func TestWhatWasSentBackIsToldThoughItsLetterIsPurged(t *testing.T) {
	operate(t, func(d *desk) {
		d.bury([]string{"a"})
		d.serve(ops.Stores{Backend: d.store, Broker: &crashing{Broker: d.store, DeadLetterKeeper: d.store, remove: func() error {
			page, err := d.store.ListDeadLetters(d.Context(), ops.DeadLetterQuery{Queue: "default", Limit: 10})
			if err != nil {
				return err
			}
			return d.store.RemoveDeadLetters(d.Context(), "default", page.Letters...) // the other one is quicker
		}}})
		c := d.replay(ops.LetterFilter{}, ops.ReplayOptions{})
		if c.Changed != 0 || c.Skipped != 1 || len(c.Errors) != 1 || !errors.Is(c.Errors[0].Err, ops.ErrGone) || !strings.Contains(c.Errors[0].Err.Error(), "sent back as ") {
			d.Errorf("got %+v, want to be told that the task is there", c)
		}
		d.same("copies", len(d.waiting()), 1)
	})
}

// quitting is a backend that fails to note replays.
type quitting struct{ stem.Backend }

func (quitting) AnnotateReplay(context.Context, string, string) error { return errCrash }

func TestALetterStaysUntilItsReplayIsNoted(t *testing.T) {
	operate(t, func(d *desk) {
		d.bury([]string{"a"})
		d.serve(ops.Stores{Broker: d.store, Backend: quitting{d.store}})
		c := d.replay(ops.LetterFilter{}, ops.ReplayOptions{})
		if c.Changed != 0 || len(c.Errors) != 1 || !errors.Is(c.Errors[0].Err, errCrash) || !errors.Is(d.events[0].Err, errCrash) {
			d.Errorf("got %+v and event %+v, want that it could not be noted", c, d.events[0])
		}
		d.same("dead letters", d.dead(), []string{"a"})
		d.serve(ops.Stores{Broker: d.store})
		d.same("changed", d.replay(ops.LetterFilter{}, ops.ReplayOptions{}).Changed, 1)
		d.same("copies", len(d.waiting()), 1)
	})
}

func TestTwoOperatorsMakeOneCopyOfALetter(t *testing.T) {
	operate(t, func(d *desk) {
		d.bury(names("a", 20))
		changes := make(chan ops.Change)
		for range 2 {
			go func() {
				c, err := d.Replay(d.Context(), by, ops.LetterFilter{Queue: "default"}, ops.ReplayOptions{})
				if err != nil {
					d.Error(err)
				}
				changes <- c
			}()
		}
		one, other := <-changes, <-changes
		d.same("changed by both", one.Changed+other.Changed, 20)
		d.same("copies", len(d.waiting()), 20)
	})
}

// A letter that no build can read is none to send back.
type garbled struct{ crashing }

func (g *garbled) ListDeadLetters(ctx context.Context, q ops.DeadLetterQuery) (ops.DeadLetterPage, error) {
	page, err := g.DeadLetterKeeper.ListDeadLetters(ctx, q)
	for i := range page.Letters {
		page.Letters[i].Envelope = []byte("garbage")
	}
	return page, err
}

func TestAMalformedLetterIsToldAndStays(t *testing.T) {
	operate(t, func(d *desk) {
		d.bury([]string{"a"})
		d.serve(ops.Stores{Broker: &garbled{crashing{Broker: d.store, DeadLetterKeeper: d.store, remove: func() error { return nil }}}})
		c := d.replay(ops.LetterFilter{}, ops.ReplayOptions{})
		if c.Changed != 0 || c.Skipped != 1 || len(c.Errors) != 1 {
			d.Errorf("got %+v, want it skipped and told", c)
		}
		d.same("dead letters", d.dead(), []string{"a"})
		purged := must[ops.Change](d)(d.Purge(d.Context(), by, ops.LetterFilter{Queue: "default"}))
		d.same("purged", purged.Changed, 1)
	})
}

func TestADrainedQueueHasNothingThatRuns(t *testing.T) {
	operate(t, func(d *desk) {
		d.enqueue(names("a", 2))
		dismiss := d.hire(func(context.Context, *stem.Delivery) ([]byte, error) {
			time.Sleep(20 * time.Second)
			return nil, nil
		})
		defer dismiss()
		synctest.Wait()
		began := time.Now()
		ctx, cancel := context.WithTimeout(d.Context(), 10*time.Second)
		defer cancel()
		if err := d.Drain(ctx, by, "default"); !errors.Is(err, context.DeadlineExceeded) {
			d.Errorf("with too little time: got error %v, want the deadline", err)
		}
		if err := d.Drain(d.Context(), by, "default"); err != nil {
			d.Fatal(err)
		}
		if took := time.Since(began); took < 20*time.Second || took > 21*time.Second {
			d.Errorf("got it drained after %v, want 20s", took)
		}
		counts := must[stem.QueueCounts](d)(d.store.CountQueue(d.Context(), "default"))
		d.same("counts", fmt.Sprint(counts.Running, counts.Paused), "0 true")
		began = time.Now()
		if err := d.Drain(d.Context(), by, "empty"); err != nil || time.Since(began) < 5*time.Second {
			d.Errorf("an empty queue: got error %v after %v, want none and 5s, for which a pause may be overlooked", err, time.Since(began))
		}
		if err := d.Resume(d.Context(), by, "default"); err != nil {
			d.Fatal(err)
		}
	})
}
