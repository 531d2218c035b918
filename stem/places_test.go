package stem_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// throng counts how many of a handler run at once.
type throng struct {
	mu              sync.Mutex
	now, most, done int
}

// handler works for so long.
func (c *throng) handler(d time.Duration) func(context.Context, string) (string, error) {
	return func(ctx context.Context, args string) (string, error) {
		c.mu.Lock()
		c.now++
		c.most = max(c.most, c.now)
		c.mu.Unlock()
		defer func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.now--
			c.done++
		}()
		select {
		case <-time.After(d):
			return args, nil
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func (c *throng) expect(t *testing.T, done, most int) {
	t.Helper()
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done != done || c.most != most {
		t.Errorf("got %d runs and at most %d at once, want %d and %d", c.done, c.most, done, most)
	}
}

// asked counts what is asked of a store.
type asked struct {
	*memory.Store
	mu              sync.Mutex
	receives, holds int
}

func (a *asked) Unwrap() stem.Broker { return a.Store }

func (a *asked) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	a.mu.Lock()
	a.receives++
	a.mu.Unlock()
	return a.Store.Receive(ctx, req)
}

// counts gives how often each was asked for by now.
func (a *asked) counts() (receives, holds int) {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.receives, a.holds
}

func (a *asked) HoldPlaces(ctx context.Context, s stem.Session, holds ...stem.Hold) ([]stem.Held, error) {
	a.mu.Lock()
	a.holds++
	a.mu.Unlock()
	return a.Store.HoldPlaces(ctx, s, holds...)
}

func TestAConcurrencyIsKeptByAllWorkersTogether(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var c throng
		def := r.task("work", c.handler(time.Second), stem.Concurrency(5))
		for range 100 {
			r.enqueue(def, "")
		}
		for range 4 {
			r.work(stem.WorkerConfig{Slots: 10, Limiter: r.limits(limit.Config{})})
		}
		// Twenty rounds of five; a worker asks for what another has given back within a second, so a place may
		// be empty for as long as that now and then.
		time.Sleep(40 * time.Second)
		c.expect(t, 100, 5)
		if n := len(eventsOf[stem.TaskSnoozed](r)); n != 0 {
			t.Errorf("got %d snoozes, want none: nobody guesses when a place is free", n)
		}
	})
}

// One worker alone that is at the limit goes on without a pause, and asks its broker no more often than runs end.
func TestAPlaceIsTakenAgainAtOnce(t *testing.T) {
	var store *asked
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(m *memory.Store) stem.Broker { store = &asked{Store: m}; return store }, stem.ClientConfig{})
		var c throng
		def := r.task("work", c.handler(100*time.Millisecond), stem.Concurrency(2))
		for range 200 {
			r.enqueue(def, "")
		}
		limits, err := limit.New(store, limit.Config{WhenStoreFails: limit.FailClosed})
		if err != nil {
			t.Fatal(err)
		}
		r.work(stem.WorkerConfig{Slots: 10, Limiter: limits})
		time.Sleep(10*time.Second + 10*time.Millisecond)
		c.expect(t, 200, 2)
		if receives, holds := store.counts(); receives > 300 || holds > 60 {
			t.Errorf("got %d receives and %d holds in ten seconds, want hardly more receives than runs and a few holds a second", receives, holds)
		}
		if n := len(eventsOf[stem.TaskReleased](r)); n > 20 {
			t.Errorf("got %d releases, want that what has no place is not received", n)
		}
	})
}

func TestATaskAtItsLimitHoldsUpNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var limited, plain throng
		def, other := r.task("limited", limited.handler(time.Hour), stem.Concurrency(2)), r.task("plain", plain.handler(0))
		for range 1000 {
			r.enqueue(def, "", stem.Priority(9))
		}
		for range 10 {
			r.enqueue(other, "")
		}
		r.work(stem.WorkerConfig{Slots: 3, Limiter: r.limits(limit.Config{})})
		time.Sleep(time.Second)
		plain.expect(t, 10, 1)
		limited.expect(t, 0, 2)
	})
}

// Workers that wait for a place cost the store little, and find one when it is given back.
func TestAWorkerFindsThePlaceThatAnotherGivesBack(t *testing.T) {
	var store *asked
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(m *memory.Store) stem.Broker { store = &asked{Store: m}; return store }, stem.ClientConfig{})
		var c throng
		def := r.task("work", c.handler(time.Minute), stem.Concurrency(1))
		limits, err := limit.New(store, limit.Config{WhenStoreFails: limit.FailClosed})
		if err != nil {
			t.Fatal(err)
		}
		first := r.enqueue(def, "")
		stop := r.work(stem.WorkerConfig{Name: "first", Limiter: limits})
		synctest.Wait()
		r.work(stem.WorkerConfig{Name: "second", Limiter: limits})
		time.Sleep(30 * time.Second)
		second := r.enqueue(def, "")
		time.Sleep(29 * time.Second)
		if receives, holds := store.counts(); receives > 30 || holds > 120 {
			t.Errorf("got %d receives and %d holds in a minute of waiting, want a few", receives, holds)
		}
		go func() { _ = stop() }() // it finishes its run, and takes no other
		began := time.Now()
		if _, err := r.wait(first); err != nil {
			t.Fatal(err)
		}
		ended := time.Since(began)
		if _, err := r.wait(second); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began) - ended; took > time.Minute+2*time.Second {
			t.Errorf("the second run took %v after the first, want a minute and up to two seconds to find the place", took)
		}
		if worker := r.status(second).Worker; worker != "second" {
			t.Errorf("got a run by %s, want it by the second", worker)
		}
		c.expect(t, 2, 1)
	})
}

