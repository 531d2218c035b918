package stem_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

// descend is a task that waits for a child of one generation less, down to 0.
func descend(r *rig) *stem.TaskDefinition[string, string] {
	var def *stem.TaskDefinition[string, string]
	def = r.task("descend", func(ctx context.Context, left string) (string, error) {
		n, err := strconv.Atoi(left)
		if err != nil || n == 0 {
			return "bottom", err
		}
		child, err := def.Enqueue(ctx, strconv.Itoa(n-1))
		if err != nil {
			return "", err
		}
		return child.Wait(ctx)
	}, stem.MaxRetries(0))
	return def
}

func TestOneSlotRunsATaskThatWaitsForItselfFiftyDeep(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		def := descend(r)
		stop := r.work(stem.WorkerConfig{Slots: 1})
		if got, err := r.wait(r.enqueue(def, "50")); got != "bottom" || err != nil {
			t.Errorf("got %q, %v; want the bottom", got, err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// busy counts the handlers that run user code, and the most that did at once.
type busy struct{ now, most atomic.Int64 }

func (b *busy) enter() {
	now := b.now.Add(1)
	for most := b.most.Load(); now > most && !b.most.CompareAndSwap(most, now); most = b.most.Load() {
	}
}

func (b *busy) leave() { b.now.Add(-1) }

func TestNeverMoreHandlersRunThanThereAreSlots(t *testing.T) {
	seed := rand.Uint64()
	t.Log("seed", seed)
	for _, slots := range []int{1, 2, 5} {
		inBubble(t, func(t *testing.T, r *rig) {
			var b busy
			var mu sync.Mutex
			random := rand.New(rand.NewPCG(seed, uint64(slots)))
			draw := func(n int) int { mu.Lock(); defer mu.Unlock(); return random.IntN(n) }
			var tree *stem.TaskDefinition[string, string]
			tree = r.task("tree", func(ctx context.Context, left string) (string, error) {
				b.enter()
				defer b.leave()
				time.Sleep(time.Duration(draw(100)) * time.Millisecond)
				n, err := strconv.Atoi(left)
				for range min(n, draw(4)) {
					child, err := tree.Enqueue(ctx, strconv.Itoa(n-1))
					if err != nil {
						return "", err
					}
					b.leave()
					_, err = child.Wait(ctx)
					b.enter()
					if err != nil {
						return "", err
					}
					time.Sleep(time.Duration(draw(100)) * time.Millisecond)
				}
				return "", err
			}, stem.MaxRetries(0))
			stop := r.work(stem.WorkerConfig{Slots: slots})
			var jobs []stem.Job[string]
			for range 40 {
				jobs = append(jobs, r.enqueue(tree, "4"))
			}
			for _, job := range jobs {
				if _, err := r.wait(job); err != nil {
					t.Fatal(err)
				}
			}
			if most := b.most.Load(); most != int64(slots) {
				t.Errorf("got %d handlers at once, want all of the %d slots used and no more", most, slots)
			}
			if ended := len(eventsOf[stem.TaskSucceeded](r)); ended < 100 {
				t.Errorf("got %d tasks, want a crowd", ended)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhoWaitsInSeveralGoroutinesHasLentOneSlot(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var b busy
		leaf := r.task("leaf", func(context.Context, string) (string, error) {
			b.enter()
			defer b.leave()
			time.Sleep(time.Second)
			return "leaf", nil
		})
		fan := r.task("fan", func(ctx context.Context, _ string) (string, error) {
			var waits sync.WaitGroup
			for range 5 {
				job := r.enqueue(leaf, "")
				waits.Go(func() {
					if _, err := job.Wait(ctx); err != nil {
						t.Error(err)
					}
				})
			}
			waits.Wait()
			b.enter()
			defer b.leave()
			time.Sleep(time.Second)
			return "", nil
		})
		r.work(stem.WorkerConfig{Slots: 1})
		begin := time.Now()
		if _, err := r.wait(r.enqueue(fan, "")); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != 6*time.Second || b.most.Load() != 1 {
			t.Errorf("got %v with %d at once, want 6s: one slot takes them one by one", took, b.most.Load())
		}
	})
}

// A handler that waited and is cancelled must not wait on for a slot, however long that is taken.
func TestWhoIsCancelledWhileItWaitsReturnsWithoutASlot(t *testing.T) {
	for name, goroutines := range map[string]int{"in its own goroutine": 0, "in two others, one after the other": 2} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				var b busy
				nap := r.task("nap", func(context.Context, string) (string, error) {
					b.enter()
					defer b.leave()
					time.Sleep(time.Hour)
					return "", nil
				})
				waits := r.task("waits", func(ctx context.Context, _ string) (string, error) {
					quick, late := r.enqueue(nap, "", stem.Delay(9*time.Hour)), r.enqueue(nap, "", stem.Delay(10*time.Hour))
					brief, cancel := context.WithTimeout(ctx, 10*time.Second)
					defer cancel()
					var others sync.WaitGroup
					if goroutines > 0 {
						others.Go(func() { _, _ = quick.Wait(brief) })
						others.Go(func() { time.Sleep(20 * time.Second); _, _ = late.Wait(ctx) })
						others.Wait()
						return "", ctx.Err()
					}
					return late.Wait(ctx)
				}, stem.MaxRetries(0))
				first := r.task("first", func(ctx context.Context, _ string) (string, error) {
					brief, cancel := context.WithTimeout(ctx, 5*time.Second)
					defer cancel()
					_, _ = r.enqueue(nap, "", stem.Delay(9*time.Hour)).Wait(brief)
					b.enter()
					defer b.leave()
					return "", nil
				})
				stop := r.work(stem.WorkerConfig{Slots: 1, Prefetch: 1})
				r.enqueue(first, "") // claims the slot before the others do
				timed, revoked := r.enqueue(waits, "", stem.Timeout(time.Minute)), r.enqueue(waits, "")
				synctest.Wait()
				begin := time.Now()
				r.enqueue(nap, "") // has the slot for an hour
				time.Sleep(50 * time.Second)
				r.revoke(revoked)
				for _, job := range []stem.Job[string]{timed, revoked} {
					var failed *stem.TaskError
					if _, err := r.wait(job); !errors.As(err, &failed) || time.Since(begin) > time.Minute {
						t.Errorf("got %v after %v, want its end within a minute", err, time.Since(begin))
					}
				}
				if stuck := eventsOf[stem.TaskStuck](r); len(stuck) != 0 {
					t.Errorf("got %d handlers told as stuck, want none", len(stuck))
				}
				time.Sleep(24 * time.Hour) // all naps, in one slot
				if got, most := len(eventsOf[stem.TaskSucceeded](r)), b.most.Load(); got != 7 || most != 1 {
					t.Errorf("got %d tasks, %d at once; want 7 in the one slot", got, most)
				}
				if c := r.count("default"); c.Running != 0 {
					t.Errorf("got %+v, want nothing left", c)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestATaskThatWaitsForItselfIsToldSo(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var def *stem.TaskDefinition[string, string]
		def = r.task("snake", func(ctx context.Context, _ string) (string, error) {
			info, _ := stem.Info(ctx)
			self, err := def.Job(ctx, info.ID)
			if err != nil {
				return "", err
			}
			return self.Wait(ctx)
		}, stem.MaxRetries(0))
		r.work(stem.WorkerConfig{Slots: 1})
		job := r.enqueue(def, "")
		if _, err := r.wait(job); err == nil || !strings.Contains(err.Error(), "task snake ("+job.ID()+") waits for itself") {
			t.Errorf("got %v, want a failure that says so", err)
		}
	})
}

func TestNoMoreSlotsAreLentThanMaxLent(t *testing.T) {
	for _, c := range []struct {
		mostLent int
		depth    string
		stuck    bool
	}{
		{2, "2", false},
		{2, "3", true},
		{-1, "1", true},
	} {
		inBubble(t, func(t *testing.T, r *rig) {
			def := descend(r)
			r.work(stem.WorkerConfig{Slots: 1, MaxLent: c.mostLent})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := r.enqueue(def, c.depth).Wait(ctx)
			if stuck := errors.Is(err, stem.ErrNoResult); stuck != c.stuck || !stuck && err != nil {
				t.Errorf("%d lent, depth %s: got %v, want the worker to stand still: %v", c.mostLent, c.depth, err, c.stuck)
			}
		})
	}
}

func TestAHandlerThatReturnsWhileItsGoroutineWaitsKeepsNobodysSlot(t *testing.T) {
	for name, end := range map[string]func(){"returns": func() {}, "ends its goroutine": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				var b busy
				nap := r.task("nap", func(context.Context, string) (string, error) {
					b.enter()
					defer b.leave()
					time.Sleep(time.Second)
					return "", nil
				})
				leaves := r.task("leaves", func(ctx context.Context, _ string) (string, error) {
					job := r.enqueue(nap, "")
					go func() { _, _ = job.Wait(context.WithoutCancel(ctx)) }()
					synctest.Wait()
					end()
					return "", nil
				}, stem.MaxRetries(0))
				stop := r.work(stem.WorkerConfig{Slots: 2})
				for range 5 {
					_, _ = r.wait(r.enqueue(leaves, ""))
				}
				begin := time.Now()
				var last stem.Job[string]
				for range 10 {
					last = r.enqueue(nap, "")
				}
				if _, err := r.wait(last); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); b.most.Load() != 2 || took < 5*time.Second {
					t.Errorf("got %d at once, %v for ten naps; want the 2 slots and no more", b.most.Load(), took)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestWhoWaitsIsCancelledFirstWhenTheWorkerStops(t *testing.T) {
	for _, mode := range []stem.StopMode{stem.StopWarm, stem.StopSoft, stem.StopHard} {
		inBubble(t, func(t *testing.T, r *rig) {
			var elsewhere *stem.TaskDefinition[string, string]
			late := r.task("late", func(context.Context, string) (string, error) { return "late", nil }, stem.Delay(time.Hour))
			waits := r.task("waits", func(ctx context.Context, _ string) (string, error) {
				job, err := elsewhere.Enqueue(ctx, "", stem.IdempotencyKey("one"), stem.DedupeWindow(time.Hour))
				if err != nil {
					return "", err
				}
				return job.Wait(ctx)
			})
			elsewhere = late
			w, done := r.start(stem.WorkerConfig{Slots: 1})
			job := r.enqueue(waits, "")
			time.Sleep(time.Second)
			begin := time.Now()
			w.Stop(mode)
			if err := <-done; err != nil || time.Since(begin) != 0 {
				t.Errorf("mode %d: got %v after %v, want nil at once", mode, err, time.Since(begin))
			}
			r.work(stem.WorkerConfig{})
			if got, err := r.wait(job); got != "late" || err != nil {
				t.Errorf("mode %d: got %q, %v; want it run elsewhere", mode, got, err)
			}
			if s := r.status(job); s.Attempt != 1 || s.Releases != 1 || s.Interruptions != 0 {
				t.Errorf("mode %d: got %+v, want one release and no attempt spent", mode, s)
			}
		})
	}
}

func TestAHandlerOfAStoppingWorkerGetsResultsThatAreThereAndWaitsForNoOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		late := r.task("late", greet, stem.Delay(time.Hour))
		there := r.enqueue(hello, "Stem")
		var got string
		var wait error
		slow := r.task("slow", func(ctx context.Context, _ string) (string, error) {
			time.Sleep(10 * time.Second)
			var err error
			if got, err = there.Wait(ctx); err != nil {
				return "", err
			}
			_, wait = r.enqueue(late, "").Wait(ctx)
			return "", wait
		})
		w, done := r.start(stem.WorkerConfig{})
		r.enqueue(slow, "")
		time.Sleep(time.Second)
		w.Stop(stem.StopWarm)
		begin := time.Now()
		if err := <-done; err != nil || time.Since(begin) != 9*time.Second {
			t.Errorf("got %v after %v, want nil when the handler came to its wait", err, time.Since(begin))
		}
		if got != "Hello Stem" || !errors.Is(wait, stem.ErrShutdown) {
			t.Errorf("got %q and then %v, want the result and then ErrShutdown", got, wait)
		}
	})
}

func TestWhoWaitedIsInHandAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		waits := r.task("waits", func(ctx context.Context, _ string) (string, error) {
			for range 10 {
				if _, err := r.enqueue(hello, "").Wait(ctx); err != nil {
					return "", err
				}
			}
			time.Sleep(10 * time.Second) // less than the grace
			return "", nil
		})
		r.work(stem.WorkerConfig{Slots: 1, Prefetch: 2})
		r.enqueue(waits, "")
		time.Sleep(time.Second)
		for range 20 {
			r.enqueue(hello, "")
		}
		synctest.Wait()
		if c := r.count("default"); c.Running != 2 || c.Ready != 19 {
			t.Errorf("got %+v, want the one that runs and one ahead in hand", c)
		}
	})
}

// Its claim is granted to nobody, and still ends the slot that had taken its place.
func TestAHandlerThatReturnsWhileItsGoroutineClaimsASlotKeepsNobodysSlot(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var b busy
		nap := r.task("nap", func(context.Context, string) (string, error) {
			b.enter()
			defer b.leave()
			time.Sleep(time.Minute)
			return "", nil
		})
		leaves := r.task("leaves", func(ctx context.Context, _ string) (string, error) {
			brief, cancel := context.WithTimeout(ctx, time.Second)
			job := r.enqueue(nap, "", stem.Delay(time.Hour))
			go func() { defer cancel(); _, _ = job.Wait(brief) }()
			time.Sleep(10 * time.Second)
			return "", nil
		})
		stop := r.work(stem.WorkerConfig{Slots: 2, Prefetch: 1})
		for range 20 {
			job := r.enqueue(leaves, "")
			for range 3 {
				r.enqueue(nap, "")
			}
			if _, err := r.wait(job); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(3 * time.Hour)
		if most := b.most.Load(); most != 2 {
			t.Errorf("got %d naps at once, want the 2 slots and no more", most)
		}
		if ended := len(eventsOf[stem.TaskSucceeded](r)); ended != 100 {
			t.Errorf("got %d tasks, want 100", ended)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestAGoroutineThatOutlivesItsHandlerLendsNoSlot(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var b busy
		var outlives sync.WaitGroup
		nap := r.task("nap", func(context.Context, string) (string, error) {
			b.enter()
			defer b.leave()
			time.Sleep(time.Second)
			return "", nil
		})
		leaves := r.task("leaves", func(ctx context.Context, _ string) (string, error) {
			outlives.Go(func() {
				time.Sleep(time.Second)
				_, _ = r.enqueue(nap, "").Wait(context.WithoutCancel(ctx))
			})
			return "", nil
		})
		r.work(stem.WorkerConfig{Slots: 1})
		if _, err := r.wait(r.enqueue(leaves, "")); err != nil {
			t.Fatal(err)
		}
		var last stem.Job[string]
		for range 5 {
			last = r.enqueue(nap, "")
		}
		if _, err := r.wait(last); err != nil {
			t.Fatal(err)
		}
		outlives.Wait()
		if most := b.most.Load(); most != 1 {
			t.Errorf("got %d naps at once, want 1: there is one slot", most)
		}
	})
}
