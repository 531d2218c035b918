package ops_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/ops"
)

// desk is a store in memory, what an operator has of it, and what is told of that.
type desk struct {
	*testing.T
	*ops.Service
	store  *memory.Store
	client *stem.Client
	mu     sync.Mutex
	events []ops.Event
}

// operate runs a story in virtual time.
func operate(t *testing.T, story func(d *desk)) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{T: t, store: new(memory.Store)}
		t.Cleanup(func() { _ = d.store.Close() })
		d.serve(ops.Stores{Broker: d.store})
		story(d)
	})
}

// serve gives the desk a service over stores.
func (d *desk) serve(stores ops.Stores) {
	d.Helper()
	var err error
	if d.client, err = stem.NewClient(d.store, stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		d.Fatal(err)
	}
	d.Service, err = ops.New(stores, ops.Config{Observer: d.observe})
	if err != nil {
		d.Fatal(err)
	}
}

func (d *desk) observe(_ context.Context, e ops.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
}

// enqueue enqueues tasks of the ids.
func (d *desk) enqueue(ids []string, opts ...stem.Option) {
	d.Helper()
	for _, id := range ids {
		if _, err := d.client.EnqueueRaw(d.Context(), "demo", []byte{0xa1, 'x'}, append([]stem.Option{stem.WithID(id), stem.MaxRetries(0)}, opts...)...); err != nil {
			d.Fatal(err)
		}
	}
}

// hire begins to run a worker.
func (d *desk) hire(h stem.Handler) (dismiss func()) {
	d.Helper()
	var tasks stem.Registry
	if err := tasks.Register(stem.TaskSpec{Name: "demo"}, h); err != nil {
		d.Fatal(err)
	}
	worker, err := stem.NewWorker(d.client, &tasks, stem.WorkerConfig{Name: "worker"})
	if err != nil {
		d.Fatal(err)
	}
	ctx, stop := context.WithCancel(d.Context())
	done := make(chan error, 1)
	go func() { done <- worker.Run(ctx) }()
	return func() {
		stop()
		if err := <-done; err != nil {
			d.Error(err)
		}
	}
}

// work runs a worker for a while.
func (d *desk) work(span time.Duration, h stem.Handler) {
	d.Helper()
	dismiss := d.hire(h)
	time.Sleep(span)
	dismiss()
}

func failing(context.Context, *stem.Delivery) ([]byte, error) {
	return nil, errors.New("no such address")
}

func succeeding(context.Context, *stem.Delivery) ([]byte, error) {
	return codec.AppendBool(nil, true), nil
}

// dead gives the ids of the dead letters, the newest first.
func (d *desk) dead() (ids []string) {
	d.Helper()
	page, err := d.DeadLetters(d.Context(), ops.DeadLetterQuery{Queue: "default", Limit: ops.MaxPage})
	if err != nil {
		d.Fatal(err)
	}
	for _, l := range page.Letters {
		ids = append(ids, l.ID)
	}
	return ids
}

// waiting gives the ids and states of the tasks of the queue.
func (d *desk) waiting() map[string]ops.State {
	d.Helper()
	all := map[string]ops.State{}
	q := ops.TaskQuery{Queue: "default", Limit: 3}
	for {
		page, err := d.Tasks(d.Context(), q)
		if err != nil {
			d.Fatal(err)
		}
		for _, t := range page.Tasks {
			all[t.ID] = t.State
		}
		if q.After = page.Next; q.After == "" {
			return all
		}
	}
}

func (d *desk) same(what string, got, want any) {
	d.Helper()
	if diff := cmp.Diff(got, want); diff != "" {
		d.Errorf("%s: got -, want +:\n%s", what, diff)
	}
}

func must[T any](d *desk) func(T, error) T {
	return func(v T, err error) T {
		d.Helper()
		if err != nil {
			d.Fatal(err)
		}
		return v
	}
}

func names(prefix string, n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("%s-%03d", prefix, i))
	}
	return ids
}

