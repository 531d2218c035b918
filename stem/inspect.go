package stem

import (
	"cmp"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"
)

// stats gives the worker's numbers.
func (w *Worker) stats() *WorkerStats {
	_, running := w.held.longest(0)
	s := &WorkerStats{
		Up: time.Since(w.began), Slots: w.Slots(), InHand: w.held.len(), Running: running,
		Succeeded: w.tally.of(endSucceeded), Failed: w.tally.of(endFailed), Cancelled: w.tally.of(endCancelled),
		Retried: w.tally.of(endRetried), Snoozed: w.tally.of(endSnoozed), Released: w.tally.of(endReleased),
		Paused: w.resting.list(), Stopping: w.stops.warm.raised(),
		Goroutines: runtime.NumGoroutine(), CPUs: runtime.GOMAXPROCS(0), Go: runtime.Version(),
	}
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(samples) // it does not stop the program, as runtime.ReadMemStats does
	s.HeapBytes, s.SystemBytes, s.GCs = samples[0].Value.Uint64(), samples[1].Value.Uint64(), int64(samples[2].Value.Uint64())
	return s
}

// inspect names so many of the tasks in hand, those first that have run for longest, and counts them all.
func (w *Worker) inspect(most int) (tasks []HeldTask, count int) {
	loans, _ := w.held.snapshot()
	now := time.Now()
	byLoan := make(map[string]*loan, len(loans))
	tasks = make([]HeldTask, len(loans))
	for i, l := range loans {
		t := &tasks[i]
		*t = HeldTask{ID: l.ID, Task: l.Task, Queue: l.Queue, Attempt: l.Attempt, Since: now.Sub(*l.received)}
		if l.runs.Load() {
			t.For = max(now.Sub(l.started()), 1)
		}
		byLoan[l.ID] = l
	}
	slices.SortStableFunc(tasks, func(a, b HeldTask) int {
		return cmp.Or(cmp.Compare(b.For, a.For), cmp.Compare(b.Since, a.Since))
	})
	tasks, count = slices.Clip(tasks[:min(most, len(tasks))]), len(tasks)
	for i := range tasks {
		tasks[i].Progress = w.reporter.last(byLoan[tasks[i].ID])
	}
	return tasks, count
}

// mostReportShown is how much of a report's message is told of a task in hand: its record has the rest, and the data.
const mostReportShown = 200

// last gives what a run has reported last, or nil.
func (r *reporter) last(l *loan) *ProgressReport {
	p := l.reporting.Load()
	if p == nil {
		return nil
	}
	r.mu.Lock()
	report := p.latest
	r.mu.Unlock()
	if report.At.IsZero() {
		return nil // it was only kept from reporting
	}
	report.Data = nil
	report = report.fit()
	report.Message = text(report.Message, mostReportShown)
	return &report
}
