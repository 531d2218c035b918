package stem_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// An update that arrives while the task runs is not swallowed: it is queued again, once.
func TestAnUpdateDuringARunIsRunOnceMore(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var runs atomic.Int32
		def := r.task("sync", func(context.Context, string) (string, error) {
			runs.Add(1)
			time.Sleep(time.Minute)
			return "", nil
		}, stem.Unique(stem.UntilStarted))
		r.work(stem.WorkerConfig{})
		first := r.enqueue(def, "a")
		time.Sleep(time.Second)
		second := r.enqueue(def, "a", stem.Delay(time.Second))
		third := r.enqueue(def, "a", stem.Delay(time.Second))
		if first.ID() == second.ID() || third.ID() != second.ID() || !third.Duplicate() {
			t.Errorf("got jobs %s, %s and %s, want the second to be new and the third to be the second", first.ID(), second.ID(), third.ID())
		}
		if _, err := r.wait(second); err != nil {
			t.Error(err)
		}
		if got := runs.Load(); got != 2 {
			t.Errorf("got %d runs, want 2", got)
		}
	})
}

func TestAReplacedTaskIsCancelledAndSaysByWhich(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var mu sync.Mutex
		var ran []string
		def := r.task("draft", func(_ context.Context, args string) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			ran = append(ran, args)
			return "", nil
		}, stem.Unique(stem.UntilDone), stem.UniqueKey("k"), stem.OnConflict(stem.ConflictReplace), stem.Delay(time.Hour))
		r.work(stem.WorkerConfig{})
		first := r.enqueue(def, "first")
		second := r.enqueue(def, "second")
		if second.Replaces() != first.ID() || second.Duplicate() {
			t.Errorf("got a job that replaces %q, duplicate %t, want %s and no duplicate", second.Replaces(), second.Duplicate(), first.ID())
		}
		synctest.Wait()
		record := r.status(first) // at once: nobody waits for an hour to hear it
		want := stem.Failure{Kind: stem.FailureReplaced, Message: "replaced by " + second.ID()}
		if record.State != stem.StateCancelled || record.Failure == nil || *record.Failure != want {
			t.Errorf("the first: got %s, %+v, want cancelled with %+v", record.State, record.Failure, want)
		}
		if _, err := r.wait(first); !errors.Is(err, stem.ErrCancelled) {
			t.Errorf("wait for the first: got %v, want %v", err, stem.ErrCancelled)
		}
		if _, err := r.wait(second); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(ran, []string{"second"}) {
			t.Errorf("got runs %v, want that of the second alone", ran)
		}
		told := eventsOf[stem.TaskEnqueued](r)
		if len(told) != 2 || told[1].Replaces != first.ID() {
			t.Errorf("got events %+v, want that the second replaces the first", told)
		}
	})
}

func TestARunningTaskIsNotReplaced(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		fails := true
		def := r.task("draft", func(context.Context, string) (string, error) {
			time.Sleep(time.Minute)
			if fails {
				fails = false
				return "", stem.RetryAfter(time.Hour, errors.New("not yet"))
			}
			return "", nil
		}, stem.Unique(stem.UntilDone), stem.OnConflict(stem.ConflictReplace))
		r.work(stem.WorkerConfig{})
		first := r.enqueue(def, "a")
		time.Sleep(time.Second)
		if again := r.enqueue(def, "a"); again.ID() != first.ID() {
			t.Errorf("while it runs: got job %s, want that of the task that runs", again.ID())
		}
		time.Sleep(2 * time.Minute)
		again := r.enqueue(def, "a")
		if again.Replaces() != first.ID() {
			t.Errorf("between two attempts: got a job that replaces %q, want the first", again.Replaces())
		}
		if _, err := r.wait(again); err != nil { // nothing may run when the test ends
			t.Error(err)
		}
	})
}

// A failure or a cancellation is no reason to keep the next one out for the rest of an hour.
func TestATaskThatDidNotSucceedLetsTheNextOneCome(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		outcome := errors.New("broken")
		def := r.task("hourly", func(context.Context, string) (string, error) { return "", outcome },
			stem.UniqueFor(time.Hour), stem.MaxRetries(0), stem.Delay(time.Minute))
		r.work(stem.WorkerConfig{})
		failed := r.enqueue(def, "")
		if _, err := r.wait(failed); err == nil {
			t.Error("got success, want a failure")
		}
		revoked := r.enqueue(def, "")
		r.revoke(revoked)
		_, _ = r.wait(revoked)
		late := r.enqueue(def, "", stem.ExpiresIn(time.Second))
		_, _ = r.wait(late)
		outcome = nil
		done := r.enqueue(def, "")
		if _, err := r.wait(done); err != nil {
			t.Error(err)
		}
		ids := []string{failed.ID(), revoked.ID(), late.ID(), done.ID()}
		slices.Sort(ids)
		if n := len(slices.Compact(ids)); n != 4 {
			t.Errorf("got %d tasks, want 4", n)
		}
		if again := r.enqueue(def, ""); again.ID() != done.ID() {
			t.Errorf("after the success: got job %s, want that of the task that succeeded", again.ID())
		}
	})
}

// hardOfHearing is a store that hears of no start while it is out of order.
type hardOfHearing struct {
	*memory.Store
	out   atomic.Bool
	taken atomic.Bool // a transaction that is open takes all keys over
	asked atomic.Int32
	told  atomic.Int32 // deliveries
}

func (d *hardOfHearing) Started(ctx context.Context, ds ...stem.Delivery) ([]stem.Notice, error) {
	d.asked.Add(1)
	if d.out.Load() {
		return nil, errors.New("out of order")
	}
	if d.taken.Load() {
		notices := make([]stem.Notice, len(ds))
		for i := range notices {
			notices[i] = stem.Notice{Index: i, Cause: stem.ErrTransactionOpen}
		}
		return notices, nil
	}
	d.told.Add(int32(len(ds)))
	return d.Store.Started(ctx, ds...)
}

