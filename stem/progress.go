package stem

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
)

// ProgressReport is what a handler says about work under way.
type ProgressReport struct {
	// Percent is 0 to 100.
	Percent float64
	Message string
	// Data is what the application makes of it: nobody else reads it.
	Data map[string]string
	// At is when it was reported, by the wall clock of the worker, to the millisecond.
	At time.Time
}

// Progress reports how far the running task has come: percent is 0 to 100 (what is less, or no number, counts
// as 0, what is more as 100). It is stored in the task's record, where Job.Status and Job.Watch find it, and
// each report that is stored is an event. It is also a sign of life (see [HeartbeatTimeout]).
//
// It never blocks and may be called as often as you like: the latest report counts, and a worker stores those of all
// its tasks together, every 500 ms at most. So the last ones before the end of a run may never be
// stored; the record of the end takes their place in any case. While the store does not answer the worker tries again.
//
// Message and data have room for 8 KiB together: a longer message is cut at 4 KiB, and of the data those keys
// are left out, in their order, that do not fit. Both become valid UTF-8 without NUL. Data is copied. Where no result
// is kept, and after Complete, nothing is stored, and the event alone remains. Outside a handler, after its
// return and after the end of its context Progress does nothing.
func Progress(ctx context.Context, percent float64, message string, data map[string]string) {
	l := loanFrom(ctx)
	if l == nil || !l.runs.Load() || l.ctx.Err() != nil {
		return
	}
	l.showLife()
	l.worker.reporter.take(l, ProgressReport{Percent: percent, Message: message, Data: maps.Clone(data), At: time.Now()})
}

// longestReport is how much the message and the data of a report may have together.
const longestReport = 8 << 10

// fit makes a report what every store can keep. Most reports are overtaken before that.
func (r ProgressReport) fit() ProgressReport {
	if !(r.Percent > 0) {
		r.Percent = 0
	}
	r.Percent, r.Message, r.At = min(r.Percent, 100), text(r.Message, longestMessage), time.UnixMilli(r.At.UnixMilli()).UTC()
	given, room := r.Data, longestReport-len(r.Message)
	r.Data = nil
	for _, key := range slices.Sorted(maps.Keys(given)) {
		k, v := text(key, longestReport), text(given[key], longestReport)
		if size := len(k) + len(v); size <= room {
			if r.Data == nil {
				r.Data = make(map[string]string, len(given))
			}
			r.Data[k] = v
			room -= size
		}
	}
	return r
}

// reportEvery is the least time between two saves of what handlers report.
const reportEvery = 500 * time.Millisecond

// reporter stores what handlers report, for all tasks of a worker together: a crowd of
// handlers that each report many times a second is one call to the store now and then.
type reporter struct {
	woken chan struct{}

	mu      sync.Mutex
	saved   *sync.Cond
	changed []*loan // with a report that is not stored, each once
}

// reporting is what a run has reported. It is guarded by reporter.mu.
type reporting struct {
	latest  ProgressReport
	changed bool // it is not stored, and its loan among those that changed
	saving  bool // it is on its way to the store
	muted   bool // nothing is to be stored any more
}

func (r *reporter) init() {
	r.woken = make(chan struct{}, 1)
	r.saved = sync.NewCond(&r.mu)
}

// take makes a report the latest of its run.
func (r *reporter) take(l *loan, report ProgressReport) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := l.reported()
	p.latest = report
	r.mark(l, p)
}

// reported gives what the run has reported. mu is held.
func (l *loan) reported() *reporting {
	p := l.reporting.Load()
	if p == nil {
		p = new(reporting)
		l.reporting.Store(p)
	}
	return p
}

// mute keeps reports of a run from the store, which would wait there for the transaction
// that ends the run.
func (r *reporter) mute(l *loan) {
	r.mu.Lock()
	p := l.reported()
	p.muted = true
	r.mu.Unlock()
	r.leave(p)
}

