package redis_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/stem"
)

// Producers, workers that know different tasks, workers that die, receives that are given up, pauses and revocations, all at
// once on several connections: each task is ended once, nothing stays, and no task waits beside a worker that waits
// for it: what wakes workers is never lost.
func TestACrowdEndsEachTaskOnceAndAtOnce(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	c := &crowd{table: newTable(t, ""), seed: seed, lots: make(map[string]*lot), idle: make(map[int]*idler), resumed: make(map[string]time.Time), until: time.Now().Add(crowdTime)}
	var producers, workers sync.WaitGroup
	for i := range 3 {
		producers.Go(func() { c.produce(i, c.peer()) })
	}
	producers.Go(c.pause)
	stop, end := context.WithCancel(t.Context())
	defer end()
	for i, tasks := range []string{"x", "y", "xz", "x", "yz", "z", "xy", "z"} {
		store := c.peer()
		workers.Go(func() { c.work(stop, i, tasks, store) })
	}
	producers.Wait()
	c.await(15 * time.Second)
	end()
	workers.Wait()
	c.check()
}

const (
	crowdTime = 4 * time.Second
	// crowdLease is that of the workers, and so how long the tasks of those that die lie.
	crowdLease = time.Second
	// mostIdleWait is how long a task may wait beside a worker that waits for it, on a machine that is busy. A
	// blocking read that is not woken lasts 10 s.
	mostIdleWait = 2 * time.Second
)

var crowdQueues = []string{tableQueue, "other"}

// crowd is the account of what happens.
type crowd struct {
	*table
	seed  uint64
	until time.Time

	mu      sync.Mutex
	lots    map[string]*lot
	idle    map[int]*idler
	resumed map[string]time.Time // zero while the queue is paused
	longest time.Duration
	worst   string
	lent    int
}

// lot is what becomes of a task.
type lot struct {
	task, queue string
	ends        int
	last        int64     // the number of its last delivery
	since       time.Time // when it became due; zero while nobody can tell
	how         string
}

// idler is a worker that waits.
type idler struct {
	tasks string
	since time.Time
}

func (c *crowd) produce(i int, store *redis.Store) {
	rng := rand.New(rand.NewPCG(c.seed, uint64(i)))
	for n := 0; time.Now().Before(c.until); n++ {
		envs := make([]stem.Envelope, 1+rng.IntN(4))
		for j := range envs {
			envs[j] = stem.Envelope{ID: fmt.Sprintf("%d-%d-%d", i, n, j), Task: string("xyz"[rng.IntN(3)]), Queue: crowdQueues[rng.IntN(2)]}
			if rng.IntN(5) == 0 {
				envs[j].Priority = rng.IntN(10)
			}
			if rng.IntN(3) == 0 {
				envs[j].Delay = time.Duration(1+rng.IntN(100)) * time.Millisecond
			}
			if rng.IntN(20) == 0 {
				envs[j].Visibility = 1500 * time.Millisecond
			}
		}
		c.mu.Lock()
		for j := range envs {
			c.lots[envs[j].ID] = &lot{task: envs[j].Task, queue: envs[j].Queue}
		}
		c.mu.Unlock()
		if _, err := store.Publish(context.Background(), envs...); err != nil {
			c.t.Error(err)
			return
		}
		for j := range envs {
			c.due(envs[j].ID, 0, envs[j].Delay, "published")
		}
		if rng.IntN(10) == 0 {
			if err := store.Revoke(context.Background(), stem.Revocation{Queue: envs[0].Queue, ID: envs[0].ID, For: time.Minute}); err != nil {
				c.t.Error(err)
			}
		}
		time.Sleep(time.Duration(rng.ExpFloat64() * float64(15*time.Millisecond)))
	}
}

// due notes that a task is due after a delay, since it was published or a delivery ended, unless somebody has it again.
func (c *crowd) due(id string, number int64, delay time.Duration, how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.lots[id]; l.last == number {
		l.since, l.how = time.Now().Add(delay), how
	}
}

func (c *crowd) pause() {
	rng := rand.New(rand.NewPCG(c.seed, 100))
	for time.Now().Before(c.until) {
		time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
		for _, paused := range []bool{true, false} {
			c.mu.Lock()
			c.resumed[tableQueue] = time.Time{}
			c.mu.Unlock()
			if err := c.PauseQueue(context.Background(), tableQueue, paused); err != nil {
				c.t.Error(err)
			}
			if paused {
				time.Sleep(time.Duration(rng.IntN(100)) * time.Millisecond)
			}
		}
		c.mu.Lock()
		c.resumed[tableQueue] = time.Now()
		c.mu.Unlock()
	}
}

// work is one worker after the other in one place: now and then one dies.
func (c *crowd) work(stop context.Context, place int, tasks string, store *redis.Store) {
	rng := rand.New(rand.NewPCG(c.seed, uint64(1000+place)))
	specs := make([]stem.TaskSpec, len(tasks))
	for i := range specs {
		specs[i].Name = tasks[i : i+1]
	}
	known := stem.NewTaskSet(specs...)
	for life := 0; stop.Err() == nil; life++ {
		session := stem.Session{ID: fmt.Sprintf("worker-%d-%d", place, life), Lease: crowdLease}
		alive, die := context.WithCancel(context.WithoutCancel(stop))
		var heart sync.WaitGroup
		heart.Go(func() { c.beat(alive, store, session) })
		for stop.Err() == nil {
			queues := slices.Clone(crowdQueues)
			rng.Shuffle(2, func(i, j int) { queues[i], queues[j] = queues[j], queues[i] })
			ds := c.receiveAs(stop, rng, place, tasks, store, stem.ReceiveRequest{Session: session, Queues: queues, Tasks: known, Max: 1 + rng.IntN(5)})
			if len(ds) > 0 && rng.IntN(60) == 0 && time.Now().Before(c.until) {
				break // it dies with them
			}
			time.Sleep(time.Duration(rng.IntN(3)) * time.Millisecond)
			c.settle(rng, store, ds)
		}
		die()
		heart.Wait()
	}
}

