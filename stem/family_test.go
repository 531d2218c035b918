package stem_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

// generations is a task that enqueues one child of a generation less, and ends; the last
// of them waits for an hour before it runs. The jobs are kept by generation.
type generations struct {
	mu   sync.Mutex
	jobs map[string]stem.Job[string]
}

func (g *generations) get(n int) stem.Job[string] {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.jobs[strconv.Itoa(n)]
}

func (g *generations) task(r *rig, opts ...stem.Option) *stem.TaskDefinition[string, string] {
	var def *stem.TaskDefinition[string, string]
	def = r.task("generations", func(ctx context.Context, left string) (string, error) {
		n, _ := strconv.Atoi(left)
		if n == 0 {
			return "the last", nil
		}
		var late []stem.Option
		if n == 1 {
			late = append(opts, stem.Delay(time.Hour))
		}
		below := strconv.Itoa(n - 1)
		child, err := def.Enqueue(ctx, below, late...)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.jobs[below] = child
		return "", err
	})
	g.jobs = make(map[string]stem.Job[string])
	return def
}

// The generations between have ended, so nobody could pass anything on: the
// envelope of the last must say whose descendant it is.
func TestAFamilyIsRevokedThroughGenerationsThatHaveEnded(t *testing.T) {
	for _, tt := range []struct {
		depth, from int // generations below the first, and the one that is revoked
		reached     bool
	}{
		{1, 1, true},
		{2, 2, true},
		{5, 5, true},
		{5, 4, true},
		{5, 1, true},
		{40, 40, true}, // the first of the family
		{40, stem.MaxAncestors + 1, true},
		{40, stem.MaxAncestors + 2, false},
	} {
		inBubble(t, func(t *testing.T, r *rig) {
			var g generations
			def := g.task(r)
			r.work(stem.WorkerConfig{})
			first := r.enqueue(def, strconv.Itoa(tt.depth))
			time.Sleep(time.Minute)
			top := first
			if tt.from < tt.depth {
				top = g.get(tt.from)
			}
			r.revoke(top, stem.WithDescendants())
			last := g.get(0)
			if tt.reached {
				r.revoked(last)
			} else if got, err := r.wait(last); got != "the last" || err != nil {
				t.Errorf("%d of %d: got %q, %v; want that it ran", tt.from, tt.depth, got, err)
			}
		})
	}
}

func TestARevocationOfOneTaskLeavesItsChildren(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var g generations
		def := g.task(r)
		r.work(stem.WorkerConfig{})
		first := r.enqueue(def, "1")
		time.Sleep(time.Minute)
		r.revoke(first)
		if got, err := r.wait(g.get(0)); got != "the last" || err != nil {
			t.Errorf("got %q, %v; want that the child ran", got, err)
		}
	})
}

func TestDescendantsOnOtherQueuesAreRevokedWhereTheyAreNamed(t *testing.T) {
	for _, named := range []bool{true, false} {
		inBubble(t, func(t *testing.T, r *rig) {
			var g generations
			def := g.task(r, stem.OnQueue("elsewhere"))
			r.work(stem.WorkerConfig{Queues: []string{"default", "elsewhere"}})
			first := r.enqueue(def, "3")
			time.Sleep(time.Minute)
			if named {
				r.revoke(first, stem.WithDescendants("elsewhere"))
				r.revoked(g.get(0))
				return
			}
			r.revoke(first, stem.WithDescendants())
			if got, err := r.wait(g.get(0)); got != "the last" || err != nil {
				t.Errorf("got %q, %v; want that the other queue's ran", got, err)
			}
		})
	}
}

func TestARevokedHandlerEnqueuesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		errs := make(chan error, 2)
		child := r.task("child", sleeper(new(ending)))
		parent := r.task("parent", func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			_, err := child.Enqueue(context.WithoutCancel(ctx), "1s")
			errs <- err
			_, err = child.EnqueueMany(context.WithoutCancel(ctx), []string{"1s", "1s"})
			errs <- err
			return "", ctx.Err()
		})
		r.work(stem.WorkerConfig{})
		job := r.enqueue(parent, "")
		synctest.Wait()
		r.revoke(job, stem.RevokeReason("enough"))
		r.revoked(job)
		for range 2 {
			if err := <-errs; !errors.Is(err, stem.ErrRevoked) {
				t.Errorf("got %v, want ErrRevoked", err)
			}
		}
		if n := len(eventsOf[stem.TaskEnqueued](r)); n != 1 {
			t.Errorf("got %d tasks enqueued, want the parent alone", n)
		}
	})
}

// A handler that has not heard of it goes on to enqueue: what it enqueues is revoked.
func TestAChildEnqueuedAfterTheRevocationIsRevoked(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		jobs := make(chan stem.Job[string], 1)
		child := r.task("child", sleeper(new(ending)))
		parent := r.task("parent", func(ctx context.Context, _ string) (string, error) {
			time.Sleep(time.Second) // less than a beat
			job, err := child.Enqueue(ctx, "1h")
			jobs <- job
			return "", err
		})
		r.work(stem.WorkerConfig{})
		job := r.enqueue(parent, "")
		synctest.Wait()
		r.revoke(job, stem.WithDescendants())
		if got := r.revoked(<-jobs); got != "revoked before it started" {
			t.Errorf("got %q, want revoked before it started", got)
		}
	})
}
