package stem_test

import (
	"context"
	"math"
	"os"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// feature is one thing that tasks, or those who enqueue and run them, may use.
type feature struct {
	name      string
	options   []stem.Option             // of the task definition
	call      func(i int) []stem.Option // of each enqueue
	configure func(*stem.ClientConfig, *stem.WorkerConfig)
	failures  uint8        // how many runs of a task fail before one succeeds
	waits     bool         // the handler waits for a task that it enqueues
	follows   bool         // a task follows each
	reports   bool         // the handler reports progress once
	told      func() int64 // of how many tasks an observer has heard that they have succeeded
}

// features gives the load without any feature, and with each one alone.
func features() []feature {
	var keys atomic.Int64
	var told atomic.Int64
	priorities := inTurn(stem.Priority, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	return []feature{
		{name: "none"},
		{name: "retries", failures: 1},
		{name: "history", failures: 3},
		{name: "delay", options: []stem.Option{stem.Delay(time.Millisecond)}},
		{name: "expiry", options: []stem.Option{stem.ExpiresIn(time.Hour)}},
		{name: "soft timeout", options: []stem.Option{stem.SoftTimeout(time.Hour)}},
		{name: "heartbeat timeout", options: []stem.Option{stem.HeartbeatTimeout(time.Hour)}},
		{name: "progress", reports: true},
		{name: "a task that follows", follows: true},
		{name: "timeout", options: []stem.Option{stem.Timeout(time.Hour)}},
		{name: "priorities", call: priorities},
		{name: "ageing", call: priorities, configure: func(_ *stem.ClientConfig, w *stem.WorkerConfig) { w.AgeAfter = time.Second }},
		{name: "weighted queues", call: inTurn(stem.OnQueue, "a", "b", "c"), configure: func(_ *stem.ClientConfig, w *stem.WorkerConfig) {
			w.QueueWeights = map[string]int{"a": 1, "b": 2, "c": 3}
		}},
		{name: "idempotency key", options: []stem.Option{stem.DedupeWindow(time.Second)}, call: func(int) []stem.Option {
			return []stem.Option{stem.IdempotencyKey(strconv.FormatInt(keys.Add(1), 10))}
		}},
		{name: "revocations elsewhere", configure: func(c *stem.ClientConfig, _ *stem.WorkerConfig) { c.Revocations = new(memory.Store) }},
		{name: "enqueue middleware", configure: func(c *stem.ClientConfig, _ *stem.WorkerConfig) {
			c.Middleware = []stem.EnqueueMiddleware{func(next stem.Enqueuer) stem.Enqueuer { return next }}
		}},
		{name: "receive middleware", configure: func(_ *stem.ClientConfig, w *stem.WorkerConfig) {
			w.ReceiveMiddleware = []stem.ReceiveMiddleware{func(next stem.Receiver) stem.Receiver { return next }}
		}},
		{name: "middleware", configure: func(_ *stem.ClientConfig, w *stem.WorkerConfig) {
			w.Middleware = []stem.Middleware{func(next stem.Handler) stem.Handler { return next }}
		}},
		{name: "observer", told: told.Load, configure: func(c *stem.ClientConfig, _ *stem.WorkerConfig) {
			c.Observer = stem.ObserverFunc(func(_ context.Context, e stem.Event) {
				if _, ok := e.(stem.TaskSucceeded); ok {
					told.Add(1)
				}
			})
		}},
		{name: "limiter", configure: limiting},
		{name: "rate limit", configure: limiting, options: []stem.Option{stem.RateLimit(1_000_000, time.Second), stem.Burst(1_000_000)}},
		{name: "concurrency", configure: limiting, options: []stem.Option{stem.Concurrency(1_000_000)}},
		{name: "no result", options: []stem.Option{stem.IgnoreResult()}},
		{name: "waiting for a child", waits: true, configure: func(_ *stem.ClientConfig, w *stem.WorkerConfig) { w.MaxLent = 10_000 }},
	}
}

// limiting gives a worker a limiter, on a store of its own.
func limiting(_ *stem.ClientConfig, w *stem.WorkerConfig) {
	w.Limiter, _ = limit.New(new(memory.Store), limit.Config{WhenStoreFails: limit.FailClosed})
}

// inTurn gives each enqueue one of the options, made beforehand.
func inTurn[V any](option func(V) stem.Option, values ...V) func(i int) []stem.Option {
	options := make([][]stem.Option, len(values))
	for i, v := range values {
		options[i] = []stem.Option{option(v)}
	}
	return func(i int) []stem.Option { return options[i%len(options)] }
}

// TestFeaturesCostWhatTheGuideSays counts, so that a feature that begins to cost those
// who do not use it is seen, and docs/guide/costs.md stays true. It takes no time: the
// benchmark does.
func TestFeaturesCostWhatTheGuideSays(t *testing.T) {
	if underRace() {
		t.Skip("under the race detector pools drop what they hold, and more is allocated")
	}
	guide := costsInGuide(t)
	for _, f := range features() {
		if got, want := costOf(t, f), guide[f.name]; !got.near(want) {
			t.Errorf("%s: got %.1f allocations and %.0f bytes for a task, want about %v and %v, as docs/guide/costs.md says",
				f.name, got.allocs, got.bytes, want.allocs, want.bytes)
		}
		delete(guide, f.name)
	}
	for name := range guide {
		t.Errorf("docs/guide/costs.md tells what %q costs, want a feature of that name", name)
	}
}

// cost is what a task makes the runtime allocate.
type cost struct{ allocs, bytes float64 }

// costOf gives the least of a few runs, behind one in which what is made once is made.
func costOf(t *testing.T, f feature) cost {
	t.Helper()
	const tasks = 1_000
	l := newLoad(t, f, 100)
	defer l.stop()
	ended := int64(0)
	run := func() {
		l.run(tasks)
		ended += tasks
		for f.told != nil && f.told() < ended { // an observer is told later where the machine is busy
			time.Sleep(time.Millisecond)
		}
	}
	for range 3 {
		run()
	}
	least := cost{math.Inf(1), math.Inf(1)}
	for range 10 { // where the machine is busy, batches of a run are smaller
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		run()
		runtime.ReadMemStats(&after)
		least.allocs = min(least.allocs, float64(after.Mallocs-before.Mallocs)/tasks)
		least.bytes = min(least.bytes, float64(after.TotalAlloc-before.TotalAlloc)/tasks)
	}
	return least
}

// near leaves room for what depends on how tasks meet in batches, which is more the more a feature does, and for
// less than one allocation more for a task that uses none.
func (c cost) near(want cost) bool {
	room := 0.8 + 0.12*max(want.allocs-10, 0)
	return math.Abs(c.allocs-want.allocs) < room && math.Abs(c.bytes-want.bytes) < 0.2*want.bytes
}

// costsInGuide reads the table of the guide, by feature.
func costsInGuide(t *testing.T) map[string]cost {
	t.Helper()
	page, err := os.ReadFile("../docs/guide/costs.md")
	if err != nil {
		t.Fatal(err)
	}
	costs := map[string]cost{}
	row := regexp.MustCompile(`(?m)^\| ` + "`([^`]+)`" + ` \|.*\| ([\d,]+) \| ([\d,]+) \| [\d.]+ \|$`)
	for _, cells := range row.FindAllStringSubmatch(string(page), -1) {
		costs[cells[1]] = cost{count(t, cells[2]), count(t, cells[3])}
	}
	return costs
}

func count(t *testing.T, cell string) float64 {
	t.Helper()
	n, err := strconv.ParseFloat(strings.ReplaceAll(cell, ",", ""), 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// underRace reports whether the race detector watches this build.
func underRace() bool {
	info, _ := debug.ReadBuildInfo()
	return slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
