package stem_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// gate is a publisher whose round trips take as long as the test wants. It
// stands in for a store with a network in between, which memory has not.
type gate struct {
	stem.Broker
	open  chan error // one value lets one round trip through, with that error
	trips [][]string // ids of each
	ctx   context.Context
}

func (g *gate) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	var ids []string
	answers := make([]stem.Published, len(envs))
	for i, e := range envs {
		ids = append(ids, e.ID)
		answers[i].ID = e.ID
	}
	g.trips = append(g.trips, ids)
	g.ctx = ctx
	select {
	case err := <-g.open:
		return answers, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func newGate(t *testing.T, cfg stem.ClientConfig) (*gate, *stem.Client) {
	t.Helper()
	g := &gate{open: make(chan error)}
	client, err := stem.NewClient(g, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return g, client
}

func enqueueID(ctx context.Context, c *stem.Client, id string) error {
	job, err := c.EnqueueRaw(ctx, "task", nil, stem.WithID(id))
	if err == nil && job.ID() != id {
		return fmt.Errorf("got the answer for %s, want %s", job.ID(), id)
	}
	return err
}

func TestWhatArrivesDuringATripSharesTheNextOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, client := newGate(t, stem.ClientConfig{})
		callers := oneAfterTheOther(t, client, 8)
		g.open <- nil
		synctest.Wait()
		g.open <- nil
		callers.Wait()
		if got, want := fmt.Sprint(g.trips), "[[0] [1 2 3 4 5 6 7]]"; got != want {
			t.Errorf("got trips %v, want %v", got, want)
		}
	})
}

// The eighth who waits starts a second trip beside the first; there is no third; and whichever is over first takes along who waits then.
func TestASecondTripStartsWhenEightWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, client := newGate(t, stem.ClientConfig{})
		callers := oneAfterTheOther(t, client, 20)
		if got, want := fmt.Sprint(g.trips), "[[0] [1 2 3 4 5 6 7 8]]"; got != want {
			t.Errorf("got trips %v under way, want %v", got, want)
		}
		for range 3 {
			g.open <- nil
			synctest.Wait()
		}
		callers.Wait()
		if got, want := fmt.Sprint(g.trips[2:]), "[[9 10 11 12 13 14 15 16 17 18 19]]"; got != want {
			t.Errorf("got trips %v afterwards, want %v", got, want)
		}
		one := oneAfterTheOther(t, client, 1)
		g.open <- nil
		one.Wait() // the line is empty again
	})
}

// far is a store that takes a millisecond for each trip, and counts those under way.
type far struct {
	stem.Broker
	mu         sync.Mutex
	trips, top int
}

func (f *far) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	f.mu.Lock()
	f.trips++
	f.top = max(f.top, f.trips)
	f.mu.Unlock()
	time.Sleep(time.Millisecond)
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.trips--
	}()
	return f.Broker.Publish(ctx, envs...)
}

// Under two trips at a time every caller gets the answer for its own, whoever gives up meanwhile.
func TestManyCallersGetTheirOwnAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &far{Broker: new(memory.Store)}
		client, err := stem.NewClient(store, stem.ClientConfig{})
		if err != nil {
			t.Fatal(err)
		}
		var callers sync.WaitGroup
		for i := range 64 {
			callers.Go(func() {
				for j := range 50 {
					ctx, cancel := context.WithCancel(t.Context())
					if (i+j)%7 == 0 {
						time.AfterFunc(time.Duration(i)*50*time.Microsecond, cancel)
					}
					if err := enqueueID(ctx, client, fmt.Sprint(i, "-", j)); err != nil && !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					cancel()
				}
			})
		}
		callers.Wait()
		if store.top != 2 {
			t.Errorf("got %d trips at once, want two", store.top)
		}
	})
}

// oneAfterTheOther has so many callers enqueue, each when the one before has done so or waits.
func oneAfterTheOther(t *testing.T, client *stem.Client, n int) *sync.WaitGroup {
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() {
			if err := enqueueID(t.Context(), client, fmt.Sprint(i)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
	}
	return &callers
}

func TestAFailedTripFailsWhoeverWasOnIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, client := newGate(t, stem.ClientConfig{})
		away := errors.New("away")
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = enqueueID(t.Context(), client, fmt.Sprint(i)) })
			synctest.Wait()
		}
		g.open <- away
		synctest.Wait()
		g.open <- &stem.PartialError{Items: []stem.ItemError{{Index: 1, Err: away}}}
		wg.Wait()
		for i, want := range []error{away, nil, away, nil} {
			if !errors.Is(errs[i], want) {
				t.Errorf("envelope %d: got %v, want %v", i, errs[i], want)
			}
		}
	})
}

func TestACallerWhoGivesUpLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, client := newGate(t, stem.ClientConfig{})
		var wg sync.WaitGroup
		wg.Go(func() { _ = enqueueID(t.Context(), client, "first") })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		var err error
		wg.Go(func() { err = enqueueID(ctx, client, "gone") })
		synctest.Wait()
		wg.Go(func() { _ = enqueueID(t.Context(), client, "last") })
		synctest.Wait()
		cancel()
		synctest.Wait()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		g.open <- nil
		synctest.Wait()
		g.open <- nil
		wg.Wait()
		if got, want := fmt.Sprint(g.trips), "[[first] [last]]"; got != want {
			t.Errorf("got trips %v, want %v", got, want)
		}
	})
}

func TestACarrierWhoGivesUpBringsTheOthersHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, client := newGate(t, stem.ClientConfig{})
		var wg sync.WaitGroup
		wg.Go(func() { _ = enqueueID(t.Context(), client, "first") })
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() { _ = enqueueID(ctx, client, "carrier") })
		synctest.Wait()
		var err error
		wg.Go(func() { err = enqueueID(t.Context(), client, "passenger") })
		synctest.Wait()
		g.open <- nil
		synctest.Wait() // the second trip, with two envelopes, is under way
		cancel()
		synctest.Wait()
		if g.ctx.Err() != nil {
			t.Error("the trip ended with its carrier's context, want it to go on for the other")
		}
		g.open <- nil
		wg.Wait()
		if err != nil {
			t.Errorf("passenger: got %v, want nil", err)
		}
	})
}

func TestATripIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newGate(t, stem.ClientConfig{CallTimeout: time.Second})
		start := time.Now()
		err := enqueueID(t.Context(), client, "x")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("got %v after %v, want context.DeadlineExceeded after 1s", err, time.Since(start))
		}
	})
}

func TestALoneCallerMayCancelItsOwnTrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := newGate(t, stem.ClientConfig{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		start := time.Now()
		if err := enqueueID(ctx, client, "x"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Millisecond {
			t.Errorf("got %v after %v, want context.DeadlineExceeded after 1ms", err, time.Since(start))
		}
	})
}

func TestABrokerThatPanicsDoesNotBlockTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, err := stem.NewClient(&panicking{}, stem.ClientConfig{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			func() {
				defer func() {
					if recover() == nil {
						t.Error("got no panic, want the broker's")
					}
				}()
				_ = enqueueID(t.Context(), client, "x")
			}()
		}
	})
}

type panicking struct{ stem.Broker }

func (*panicking) Publish(context.Context, ...stem.Envelope) ([]stem.Published, error) { panic("oh") }

// locked is a store in which somebody's transaction has taken all unique keys and not ended.
type locked struct{ *memory.Store }

func (l locked) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	for i := range envs {
		if envs[i].Unique != nil {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	}
	return l.Store.Publish(ctx, envs...)
}

func TestNoOtherTaskWaitsForAUniqueKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, err := stem.NewClient(locked{new(memory.Store)}, stem.ClientConfig{})
		if err != nil {
			t.Fatal(err)
		}
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if _, err := client.EnqueueRaw(t.Context(), "task", nil, stem.Unique(stem.UntilDone)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the unique task: got %v, want %v", err, context.DeadlineExceeded)
			}
		})
		synctest.Wait()
		before := time.Now()
		if err := enqueueID(t.Context(), client, "plain"); err != nil {
			t.Error(err)
		}
		if _, err := client.Publish(t.Context(), stem.Envelope{ID: "published", Task: "task", Queue: "default"}); err != nil {
			t.Error(err)
		}
		if waited := time.Since(before); waited > 0 {
			t.Errorf("others waited for %v, want not at all", waited)
		}
		waiting.Wait()
	})
}
