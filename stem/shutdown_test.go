package stem_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

// ending is why and when a handler's context ended.
type ending struct {
	mu    sync.Mutex
	cause error
	at    time.Time
}

func (e *ending) set(cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.cause, e.at = cause, time.Now()
}

func (e *ending) get() (at time.Time, cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.at, e.cause
}

// sleeper handles a task that sleeps as long as its args say, or until its
// context ends, and notes why.
func sleeper(end *ending) func(context.Context, string) (string, error) {
	return func(ctx context.Context, nap string) (string, error) {
		d, err := time.ParseDuration(nap)
		if err != nil {
			return "", stem.Permanent(err)
		}
		select {
		case <-time.After(d):
			return "slept", nil
		case <-ctx.Done():
			end.set(context.Cause(ctx))
			return "", ctx.Err()
		}
	}
}

func TestAStopLetsHandlersFinishAndGivesBackTheRest(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		stop := r.work(stem.WorkerConfig{Slots: 1, Grace: time.Minute})
		running := r.enqueue(nap, "40s")
		waiting := r.enqueue(nap, "40s")
		synctest.Wait()
		begin := time.Now()
		if err := stop(); err != nil || time.Since(begin) != 40*time.Second {
			t.Errorf("got %v after %v, want nil after 40s", err, time.Since(begin))
		}
		if got, err := r.wait(running); got != "slept" || err != nil {
			t.Errorf("the running task: got %q, %v; want it finished", got, err)
		}
		if got := r.count("default"); got.Ready != 1 || got.Running != 0 {
			t.Errorf("got %+v, want the waiting task ready again", got)
		}
		r.work(stem.WorkerConfig{})
		if _, err := r.wait(waiting); err != nil {
			t.Fatal(err)
		}
		if s := r.status(waiting); s.Attempt != 1 || s.Releases != 1 || s.Interruptions != 0 {
			t.Errorf("got %+v, want attempt 1, one release, no interruption", s)
		}
	})
}

func TestWhoDoesNotFinishInTheGracePeriodIsCancelledAndGivenBack(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		stop := r.work(stem.WorkerConfig{Slots: 1, Grace: time.Minute})
		job := r.enqueue(nap, "24h")
		synctest.Wait()
		begin := time.Now()
		if err := stop(); err != nil || time.Since(begin) != 48*time.Second {
			t.Errorf("got %v after %v, want nil after four fifths of a minute", err, time.Since(begin))
		}
		if _, cause := end.get(); !errors.Is(cause, stem.ErrShutdown) {
			t.Errorf("cause: got %v, want ErrShutdown", cause)
		}
		if got := r.count("default"); got.Ready != 1 {
			t.Errorf("got %+v, want the task ready again", got)
		}
		if s := r.status(job); s.State != stem.StatePending {
			t.Errorf("got %s, want no record: a release is no news", s.State)
		}
	})
}

func TestAHandlerThatHangsIsLeftBehindAndNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		end := make(chan struct{})
		hang := r.task("hang", func(context.Context, string) (string, error) { <-end; return "late", nil })
		stop := r.work(stem.WorkerConfig{Grace: time.Minute, Lease: time.Minute})
		job := r.enqueue(hang, "")
		synctest.Wait()
		begin := time.Now()
		err := stop()
		if err == nil || !strings.Contains(err.Error(), "hang ("+job.ID()+")") || time.Since(begin) != time.Minute {
			t.Errorf("got %v after %v, want the task named after 1m", err, time.Since(begin))
		}
		close(end) // the process would end here; its late result must change nothing
		synctest.Wait()
		if s := r.status(job); s.State != stem.StatePending {
			t.Errorf("got %s, want no record from a handler left behind", s.State)
		}
		r.work(stem.WorkerConfig{})
		if got, err := r.wait(job); got != "late" || err != nil {
			t.Errorf("after the lease: got %q, %v; want the task run elsewhere", got, err)
		}
		if s := r.status(job); s.Attempt != 1 || s.Interruptions != 0 {
			t.Errorf("got %+v, want attempt 1 and no interruption: the worker was leaving", s)
		}
	})
}

func TestWhatWaitsForASlotIsGivenBackAtOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		stop := r.work(stem.WorkerConfig{Slots: 1, Grace: time.Hour})
		r.enqueue(nap, "30m")
		r.enqueue(nap, "30m")
		synctest.Wait()
		stopped := make(chan error)
		go func() { stopped <- stop() }()
		synctest.Wait()
		if got := r.count("default"); got.Ready != 1 || got.Running != 1 {
			t.Errorf("got %+v, want the second task ready while the first one runs", got)
		}
		if err := <-stopped; err != nil {
			t.Error(err)
		}
	})
}

func TestAGraceBelowASecondCountsAsOne(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var end ending
		nap := r.task("nap", sleeper(&end))
		stop := r.work(stem.WorkerConfig{Grace: -1})
		r.enqueue(nap, "24h")
		synctest.Wait()
		begin := time.Now()
		if err := stop(); err != nil || time.Since(begin) != 800*time.Millisecond {
			t.Errorf("got %v after %v, want nil after 800ms", err, time.Since(begin))
		}
	})
}
