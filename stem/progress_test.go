package stem_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
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

func TestProgressIsTheRecordOfARunningTask(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		data := map[string]string{"rows": "40"}
		long := r.task("long", func(ctx context.Context, _ string) (string, error) {
			stem.Progress(ctx, 40, "nearly", data)
			data["rows"] = "changed" // the report has a copy
			time.Sleep(time.Minute)
			return "", nil
		})
		r.work(stem.WorkerConfig{})
		job := r.enqueue(long, "")
		began := time.Now().UTC()
		time.Sleep(time.Second)
		want := &stem.ProgressReport{Percent: 40, Message: "nearly", Data: map[string]string{"rows": "40"}, At: began}
		if s := r.status(job); s.State != stem.StateRunning || !cmp.Equal(s.Progress, want) {
			t.Errorf("got %s and %v, want running and %v", s.State, s.Progress, want)
		}
		if _, err := r.wait(job); err != nil {
			t.Fatal(err)
		}
		if s := r.status(job); s.State != stem.StateSucceeded || s.Progress != nil {
			t.Errorf("at the end: got %s and %v, want the record of the end", s.State, s.Progress)
		}
		if told := eventsOf[stem.TaskProgressed](r); len(told) != 1 || told[0].ID != job.ID() || !cmp.Equal(told[0].Progress, *want) {
			t.Errorf("got events %+v, want one of the report", told)
		}
	})
}

func TestReportsAreMadeFitForEveryStore(t *testing.T) {
	big := strings.Repeat("x", 3<<10)
	for name, tt := range map[string]struct {
		report func(ctx context.Context)
		want   stem.ProgressReport
	}{
		"no number":         {func(ctx context.Context) { stem.Progress(ctx, math.NaN(), "", nil) }, stem.ProgressReport{}},
		"less than nothing": {func(ctx context.Context) { stem.Progress(ctx, math.Inf(-1), "", nil) }, stem.ProgressReport{}},
		"more than all":     {func(ctx context.Context) { stem.Progress(ctx, 101, "", nil) }, stem.ProgressReport{Percent: 100}},
		"text that is none": {func(ctx context.Context) { stem.Progress(ctx, 1, "a\x00\xff", map[string]string{"\xff": "\x00"}) },
			stem.ProgressReport{Percent: 1, Message: "a��", Data: map[string]string{"�": "�"}}},
		"a long text that is none": {func(ctx context.Context) {
			stem.Progress(ctx, 1, strings.Repeat("\x00", 4<<10), map[string]string{"a": "fits"})
		},
			stem.ProgressReport{Percent: 1, Message: strings.Repeat("�", (4<<10)/3), Data: map[string]string{"a": "fits"}}},
		"a long message": {func(ctx context.Context) { stem.Progress(ctx, 1, strings.Repeat("m", 5<<10), nil) },
			stem.ProgressReport{Percent: 1, Message: strings.Repeat("m", 4<<10) + "… (1024 bytes more)"}},
		"too much data": {func(ctx context.Context) {
			stem.Progress(ctx, 1, "m", map[string]string{"a": big, "b": big, "c": big, "d": "fits"})
		},
			stem.ProgressReport{Percent: 1, Message: "m", Data: map[string]string{"a": big, "b": big, "d": "fits"}}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				def := r.task("task", func(ctx context.Context, _ string) (string, error) {
					tt.report(ctx)
					<-ctx.Done()
					return "", nil
				})
				r.work(stem.WorkerConfig{})
				job := r.enqueue(def, "")
				time.Sleep(time.Second)
				got := *r.status(job).Progress
				got.At = time.Time{}
				if diff := cmp.Diff(got, tt.want); diff != "" {
					t.Errorf("got -, want +:\n%s", diff)
				}
			})
		})
	}
}

// saver counts what is saved, and fails or hangs when told to.
type saver struct {
	*memory.Store
	hangs atomic.Bool
	fault atomic.Pointer[func(rs []stem.Result) error]

	mu    sync.Mutex
	calls []int // records of each
}

func (s *saver) Save(ctx context.Context, rs ...stem.Result) error {
	s.mu.Lock()
	s.calls = append(s.calls, len(rs))
	s.mu.Unlock()
	if s.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if fault := s.fault.Load(); fault != nil {
		if err := (*fault)(rs); err != nil {
			return err
		}
	}
	return s.Store.Save(ctx, rs...)
}

// saves gives how many records each call has had by now.
func (s *saver) saves() []int {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

func savingRig(t *testing.T, story func(t *testing.T, r *rig, s *saver)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := new(saver)
		r := newRig(t, func(store *memory.Store) stem.Broker { s.Store = store; return s }, stem.ClientConfig{})
		story(t, r, s)
	})
}