// The places of a worker that dies are free when its lease has lapsed, as its tasks are.
func TestACrashFreesPlaces(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var c throng
		def := r.task("work", c.handler(time.Second), stem.Concurrency(2))
		dead := stem.Session{ID: "dead", Lease: 15 * time.Second}
		if _, err := r.store.HoldPlaces(t.Context(), dead, stem.Hold{Task: "work", Limit: 2, N: 2}); err != nil {
			t.Fatal(err)
		}
		job := r.enqueue(def, "")
		r.work(stem.WorkerConfig{Limiter: r.limits(limit.Config{})})
		time.Sleep(14 * time.Second)
		c.expect(t, 0, 0)
		time.Sleep(4 * time.Second)
		c.expect(t, 1, 1)
		if record := r.status(job); record.Attempt != 1 || record.Releases > 1 {
			t.Errorf("got attempt %d and %d releases, want 1 and at most one", record.Attempt, record.Releases)
		}
	})
}

// Places are renewed for as long as runs last.
func TestALongRunKeepsItsPlace(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var c throng
		def := r.task("work", c.handler(time.Hour), stem.Concurrency(1))
		r.enqueue(def, "")
		r.enqueue(def, "")
		for range 2 {
			r.work(stem.WorkerConfig{Lease: 2 * time.Second, Limiter: r.limits(limit.Config{})})
		}
		time.Sleep(90 * time.Minute)
		c.expect(t, 1, 1)
		time.Sleep(time.Hour)
		c.expect(t, 2, 1)
	})
}

// What a worker does not use it gives back within a second.
func TestUnusedPlacesAreGivenBack(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var c throng
		def := r.task("work", c.handler(time.Second), stem.Concurrency(3))
		for range 3 {
			r.enqueue(def, "")
		}
		stop := r.work(stem.WorkerConfig{Limiter: r.limits(limit.Config{})})
		free := func() int {
			held, err := r.store.HoldPlaces(t.Context(), stem.Session{ID: "looks", Lease: time.Second}, stem.Hold{Task: "work", Limit: 3})
			if err != nil {
				t.Fatal(err)
			}
			return held[0].Free
		}
		time.Sleep(500 * time.Millisecond)
		if n := free(); n != 0 {
			t.Errorf("got %d free places while all run, want none", n)
		}
		time.Sleep(3 * time.Second)
		if n := free(); n != 3 {
			t.Errorf("got %d free places, want all three", n)
		}
		r.enqueue(def, "")
		synctest.Wait()
		if n := free(); n != 2 {
			t.Errorf("got %d free places while one runs, want two", n)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if n := free(); n != 3 {
			t.Errorf("got %d free places when the worker has stopped, want all three at once", n)
		}
	})
}

// A worker of few slots does not hold places for what waits in its hand while others could run it.
func TestPlacesAreNotHeldAheadOfTheSlots(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var c throng
		def := r.task("work", c.handler(10*time.Second), stem.Concurrency(4))
		for range 40 {
			r.enqueue(def, "")
		}
		for range 4 {
			r.work(stem.WorkerConfig{Slots: 1, Prefetch: 4, Limiter: r.limits(limit.Config{})})
		}
		time.Sleep(2 * time.Minute)
		c.expect(t, 40, 4)
	})
}

// A task with both limits keeps to both.
func TestATaskHasARateAndAConcurrency(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var c throng
		def := r.task("work", c.handler(10*time.Second), stem.Concurrency(2), stem.RateLimit(1, time.Second))
		for range 10 {
			r.enqueue(def, "")
		}
		for range 3 {
			r.work(stem.WorkerConfig{Slots: 5, Limiter: r.limits(limit.Config{})})
		}
		time.Sleep(90 * time.Second)
		c.expect(t, 10, 2)
	})
}

// Who waits for a task at its limit is not told that nobody knows it.
func TestAWaitTellsOfALimit(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var c throng
		def := r.task("work", c.handler(time.Hour), stem.Concurrency(1))
		r.enqueue(def, "")
		r.work(stem.WorkerConfig{Limiter: r.limits(limit.Config{})})
		synctest.Wait()
		job := r.enqueue(def, "")
		time.Sleep(10 * time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := job.Wait(ctx)
		if want := ": the task is at its limit of 1 runs at once, or"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
		for _, stalled := range eventsOf[stem.QueueStalled](r) {
			if stalled.Unknown > 0 {
				t.Errorf("got %+v, want no word of tasks that the worker knows", stalled)
			}
		}
	})
}