// mark puts a loan among those that changed. mu is held.
func (r *reporter) mark(l *loan, p *reporting) {
	if p.changed {
		return
	}
	p.changed = true
	r.changed = append(r.changed, l)
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// leave lets a run end once none of its reports is on its way: it must not come to the store behind the
// record of the end. One that has not set out never will, since the run's context has ended.
func (r *reporter) leave(p *reporting) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p.saving {
		r.saved.Wait()
	}
}

// load gives the reports that are to be stored, or only told where there is no backend.
func (r *reporter) load(backed bool) []unsaved {
	r.mu.Lock()
	defer r.mu.Unlock()
	batch := make([]unsaved, 0, len(r.changed))
	for _, l := range r.changed {
		p := l.reporting.Load()
		p.changed = false
		if l.ctx.Err() == nil {
			p.saving = true
			batch = append(batch, unsaved{l, p, p.latest, backed && l.KeepResult > 0 && !p.muted})
		}
	}
	clear(r.changed)
	r.changed = r.changed[:0]
	return batch
}

// unload lets go of what was on its way. Where nobody knows whether it has arrived, it goes again.
func (r *reporter) unload(batch []unsaved, again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range batch {
		u.reporting.saving = false
		if again {
			r.mark(u.loan, u.reporting)
		}
	}
	r.saved.Broadcast()
}

// unsaved is a report on its way to the store.
type unsaved struct {
	loan      *loan
	reporting *reporting
	report    ProgressReport
	stored    bool // it goes into the task's record
}

// keepReports stores what handlers report until ctx ends.
func (w *Worker) keepReports(ctx context.Context) {
	var failing stall
	for {
		select {
		case <-w.reporter.woken:
		case <-ctx.Done():
			return
		}
		wait := reportEvery
		if err := w.saveReports(ctx); err == nil {
			if failing != (stall{}) {
				w.storeRecovered(ctx, "progress")
			}
			failing = stall{}
		} else if ctx.Err() == nil {
			wait = max(wait, failing.next())
			w.storeFailed(ctx, "progress", err, wait)
		}
		if !sleep(ctx, wait) {
			return
		}
	}
}

// saveReports stores all that has changed, and gives the first error. What may not have arrived goes again.
func (w *Worker) saveReports(ctx context.Context) (first error) {
	for batch := range slices.Chunk(w.reporter.load(w.client.cfg.Backend != nil), mostPerTrip) {
		err := w.saveBatch(ctx, batch)
		w.tellReports(batch, err)
		w.reporter.unload(batch, err != nil && !errors.As(err, new(*PartialError)))
		if first == nil {
			first = worstOf(err)
		}
	}
	return first
}

// saveBatch stores those reports that go into a record.
func (w *Worker) saveBatch(ctx context.Context, batch []unsaved) error {
	records := make([]Result, 0, len(batch))
	for i := range batch {
		u := &batch[i]
		if u.report = u.report.fit(); u.stored {
			record := u.loan.record(StateRunning, u.loan.Marks)
			record.Progress = &u.report
			records = append(records, record)
		}
	}
	if len(records) == 0 {
		return nil
	}
	call := callContext(ctx, w.client.cfg.CallTimeout)
	defer call.end(nil)
	return w.client.cfg.Backend.Save(call, records...)
}

// tellReports tells those that are stored, or would be if their results were kept.
func (w *Worker) tellReports(batch []unsaved, err error) {
	saved := 0
	for i := range batch {
		u := &batch[i]
		if u.stored {
			saved++
			if ItemErr(err, saved-1) != nil {
				continue
			}
		}
		w.observe.tell(&u.loan.ctx, TaskProgressed{TaskRef: u.loan.ref(), Progress: u.report})
	}
}

// worstOf gives what is wrong with a store that has answered so. A lost lease is nothing: the beat brings the
// news to the handler.
func worstOf(err error) error {
	var partial *PartialError
	if !errors.As(err, &partial) {
		return err
	}
	for _, item := range partial.Items {
		if !errors.Is(item.Err, ErrLeaseLost) {
			return item.Err
		}
	}
	return nil
}
