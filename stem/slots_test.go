package stem_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

// crowd is tasks that run until they are let go.
type crowd struct {
	r       *rig
	def     *stem.TaskDefinition[string, string]
	running atomic.Int64
	cut     atomic.Int64 // whose contexts ended
	leave   chan struct{}
}

func newCrowd(r *rig, opts ...stem.Option) *crowd {
	c := &crowd{r: r, leave: make(chan struct{})}
	c.def = r.task("stay", func(ctx context.Context, _ string) (string, error) {
		c.running.Add(1)
		defer c.running.Add(-1)
		select {
		case <-c.leave:
			return "", nil
		case <-ctx.Done():
			c.cut.Add(1)
			return "", ctx.Err()
		}
	}, opts...)
	return c
}

func (c *crowd) come(n int) {
	for range n {
		c.r.enqueue(c.def, "")
	}
}

// goAway lets n of them go.
func (c *crowd) goAway(n int) {
	for range n {
		c.leave <- struct{}{}
	}
}

// runs expects so many to run.
func (c *crowd) runs(when string, want int64) {
	c.r.t.Helper()
	synctest.Wait()
	if got := c.running.Load(); got != want {
		c.r.t.Errorf("%s: got %d running, want %d", when, got, want)
	}
}

func setSlots(t *testing.T, w *stem.Worker, n int) {
	t.Helper()
	if err := w.SetSlots(n); err != nil {
		t.Fatal(err)
	}
	if got := w.Slots(); got != n {
		t.Errorf("got %d slots, want %d", got, n)
	}
}

func TestMoreSlotsTakeTasksAtOnce(t *testing.T) {
	for _, prefetch := range []int{0, 1, 5} {
		inBubble(t, func(t *testing.T, r *rig) {
			c := newCrowd(r)
			w, done := r.start(stem.WorkerConfig{Slots: 1, Prefetch: prefetch})
			c.come(30)
			c.runs("one slot", 1)
			setSlots(t, w, 12)
			c.runs("twelve", 12)
			time.Sleep(time.Minute) // what was ahead has gone back
			setSlots(t, w, 20)
			c.runs("twenty", 20)
			if changed := fmt.Sprint(eventsOf[stem.SlotsChanged](r)); changed != fmt.Sprintf("[{%s 1 12} {%[1]s 12 20}]", w.Name()) {
				t.Errorf("got events %v, want 1 to 12 to 20", changed)
			}
			w.Stop(stem.StopSoft)
			<-done
		})
	}
}

func TestSlotsThatAreTooManyEndAsTheyBecomeFree(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		c := newCrowd(r)
		w, done := r.start(stem.WorkerConfig{Slots: 6, Prefetch: 1})
		c.come(20)
		c.runs("six slots", 6)
		setSlots(t, w, 2)
		c.runs("two, and none was ended", 6)
		for _, want := range []int64{5, 4, 3, 2, 2, 2} {
			c.goAway(1)
			c.runs("one more gone", want)
		}
		setSlots(t, w, 4)
		c.runs("four again", 4)
		setSlots(t, w, 1)
		setSlots(t, w, 4)
		c.goAway(2)
		c.runs("back before anybody has left", 4)
		if c.cut.Load() > 0 {
			t.Errorf("got %d handlers cancelled, want none", c.cut.Load())
		}
		w.Stop(stem.StopSoft)
		<-done
	})
}

func TestIdleSlotsEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		c := newCrowd(r)
		w, done := r.start(stem.WorkerConfig{Slots: 10})
		synctest.Wait()
		before := runtime.NumGoroutine()
		setSlots(t, w, 3)
		synctest.Wait()
		if ended := before - runtime.NumGoroutine(); ended < 7 {
			t.Errorf("got %d goroutines ended, want seven", ended)
		}
		c.come(10)
		c.runs("three slots", 3)
		w.Stop(stem.StopSoft)
		<-done
	})
}

func TestSlotsAreSetBeforeRunAndNotAfterIt(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		c := newCrowd(r)
		w, err := stem.NewWorker(r.client, &r.registry, stem.WorkerConfig{Slots: 2, Prefetch: 1})
		if err != nil {
			t.Fatal(err)
		}
		setSlots(t, w, 7)
		setSlots(t, w, 4)
		done := make(chan error, 1)
		go func() { done <- w.Run(t.Context()) }()
		c.come(10)
		c.runs("four slots", 4)
		w.Stop(stem.StopWarm)
		synctest.Wait()
		if err := w.SetSlots(9); err != nil || w.Slots() != 4 {
			t.Errorf("while it stops: got error %v and %d slots, want the 4 that there were", err, w.Slots())
		}
		w.Stop(stem.StopSoft)
		if err := <-done; err != nil || w.SetSlots(9) != nil || w.Slots() != 4 {
			t.Errorf("got error %v and %d slots, want 4", err, w.Slots())
		}
	})
}

func TestANumberOfSlotsThatIsNoneIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.task("hello", greet)
		w, err := stem.NewWorker(r.client, &r.registry, stem.WorkerConfig{Slots: 2})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{-1, 0, 100_001} {
			var option *stem.OptionError
			if err := w.SetSlots(n); !errors.As(err, &option) || !strings.Contains(err.Error(), "SetSlots") {
				t.Errorf("%d: got error %v, want an *OptionError of SetSlots", n, err)
			}
		}
		if w.Slots() != 2 {
			t.Errorf("got %d slots, want 2", w.Slots())
		}
	})
}

