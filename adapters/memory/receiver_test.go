package memory_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

func tasks(prefix string, n int) []stem.Envelope {
	envs := make([]stem.Envelope, n)
	for i := range envs {
		envs[i] = task(fmt.Sprintf("%s-%d", prefix, i))
	}
	return envs
}

func TestAsManyReceiversAreWokenAsThereIsWorkFor(t *testing.T) {
	for name, c := range map[string]struct{ publish, most, want int }{
		"one of many for one":           {publish: 1, most: 10, want: 1},
		"one for what one may take":     {publish: 10, most: 10, want: 1},
		"two for more than one takes":   {publish: 11, most: 10, want: 2},
		"each for one of many":          {publish: 7, most: 1, want: 7},
		"all where there is too much":   {publish: 1000, most: 3, want: 50},
		"nobody where there is nothing": {publish: 0, most: 3, want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			experiment(t, func(l lab) {
				ctx, cancel := context.WithCancel(l.ctx())
				defer cancel()
				for i := range 50 {
					l.receiving(ctx, request(fmt.Sprint(i), c.most))
				}
				if got := l.WakenBy(tasks("a", c.publish)...); got != c.want {
					t.Errorf("woken: got %d receivers, want %d", got, c.want)
				}
			})
		})
	}
}

func TestNobodyIsWokenForWhatHeDoesNotKnow(t *testing.T) {
	experiment(t, func(l lab) {
		ctx, cancel := context.WithCancel(l.ctx())
		defer cancel()
		req := request("s", 10)
		req.Tasks = knowing("another")
		l.receiving(ctx, req)
		other := request("t", 10)
		other.Queues = []string{"other"}
		l.receiving(ctx, other)
		if got := l.WakenBy(tasks("a", 10)...); got != 0 {
			t.Errorf("woken: got %d receivers, want 0", got)
		}
	})
}

func TestNoTimerIsLeftBehind(t *testing.T) {
	experiment(t, func(l lab) {
		later := task("later")
		later.Delay = 24 * time.Hour
		l.publish(later)
		ctx, cancel := context.WithCancel(l.ctx())
		for i := range 3 {
			l.receiving(ctx, request(fmt.Sprint(i), 1))
		}
		l.remembers(map[string]int{"alarms": 1, "queues": 1, "receivers": 3, "delayed": 1, "sessions": 3, "lapses": 3, "watched": 1})
		cancel()
		synctest.Wait()
		time.Sleep(time.Hour)
		l.receive(request("s", 1))
		l.remembers(map[string]int{"queues": 1, "delayed": 1, "sessions": 1, "lapses": 1})
	})
}

func TestALapsedSessionThatWaitsIsRobbedByOthersAndNotByItself(t *testing.T) {
	experiment(t, func(l lab) {
		ctx, cancel := context.WithCancel(l.ctx())
		l.publish(task("a"))
		d := l.one("dead")
		own, too := l.receiving(ctx, request("dead", 1)), l.receiving(ctx, request("dead", 1))
		time.Sleep(time.Hour)
		if len(own)+len(too) > 0 {
			t.Errorf("the session that lapsed: got its own delivery again, want it to wait")
		}
		other := l.receive(request("live", 1))
		if ids(other) != "a" || other[0].Interruptions != 1 {
			t.Errorf("another session: got %v, want the delivery and one interruption", other)
		}
		cancel()
		if ds := append(<-own, <-too...); len(ds) > 0 {
			t.Errorf("the session that lapsed: got %v, want nothing", ids(ds))
		}
		if err := l.Settle(l.ctx(), settlement(d, stem.VerdictAck)); err == nil {
			t.Errorf("settle by the session that lapsed: got no error, want %v", stem.ErrLeaseLost)
		}
	})
}

func TestALapseWakesThoseWhoMayTakeOver(t *testing.T) {
	experiment(t, func(l lab) {
		l.publish(task("a"))
		l.one("dead")
		own, other := l.wait(request("dead", 1)), l.wait(request("live", 1)) // own has waited longest
		time.Sleep(time.Minute)
		synctest.Wait()
		if own.Woken() || !other.Woken() {
			t.Errorf("woken: got the session that lapsed, or not the other, want only the other")
		}
	})
}

func TestALapsedSessionIsOfferedWhatStandsBehindItsOwn(t *testing.T) {
	experiment(t, func(l lab) {
		l.publish(task("a"))
		l.one("dead")
		other, own := l.wait(request("live", 5)), l.wait(request("dead", 5))
		time.Sleep(time.Minute)
		synctest.Wait()
		l.publish(task("b")) // a and b are promised to the other
		l.giveUp(request("live", 5), other)
		if !own.Woken() {
			t.Errorf("the session that lapsed: got no wake-up for b, want one")
		}
	})
}

