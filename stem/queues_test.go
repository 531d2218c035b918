package stem_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
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
		var mu sync.Mutex
		ran := map[string]int{}
		counts := func() map[string]int {
			mu.Lock()
			defer mu.Unlock()
			return maps.Clone(ran)
		}
		note := r.task("note", func(ctx context.Context, _ string) (string, error) {
			info, _ := stem.Info(ctx)
			mu.Lock()
			ran[info.Queue]++
			mu.Unlock()
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
		synctest.Wait()
		if got := counts(); got["critical"] < each*9/10 {
			t.Errorf("after as many seconds as each queue has tasks: got %v, want nearly all of critical's", got)
		}
		time.Sleep(2 * each * time.Second)
		synctest.Wait()
		if diff := cmp.Diff(counts(), map[string]int{"critical": each, "default": each, "low": each}); diff != "" {
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
// A worker that receives nothing must not look like one that has nothing to do.
func TestAWorkerTellsWhyTasksWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		r := newRig(t, nil, stem.ClientConfig{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		hello := r.task("hello", greet)
		stranger := stem.Define(stem.TaskSpec{Name: "stranger"}, text, text).Via(r.client)
		if err := r.client.Pause(t.Context(), "images"); err != nil {
			t.Fatal(err)
		}
		stop := r.work(stem.WorkerConfig{Name: "ann", Queues: []string{"default", "images"}})
		images := func(paused bool) stem.QueueStalled {
			return stem.QueueStalled{Worker: "ann", Queue: "images", Paused: paused}
		}
		unknown := func(n int) stem.QueueStalled {
			return stem.QueueStalled{Worker: "ann", Queue: "default", Unknown: n}
		}
		want := []stem.Event{images(true)}
		look := func(what string) {
			t.Helper()
			var told []stem.Event
			for _, e := range eventsOf[stem.QueueStalled](r) {
				told = append(told, e)
			}
			if diff := cmp.Diff(told, want); diff != "" {
				t.Errorf("%s: got -, want +:\n%s", what, diff)
			}
		}
		look("at the start")
		r.enqueue(hello, "")
		job := r.enqueue(stranger, "")
		r.enqueue(stranger, "")
		if err := r.client.Resume(t.Context(), "images"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		want = append(want, unknown(2), images(false))
		look("after a change")
		r.enqueue(stranger, "")
		time.Sleep(time.Hour)
		look("an hour later")
		if err := stem.Handle(&r.registry, stranger, greet); err != nil {
			t.Fatal(err)
		}
		other := r.work(stem.WorkerConfig{})
		if _, err := r.wait(job); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		want = append(want, unknown(0))
		look("once somebody knows the task")
		for _, stop := range []func() error{stop, other} {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		for _, line := range []string{
			`msg="stem: the queue is paused, nothing is received from it until Client.Resume" worker=ann queue=images`,
			"queue=default tasks=2 for_example=stranger",
			`msg="stem: the queue is not paused, and no task waits that this worker does not know" worker=ann queue=default`,
		} {
			if n := strings.Count(log.String(), line); n != 1 {
				t.Errorf("got %d lines with %s in the log, want 1:\n%s", n, line, log.String())
			}
		}
	})
}

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

// A batch job: all that is due is done, also what it brings about, and Run returns.
func TestAWorkerStopsWhenNothingIsLeftToDo(t *testing.T) {
	const idle = time.Second
	inBubble(t, func(t *testing.T, r *rig) {
		var ran atomic.Int64
		var split *stem.TaskDefinition[string, string]
		split = r.task("split", func(ctx context.Context, s string) (string, error) {
			ran.Add(1)
			time.Sleep(10 * time.Second) // longer than the worker would be idle
			if len(s) == 1 {
				return s, nil
			}
			_, err := split.EnqueueMany(ctx, []string{s[:len(s)/2], s[len(s)/2:]})
			return s, err
		})
		r.enqueue(split, "abcdefgh")
		later := r.enqueue(split, "z", stem.Delay(time.Hour))
		start := time.Now()
		_, done := r.start(stem.WorkerConfig{Slots: 2, StopAfterIdle: idle})
		if err := <-done; err != nil {
			t.Fatalf("Run: got %v, want nil", err)
		}
		const work = (1 + 1 + 2 + 4) * 10 * time.Second // in two slots
		if took := time.Since(start); ran.Load() != 15 || took < work+idle || took > work+2*idle {
			t.Errorf("got %d tasks in %v, want 15 in %v and %v to %v of idleness", ran.Load(), took, work, idle, 2*idle)
		}
		if got := r.status(later).State; got != stem.StatePending {
			t.Errorf("due in an hour: got %s, want it left alone", got)
		}
	})
}

// However short its tasks are, a worker that has some is not idle.
func TestShortTasksKeepAWorkerFromIdling(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		const idle = time.Second
		hello := r.task("hello", greet)
		_, done := r.start(stem.WorkerConfig{StopAfterIdle: idle})
		for range 20 {
			time.Sleep(idle * 6 / 10)
			r.enqueue(hello, "Stem")
		}
		last := time.Now()
		if err := <-done; err != nil {
			t.Fatalf("Run: got %v, want nil", err)
		}
		if left := time.Since(last); left < idle || left > 2*idle || r.count("default").Ready > 0 {
			t.Errorf("got the end %v after the last task and %+v left, want %v to %v and none", left, r.count("default"), idle, 2*idle)
		}
	})
}

// Silence is no proof that nothing is due: a store that is away is waited for.
func TestAnAbsentStoreIsNotIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const away = 10 * time.Minute
		back := time.Now().Add(away)
		r := newRig(t, func(s *memory.Store) stem.Broker { return &mute{Broker: s, until: back} }, stem.ClientConfig{})
		hello := r.task("hello", greet)
		r.enqueue(hello, "Stem")
		_, done := r.start(stem.WorkerConfig{StopAfterIdle: time.Second})
		if err := <-done; err != nil {
			t.Fatalf("Run: got %v, want nil", err)
		}
		if now := time.Now(); now.Before(back) || r.count("default").Ready > 0 {
			t.Errorf("got the end %v before the store was back and %+v left, want all done", back.Sub(now), r.count("default"))
		}
	})
}

// mute is a broker that for a time answers neither receives nor extends.
type mute struct {
	stem.Broker
	until time.Time
}

func (m *mute) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	if time.Now().Before(m.until) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return m.Broker.Receive(ctx, req)
}

func (m *mute) Extend(ctx context.Context, s stem.Session, held ...stem.Delivery) ([]stem.Notice, error) {
	if time.Now().Before(m.until) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return m.Broker.Extend(ctx, s, held...)
}
