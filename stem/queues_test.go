package stem_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

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