func TestReportsOfAllTasksAreOneSaveNowAndThen(t *testing.T) {
	savingRig(t, func(t *testing.T, r *rig, s *saver) {
		busy := r.task("busy", func(ctx context.Context, _ string) (string, error) {
			for i := range 1000 {
				stem.Progress(ctx, float64(i)/10, "", nil)
				time.Sleep(10 * time.Millisecond)
			}
			return "", nil
		})
		for range 50 {
			r.enqueue(busy, "")
		}
		r.work(stem.WorkerConfig{Slots: 50})
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(s.saves()); n < 15 || n > 23 {
			t.Errorf("got %d saves in 10 s, want two a second", n)
		}
		for i, n := range s.saves()[1 : len(s.saves())-1] { // tasks begin before the first one, and end before the last
			if n != 50 {
				t.Errorf("save %d: got %d records, want those of all 50 tasks", i+1, n)
			}
		}
	})
}

// The record of a failed attempt must not be overtaken by a report that was on its way.
func TestAReportOnItsWayDoesNotComeBehindTheEnd(t *testing.T) {
	savingRig(t, func(t *testing.T, r *rig, s *saver) {
		slow := func(rs []stem.Result) error {
			if rs[0].State == stem.StateRunning {
				time.Sleep(5 * time.Second)
			}
			return nil
		}
		s.fault.Store(&slow)
		def := r.task("task", func(ctx context.Context, _ string) (string, error) {
			stem.Progress(ctx, 50, "", nil)
			time.Sleep(time.Second)
			stem.Progress(ctx, 60, "", nil) // which never sets out
			return "", errors.New("sorry")
		}, stem.Backoff(stem.FixedBackoff(time.Hour)))
		job := r.enqueue(def, "")
		r.work(stem.WorkerConfig{})
		time.Sleep(time.Minute)
		if s := r.status(job); s.State != stem.StateRetrying {
			t.Errorf("got %s, want retrying", s.State)
		}
		if n := len(eventsOf[stem.TaskProgressed](r)); n != 1 {
			t.Errorf("got %d reports, want the first", n)
		}
	})
}

// A worker that stops says what it could not wait for: the store, when that has swallowed a report.
func TestAReportThatHangsIsNotTakenForAHandlerThatDoes(t *testing.T) {
	savingRig(t, func(t *testing.T, r *rig, s *saver) {
		s.hangs.Store(true)
		def := r.task("task", func(ctx context.Context, _ string) (string, error) {
			stem.Progress(ctx, 50, "", nil)
			time.Sleep(time.Second)
			return "", nil
		})
		r.enqueue(def, "")
		stop := r.work(stem.WorkerConfig{Grace: 2 * time.Second})
		time.Sleep(time.Second + 1)
		if err := stop(); err == nil || !strings.Contains(err.Error(), "the store does not answer") {
			t.Errorf("got %v, want an error that blames the store", err)
		}
	})
}

func TestReportsWaitForAStoreThatIsAway(t *testing.T) {
	savingRig(t, func(t *testing.T, r *rig, s *saver) {
		away := func([]stem.Result) error { return errAway }
		s.fault.Store(&away)
		def := r.task("task", func(ctx context.Context, _ string) (string, error) {
			stem.Progress(ctx, 50, "", nil)
			<-ctx.Done()
			return "", nil
		})
		job := r.enqueue(def, "")
		r.work(stem.WorkerConfig{})
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(s.saves()); n < 5 || n > 40 {
			t.Errorf("got %d tries in a minute, want some, with back-off", n)
		}
		failed := eventsOf[stem.StoreFailed](r)
		if len(failed) == 0 || failed[0].Operation != "progress" {
			t.Errorf("got %+v, want it told", failed)
		}
		s.fault.Store(nil)
		time.Sleep(10 * time.Second)
		if p := r.status(job).Progress; p == nil || p.Percent != 50 {
			t.Errorf("got %v, want the report that had waited", p)
		}
		if n := len(eventsOf[stem.StoreRecovered](r)); n != 1 {
			t.Errorf("got %d StoreRecovered, want 1", n)
		}
	})
}

