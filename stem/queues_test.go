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