func TestWhatStandsBehindItsOwnLossesReachesALapsedSession(t *testing.T) {
	experiment(t, func(l lab) {
		l.publish(tasks("a", 2)...)
		l.receive(request("s", 2))
		waiting := l.receiving(l.ctx(), request("s", 5))
		time.Sleep(time.Hour)
		l.publish(task("b"))
		if got := ids(<-waiting); got != "b" {
			t.Errorf("received: got %q, want b", got)
		}
		if got := l.receive(request("t", 5)); len(got) > 0 { // the session is open again
			t.Errorf("received by another: got %q, want nothing", ids(got))
		}
	})
}

// wait lets a receiver wait, and gives it to have its turns from the test.
func (l lab) wait(req stem.ReceiveRequest) *memory.Receiver {
	l.Helper()
	ds, r, err := l.Turn(l.ctx(), req, nil)
	if r == nil {
		l.Fatalf("receive: got %q and error %v, want it to wait", ids(ds), err)
	}
	return r
}

// giveUp ends the wait of a receiver.
func (l lab) giveUp(req stem.ReceiveRequest, r *memory.Receiver) {
	ctx, cancel := context.WithCancel(l.ctx())
	cancel()
	_, _, _ = l.Turn(ctx, req, r)
}

func TestWhatWasPromisedAndThenSetAsidePasses(t *testing.T) {
	experiment(t, func(l lab) {
		req := request("s", 5)
		first, second := l.wait(req), l.wait(req)
		l.publish(task("a")) // is promised to the first
		ignorant := request("t", 5)
		ignorant.Tasks = knowing("another")
		l.wait(ignorant) // sets it aside
		l.giveUp(req, first)
		if !second.Woken() {
			t.Errorf("the second: got no wake-up, want one")
		}
	})
}

// One that does not know the task may come after the delay has ended and
// before the alarm has rung.
func TestWhatRipensForNobodyIsCalledOut(t *testing.T) {
	for range 20 { // of two timers of one instant either may be the first
		experiment(t, func(l lab) {
			later := task("later")
			later.Delay = time.Second
			l.publish(later)
			ignorant := request("t", 5)
			ignorant.Tasks = knowing("another")
			waiting := l.receiving(l.ctx(), request("s", 5))
			time.Sleep(time.Second)
			l.wait(ignorant)
			if got := ids(<-waiting); got != "later" {
				t.Errorf("received: got %q, want later", got)
			}
		})
	}
}

// A million may come due together, of a task that nobody here knows.
func TestOneTurnMovesABoundedPartOfAStorm(t *testing.T) {
	experiment(t, func(l lab) {
		envs := tasks("a", 5000)
		for i := range envs {
			envs[i].Delay = time.Second
		}
		l.publish(envs...)
		time.Sleep(time.Second)
		ignorant := request("t", 5000)
		ignorant.Tasks = knowing("another")
		if got := l.Moved(ignorant); got < 1 || got > 1024 {
			t.Errorf("moved: got %d, want 1 to 1024", got)
		}
		l.wait(ignorant)
		synctest.Wait() // the alarm goes on by itself
		if got := l.Footprint()["due"]; got != 5000 {
			t.Errorf("moved in the end: got %d, want 5000", got)
		}
	})
}

func TestAPromiseThatIsNotKeptPasses(t *testing.T) {
	experiment(t, func(l lab) {
		ctx, cancel := context.WithCancel(l.ctx())
		first := l.receiving(ctx, request("first", 1))
		second := l.receiving(l.ctx(), request("second", 1))
		if got := l.WakenBy(task("a")); got != 1 {
			t.Fatalf("woken: got %d receivers, want 1", got)
		}
		cancel() // before it has had its turn, or after: either way somebody takes it
		ds := <-first
		if len(ds) == 0 {
			ds = <-second
		} else {
			l.publish(task("b"))
			<-second
		}
		if got := ids(ds); got != "a" {
			t.Errorf("received: got %q, want a", got)
		}
	})
}

