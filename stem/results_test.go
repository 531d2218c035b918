package stem_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// picky is a result store of its own that refuses records.
type picky struct {
	stem.Backend
	refuses func(r stem.Result) error
	calls   atomic.Int64
}

func (p *picky) Save(ctx context.Context, rs ...stem.Result) error {
	p.calls.Add(1)
	refused := &stem.PartialError{}
	for i, r := range rs {
		err := p.refuses(r)
		if err == nil {
			err = stem.ItemErr(p.Backend.Save(ctx, r), 0)
		}
		if err != nil {
			refused.Items = append(refused.Items, stem.ItemError{Index: i, Err: err})
		}
	}
	if refused.Items != nil {
		return refused
	}
	return nil
}

// pickyRig has results on a store of their own.
func pickyRig(t *testing.T, refuses func(r stem.Result) error, story func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		backend := &picky{Backend: new(memory.Store), refuses: refuses}
		story(t, newRig(t, nil, stem.ClientConfig{Backend: backend}))
	})
}

var errNotThis = errors.New("document of type blob is not allowed")

func TestAResultThatTheStoreRefusesBecomesAFailureThatSaysSo(t *testing.T) {
	pickyRig(t, func(r stem.Result) error {
		if r.State == stem.StateSucceeded && strings.Contains(string(r.Payload), "bad") {
			return errNotThis
		}
		return nil
	}, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		bad := r.enqueue(hello, "bad")
		good := r.enqueue(hello, "Stem") // in the same batch
		r.work(stem.WorkerConfig{})
		synctest.Wait()
		if s := r.status(good); s.State != stem.StateSucceeded {
			t.Errorf("the good one: got %s, want it settled at once", s.State)
		}
		begin := time.Now()
		_, err := r.wait(bad)
		var failed *stem.TaskError
		if !errors.As(err, &failed) || failed.Failure.Kind != stem.FailureUnstored || !strings.Contains(failed.Failure.Message, errNotThis.Error()) {
			t.Errorf("got %v, want a failure that says what the store said", err)
		}
		if took := time.Since(begin); took < time.Minute || took > 70*time.Second {
			t.Errorf("got it after %v, want the result offered for a minute", took)
		}
		if letters := r.deadLetters("default"); len(letters) != 1 || letters[0].ID != bad.ID() {
			t.Errorf("got dead letters %+v, want the one whose result is lost", letters)
		}
		if n := len(eventsOf[stem.TaskStarted](r)); n != 2 {
			t.Errorf("got %d runs, want none repeated", n)
		}
	})
}

func TestAStoreThatTakesNoRecordOfATaskKeepsNoTask(t *testing.T) {
	pickyRig(t, func(stem.Result) error { return errNotThis }, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		fails := r.task("fails", func(context.Context, string) (string, error) { return "", stem.Permanent(errAway) })
		for range 100 {
			r.enqueue(hello, "")
			r.enqueue(fails, "")
		}
		stop := r.work(stem.WorkerConfig{Slots: 2})
		time.Sleep(time.Hour)
		if c := r.count("default"); c.Ready != 0 || c.Running != 0 || c.Dead != 200 {
			t.Errorf("got %+v, want all settled: a store that says no must not stop a worker", c)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestARefusalWhoseOutcomeIsUnknownIsNoRefusal(t *testing.T) {
	var refuse atomic.Bool
	refuse.Store(true)
	pickyRig(t, func(stem.Result) error {
		if refuse.Load() {
			return stem.ErrUnknownOutcome
		}
		return nil
	}, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		job := r.enqueue(hello, "Stem")
		r.work(stem.WorkerConfig{})
		time.Sleep(time.Hour)
		refuse.Store(false)
		if got, err := r.wait(job); got != "Hello Stem" || err != nil {
			t.Errorf("got %q, %v; want the result of the one run", got, err)
		}
		if n := len(eventsOf[stem.TaskStarted](r)); n != 1 {
			t.Errorf("got %d runs, want 1", n)
		}
	})
}

func TestAResultThatIsRefusedWithItsSettlementGivesWayToo(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		hello := r.task("hello", greet)
		refuse := func(ss []stem.Settlement) error {
			for i, s := range ss {
				if s.Result != nil && s.Result.Payload != nil {
					return &stem.PartialError{Items: []stem.ItemError{{Index: i, Err: errNotThis}}}
				}
			}
			return nil
		}
		f.bad.Store(&refuse)
		r.work(stem.WorkerConfig{})
		_, err := r.wait(r.enqueue(hello, ""))
		var failed *stem.TaskError
		if !errors.As(err, &failed) || failed.Failure.Kind != stem.FailureUnstored {
			t.Errorf("got %v, want a failure that says so", err)
		}
	})
}

