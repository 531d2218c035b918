package stem_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

func TestASoftTimeoutWarnsTheHandlerAndCancelsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var warned time.Duration
		thorough := r.task("thorough", func(ctx context.Context, _ string) (string, error) {
			begin := time.Now()
			select {
			case <-stem.SoftTimeoutReached(ctx):
				warned = time.Since(begin)
				time.Sleep(time.Second) // to save what is done
				return "half", ctx.Err()
			case <-ctx.Done():
				return "", ctx.Err()
			}
		}, stem.SoftTimeout(20*time.Second), stem.Timeout(30*time.Second))
		r.work(stem.WorkerConfig{Name: "ann"})
		job := r.enqueue(thorough, "")
		if got, err := r.wait(job); got != "half" || err != nil || warned != 20*time.Second {
			t.Errorf("got %q, %v and a warning after %v; want half, warned after 20s", got, err, warned)
		}
		synctest.Wait()
		soft := eventsOf[stem.TaskSoftTimeout](r)
		if len(soft) != 1 || soft[0].ID != job.ID() || soft[0].Worker != "ann" || soft[0].After != 20*time.Second {
			t.Errorf("got events %+v, want one of this run, after 20s", soft)
		}
	})
}

func TestARunThatEndsInTimeIsNotWarned(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var channel <-chan struct{}
		quick := r.task("quick", func(ctx context.Context, _ string) (string, error) {
			channel = stem.SoftTimeoutReached(ctx)
			return "", nil
		})
		r.work(stem.WorkerConfig{})
		if _, err := r.wait(r.enqueue(quick, "", stem.SoftTimeout(time.Minute))); err != nil {
			t.Fatal(err)
		}
		if channel == nil {
			t.Error("got no channel, want one: the task has a soft timeout")
		}
		if _, err := r.wait(r.enqueue(quick, "")); err != nil || channel != nil {
			t.Errorf("got %v and channel %v, want none without a soft timeout", err, channel)
		}
		time.Sleep(time.Hour)
		if soft := eventsOf[stem.TaskSoftTimeout](r); len(soft) != 0 {
			t.Errorf("got %+v, want no event: the runs were over", soft)
		}
		if stem.SoftTimeoutReached(t.Context()) != nil {
			t.Error("got a channel outside a handler, want none")
		}
	})
}

func TestASoftTimeoutIsLessThanTheTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		task := r.task("task", greet, stem.SoftTimeout(time.Minute))
		_, err := task.Enqueue(t.Context(), "", stem.Timeout(time.Minute))
		var wrong *stem.OptionError
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), "soft timeout 1m0s: want less than the timeout, which is 1m0s") {
			t.Errorf("got %v, want an OptionError that names both", err)
		}
		if _, err := task.Enqueue(t.Context(), "", stem.Timeout(time.Minute), stem.SoftTimeout(0)); err != nil {
			t.Errorf("got %v, want a call to take the soft timeout back", err)
		}
	})
}

// Who sets defaults for a whole program, perhaps from its environment, breaks no enqueue.
func TestADefaultOfTheClientGivesWayToATasksOwnLimits(t *testing.T) {
	soft, timeout := []stem.Option{stem.SoftTimeout(20 * time.Second)}, []stem.Option{stem.Timeout(10 * time.Second)}
	for name, c := range map[string]struct{ client, definition, call []stem.Option }{
		"a soft default, the definition's timeout": {soft, timeout, nil},
		"a soft default, the call's timeout":       {soft, nil, timeout},
		"a default timeout, a soft definition":     {timeout, soft, nil},
		"a default timeout, a soft call":           {timeout, nil, soft},
	} {
		got, err := published(t, c.client, c.definition, c.call)
		if err != nil || got.Timeout != 10*time.Second || got.SoftTimeout != 0 {
			t.Errorf("%s: got %v, soft %v, %v; want the timeout alone", name, got.Timeout, got.SoftTimeout, err)
		}
	}
}
