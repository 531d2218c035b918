package stem_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

// deaf does not look at its context: it sleeps for as long as its args say.
func deaf(_ context.Context, args string) (string, error) {
	d, err := time.ParseDuration(args)
	time.Sleep(d)
	return "", errors.Join(err, errors.New("late"))
}

func TestAStuckHandlerIsToldWithItsStackAndRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newRig(t, nil, stem.ClientConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		task := r.task("deaf", deaf, stem.Timeout(time.Minute), stem.MaxRetries(0))
		nap := r.task("nap", func(context.Context, string) (string, error) { time.Sleep(5 * time.Minute); return "", nil })
		r.work(stem.WorkerConfig{Slots: 2})
		job := r.enqueue(task, "4m")
		other := r.enqueue(nap, "")
		_, _ = r.wait(job)
		if _, err := r.wait(other); err != nil {
			t.Fatal(err)
		}
		stuck := eventsOf[stem.TaskStuck](r)
		// Noticed up to 2.5 s late, it is told after 10 s, 20 s, 40 s, 80 s, 160 s.
		if len(stuck) != 5 {
			t.Fatalf("got %d TaskStuck events in 3m, want 5: %+v", len(stuck), stuck)
		}
		first := stuck[0]
		if first.ID != job.ID() || first.Since != 10*time.Second || !errors.Is(first.Cause, stem.ErrTimeout) {
			t.Errorf("got %s since %v for %v, want the deaf one since 10s for ErrTimeout", first.Task, first.Since, first.Cause)
		}
		if !strings.Contains(first.Stack, "stem_test.deaf(") || strings.Count(first.Stack, "goroutine ") != 2 {
			t.Errorf("got stack\n%s\nwant that of its goroutine alone, and who created it", first.Stack)
		}
		if !strings.Contains(log.String(), "has not returned") || !strings.Contains(log.String(), "stem_test.deaf(") {
			t.Errorf("got log\n%s\nwant the stack", log.String())
		}
		free := eventsOf[stem.TaskUnstuck](r)
		if len(free) != 1 || free[0].ID != job.ID() || free[0].After < 175*time.Second || free[0].After > 3*time.Minute {
			t.Errorf("got %+v, want one TaskUnstuck after about 3m", free)
		}
	})
}

func TestWhoReturnsSoonIsNotStuck(t *testing.T) {
	for name, cfg := range map[string]stem.WorkerConfig{"in time": {}, "never told": {StuckAfter: -1}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				late := map[string]string{"in time": "1m9s", "never told": "1h"}[name]
				task := r.task("deaf", deaf, stem.Timeout(time.Minute), stem.MaxRetries(0))
				r.work(cfg)
				_, _ = r.wait(r.enqueue(task, late))
				if n := len(eventsOf[stem.TaskStuck](r)) + len(eventsOf[stem.TaskUnstuck](r)); n != 0 {
					t.Errorf("got %d events, want none", n)
				}
			})
		})
	}
}

func TestAHandlerThatIsLeftBehindIsToldAsStuck(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		task := r.task("deaf", deaf)
		stop := r.work(stem.WorkerConfig{Grace: 10 * time.Second})
		job := r.enqueue(task, "1h")
		synctest.Wait()
		if err := stop(); err == nil {
			t.Error("got nil, want Run to name the handler")
		}
		stuck := eventsOf[stem.TaskStuck](r)
		if len(stuck) != 1 || stuck[0].ID != job.ID() || !errors.Is(stuck[0].Cause, stem.ErrShutdown) || !strings.Contains(stuck[0].Stack, "stem_test.deaf(") {
			t.Errorf("got %+v, want one with its stack, for ErrShutdown", stuck)
		}
		time.Sleep(time.Hour) // until it has returned
	})
}