func (c *crowd) beat(alive context.Context, store *redis.Store, s stem.Session) {
	tick := time.NewTicker(s.Lease / 4)
	defer tick.Stop()
	for {
		select {
		case <-alive.Done():
			return
		case <-tick.C:
			if _, err := store.Extend(context.Background(), s); err != nil {
				c.t.Error(err)
			}
		}
	}
}

// receiveAs receives, and often gives up early.
func (c *crowd) receiveAs(stop context.Context, rng *rand.Rand, place int, tasks string, store *redis.Store, req stem.ReceiveRequest) []stem.Delivery {
	patience := 20 * time.Second
	if rng.IntN(4) == 0 {
		patience = time.Duration(rng.IntN(50)) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(stop, patience)
	defer cancel()
	c.mu.Lock()
	c.idle[place] = &idler{tasks, time.Now()}
	c.mu.Unlock()
	ds, err := store.Receive(ctx, req)
	if err != nil && ctx.Err() == nil {
		c.t.Errorf("receive: %v", err)
	}
	c.taken(place, ds)
	return ds
}

// taken notes how long tasks have waited beside workers that waited for them.
func (c *crowd) taken(place int, ds []stem.Delivery) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for _, d := range ds {
		l := c.lots[d.ID]
		l.last = max(l.last, d.Number)
		c.lent++
		resumed, pauses := c.resumed[d.Queue]
		if l.since.IsZero() || pauses && resumed.IsZero() {
			l.since = time.Time{}
			continue
		}
		for other, i := range c.idle {
			if !slices.Contains([]byte(i.tasks), d.Task[0]) {
				continue
			}
			since := slices.MaxFunc([]time.Time{l.since, i.since, resumed}, time.Time.Compare)
			if waited := now.Sub(since); waited > c.longest {
				c.longest = waited
				c.worst = fmt.Sprintf("%s of queue %s, priority %d, %s: beside worker %d, lent to %d", d.Task, d.Queue, d.Priority, l.how, other, place)
			}
		}
		l.since = time.Time{}
	}
	delete(c.idle, place)
}

// settle ends deliveries one way or another.
func (c *crowd) settle(rng *rand.Rand, store *redis.Store, ds []stem.Delivery) {
	ss := make([]stem.Settlement, len(ds))
	for i, d := range ds {
		ss[i] = stem.Settlement{Delivery: d, Verdict: stem.VerdictAck}
		switch n := rng.IntN(20); {
		case n < 3:
			ss[i].Verdict = stem.VerdictRelease
		case n < 5:
			ss[i].Verdict = stem.VerdictRetry
		case n < 6:
			ss[i].Verdict = stem.VerdictSnooze
		case n < 7:
			ss[i].Verdict = stem.VerdictDeadLetter
		}
		if ss[i].Verdict != stem.VerdictAck && rng.IntN(2) == 0 {
			ss[i].Delay = time.Duration(1+rng.IntN(60)) * time.Millisecond
		}
	}
	err := store.Settle(context.Background(), ss...)
	for i, s := range ss {
		itemErr := stem.ItemErr(err, i)
		switch {
		case errors.Is(itemErr, stem.ErrLeaseLost):
		case itemErr != nil:
			c.t.Errorf("settle: %v", itemErr)
		case s.Verdict == stem.VerdictAck, s.Verdict == stem.VerdictDeadLetter:
			c.mu.Lock()
			c.lots[s.Delivery.ID].ends++
			c.mu.Unlock()
		default:
			c.due(s.Delivery.ID, s.Delivery.Number, s.Delay, s.Verdict.String())
		}
	}
}

// await waits until all tasks have ended.
func (c *crowd) await(most time.Duration) {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if c.open() == 0 {
			return
		}
	}
}

func (c *crowd) open() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lots {
		if l.ends == 0 {
			n++
		}
	}
	return n
}

func (c *crowd) check() {
	twice := 0
	for _, l := range c.lots {
		if l.ends > 1 {
			twice++
		}
	}
	c.t.Logf("%d tasks, %d deliveries; the longest wait beside an idle worker: %v: %s", len(c.lots), c.lent, c.longest, c.worst)
	if open := c.open(); open > 0 || twice > 0 || len(c.lots) < 100 {
		c.t.Errorf("got %d tasks, of which %d did not end and %d ended twice", len(c.lots), open, twice)
	}
	if c.longest > mostIdleWait {
		c.t.Errorf("a task waited %v beside an idle worker: %s", c.longest, c.worst)
	}
	for _, queue := range crowdQueues {
		counts, err := c.CountQueue(context.Background(), queue)
		if err != nil || counts.Ready+counts.Delayed+counts.Running+len(counts.Unknown) > 0 {
			c.t.Errorf("got %+v, %v on queue %s, want nothing left", counts, err, queue)
		}
	}
}
