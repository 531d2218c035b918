package stem_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

// What a worker has fetched ahead of slots that turn out to be slow does not wait for
// them beside an idle worker, and what comes later goes to that one at once.
func TestAnIdleWorkerGetsWhatASlowOneHasFetchedAhead(t *testing.T) {
	const bound = 10 * time.Second // two renewals
	inBubble(t, func(t *testing.T, r *rig) {
		slow := r.task("slow", func(ctx context.Context, _ string) (string, error) {
			select {
			case <-time.After(time.Hour):
			case <-ctx.Done():
			}
			return "", ctx.Err()
		})
		r.work(stem.WorkerConfig{Name: "slow", Slots: 2, Prefetch: 8})
		for range 6 {
			r.enqueue(slow, "")
		}
		synctest.Wait()
		r.work(stem.WorkerConfig{Name: "idle", Slots: 5, Prefetch: 1})
		start := time.Now()
		time.Sleep(bound)
		for _, e := range eventsOf[stem.TaskReleased](r) {
			if e.Worker != "slow" {
				t.Errorf("got a release by %s, want them by the slow one", e.Worker)
			}
		}
		started := map[string]int{}
		for _, e := range eventsOf[stem.TaskStarted](r) {
			started[e.Worker]++
		}
		if started["slow"] != 2 || started["idle"] != 4 {
			t.Fatalf("after %v: got %v started, want 2 by the slow worker and 4 by the idle one", time.Since(start), started)
		}
		released := len(eventsOf[stem.TaskReleased](r))
		r.enqueue(slow, "one more")
		synctest.Wait()
		if got, last := len(eventsOf[stem.TaskStarted](r)), len(eventsOf[stem.TaskReleased](r)); got != 7 || last != released {
			t.Errorf("one more: got %d started and %d released, want 7 at once and %d", got, last, released)
		}
	})
}

// Full prefetch is for short tasks: they are never given back, and a worker that was
// slow fetches ahead again when its slots are quick.
func TestAWorkerFetchesAheadForShortTasks(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		nap := r.task("nap", func(_ context.Context, s string) (string, error) {
			d, err := time.ParseDuration(s)
			time.Sleep(d)
			return "", err
		})
		const slots, prefetch = 2, 10
		fill := func(length time.Duration, total time.Duration) {
			for range int(total/length) * slots {
				r.enqueue(nap, length.String())
			}
		}
		inHand := func() (most int) {
			for range 20 {
				time.Sleep(17 * time.Millisecond)
				most = max(most, r.count("default").Running)
			}
			return most
		}
		fill(10*time.Millisecond, time.Minute)
		r.work(stem.WorkerConfig{Slots: slots, Prefetch: prefetch})
		time.Sleep(30 * time.Second)
		if got := inHand(); got < slots*prefetch*9/10 || len(eventsOf[stem.TaskReleased](r)) > 0 {
			t.Errorf("short tasks: got %d in hand and %d released, want %d and none", got, len(eventsOf[stem.TaskReleased](r)), slots*prefetch)
		}
		time.Sleep(time.Minute)
		fill(time.Minute, 10*time.Minute)
		time.Sleep(10 * time.Second)
		released := len(eventsOf[stem.TaskReleased](r))
		if got := inHand(); got != slots || released == 0 {
			t.Errorf("long tasks: got %d in hand and %d released, want %d and some", got, released, slots)
		}
		fill(10*time.Millisecond, time.Minute)
		time.Sleep(10*time.Minute + 10*time.Second)
		if got := inHand(); got < slots*prefetch*9/10 {
			t.Errorf("short tasks again: got %d in hand, want %d", got, slots*prefetch)
		}
		if got := len(eventsOf[stem.TaskReleased](r)); got != released {
			t.Errorf("all in all: got %d released, want them once: %d", got, released)
		}
		time.Sleep(time.Hour)
		if left := r.count("default"); fmt.Sprint(left) != fmt.Sprint(stem.QueueCounts{}) {
			t.Errorf("got %+v left, want nothing", left)
		}
	})
}

// While tasks are short more is fetched ahead, so that round trips serve many; where slots take longer it stays at what
// Prefetch says by default.
func TestMoreIsFetchedAheadOfQuickSlotsOnly(t *testing.T) {
	for _, tt := range []struct {
		name   string
		takes  time.Duration
		most   int64 // in hand
		beyond int64 // it is more than this
	}{
		{"a tenth of a millisecond", 100 * time.Microsecond, 512 + 8, 2 * 8},
		{"20 ms", 20 * time.Millisecond, 40, 0},
		{"a second", time.Second, 2 * 8, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				nap := r.task("nap", func(context.Context, string) (string, error) { time.Sleep(tt.takes); return "", nil })
				for range 3000 {
					r.enqueue(nap, "")
				}
				r.work(stem.WorkerConfig{Slots: 8})
				var most int64
				for range 50 {
					time.Sleep(tt.takes)
					synctest.Wait()
					counts, err := r.store.CountQueue(t.Context(), stem.DefaultQueue)
					if err != nil {
						t.Fatal(err)
					}
					most = max(most, int64(counts.Running))
				}
				if most > tt.most || most <= tt.beyond {
					t.Errorf("got %d in hand at most, want more than %d and at most %d", most, tt.beyond, tt.most)
				}
			})
		})
	}
}