// Every change wants to know who makes it, and is told of once, whether it succeeds or not.
func TestEveryChangeHasAnActorAndOneEvent(t *testing.T) {
	changes := map[string]func(d *desk, by ops.By, queue string) error{
		"task.retry": func(d *desk, by ops.By, queue string) error {
			_, err := d.RetryNow(d.Context(), by, ops.TaskFilter{Queue: queue})
			return err
		},
		"task.delete": func(d *desk, by ops.By, queue string) error {
			_, err := d.Delete(d.Context(), by, ops.TaskFilter{Queue: queue})
			return err
		},
		"task.revoke": func(d *desk, by ops.By, queue string) error {
			_, err := d.Revoke(d.Context(), by, queue, []string{"a"})
			return err
		},
		"dlq.replay": func(d *desk, by ops.By, queue string) error {
			_, err := d.Replay(d.Context(), by, ops.LetterFilter{Queue: queue}, ops.ReplayOptions{})
			return err
		},
		"dlq.purge": func(d *desk, by ops.By, queue string) error {
			_, err := d.Purge(d.Context(), by, ops.LetterFilter{Queue: queue})
			return err
		},
		"queue.pause":  func(d *desk, by ops.By, queue string) error { return d.Pause(d.Context(), by, queue) },
		"queue.resume": func(d *desk, by ops.By, queue string) error { return d.Resume(d.Context(), by, queue) },
		"queue.drain":  func(d *desk, by ops.By, queue string) error { return d.Drain(d.Context(), by, queue) },
	}
	for action, change := range changes {
		t.Run(action, func(t *testing.T) {
			operate(t, func(d *desk) {
				var option *stem.OptionError
				if err := change(d, ops.By{Reason: "none"}, "default"); !errors.As(err, &option) || option.Option != "By.Actor" {
					d.Errorf("without an actor: got error %v, want one that names By.Actor", err)
				}
				if len(d.events) != 0 {
					d.Errorf("without an actor: got events %+v, want none", d.events)
				}
				if err := change(d, by, "default"); err != nil {
					d.Errorf("got error %v, want none", err)
				}
				refused := change(d, by, "no queue's name")
				if !errors.As(refused, &option) {
					d.Errorf("with a wrong queue: got error %v, want an *OptionError", refused)
				}
				if len(d.events) != 2 || d.events[0].Action != action || d.events[0].By != by || d.events[0].Queue != "default" || d.events[0].Err != nil || d.events[0].At.IsZero() {
					d.Fatalf("got events %+v, want one of %s by %+v for each call", d.events, action, by)
				}
				if d.events[1].Err != refused {
					d.Errorf("event of what was refused: got error %v, want %v", d.events[1].Err, refused)
				}
			})
		})
	}
}

func TestTasksAreMadeDueNow(t *testing.T) {
	operate(t, func(d *desk) {
		for _, id := range names("failed", 2) {
			d.enqueue([]string{id}, stem.MaxRetries(1), stem.Backoff(stem.FixedBackoff(time.Hour)))
			d.work(time.Second, failing)
		}
		d.enqueue(names("later", 3), stem.Delay(time.Hour))
		d.enqueue([]string{"ready"})
		dry := must[ops.Change](d)(d.RetryNow(d.Context(), by, ops.TaskFilter{Queue: "default", DryRun: true}))
		d.same("what would be", dry, ops.Change{Matched: 5, IDs: append(names("failed", 2), names("later", 3)...), DryRun: true})
		one := must[ops.Change](d)(d.RetryNow(d.Context(), by, ops.TaskFilter{Queue: "default", States: []ops.State{ops.Retrying}, Limit: 1}))
		d.same("the first", one, ops.Change{Matched: 1, Changed: 1, IDs: []string{"failed-000"}, More: true})
		named := must[ops.Change](d)(d.RetryNow(d.Context(), by, ops.TaskFilter{Queue: "default", IDs: []string{"later-001", "ready", "nobody"}}))
		if named.Changed != 1 || len(named.Errors) != 2 || !errors.As(named.Errors[1].Err, new(*ops.NotFoundError)) {
			d.Errorf("of three ids: got %+v, want one that is changed, one that is ready and one that is not there", named)
		}
		d.same("tasks", d.waiting(), map[string]ops.State{
			"failed-000": ops.Ready, "failed-001": ops.Retrying, "later-000": ops.Delayed, "later-001": ops.Ready, "later-002": ops.Delayed, "ready": ops.Ready,
		})
		rest := must[ops.Change](d)(d.RetryNow(d.Context(), by, ops.TaskFilter{Queue: "default"}))
		d.same("the rest", rest, ops.Change{Matched: 3, Changed: 3, IDs: []string{"failed-001", "later-000", "later-002"}})
	})
}

