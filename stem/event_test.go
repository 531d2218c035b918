package stem_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
)

func TestEventsTellTheLifeOfATask(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		life := r.task("life", func(ctx context.Context, _ string) (string, error) {
			switch info, _ := stem.Info(ctx); {
			case info.Snoozes == 0:
				return "", stem.Snooze(time.Second)
			case info.Attempt == 1:
				return "", errors.New("once")
			default:
				stem.Progress(ctx, 100, "done", nil)
				time.Sleep(time.Second)
				return "", nil
			}
		}, stem.Backoff(stem.FixedBackoff(time.Second)))
		lost := r.task("lost", func(context.Context, string) (string, error) { return "", stem.Permanent(errors.New("never")) })
		stop := r.work(stem.WorkerConfig{Name: "ann", Slots: 1})
		job := r.enqueue(life, "")
		if _, err := r.wait(job); err != nil {
			t.Fatal(err)
		}
		_, _ = r.wait(r.enqueue(lost, ""))
		_, _ = r.wait(r.enqueue(life, "", stem.ExpiresIn(1), stem.Delay(time.Second)))
		synctest.Wait()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range eventsOf[stem.Event](r) {
			if _, ok := e.(stem.TaskEnqueued); ok {
				continue // the client's side: the worker may be quicker
			}
			got = append(got, strings.TrimPrefix(fmt.Sprintf("%T", e), "stem."))
		}
		want := []string{
			"WorkerStarted",
			"TaskStarted", "TaskSnoozed", "TaskStarted", "TaskRetrying", "TaskStarted", "TaskProgressed", "TaskSucceeded",
			"TaskStarted", "TaskFailed",
			"TaskCancelled",
			"WorkerStopping", "WorkerStopped",
		}
		if n := len(eventsOf[stem.TaskEnqueued](r)); n != 3 {
			t.Errorf("got %d TaskEnqueued events, want 3", n)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
		end := eventsOf[stem.TaskSucceeded](r)[0]
		want2 := stem.TaskRef{ID: job.ID(), Task: "life", Queue: "default", Worker: "ann", Attempt: 2, Delivery: end.Delivery}
		if end.TaskRef != want2 || end.Delivery == 0 {
			t.Errorf("got %+v, want %+v", end.TaskRef, want2)
		}
	})
}

func TestTheWorkersObserverAndLoggerGoBeforeTheClients(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var logs bytes.Buffer
		own := 0
		hello := r.task("hello", func(ctx context.Context, _ string) (string, error) {
			stem.Logger(ctx).Info("inside")
			return "", nil
		})
		stop := r.work(stem.WorkerConfig{
			Name:     "ann",
			Observer: stem.ObserverFunc(func(context.Context, stem.Event) { own++ }),
			Logger:   slog.New(slog.NewTextHandler(&logs, nil)),
		})
		job := r.enqueue(hello, "")
		if _, err := r.wait(job); err != nil {
			t.Fatal(err)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		clients := len(eventsOf[stem.Event](r))
		if own != 5 || clients != 1 {
			t.Errorf("got %d events at the worker's observer and %d at the client's, want 5 and 1", own, clients)
		}
		for _, want := range []string{"msg=inside worker=ann task=hello id=" + job.ID() + " attempt=1", "worker started", "worker stopped"} {
			if !strings.Contains(logs.String(), want) {
				t.Errorf("got log\n%s\nwant a line with %q", logs.String(), want)
			}
		}
	})
}

func TestTheClientsLoggerIsItsWorkersLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		r := newRig(t, nil, stem.ClientConfig{Logger: slog.New(slog.NewTextHandler(&logs, nil))})
		bad := r.task("bad", func(context.Context, string) (string, error) { return "", stem.Permanent(errors.New("never")) })
		stop := r.work(stem.WorkerConfig{})
		_, _ = r.wait(r.enqueue(bad, ""))
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(logs.String(), "is a dead letter") || !strings.Contains(logs.String(), "error=never") {
			t.Errorf("got log\n%s\nwant the dead letter and why", logs.String())
		}
	})
}

func TestTheLogSaysWhatAWorkerDoesNotServeAndWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logs bytes.Buffer
		r := newRig(t, nil, stem.ClientConfig{Logger: slog.New(slog.NewTextHandler(&logs, nil))})
		var end ending
		nap := r.task("nap", sleeper(&end))
		r.task("mail", greet, stem.OnQueue("mail"))
		stop := r.work(stem.WorkerConfig{})
		job := r.enqueue(nap, "1s")
		synctest.Wait()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"task=mail queue=mail", `worker is stopping" worker=`, `waits_for="nap (` + job.ID() + `)" at_most=30s`} {
			if !strings.Contains(logs.String(), want) {
				t.Errorf("got log\n%s\nwant %q", logs.String(), want)
			}
		}
		if strings.Contains(logs.String(), "queue=default") {
			t.Errorf("got log\n%s\nwant no warning of a queue that is served", logs.String())
		}
	})
}

func TestOutsideAHandlerTheLoggerIsTheDefault(t *testing.T) {
	if stem.Logger(t.Context()) != slog.Default() {
		t.Error("got another logger, want slog.Default()")
	}
}
