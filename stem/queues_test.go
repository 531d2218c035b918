package stem_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

func TestAWorkerLetsLowPrioritiesAge(t *testing.T) {
	for _, tt := range []struct {
		age  time.Duration
		want []string
	}{
		{0, []string{"high", "high", "high", "low"}},
		{time.Minute, []string{"low", "high", "high", "high"}},
	} {
		inBubble(t, func(t *testing.T, r *rig) {
			var order []string
			note := r.task("note", func(_ context.Context, s string) (string, error) { order = append(order, s); return "", nil })
			r.enqueue(note, "low")
			time.Sleep(10 * time.Minute)
			for range 3 {
				r.enqueue(note, "high", stem.Priority(9))
			}
			r.work(stem.WorkerConfig{Slots: 1, Prefetch: 1, AgeAfter: tt.age})
			synctest.Wait()
			if diff := cmp.Diff(order, tt.want); diff != "" {
				t.Errorf("AgeAfter %v: got -, want +:\n%s", tt.age, diff)
			}
		})
	}
}

// Weights share out what there is: a queue that has nothing leaves its part to
// the others, and none is left out, however small its weight.
func TestWeightsLeaveNoSlotIdle(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		ran := map[string]int{}
		note := r.task("note", func(ctx context.Context, _ string) (string, error) {
			info, _ := stem.Info(ctx)
			ran[info.Queue]++
			time.Sleep(time.Second)
			return "", nil
		})
		weights := map[string]int{"critical": 1_000_000, "default": 1, "low": 1}
		const each = 600
		for queue := range weights {
			for range each {
				r.enqueue(note, "", stem.OnQueue(queue))
			}
		}
		r.work(stem.WorkerConfig{Slots: 1, QueueWeights: weights})
		time.Sleep(each * time.Second)
		if ran["critical"] < each*9/10 {
			t.Errorf("after as many seconds as each queue has tasks: got %v, want nearly all of critical's", ran)
		}
		time.Sleep(2 * each * time.Second)
		if diff := cmp.Diff(ran, map[string]int{"critical": each, "default": each, "low": each}); diff != "" {
			t.Errorf("without a second of idleness: got -, want +:\n%s", diff)
		}
	})
}

// A pause is kept by the store: workers that come and go know of it.
func TestAPausedQueueWaitsAcrossWorkers(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		nap := r.task("nap", func(_ context.Context, s string) (string, error) {
			time.Sleep(time.Minute)
			return s, nil
		})
		stop := r.work(stem.WorkerConfig{Queues: []string{"default", "other"}, Slots: 4})
		running := r.enqueue(nap, "in hand")
		synctest.Wait()
		if err := r.client.Pause(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
		waiting := r.enqueue(nap, "paused")
		delayed := r.enqueue(nap, "delayed", stem.Delay(10*time.Minute))
		for _, job := range []stem.Job[string]{running, r.enqueue(nap, "elsewhere", stem.OnQueue("other"))} {
			if _, err := r.wait(job); err != nil {
				t.Fatal(err)
			}
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		r.work(stem.WorkerConfig{})
		time.Sleep(time.Hour)
		if diff := cmp.Diff(r.count("default"), stem.QueueCounts{Ready: 2, Paused: true}); diff != "" {
			t.Fatalf("an hour later: got -, want +:\n%s", diff)
		}
		if err := r.client.Resume(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
		resumed := time.Now()
		for _, job := range []stem.Job[string]{waiting, delayed} {
			if _, err := r.wait(job); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(resumed); took != time.Minute {
			t.Errorf("resumed: got both done after %v, want at once and a minute of work", took)
		}
	})
}

// A retry of what was running goes back to its paused queue.
func TestARetryWaitsInAPausedQueue(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		fails := r.task("fails", func(ctx context.Context, s string) (string, error) {
			if info, _ := stem.Info(ctx); info.Attempt > 1 {
				return "well", nil
			}
			time.Sleep(time.Minute)
			return "", errors.New("not yet")
		}, stem.Backoff(stem.FixedBackoff(time.Second)))
		r.work(stem.WorkerConfig{})
		job := r.enqueue(fails, "")
		synctest.Wait()
		if err := r.client.Pause(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if diff := cmp.Diff(r.count("default"), stem.QueueCounts{Ready: 1, Paused: true}); diff != "" {
			t.Fatalf("an hour later: got -, want +:\n%s", diff)
		}
		if err := r.client.Resume(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
		if got, err := r.wait(job); got != "well" || err != nil {
			t.Errorf("resumed: got %q, %v; want well", got, err)
		}
	})
}

func TestAPauseThatCannotBeSaysWhy(t *testing.T) {
	store := new(memory.Store)
	able, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	unable, err := stem.NewClient(opaque{store}, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for want, got := range map[string]error{
		`queue "a b"`: able.Pause(t.Context(), "a b"),
		"stem: pause queue a: the broker stem_test.opaque is no stem.QueuePauser":  unable.Pause(t.Context(), "a"),
		"stem: resume queue a: the broker stem_test.opaque is no stem.QueuePauser": unable.Resume(t.Context(), "a"),
		"no client": (*stem.Client)(nil).Pause(t.Context(), "a"),
	} {
		if got == nil || !strings.Contains(got.Error(), want) {
			t.Errorf("got %v, want an error with %q", got, want)
		}
	}
	_ = store.Close()
	if err := able.Pause(t.Context(), "a"); !errors.Is(err, stem.ErrClosed) {
		t.Errorf("a closed store: got %v, want %v", err, stem.ErrClosed)
	}
}