// A thousand and more are changed page by page, and the ids of the first thousand are told.
func TestManyAreChangedPageByPage(t *testing.T) {
	operate(t, func(d *desk) {
		d.enqueue(names("a", 1300))
		c := must[ops.Change](d)(d.Delete(d.Context(), by, ops.TaskFilter{Queue: "default", Limit: 1200}))
		if c.Matched != 1200 || c.Changed != 1200 || len(c.IDs) != 1000 || !c.More {
			d.Errorf("got %d matched, %d changed, %d ids, more %v, want 1200, 1200, 1000, true", c.Matched, c.Changed, len(c.IDs), c.More)
		}
		d.same("how many are left", len(d.waiting()), 100)
	})
}

func TestWhoWaitsForADeletedTaskLearnsIt(t *testing.T) {
	operate(t, func(d *desk) {
		job, err := d.client.EnqueueRaw(d.Context(), "demo", []byte{0xc0}, stem.WithID("a"))
		if err != nil {
			d.Fatal(err)
		}
		waited := make(chan error)
		go func() {
			_, err := job.Wait(d.Context())
			waited <- err
		}()
		synctest.Wait()
		c := must[ops.Change](d)(d.Delete(d.Context(), by, ops.TaskFilter{Queue: "default", IDs: []string{"a"}}))
		d.same("change", c, ops.Change{Matched: 1, Changed: 1, IDs: []string{"a"}})
		var failed *stem.TaskError
		if err := <-waited; !errors.Is(err, stem.ErrCancelled) || !errors.As(err, &failed) || failed.Failure.Message != "deleted by ann: a customer asked" {
			d.Errorf("who waits: got error %v, want that it was cancelled, by whom and why", err)
		}
		d.same("tasks", d.waiting(), map[string]ops.State{})
		if e := d.events[0]; e.ID != "a" || e.Count != 1 {
			d.Errorf("event: got %+v, want one of task a", e)
		}
	})
}

func TestARunningTaskIsNotDeletedButRevoked(t *testing.T) {
	operate(t, func(d *desk) {
		d.enqueue([]string{"a"})
		dismiss := d.hire(func(ctx context.Context, _ *stem.Delivery) ([]byte, error) {
			<-ctx.Done()
			return nil, context.Cause(ctx)
		})
		defer dismiss()
		synctest.Wait()
		c := must[ops.Change](d)(d.Delete(d.Context(), by, ops.TaskFilter{Queue: "default", IDs: []string{"a"}}))
		if c.Changed != 0 || len(c.Errors) != 1 {
			d.Errorf("delete: got %+v, want an error that it runs", c)
		}
		must[ops.Change](d)(d.Revoke(d.Context(), by, "default", []string{"a"}))
		time.Sleep(10 * time.Second)
		r := must[stem.Result](d)(d.Result(d.Context(), "a"))
		if r.State != stem.StateCancelled || r.Failure == nil || !strings.Contains(r.Failure.Message, "revoked by ann: a customer asked") {
			d.Errorf("result: got %+v, want it cancelled by ann", r)
		}
	})
}
