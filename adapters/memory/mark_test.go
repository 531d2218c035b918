package memory_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// page gives a page of the ready tasks of the default queue.
func (l lab) page(after string) ops.TaskPage {
	l.Helper()
	p, err := l.ListTasks(l.ctx(), ops.TaskQuery{Queue: "default", State: ops.Ready, Limit: ops.MaxPage, After: after})
	if err != nil {
		l.Fatalf("list tasks: got error %v, want none", err)
	}
	return p
}

// Two lanes at two priorities are listed while workers take from their heads, give back, retry, and operators delete in the middle: what
// is touched by nobody is seen once, and in order.
func TestALongLineIsListedInOrderWhileItIsWorkedOn(t *testing.T) {
	experiment(t, func(l lab) {
		const n = 40_000
		envs := tasks("a", n)
		for i := range envs {
			envs[i].Task = []string{"one", "two"}[i%2]
			envs[i].Priority = i / (n / 2) // the second half first
		}
		l.publish(envs...)
		var seen []string
		touched := map[string]bool{}
		for p := l.page(""); ; p = l.page(p.Next) {
			for _, task := range p.Tasks {
				seen = append(seen, task.ID)
			}
			if p.Next == "" {
				break
			}
			ds := l.receive(request("s", 30))
			for _, d := range ds {
				touched[d.ID] = true
			}
			l.settle(stem.VerdictAck, ds[:10]...)
			l.settle(stem.VerdictRetry, ds[10:20]...)
			l.settle(stem.VerdictRelease, ds[20:]...)
			if len(p.Tasks) > 0 {
				last := p.Tasks[len(p.Tasks)-1]
				touched[last.ID] = true
				_ = l.DeleteTasks(l.ctx(), last) // which a worker may have
			}
		}
		var want []string
		for i := range envs {
			if id := envs[(i+n/2)%n].ID; !touched[id] {
				want = append(want, id)
			}
		}
		seen = slices.DeleteFunc(seen, func(id string) bool { return touched[id] })
		if !slices.Equal(seen, want) {
			t.Errorf("got %d tasks that nobody touched, want all %d, each once and in order", len(seen), len(want))
		}
	})
}

// A look passes so many entries of a line and no more: the next one goes on where it was.
func TestWhatStandsFarBehindIsFoundInSteps(t *testing.T) {
	experiment(t, func(l lab) {
		const n, far = 100_000, 90_000
		l.publish(tasks("a", n)...)
		after, empty := fmt.Sprintf("ready.%d.%d.0", stem.MaxPriority, far), 0
		p := l.page(after)
		for ; len(p.Tasks) == 0; p = l.page(p.Next) {
			if empty++; empty > 10 || p.Next != after {
				t.Fatalf("page %d: got nothing and the cursor %q, want %q", empty, p.Next, after)
			}
		}
		if want := fmt.Sprintf("a-%d", far); p.Tasks[0].ID != want || empty != 2 {
			t.Errorf("got %s after %d empty pages, want %s after 2", p.Tasks[0].ID, empty, want)
		}
		if again := l.page(after); len(again.Tasks) == 0 || again.Tasks[0].ID != p.Tasks[0].ID {
			t.Errorf("again: got %d tasks, want the same page at once", len(again.Tasks))
		}
		const done = 50_000
		for settled := 0; settled < done; settled += 1000 {
			l.settle(stem.VerdictAck, l.receive(request("s", 1000))...)
		}
		if p := l.page(fmt.Sprintf("ready.%d.%d.0", stem.MaxPriority, done/2)); len(p.Tasks) == 0 || p.Tasks[0].ID != fmt.Sprintf("a-%d", done) {
			t.Errorf("behind what has been settled: got %d tasks, want those from a-%d on", len(p.Tasks), done)
		}
	})
}

// BenchmarkListDeep lists a million ready tasks to their end, and tells how long the longest call took.
func BenchmarkListDeep(b *testing.B) {
	l := newLoop(b)
	for range 1_000_000 / batch {
		l.publish()
	}
	var longest time.Duration
	calls := 0
	for b.Loop() {
		for after, first := "", true; after != "" || first; first = false {
			start := time.Now()
			p, err := l.store.ListTasks(b.Context(), ops.TaskQuery{Queue: "default", State: ops.Ready, Limit: ops.MaxPage, After: after})
			if err != nil {
				b.Fatal(err)
			}
			longest = max(longest, time.Since(start))
			after = p.Next
			calls++
		}
	}
	b.ReportMetric(float64(longest.Milliseconds()), "longest-ms")
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(calls), "us/call")
}