// A record that is refused by name is dropped: the next report takes its place. A lost lease is not
// even a failure.
func TestARefusedReportIsNotOfferedAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		failed int
	}{"by name": {errors.New("no"), 1}, "for its fence": {stem.ErrLeaseLost, 0}} {
		t.Run(name, func(t *testing.T) {
			savingRig(t, func(t *testing.T, r *rig, s *saver) {
				refuse := func(rs []stem.Result) error {
					return &stem.PartialError{Items: []stem.ItemError{{Index: 0, Err: tt.err}}}
				}
				s.fault.Store(&refuse)
				def := r.task("task", func(ctx context.Context, _ string) (string, error) {
					stem.Progress(ctx, 50, "", nil)
					time.Sleep(time.Minute)
					return "", ctx.Err()
				})
				job := r.enqueue(def, "")
				r.work(stem.WorkerConfig{})
				if _, err := r.wait(job); err != nil {
					t.Errorf("got %v, want a run that goes on", err)
				}
				if len(s.saves()) != 1 || len(eventsOf[stem.StoreFailed](r)) != tt.failed || len(eventsOf[stem.TaskProgressed](r)) != 0 {
					t.Errorf("got %d saves, %d failures; want 1 save, %d failures and no event", len(s.saves()), len(eventsOf[stem.StoreFailed](r)), tt.failed)
				}
			})
		})
	}
}

func TestProgressWithoutARecord(t *testing.T) {
	savingRig(t, func(t *testing.T, r *rig, s *saver) {
		var late context.Context
		def := r.task("task", func(ctx context.Context, _ string) (string, error) {
			late = ctx
			stem.Progress(ctx, 50, "", nil)
			time.Sleep(time.Second)
			return "", nil
		})
		r.work(stem.WorkerConfig{})
		r.enqueue(def, "", stem.IgnoreResult())
		time.Sleep(time.Minute)
		synctest.Wait()
		stem.Progress(late, 60, "after the run", nil)
		stem.Progress(t.Context(), 60, "outside a handler", nil)
		time.Sleep(time.Minute)
		if n := len(eventsOf[stem.TaskProgressed](r)); n != 1 || len(s.saves()) != 0 {
			t.Errorf("got %d events and %d saves, want the event alone", n, len(s.saves()))
		}
	})
}

func TestWatchGivesEachNewReportUntilTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		steps := r.task("steps", func(ctx context.Context, _ string) (string, error) {
			info, _ := stem.Info(ctx)
			for i := 1; i <= 3; i++ {
				stem.Progress(ctx, float64(25*i), fmt.Sprint("attempt ", info.Attempt), nil)
				time.Sleep(2 * time.Second)
			}
			if info.Attempt == 1 {
				return "", errors.New("once more")
			}
			return "done", nil
		})
		job := r.enqueue(steps, "")
		r.work(stem.WorkerConfig{})
		var got []string
		for p, err := range job.Watch(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprint(p.Message, " ", p.Percent))
		}
		want := []string{"attempt 1 25", "attempt 1 50", "attempt 1 75", "attempt 2 25", "attempt 2 50", "attempt 2 75"}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
		if s := r.status(job); s.State != stem.StateSucceeded {
			t.Errorf("behind the last report: got %s, want succeeded", s.State)
		}
		for p := range job.Watch(t.Context()) {
			t.Errorf("of a task that has ended: got %v, want nothing", p)
		}
	})
}

func TestWatchEndsWithItsCallerAndItsContext(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		def := r.task("task", func(ctx context.Context, _ string) (string, error) {
			stem.Progress(ctx, 50, "", nil)
			<-ctx.Done()
			return "", nil
		})
		r.work(stem.WorkerConfig{})
		job := r.enqueue(def, "")
		for range job.Watch(t.Context()) {
			break
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var last error
		n := 0
		for _, err := range job.Watch(ctx) {
			n, last = n+1, err
		}
		if n != 2 || !errors.Is(last, context.DeadlineExceeded) {
			t.Errorf("got %d pairs, the last with %v; want the report, then the deadline", n, last)
		}
		for _, err := range r.enqueue(def, "", stem.IgnoreResult()).Watch(t.Context()) {
			if !errors.Is(err, stem.ErrResultIgnored) {
				t.Errorf("without a result: got %v, want ErrResultIgnored", err)
			}
		}
	})
}

// A handler that watches its child needs no slot, and the child may need that very one.
func TestAHandlerThatWatchesLendsItsSlot(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		child := r.task("child", func(ctx context.Context, _ string) (string, error) {
			stem.Progress(ctx, 50, "half", nil)
			time.Sleep(2 * time.Second)
			return "", nil
		})
		parent := r.task("parent", func(ctx context.Context, _ string) (string, error) {
			job, err := child.Enqueue(ctx, "")
			for p := range job.Watch(ctx) {
				return p.Message, err
			}
			return "", err
		})
		r.work(stem.WorkerConfig{Slots: 1})
		if got, err := r.wait(r.enqueue(parent, "")); got != "half" || err != nil {
			t.Errorf("got %q, %v; want half", got, err)
		}
	})
}