// A storm is what many delayed envelopes make that come due together.
func TestAStormIsReceivedByPriority(t *testing.T) {
	experiment(t, func(l lab) {
		const each = 3000
		for priority := range 3 {
			envs := tasks(fmt.Sprint(priority), each)
			for i := range envs {
				envs[i].Priority, envs[i].Delay = priority, time.Hour
			}
			l.publish(envs...)
		}
		noise := tasks("noise", each)
		for i := range noise {
			noise[i].Priority, noise[i].Delay, noise[i].Task = 9, time.Hour, fmt.Sprintf("unknown.%d", i)
		}
		l.publish(noise...)
		req := request("s", 50)
		req.Tasks = knowing("test.task")
		waiting := l.receiving(l.ctx(), req)
		time.Sleep(time.Hour)
		ds := <-waiting
		for len(ds) < 3*each {
			ds = append(ds, l.receive(req)...)
		}
		for i, d := range ds {
			if want := fmt.Sprintf("%d-%d", 2-i/each, i%each); d.ID != want {
				t.Fatalf("delivery %d: got %s, want %s", i, d.ID, want)
			}
		}
		counts, err := l.CountQueue(l.ctx(), "default")
		if err != nil || len(counts.Unknown) != each {
			t.Errorf("unknown tasks: got %d, error %v, want %d", len(counts.Unknown), err, each)
		}
		req.Tasks = knowing("unknown.7", "unknown.70", "unknown.700")
		if got, want := ids(l.receive(req)), "noise-7 noise-70 noise-700"; got != want {
			t.Errorf("received of the unknown: got %q, want %q", got, want)
		}
	})
}

func TestAStormDoesNotHideAHigherPriority(t *testing.T) {
	experiment(t, func(l lab) {
		noise := tasks("noise", 3000)
		for i := range noise {
			noise[i].Priority, noise[i].Delay, noise[i].Task = 9, time.Hour, "unknown"
		}
		high := task("high")
		high.Priority, high.Delay = 9, time.Hour
		l.publish(noise...)
		l.publish(high, task("low"))
		time.Sleep(time.Hour)
		req := request("s", 1)
		req.Tasks = knowing("test.task")
		if got := ids(<-l.receiving(l.ctx(), req)); got != "high" {
			t.Errorf("received first: got %q, want high", got)
		}
	})
}

// TestNoWakeUpIsLost lets receivers of every kind come, wait and go beside
// publishers. If a wake-up is lost, somebody waits beside work for ever: then
// the bubble is deadlocked, or the count never reached.
func TestNoWakeUpIsLost(t *testing.T) {
	const total, names, queues = 3000, 4, 3
	for seed := range uint64(5) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			experiment(t, func(l lab) {
				var done atomic.Int64
				var all sync.WaitGroup
				for i := range 12 {
					random := rand.New(rand.NewPCG(seed, uint64(i)))
					all.Go(func() { l.work(random, fmt.Sprint(i), names, queues, total, &done) })
				}
				for i := range 3 {
					random := rand.New(rand.NewPCG(seed, uint64(100+i)))
					all.Go(func() {
						for n := range total / 3 {
							e := task(fmt.Sprintf("%d-%d", i, n))
							e.Task, e.Queue = fmt.Sprint(random.IntN(names)), fmt.Sprint(random.IntN(queues))
							e.Priority, e.Fingerprint, e.Delay = random.IntN(10), random.Uint64N(3), time.Duration(random.IntN(3))*time.Second
							l.publish(e)
							if random.IntN(20) == 0 {
								time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
							}
						}
					})
				}
				all.Wait()
				for q := range queues {
					counts, err := l.CountQueue(l.ctx(), fmt.Sprint(q))
					if err != nil || counts.Ready+counts.Delayed+counts.Running+len(counts.Unknown) > 0 {
						t.Errorf("queue %d: got %+v, error %v, want nothing left", q, counts, err)
					}
				}
			})
		})
	}
}

// work receives with ever other requests, and settles, until all is done. Now
// and then it gives up waiting, or leaves its session with what it holds.
func (l lab) work(random *rand.Rand, name string, names, queues, total int, done *atomic.Int64) {
	for life := 0; done.Load() < int64(total); life++ {
		req := stem.ReceiveRequest{Session: stem.Session{ID: fmt.Sprintf("%s/%d", name, life/10), Lease: 5 * time.Second}, Max: 1 + random.IntN(5)}
		for q := range queues {
			req.Queues = append(req.Queues, fmt.Sprint((q+life)%queues))
		}
		if random.IntN(2) == 0 {
			req.Tasks = stem.NewTaskSet(spec(random, names), spec(random, names))
		}
		ctx, cancel := context.WithTimeout(l.ctx(), time.Duration(1+random.IntN(20_000))*time.Millisecond)
		ds, err := l.Receive(ctx, req)
		cancel()
		if err != nil || random.IntN(50) == 0 {
			continue // and let what it holds lapse
		}
		for _, d := range ds {
			v := stem.Verdict(1 + random.IntN(5))
			if v == stem.VerdictDeadLetter {
				v = stem.VerdictAck
			}
			s := stem.Settlement{Delivery: d, Verdict: v, Delay: time.Duration(random.IntN(2)) * time.Second}
			if l.Settle(l.ctx(), s) == nil && v == stem.VerdictAck {
				done.Add(1)
			}
		}
	}
}
