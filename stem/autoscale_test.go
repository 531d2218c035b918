package stem_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"sync/atomic"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// uncounted is a broker that is no QueueCounter.
type uncounted struct{ stem.Broker }

// counting counts how often queues are.
type counting struct {
	*memory.Store
	asked atomic.Int64
}

func (c *counting) CountQueue(ctx context.Context, queue string) (stem.QueueCounts, error) {
	c.asked.Add(1)
	return c.Store.CountQueue(ctx, queue)
}

func TestSlotsFollowABurst(t *testing.T) {
	for name, wrap := range map[string]func(*memory.Store) stem.Broker{
		"counted": nil,
		"guessed": func(s *memory.Store) stem.Broker { return uncounted{s} },
	} {
		for _, prefetch := range []int{0, 1} {
			t.Run(fmt.Sprint(name, " prefetch ", prefetch), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t, wrap, stem.ClientConfig{})
					nap := r.task("nap", func(context.Context, string) (string, error) { time.Sleep(time.Second); return "", nil })
					w, done := r.start(stem.WorkerConfig{Prefetch: prefetch, Autoscale: &stem.Autoscale{Min: 2, Max: 20}})
					time.Sleep(time.Minute)
					if got := w.Slots(); got != 2 {
						t.Errorf("at rest: got %d slots, want 2", got)
					}
					for range 400 {
						r.enqueue(nap, "")
					}
					time.Sleep(10*time.Second + time.Millisecond)
					if got := w.Slots(); got != 20 {
						t.Errorf("10 s into the burst: got %d slots, want 20", got)
					}
					time.Sleep(25 * time.Second)
					if left := r.count("default"); left.Ready+left.Running > 0 {
						t.Errorf("got %+v left, want the burst done", left)
					}
					time.Sleep(20 * time.Second)
					if got := w.Slots(); got != 20 {
						t.Errorf("soon after it: got %d slots, want 20 still", got)
					}
					time.Sleep(5 * time.Minute)
					if got := w.Slots(); got != 2 {
						t.Errorf("long after it: got %d slots, want 2", got)
					}
					var steps []int
					for _, e := range eventsOf[stem.SlotsChanged](r) {
						steps = append(steps, e.To)
					}
					if want := "[6 10 14 18 20 16 12 8 4 2]"; fmt.Sprint(steps) != want {
						t.Errorf("got steps %v, want %s", steps, want)
					}
					w.Stop(stem.StopWarm)
					<-done
				})
			})
		}
	}
}

// A trickle is not a burst: what slots can take makes them no more, and nobody is asked about it.
func TestSlotsThatKeepUpStayAsTheyAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := new(counting)
		r := newRig(t, func(s *memory.Store) stem.Broker { store.Store = s; return store }, stem.ClientConfig{})
		nap := r.task("nap", func(context.Context, string) (string, error) { time.Sleep(900 * time.Millisecond); return "", nil })
		r.work(stem.WorkerConfig{Autoscale: &stem.Autoscale{Min: 2, Max: 20}})
		synctest.Wait()
		before := store.asked.Load()
		for range 200 {
			r.enqueue(nap, "")
			time.Sleep(time.Second)
		}
		if got := eventsOf[stem.SlotsChanged](r); len(got) > 0 {
			t.Errorf("got changes %v, want none", got)
		}
		if got := store.asked.Load() - before; got > 1 {
			t.Errorf("got the queue counted %d times, want only as often as every worker does", got)
		}
	})
}

// Tasks of a paused queue are no backlog.
func TestSlotsDoNotGrowForAPausedQueue(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		c := newCrowd(r)
		w, done := r.start(stem.WorkerConfig{Queues: []string{"default", "paused"}, Prefetch: 1, Autoscale: &stem.Autoscale{Min: 2, Max: 20}})
		if err := r.client.Pause(t.Context(), "paused"); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			r.enqueue(c.def, "", stem.OnQueue("paused"))
		}
		c.come(2)
		time.Sleep(time.Minute)
		if got := w.Slots(); got != 2 {
			t.Errorf("got %d slots, want 2", got)
		}
		if err := r.client.Resume(t.Context(), "paused"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := w.Slots(); got != 12 {
			t.Errorf("resumed: got %d slots, want one for each of the 12 tasks", got)
		}
		w.Stop(stem.StopSoft)
		<-done
	})
}

// The payloads in hand stay within the bound, slots are idle for it, and a task that is larger than that runs alone.
func TestPayloadsInHandAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var now, most atomic.Int64
		nap := r.task("nap", func(_ context.Context, s string) (string, error) {
			held := now.Add(int64(len(s)))
			for m := most.Load(); held > m && !most.CompareAndSwap(m, held); m = most.Load() {
			}
			time.Sleep(time.Second)
			now.Add(-int64(len(s)))
			return "", nil
		})
		enqueue := func(n, size int) (jobs []stem.Job[string]) {
			for range n {
				jobs = append(jobs, r.enqueue(nap, fmt.Sprintf("%0*d", size, 0)))
			}
			return jobs
		}
		wait := func(jobs []stem.Job[string]) (took time.Duration) {
			begin := time.Now()
			for _, job := range jobs {
				if _, err := r.wait(job); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(begin)
		}
		jobs := enqueue(60, 10_000)
		r.work(stem.WorkerConfig{Slots: 20, PrefetchBytes: 55_000})
		if took := wait(jobs); most.Load() != 50_000 || took != 12*time.Second {
			t.Errorf("got %d bytes at once and %v, want 50,000, five tasks, and 12s", most.Load(), took)
		}
		most.Store(0)
		if took := wait(enqueue(60, 100)); took != 3*time.Second {
			t.Errorf("small ones took %v, want 3s: all slots", took)
		}
		most.Store(0)
		if took := wait(enqueue(3, 100_000)); most.Load() != 100_000 || took != 3*time.Second {
			t.Errorf("large ones: got %d bytes at once and %v, want one after the other", most.Load(), took)
		}
	})
}