// A handler that waits for a job has given its slot away. If there are too many by then, nobody gets it; else whoever has it
// goes first. Either way the handler goes on before anything new.
func TestALentSlotMayBeOneTooMany(t *testing.T) {
	for _, early := range []bool{true, false} {
		inBubble(t, func(t *testing.T, r *rig) {
			c := newCrowd(r)
			child := r.task("child", greet, stem.Priority(9), stem.Delay(time.Minute))
			waits := make(chan struct{})
			parent := r.task("parent", func(ctx context.Context, _ string) (string, error) {
				job, err := child.Enqueue(ctx, "Stem")
				if err != nil {
					return "", err
				}
				<-waits
				return job.Wait(ctx)
			})
			w, done := r.start(stem.WorkerConfig{Slots: 2, Prefetch: 1})
			job := r.enqueue(parent, "")
			synctest.Wait()
			c.come(5)
			c.runs("beside the parent", 1)
			if early {
				setSlots(t, w, 1)
				close(waits)
				c.runs("the parent has lent the slot that was too many", 1)
			} else {
				close(waits)
				c.runs("the parent has lent its slot", 2)
				setSlots(t, w, 1)
				c.goAway(1)
				c.runs("one was too many", 1)
			}
			time.Sleep(time.Minute)
			c.goAway(1)
			c.runs("the child has run", 1) // perhaps before the parent has heard of it
			c.goAway(1)
			c.runs("so has the parent", 1)
			if got := r.status(job); got.State != stem.StateSucceeded {
				t.Errorf("got the parent %s, want it succeeded", got.State)
			}
			w.Stop(stem.StopSoft)
			<-done
		})
	}
}

// Whatever the slots do while tasks nap, wait for each other and hang, no handler starts beside as many as there are slots, none
// is cancelled, all that can end does, and in the end there are as many slots as there shall be.
func TestSlotsChangeUnderLoad(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) { changeUnderLoad(t, r, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func changeUnderLoad(t *testing.T, r *rig, random *rand.Rand) {
	const most = 12
	crowd := newCrowd(r)
	var w *stem.Worker
	var active, cut atomic.Int64
	begin := func() {
		if now, slots := active.Add(1), int64(w.Slots()); now > slots {
			t.Errorf("a handler started as number %d, want at most %d", now, slots)
		}
	}
	end := func(ctx context.Context) {
		if active.Add(-1); ctx.Err() != nil {
			cut.Add(1)
		}
	}
	nap := r.task("nap", func(ctx context.Context, s string) (string, error) {
		begin()
		defer end(ctx)
		d, err := time.ParseDuration(s)
		time.Sleep(d)
		return "", err
	})
	parent := r.task("parent", func(ctx context.Context, s string) (string, error) {
		begin()
		defer end(ctx)
		for range 2 {
			job, err := nap.Enqueue(ctx, s)
			if err != nil {
				return "", err
			}
			active.Add(-1)
			_, err = job.Wait(ctx)
			if active.Add(1); err != nil {
				return "", err
			}
		}
		return "", nil
	})
	free := make(chan struct{})
	hang := r.task("hang", func(ctx context.Context, _ string) (string, error) {
		begin()
		defer end(ctx)
		<-free
		return "", nil
	})
	w, done := r.start(stem.WorkerConfig{Slots: 1 + random.IntN(most), Prefetch: random.IntN(3)})
	var jobs []stem.Job[string]
	hung := 0
	for range 200 {
		for range random.IntN(4) {
			length := fmt.Sprint(1+random.IntN(40), "ms")
			switch random.IntN(20) {
			case 0:
				if hung < 3 {
					hung++
					r.enqueue(hang, "")
				}
			case 1, 2, 3:
				jobs = append(jobs, r.enqueue(parent, length))
			default:
				jobs = append(jobs, r.enqueue(nap, length))
			}
		}
		time.Sleep(time.Duration(random.IntN(10)) * time.Millisecond)
		if random.IntN(3) == 0 {
			// Handlers begin and end at full milliseconds.
			time.Sleep(500 * time.Microsecond)
			synctest.Wait()
			setSlots(t, w, 1+random.IntN(most))
			time.Sleep(500 * time.Microsecond)
		}
	}
	setSlots(t, w, hung+1) // those that hang leave one
	for _, job := range jobs {
		if _, err := r.wait(job); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Wait()
	crowd.come(3 * most)
	crowd.runs("beside those that hang", 1)
	setSlots(t, w, most)
	crowd.runs("more slots", int64(most-hung))
	setSlots(t, w, hung+1)
	crowd.goAway(most - hung)
	crowd.runs("fewer", 1)
	crowd.goAway(1)
	crowd.runs("as many", 1)
	close(crowd.leave)
	close(free)
	w.Stop(stem.StopWarm)
	if err := <-done; err != nil || cut.Load() > 0 {
		t.Errorf("got error %v and %d handlers cancelled, want none", err, cut.Load())
	}
}