func TestAUniqueTaskWaitsForATransactionThatTakesItsKey(t *testing.T) {
	var store *hardOfHearing
	wrap := func(s *memory.Store) stem.Broker { store = &hardOfHearing{Store: s}; return store }
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wrap, stem.ClientConfig{})
		store.taken.Store(true)
		once := r.task("once", func(context.Context, string) (string, error) { return "", nil }, stem.Unique(stem.UntilStarted))
		job := r.enqueue(once, "")
		r.work(stem.WorkerConfig{})
		time.Sleep(30 * time.Second)
		if n := store.asked.Load(); n < 5 || n > 20 {
			t.Errorf("while the transaction is open for 30 s: got %d calls, want one every 2 s", n)
		}
		store.taken.Store(false)
		if _, err := r.wait(job); err != nil {
			t.Error(err)
		}
		if failed := eventsOf[stem.StoreFailed](r); len(failed) != 0 {
			t.Errorf("got %v, want no failure of the store", failed)
		}
	})
}

func TestAUniqueTaskDoesNotStartUntold(t *testing.T) {
	var store *hardOfHearing
	wrap := func(s *memory.Store) stem.Broker { store = &hardOfHearing{Store: s}; return store }
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wrap, stem.ClientConfig{})
		store.out.Store(true)
		var unique, plain atomic.Int32
		once := r.task("once", func(context.Context, string) (string, error) { unique.Add(1); return "", nil }, stem.Unique(stem.UntilStarted))
		other := r.task("other", func(context.Context, string) (string, error) { plain.Add(1); return "", nil })
		job := r.enqueue(once, "")
		r.enqueue(other, "")
		r.work(stem.WorkerConfig{})
		time.Sleep(30 * time.Second)
		if unique.Load() != 0 || plain.Load() != 1 {
			t.Errorf("out of order: got %d runs of the unique task and %d of the other, want 0 and 1", unique.Load(), plain.Load())
		}
		if n := store.asked.Load(); n < 5 || n > 20 {
			t.Errorf("out of order for 30 s: got %d calls, want one every 2 s", n)
		}
		store.out.Store(false)
		if _, err := r.wait(job); err != nil {
			t.Error(err)
		}
		if record := r.status(job); record.Attempt != 1 || record.Interruptions != 0 {
			t.Errorf("got attempt %d and %d interruptions, want that waiting cost neither", record.Attempt, record.Interruptions)
		}
		failed, recovered := eventsOf[stem.StoreFailed](r), eventsOf[stem.StoreRecovered](r)
		if len(failed) == 0 || failed[0].Operation != "unique" || len(recovered) != 1 || recovered[0].Operation != "unique" {
			t.Errorf("got %v and %v, want that it is told", failed, recovered)
		}
	})
}

// A store is told once for a batch, and only of tasks whose start matters to others.
func TestStartsAreToldTogetherAndWhereTheyMatter(t *testing.T) {
	var store *hardOfHearing
	wrap := func(s *memory.Store) stem.Broker { store = &hardOfHearing{Store: s}; return store }
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wrap, stem.ClientConfig{})
		def := r.task("task", func(context.Context, string) (string, error) { return "", nil })
		for i, opts := range [][]stem.Option{
			nil,
			{stem.Unique(stem.UntilDone)},
			{stem.UniqueFor(time.Hour)},
			{stem.Unique(stem.UntilStarted)},
			{stem.Unique(stem.UntilDone), stem.ExpiresIn(time.Hour)},
			{stem.Unique(stem.UntilDone), stem.OnConflict(stem.ConflictReplace)},
			{stem.Unique(stem.UntilDone), stem.OnConflict(stem.ConflictError)},
		} {
			r.enqueue(def, strconv.Itoa(i), opts...)
		}
		r.work(stem.WorkerConfig{})
		synctest.Wait()
		if asked, told := store.asked.Load(), store.told.Load(); asked != 1 || told != 3 {
			t.Errorf("got %d calls with %d deliveries, want one with 3", asked, told)
		}
	})
}

// What was replaced between its receive and its start does not run.
func TestATaskThatIsReplacedInHandDoesNotRun(t *testing.T) {
	var late *replaceLate
	wrap := func(s *memory.Store) stem.Broker { late = &replaceLate{Store: s}; return late }
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, wrap, stem.ClientConfig{})
		var mu sync.Mutex
		var ran []string
		def := r.task("draft", func(_ context.Context, args string) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			ran = append(ran, args)
			return "", nil
		}, stem.Unique(stem.UntilDone), stem.UniqueKey("k"), stem.OnConflict(stem.ConflictReplace))
		late.before = func() { late.second = r.enqueue(def, "second") }
		first := r.enqueue(def, "first")
		r.work(stem.WorkerConfig{})
		_, err := r.wait(first)
		var failed *stem.TaskError
		if !errors.As(err, &failed) || failed.Failure.Kind != stem.FailureReplaced {
			t.Errorf("the first: got %v, want that it was replaced", err)
		}
		if _, err := r.wait(late.second); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if !slices.Equal(ran, []string{"second"}) {
			t.Errorf("got runs %v, want that of the second alone", ran)
		}
	})
}

// replaceLate lets something happen just before the first start is told.
type replaceLate struct {
	*memory.Store
	before func()
	second stem.Job[string]
}

func (l *replaceLate) Started(ctx context.Context, ds ...stem.Delivery) ([]stem.Notice, error) {
	if do := l.before; do != nil {
		l.before = nil
		do()
	}
	return l.Store.Started(ctx, ds...)
}
