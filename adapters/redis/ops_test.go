package redis_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// walk gives all tasks of a state, page by page.
func (b *table) walk(q ops.TaskQuery) (all []ops.Task) {
	b.t.Helper()
	q.Queue = tableQueue
	for range 1000 {
		page, err := b.ListTasks(b.t.Context(), q)
		if err != nil {
			b.t.Fatalf("list %s: %v", q.State, err)
		}
		if len(page.Tasks) > q.Limit {
			b.t.Fatalf("got %d tasks, want at most %d", len(page.Tasks), q.Limit)
		}
		all = append(all, page.Tasks...)
		if q.After = page.Next; q.After == "" {
			return all
		}
		if len(q.After) > ops.MaxCursor {
			b.t.Fatalf("got a cursor of %d bytes", len(q.After))
		}
	}
	b.t.Fatal("got 1,000 pages")
	return nil
}

func idsOf(tasks []ops.Task) (ids []string) {
	for i := range tasks {
		ids = append(ids, tasks[i].ID)
	}
	return ids
}

func (b *table) expectTasks(state ops.State, want ...string) []ops.Task {
	b.t.Helper()
	var tasks []ops.Task
	for _, limit := range []int{1, 2, ops.MaxPage} {
		tasks = b.walk(ops.TaskQuery{State: state, Limit: limit})
		if got := idsOf(tasks); !slices.Equal(got, want) {
			b.t.Errorf("%s, %d a page: got %q, want %q", state, limit, got, want)
		}
	}
	return tasks
}

func TestTasksAreListedWhereTheyAre(t *testing.T) {
	b := newTable(t, "")
	b.publish(plainTask("a"), plainTask("b"), plainTask("c"), plainTask("high", func(e *stem.Envelope) { e.Priority = 7 }),
		plainTask("later", func(e *stem.Envelope) { e.Delay = 2 * time.Hour }), plainTask("soon", func(e *stem.Envelope) { e.Delay = time.Hour }))
	b.expectTasks(ops.Ready, "high", "a", "b", "c")
	b.expectTasks(ops.Delayed, "soon", "later")
	b.expectTasks(ops.Running)
	ds := b.receive("s", 2, 10*time.Second)
	running := b.expectTasks(ops.Running, "high", "a")
	if running[0].Session != "s" || running[0].Lapses.Before(running[0].Now) {
		t.Errorf("got %+v", running[0])
	}
	b.expectTasks(ops.Ready, "b", "c")
	if err := b.Settle(t.Context(), stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictRetry, Delay: 90 * time.Minute},
		stem.Settlement{Delivery: ds[1], Verdict: stem.VerdictRelease}); err != nil {
		t.Fatal(err)
	}
	b.expectTasks(ops.Ready, "a", "b", "c")
	retrying := b.expectTasks(ops.Retrying, "high")
	gauge, err := b.GaugeQueue(t.Context(), tableQueue)
	if err != nil || gauge.Retrying != 1 {
		t.Errorf("got %+v, %v", gauge, err)
	}
	if err := b.HastenTasks(t.Context(), retrying...); err != nil {
		t.Error(err)
	}
	b.expectTasks(ops.Ready, "a", "b", "c", "high")
	if err := b.DeleteTasks(t.Context(), b.expectTasks(ops.Ready, "a", "b", "c", "high")...); err != nil {
		t.Error(err)
	}
	b.expectTasks(ops.Ready)
	b.clock.Advance(2 * time.Hour)
	b.expectTasks(ops.Ready, "soon", "later")
	names, err := b.Queues(t.Context())
	if err != nil || !slices.Equal(names, []string{tableQueue}) {
		t.Errorf("got %v, %v", names, err)
	}
}
