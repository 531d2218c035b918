package redis_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// race is workers that lose their leases at random, because the clock jumps, and settle nevertheless, some of them much later.
type race struct {
	t     *testing.T
	clock *redis.Clock

	mu       sync.Mutex
	accepted map[string][]int64 // delivery numbers whose ack the store has accepted
	refused  int
}

// 20,000 tasks are taken from each other at random, and settled also by those who have lost them: none is settled twice, each
// result is of the delivery that was settled, and nothing is left.
func TestWhoeverLosesARaceSettlesNothing(t *testing.T) {
	const tasks, workers = 20_000, 6
	server := testredis.Start(t, testredis.Config{})
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := &race{t: t, clock: redis.NewClock(), accepted: make(map[string][]int64)}
	store := c.open(server.URL())
	ids := make([]string, tasks)
	for i := range ids {
		ids[i] = fmt.Sprint("task-", i)
	}
	for i := 0; i < tasks; i += 1000 {
		envs := make([]stem.Envelope, 1000)
		for j := range envs {
			envs[j] = stem.Envelope{ID: ids[i+j], Task: "demo.hello", Queue: "default"}
		}
		if _, err := store.Publish(t.Context(), envs...); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var all sync.WaitGroup
	for i := range workers {
		own := c.open(server.URL())
		all.Go(func() { c.work(ctx, own, i, rand.New(rand.NewPCG(seed, uint64(i))), tasks) })
	}
	all.Wait()
	t.Logf("%d settlements were refused", c.refused)
	if c.refused < tasks/20 {
		t.Errorf("%d settlements were refused, want some for each twentieth task: otherwise nobody raced", c.refused)
	}
	c.check(store, ids)
}

func (c *race) open(url string) *redis.Store {
	store, err := redis.Open(c.t.Context(), url, redis.Config{})
	if err != nil {
		c.t.Fatal(err)
	}
	c.clock.Set(store)
	c.t.Cleanup(func() { _ = store.Close() })
	return store
}

// work receives and settles until all tasks are settled. A fifth of what it gets it keeps, and settles some rounds later.
func (c *race) work(ctx context.Context, store *redis.Store, i int, random *rand.Rand, tasks int) {
	session := stem.Session{ID: fmt.Sprint("worker-", i), Lease: 15 * time.Second}
	var kept [][]stem.Delivery
	for ctx.Err() == nil && c.done() < tasks {
		until, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		ds, err := store.Receive(until, stem.ReceiveRequest{Session: session, Queues: []string{"default"}, Max: 1 + random.IntN(100)})
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			c.t.Error(err)
			return
		}
		if random.IntN(8) == 0 || len(ds) == 0 {
			c.clock.Advance(session.Lease) // nobody has a lease now
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

// settle acknowledges deliveries, with results that say whose they are.
func (c *race) settle(store *redis.Store, ds []stem.Delivery) {
	if len(ds) == 0 {
		return
	}
	ss := make([]stem.Settlement, len(ds))
	for i, d := range ds {
		ss[i] = stem.Settlement{Delivery: d, Verdict: stem.VerdictAck, Result: &stem.Result{
			ID: d.ID, Task: d.Task, State: stem.StateSucceeded, Delivery: d.Number, Keep: time.Hour,
			Payload: []byte(strconv.FormatInt(d.Number, 10)),
		}}
	}
	err := store.SaveAndSettle(context.Background(), ss...)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, d := range ds {
		switch err := stem.ItemErr(err, i); {
		case err == nil:
			c.accepted[d.ID] = append(c.accepted[d.ID], d.Number)
		case errors.Is(err, stem.ErrLeaseLost):
			c.refused++
		default:
			c.t.Error(err)
		}
	}
}

func (c *race) check(store *redis.Store, ids []string) {
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
	counts, err := store.CountQueue(c.t.Context(), "default")
	if left := counts.Ready + counts.Running + counts.Delayed; err != nil || twice > 0 || wrong > 0 || left > 0 {
		c.t.Errorf("got %d not settled once, %d wrong results, %d left, %v, want none", twice, wrong, left, err)
	}
}
