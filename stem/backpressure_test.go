package stem_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// cramped is a store that has room for so many envelopes, and for no more.
type cramped struct {
	*memory.Store
	room atomic.Int64
}

var errMemory = errors.New("OOM command not allowed")

func (c *cramped) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	fits := int(min(c.room.Load(), int64(len(envs))))
	c.room.Add(-int64(fits))
	answers, err := c.Store.Publish(ctx, envs[:fits]...)
	if err != nil {
		return nil, err
	}
	answers = append(answers, make([]stem.Published, len(envs)-fits)...)
	refused := new(stem.PartialError)
	for i := fits; i < len(envs); i++ {
		refused.Items = append(refused.Items, stem.ItemError{Index: i, Err: fmt.Errorf("%w: %w", stem.ErrBackpressure, errMemory)})
	}
	if refused.Items == nil {
		return answers, nil
	}
	return answers, refused
}

func crampedRig(t *testing.T, room int64, cfg stem.ClientConfig, story func(t *testing.T, r *rig, c *cramped)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := new(cramped)
		c.room.Store(room)
		story(t, newRig(t, func(s *memory.Store) stem.Broker { c.Store = s; return c }, cfg), c)
	})
}

// toldFull expects an error that says which task found the store full, and why it was.
func toldFull(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, stem.ErrBackpressure) || !errors.Is(err, errMemory) || errors.Is(err, stem.ErrUnknownOutcome) {
		t.Errorf("got %v, want ErrBackpressure, with its cause", err)
	}
	if err != nil && !strings.HasPrefix(err.Error(), "stem: enqueue task hello: ") {
		t.Errorf("got %q, want the task's name", err)
	}
}

func TestWhoEnqueuesIsToldThatTheStoreIsFull(t *testing.T) {
	passes := func(next stem.Enqueuer) stem.Enqueuer { return next }
	for name, middleware := range map[string][]stem.EnqueueMiddleware{"alone": nil, "behind middleware": {passes}} {
		t.Run(name, func(t *testing.T) {
			crampedRig(t, 1, stem.ClientConfig{Middleware: middleware}, func(t *testing.T, r *rig, c *cramped) {
				hello := r.task("hello", greet)
				r.enqueue(hello, "first")
				_, err := hello.Enqueue(t.Context(), "second")
				toldFull(t, err)
				c.room.Store(1)
				r.enqueue(hello, "second")
				if got := r.count("default").Ready; got != 2 {
					t.Errorf("got %d tasks, want 2: what was refused is not stored", got)
				}
			})
		})
	}
}

func TestOfManyThoseAreNamedForWhichThereIsNoRoom(t *testing.T) {
	const room, many = 1500, 2500 // in three round trips
	crampedRig(t, room, stem.ClientConfig{}, func(t *testing.T, r *rig, _ *cramped) {
		jobs, err := r.task("hello", greet).EnqueueMany(t.Context(), make([]string, many))
		toldFull(t, err)
		var partial *stem.PartialError
		if !errors.As(err, &partial) || len(partial.Items) != many-room || partial.Items[0].Index != room {
			t.Fatalf("got %v, want %d items named, from item %d on", err, many-room, room)
		}
		for i, job := range jobs {
			if stored := job.ID() != ""; stored != (i < room) {
				t.Fatalf("item %d: got a job %t, want %t", i, stored, i < room)
			}
		}
		if got := r.count("default").Ready; got != room {
			t.Errorf("got %d tasks, want %d", got, room)
		}
	})
}

func TestOnlyWhoIsRefusedHearsThatTheStoreIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, client := newGate(t, stem.ClientConfig{})
		errs := make([]error, 4)
		done := make(chan int)
		for i := range errs {
			go func() { errs[i] = enqueueID(t.Context(), client, fmt.Sprint(i)); done <- i }()
			synctest.Wait()
		}
		g.open <- nil
		<-done
		synctest.Wait()
		g.open <- &stem.PartialError{Items: []stem.ItemError{{Index: 1, Err: stem.ErrBackpressure}}}
		for range 3 {
			<-done
		}
		got := make([]bool, len(errs))
		for i, err := range errs {
			got[i] = errors.Is(err, stem.ErrBackpressure)
		}
		if diff := cmp.Diff(got, []bool{false, false, true, false}); diff != "" {
			t.Errorf("refused: got -, want +:\n%s", diff)
		}
	})
}

// A full store says nothing of the record: what has run waits until there is room.
func TestAResultWaitsUntilAFullStoreHasRoom(t *testing.T) {
	waits := func(t *testing.T, r *rig, full *atomic.Bool) {
		t.Helper()
		full.Store(true)
		job := r.enqueue(r.task("hello", greet), "Stem")
		r.work(stem.WorkerConfig{})
		time.Sleep(time.Hour)
		if c := r.count("default"); c.Running != 1 || c.Dead != 0 {
			t.Errorf("while it is full: got %+v, want the task in hand", c)
		}
		full.Store(false)
		if got, err := r.wait(job); got != "Hello Stem" || err != nil {
			t.Errorf("got %q, %v; want the result of the one run", got, err)
		}
		if n := len(eventsOf[stem.TaskStarted](r)); n != 1 {
			t.Errorf("got %d runs, want 1", n)
		}
	}
	t.Run("on a store of its own", func(t *testing.T) {
		var full atomic.Bool
		pickyRig(t, func(stem.Result) error {
			if full.Load() {
				return stem.ErrBackpressure
			}
			return nil
		}, func(t *testing.T, r *rig) { waits(t, r, &full) })
	})
	t.Run("in one step with the settlement", func(t *testing.T) {
		faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
			var full atomic.Bool
			refuse := func(ss []stem.Settlement) error {
				if !full.Load() {
					return nil
				}
				refused := new(stem.PartialError)
				for i := range ss {
					refused.Items = append(refused.Items, stem.ItemError{Index: i, Err: stem.ErrBackpressure})
				}
				return refused
			}
			f.bad.Store(&refuse)
			waits(t, r, &full)
		})
	})
}
