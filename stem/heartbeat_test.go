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

func TestARunThatShowsNoSignOfLifeIsCancelled(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var ran time.Duration
		var cause error
		hangs := r.task("hangs", func(ctx context.Context, _ string) (string, error) {
			begin := time.Now()
			for range 5 {
				time.Sleep(8 * time.Second)
				stem.Heartbeat(ctx)
			}
			<-ctx.Done()
			ran, cause = time.Since(begin), context.Cause(ctx)
			return "", ctx.Err()
		}, stem.HeartbeatTimeout(10*time.Second), stem.MaxRetries(0))
		r.work(stem.WorkerConfig{})
		_, err := r.wait(r.enqueue(hangs, ""))
		if ran != 50*time.Second || !errors.Is(cause, stem.ErrHeartbeatTimeout) {
			t.Errorf("cancelled after %v by %v, want after 50s by ErrHeartbeatTimeout", ran, cause)
		}
		var failed *stem.TaskError
		if !errors.As(err, &failed) || failed.Failure.Kind != stem.FailureTimeout || !strings.Contains(failed.Failure.Message, "no sign of life for 10s: context canceled") {
			t.Errorf("got %v, want a timeout that says what was missing", err)
		}
	})
}

func TestASilentRunIsRetried(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		mends := r.task("mends", func(ctx context.Context, _ string) (string, error) {
			if info, _ := stem.Info(ctx); info.Attempt == 1 {
				<-ctx.Done()
				return "", context.Cause(ctx)
			}
			return "mended", nil
		}, stem.HeartbeatTimeout(10*time.Second))
		r.work(stem.WorkerConfig{})
		job := r.enqueue(mends, "")
		if got, err := r.wait(job); got != "mended" || err != nil {
			t.Errorf("got %q, %v; want mended", got, err)
		}
		if h := r.status(job).History; len(h) != 1 || h[0].Kind != stem.FailureTimeout {
			t.Errorf("got the history %v, want a timeout", h)
		}
	})
}

func TestSignsOfLife(t *testing.T) {
	for name, sign := range map[string]func(ctx context.Context, r *rig, child *stem.TaskDefinition[string, string]) error{
		"a heartbeat": func(ctx context.Context, _ *rig, _ *stem.TaskDefinition[string, string]) error {
			time.Sleep(9 * time.Second)
			stem.Heartbeat(ctx)
			return nil
		},
		"a report of progress": func(ctx context.Context, _ *rig, _ *stem.TaskDefinition[string, string]) error {
			time.Sleep(9 * time.Second)
			stem.Progress(ctx, 1, "", nil)
			return nil
		},
		"a wait for a job": func(ctx context.Context, r *rig, child *stem.TaskDefinition[string, string]) error {
			job, err := child.Enqueue(ctx, "")
			if err == nil {
				_, err = job.Wait(ctx)
			}
			time.Sleep(9 * time.Second) // counts from the end of the wait
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				child := r.task("child", func(context.Context, string) (string, error) { time.Sleep(25 * time.Second); return "", nil })
				lives := r.task("lives", func(ctx context.Context, _ string) (string, error) {
					for range 10 {
						if err := sign(ctx, r, child); err != nil {
							return "", err
						}
					}
					return "alive", ctx.Err()
				}, stem.HeartbeatTimeout(10*time.Second), stem.MaxRetries(0))
				r.work(stem.WorkerConfig{})
				if got, err := r.wait(r.enqueue(lives, "")); got != "alive" || err != nil {
					t.Errorf("got %q, %v; want it alive", got, err)
				}
			})
		})
	}
}

// Nothing is left of a run that is over, and whoever calls from elsewhere does no harm.
func TestAHeartbeatOutsideARunIsNone(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var late context.Context
		quick := r.task("quick", func(ctx context.Context, _ string) (string, error) { late = ctx; return "", nil }, stem.HeartbeatTimeout(time.Second))
		r.work(stem.WorkerConfig{})
		if _, err := r.wait(r.enqueue(quick, "")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		stem.Heartbeat(late)
		stem.Heartbeat(t.Context())
		if cause := context.Cause(late); errors.Is(cause, stem.ErrHeartbeatTimeout) {
			t.Errorf("got the cause %v, want none of a run that has ended", cause)
		}
	})
}
