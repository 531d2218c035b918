//go:build unix

package faultsite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
)

// race is workers that lose their leases at random, because the clock jumps, and settle nevertheless, some of them much later.
type race struct {
	t       *testing.T
	advance func(time.Duration)

	mu       sync.Mutex
	accepted map[string][]int64 // delivery numbers whose ack the store has accepted
	refused  int
}

// Racer is a store on which workers race.
type Racer interface {
	Store
	stem.SavingSettler
}

// Race has 20,000 tasks taken by workers from each other at random, and settled also by those who have lost them: none is settled
// twice, each result is of the delivery that was settled, and nothing is left. Each worker has a store of its own, which open
// opens, and advance moves the clock of all of them.
func Race(t *testing.T, open func() Racer, advance func(time.Duration)) {
	const tasks, workers = 20_000, 6
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := &race{t: t, advance: advance, accepted: make(map[string][]int64)}
	store := open()
	ids := make([]string, tasks)
	for i := range ids {
		ids[i] = fmt.Sprint("task-", i)
	}
	for i := 0; i < tasks; i += 1000 {
		envs := make([]stem.Envelope, 1000)
		for j := range envs {
			envs[j] = stem.Envelope{ID: ids[i+j], Task: "demo.hello", Queue: stem.DefaultQueue}
		}
		if _, err := store.Publish(t.Context(), envs...); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for i := range workers {
		own := open()
		all.Go(func() { c.work(ctx, own, i, rand.New(rand.NewPCG(seed, uint64(i))), tasks) })
	}
	all.Wait()
	t.Logf("%d settlements were refused", c.refused)
	if c.refused < tasks/20 {
		t.Errorf("%d settlements were refused, want some for each twentieth task: otherwise nobody raced", c.refused)
	}
	c.check(store, ids)
}

// work receives and settles until all tasks are settled. A fifth of what it gets it keeps, and settles some rounds later.
func (c *race) work(ctx context.Context, store Racer, i int, random *rand.Rand, tasks int) {
	session := stem.Session{ID: fmt.Sprint("worker-", i), Lease: 15 * time.Second}
	var kept [][]stem.Delivery
	for ctx.Err() == nil && c.done() < tasks {
		until, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		ds, err := store.Receive(until, stem.ReceiveRequest{Session: session, Queues: []string{stem.DefaultQueue}, Max: 1 + random.IntN(100)})
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			c.t.Error(err)
			return
		}
		if random.IntN(8) == 0 || len(ds) == 0 {
			c.advance(session.Lease) // nobody has a lease now
		}
		if kept = append(kept, ds); random.IntN(5) > 0 {
			c.settle(store, ds)
			kept = kept[:len(kept)-1]
		}
		if len(kept) > 3 {
			c.settle(store, kept[0])
			kept = kept[1:]
		}
	}
	for _, ds := range kept {
		c.settle(store, ds)
	}
}

func (c *race) done() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.accepted)
}

// settle acknowledges deliveries, with results that say whose they are, until the store has an answer for each: while somebody holds a
// task's row it has none.
func (c *race) settle(store Racer, ds []stem.Delivery) {
	for len(ds) > 0 {
		ss := make([]stem.Settlement, len(ds))
		for i, d := range ds {
			ss[i] = stem.Settlement{Delivery: d, Verdict: stem.VerdictAck, Result: &stem.Result{
				ID: d.ID, Task: d.Task, State: stem.StateSucceeded, Delivery: d.Number, Keep: time.Hour,
				Payload: []byte(strconv.FormatInt(d.Number, 10)),
			}}
		}
		ds = c.note(ds, store.SaveAndSettle(context.Background(), ss...))
	}
}

// note notes answers, and gives the deliveries for which there is none yet.
func (c *race) note(ds []stem.Delivery, err error) (again []stem.Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, d := range ds {
		switch err := stem.ItemErr(err, i); {
		case err == nil:
			c.accepted[d.ID] = append(c.accepted[d.ID], d.Number)
		case errors.Is(err, stem.ErrLeaseLost):
			c.refused++
		case errors.Is(err, stem.ErrTransactionOpen):
			again = append(again, d)
		default:
			c.t.Error(err)
		}
	}
	return again
}

func (c *race) check(store Racer, ids []string) {
	c.t.Helper()
	results, err := store.Load(c.t.Context(), ids...)
	if err != nil {
		c.t.Fatal(err)
	}
	twice, wrong := 0, 0
	for i, id := range ids {
		if len(c.accepted[id]) != 1 {
			twice++
		} else if number := c.accepted[id][0]; results[i].Delivery != number || string(results[i].Payload) != strconv.FormatInt(number, 10) {
			wrong++
		}
	}
	counts, err := store.CountQueue(c.t.Context(), stem.DefaultQueue)
	if left := counts.Ready + counts.Running + counts.Delayed; err != nil || twice > 0 || wrong > 0 || left > 0 {
		c.t.Errorf("got %d not settled once, %d wrong results, %d left, %v, want none", twice, wrong, left, err)
	}
}
