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

func TestAStopCanBeMadeMoreUrgentAndNeverLess(t *testing.T) {
	for _, c := range []struct {
		name  string
		modes []stem.StopMode // one each second
		takes time.Duration
	}{
		{"warm waits for the handler", []stem.StopMode{stem.StopWarm}, 20 * time.Second},
		{"warm twice is warm", []stem.StopMode{stem.StopWarm, stem.StopWarm}, 20 * time.Second},
		{"soft cancels it at once", []stem.StopMode{stem.StopSoft}, 0},
		{"soft after warm cancels it then", []stem.StopMode{stem.StopWarm, stem.StopSoft}, time.Second},
		{"hard cancels it too", []stem.StopMode{stem.StopHard}, 0},
		{"warm after soft changes nothing", []stem.StopMode{stem.StopSoft, stem.StopWarm}, 0},
		{"less than warm is warm", []stem.StopMode{0}, 20 * time.Second},
		{"more than hard is hard", []stem.StopMode{9}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				var end ending
				nap := r.task("nap", sleeper(&end))
				w, done := r.start(stem.WorkerConfig{Grace: time.Minute})
				job := r.enqueue(nap, "20s")
				synctest.Wait()
				begin := time.Now()
				go func() {
					for _, mode := range c.modes {
						w.Stop(mode)
						time.Sleep(time.Second)
					}
				}()
				if err := <-done; err != nil || time.Since(begin) != c.takes {
					t.Errorf("got %v after %v, want nil after %v", err, time.Since(begin), c.takes)
				}
				if _, cause := end.get(); c.takes < 20*time.Second && !errors.Is(cause, stem.ErrShutdown) {
					t.Errorf("cause: got %v, want ErrShutdown", cause)
				}
				r.work(stem.WorkerConfig{})
				if _, err := r.wait(job); err != nil {
					t.Fatal(err)
				}
				if s := r.status(job); s.Attempt != 1 || s.Interruptions != 0 {
					t.Errorf("got %+v, want no attempt spent", s)
				}
			})
		})
	}
}

func TestAHardStopLeavesRunningTasksToTheLease(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		end := make(chan struct{})
		hang := r.task("hang", func(context.Context, string) (string, error) { <-end; return "done", nil })
		w, done := r.start(stem.WorkerConfig{Grace: time.Minute})
		job := r.enqueue(hang, "")
		synctest.Wait()
		begin := time.Now()
		w.Stop(stem.StopHard)
		if err := <-done; err == nil || !strings.Contains(err.Error(), job.ID()) || time.Since(begin) != time.Second {
			t.Errorf("got %v after %v, want the task named after a second", err, time.Since(begin))
		}
		if got := r.count("default"); got.Ready != 0 || got.Running != 1 {
			t.Errorf("got %+v, want the task not given back: its handler runs", got)
		}
		close(end)
		r.work(stem.WorkerConfig{})
		if got, err := r.wait(job); got != "done" || err != nil {
			t.Errorf("got %q, %v; want it run when the lease has lapsed", got, err)
		}
		if took := time.Since(begin); took < 14*time.Second {
			t.Errorf("got it run after %v, want the lease respected", took)
		}
		if s := r.status(job); s.Attempt != 1 || s.Interruptions != 0 {
			t.Errorf("got %+v, want neither attempt nor interruption: the worker has said that it leaves", s)
		}
	})
}

func TestAHardStopIsNoLongerThanTheGrace(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		end := make(chan struct{})
		hang := r.task("hang", func(context.Context, string) (string, error) { <-end; return "", nil })
		w, done := r.start(stem.WorkerConfig{Grace: 10 * time.Second})
		r.enqueue(hang, "")
		synctest.Wait()
		begin := time.Now()
		w.Stop(stem.StopWarm)
		time.Sleep(9500 * time.Millisecond)
		w.Stop(stem.StopHard)
		if err := <-done; err == nil || time.Since(begin) != 10*time.Second {
			t.Errorf("got %v after %v, want an error after the grace of 10s", err, time.Since(begin))
		}
		close(end)
	})
}

func TestAStopBeforeRunMakesItReturn(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		r.enqueue(hello, "")
		w, err := stem.NewWorker(r.client, &r.registry, stem.WorkerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		w.Stop(stem.StopWarm)
		if err := w.Run(t.Context()); err != nil {
			t.Error(err)
		}
		if n := len(eventsOf[stem.TaskStarted](r)); n != 0 {
			t.Errorf("got %d tasks started, want none", n)
		}
	})
}

func TestADeployThatCutsRunsShortIsNoInterruption(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		end := make(chan struct{})
		hang := r.task("hang", func(context.Context, string) (string, error) { <-end; return "done", nil })
		job := r.enqueue(hang, "")
		for range 5 { // deploys, each kills the process at the end of a grace that is too short
			w, done := r.start(stem.WorkerConfig{Grace: time.Second})
			time.Sleep(time.Minute)
			w.Stop(stem.StopWarm)
			if err := <-done; err == nil {
				t.Fatal("got nil, want the handler left behind")
			}
		}
		close(end)
		r.work(stem.WorkerConfig{})
		if got, err := r.wait(job); got != "done" || err != nil {
			t.Errorf("got %q, %v; want it done, not taken for poison", got, err)
		}
	})
}

func TestRunUntilSignalWantsWorkers(t *testing.T) {
	for want, workers := range map[string][]*stem.Worker{
		"there is no worker to run": nil,
		"worker 0 is nil":           {nil},
	} {
		if err := stem.RunUntilSignal(t.Context(), workers...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}