func TestResultsAreKeptForADayOrAsTheTaskOrTheCallSays(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		daily := r.task("daily", greet)
		weekly := r.task("weekly", greet, stem.KeepResult(7*24*time.Hour))
		stop := r.work(stem.WorkerConfig{})
		jobs := map[time.Duration][]stem.Job[string]{
			24 * time.Hour:     {r.enqueue(daily, ""), r.enqueue(weekly, "", stem.KeepResult(24*time.Hour))},
			time.Hour:          {r.enqueue(daily, "", stem.KeepResult(time.Hour)), r.enqueue(weekly, "", stem.KeepResult(time.Hour))},
			7 * 24 * time.Hour: {r.enqueue(weekly, "")},
		}
		synctest.Wait()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for _, keep := range []time.Duration{time.Hour, 24 * time.Hour, 7 * 24 * time.Hour} {
			for _, job := range jobs[keep] {
				time.Sleep(time.Until(begin.Add(keep - time.Minute)))
				if _, err := r.wait(job); err != nil {
					t.Errorf("a minute before %v: got %v, want the result", keep, err)
				}
			}
			time.Sleep(2 * time.Minute)
			for _, job := range jobs[keep] {
				if _, err := r.wait(job); !errors.Is(err, stem.ErrResultExpired) {
					t.Errorf("a minute after %v: got %v, want ErrResultExpired", keep, err)
				}
			}
		}
		ignored := r.enqueue(daily, "", stem.IgnoreResult())
		if _, err := r.wait(ignored); !errors.Is(err, stem.ErrResultIgnored) {
			t.Errorf("ignored: got %v, want ErrResultIgnored", err)
		}
	})
}

func TestWaitTellsHowATaskEnded(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		fails := r.task("fails", func(context.Context, string) (string, error) { return "", stem.Permanent(errAway) })
		r.work(stem.WorkerConfig{})
		var failed *stem.TaskError
		if _, err := r.wait(r.enqueue(fails, "")); !errors.As(err, &failed) || failed.State != stem.StateFailed || errors.Is(err, stem.ErrCancelled) {
			t.Errorf("failed: got %v, want a TaskError that is not ErrCancelled", err)
		}
		late := r.enqueue(fails, "", stem.Delay(time.Hour), stem.ExpiresIn(time.Minute))
		if _, err := r.wait(late); !errors.As(err, &failed) || !errors.Is(err, stem.ErrCancelled) || failed.Failure.Kind != stem.FailureExpired {
			t.Errorf("cancelled: got %v, want ErrCancelled because it expired", err)
		}
	})
}

func TestAWaitTellsWhatKeepsTheTaskWaiting(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		program, hello := r.builtFor(firstBuild)
		_, newer := r.builtFor(secondBuild)
		other := stem.Define(stem.TaskSpec{Name: "other"}, text, text).Via(r.client)
		wants := func(job stem.Job[string], want string) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := job.Wait(ctx)
			if !errors.Is(err, stem.ErrNoResult) || !errors.Is(err, context.DeadlineExceeded) ||
				!strings.Contains(err.Error(), "("+job.ID()+") in queue default: ") || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("got %v, want ErrNoResult at the deadline that names id and queue and ends in %q", err, want)
			}
		}
		first := r.enqueue(hello, "")
		wants(first, ": tasks that are ready in the queue: 1, and none runs")
		if err := r.client.Pause(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
		wants(first, ": the queue is paused until Client.Resume")
		if err := r.client.Resume(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
		strange, tooNew := r.enqueue(other, ""), r.enqueue(newer, "")
		program.work(stem.WorkerConfig{})
		wants(strange, ": no worker of the queue has registered the task; such tasks that wait: 1")
		wants(tooNew, ": no worker of the queue was built for such args of the task; such tasks that wait: 1")
	})
}

func TestAWaitForAnOldIDSaysThatTheResultMayBeGone(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		job := r.enqueue(hello, "") // and no worker
		said := func() bool {
			_, err := r.wait(job) // for a day
			if !errors.Is(err, stem.ErrNoResult) || errors.Is(err, stem.ErrResultExpired) {
				t.Errorf("got %v, want ErrNoResult: the task may still be queued", err)
			}
			return strings.Contains(err.Error(), "may be no longer kept")
		}
		if said() {
			t.Error("after a day: got a hint, want none within the retention and an hour")
		}
		if !said() {
			t.Error("after two days: got no hint, want one")
		}
	})
}

// unsteady is a store that fails those who wait for a result, so many times.
type unsteady struct {
	*memory.Store
	fails atomic.Int32
}

func (u *unsteady) Await(ctx context.Context, id string) (stem.Result, error) {
	if u.fails.Add(-1) >= 0 {
		return stem.Result{}, errors.New("the server is restarted")
	}
	return u.Store.Await(ctx, id)
}

func TestAWaitSurvivesAStoreThatIsRestarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &unsteady{Store: new(memory.Store)}
		store.fails.Store(5)
		r := newRig(t, func(*memory.Store) stem.Broker { return store }, stem.ClientConfig{Backend: store})
		job := r.enqueue(r.task("demo.hello", func(_ context.Context, args string) (string, error) { return args, nil }), "Stem")
		stop := r.work(stem.WorkerConfig{})
		if got, err := r.wait(job); got != "Stem" || err != nil {
			t.Errorf("got %q, %v, want Stem", got, err)
		}
		if left := store.fails.Load(); left >= 0 {
			t.Errorf("the store has failed %d times fewer than it was to", left+1)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
