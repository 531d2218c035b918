package stemtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/stemtest"
)

// ran is a handler that notes its args.
func ran(list *[]string) handler {
	return func(_ context.Context, args string) (string, error) {
		listing.Lock() // there may be several slots
		defer listing.Unlock()
		*list = append(*list, args)
		return args, nil
	}
}

var listing sync.Mutex

func wantRan(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got %v run, want %v", got, want)
	}
}

func TestTasksRunWhileTheTestWaitsForThemAndNotBetween(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		var list []string
		def := task(t, rt, "a", ran(&list))
		for round := range 3 {
			enqueue(t, rt.Context(), def, fmt.Sprint(round, " now"))
			enqueue(t, rt.Context(), def, fmt.Sprint(round, " later"), stem.Delay(time.Hour))
			time.Sleep(time.Minute)
			synctest.Wait()
			wantRan(t, list[round*2:])
			rt.Drain()
			wantRan(t, list[round*2:], fmt.Sprint(round, " now"))
			rt.DrainAll()
			wantRan(t, list[round*2:], fmt.Sprint(round, " now"), fmt.Sprint(round, " later"))
		}
		if now := time.Now(); now.Sub(time.Date(2000, 1, 1, 3, 0, 0, 0, time.UTC)) != 0 {
			t.Errorf("got %v, want three hours after the bubble's midnight", now)
		}
	})
}

func TestDrainRunsWhatTasksEnqueueAndWhatComesDueMeanwhile(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		var list []string
		child := task(t, rt, "child", ran(&list))
		parent := task(t, rt, "parent", func(ctx context.Context, args string) (string, error) {
			enqueue(t, ctx, child, "at once", stem.OnQueue("never-heard-of"))
			enqueue(t, ctx, child, "in the meantime", stem.Delay(time.Second))
			enqueue(t, ctx, child, "too late", stem.Delay(time.Hour))
			time.Sleep(time.Minute)
			return args, nil
		})
		enqueue(t, rt.Context(), parent, "x")
		rt.Drain()
		wantRan(t, list, "in the meantime", "at once") // the default queue was there first
		if children := stemtest.Enqueued(t, rt, child); len(children) != 3 || children[0].Parent != "task-1" {
			t.Errorf("got %+v, want three children of task-1", children)
		}
	})
}

func TestAdvanceRunsEachTaskAtItsTime(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		began := time.Now()
		var list []string
		def := task(t, rt, "a", func(_ context.Context, args string) (string, error) {
			list = append(list, fmt.Sprint(args, " after ", time.Since(began)))
			return "", nil
		})
		enqueue(t, rt.Context(), def, "month", stem.Delay(30*24*time.Hour))
		enqueue(t, rt.Context(), def, "hour", stem.Delay(time.Hour))
		rt.Advance(59 * time.Minute)
		wantRan(t, list)
		rt.Advance(time.Minute)
		wantRan(t, list, "hour after 1h0m0s")
		rt.AdvanceTo(began.Add(40 * 24 * time.Hour))
		wantRan(t, list, "hour after 1h0m0s", "month after 720h0m0s")
		if d := time.Since(began); d != 40*24*time.Hour {
			t.Errorf("got %v, want 40 days", d)
		}
	})
}

func TestDrainAllRunsEachTaskAtItsTime(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		began := time.Now()
		var late []time.Duration
		def := task(t, rt, "a", func(_ context.Context, args string) (string, error) {
			due, err := time.ParseDuration(args)
			late = append(late, time.Since(began)-due)
			return "", err
		})
		for _, due := range []time.Duration{3 * time.Hour, time.Hour, 1000 * time.Hour} {
			enqueue(t, rt.Context(), def, due.String(), stem.Delay(due))
		}
		rt.DrainAll()
		if !slices.Equal(late, []time.Duration{0, 0, 0}) {
			t.Errorf("got %v late, want three runs that were not", late)
		}
	})
}

func TestNothingIsReceivedBesideAHandlerThatStandsStill(t *testing.T) {
	stemtest.RunWith(t, stemtest.Config{Worker: stem.WorkerConfig{Slots: 2}}, func(t *testing.T, rt *stemtest.Runtime) {
		var list []string
		quick := task(t, rt, "quick", ran(&list))
		slow := task(t, rt, "slow", func(ctx context.Context, args string) (string, error) {
			time.Sleep(time.Minute)
			enqueue(t, ctx, quick, "first", stem.OnQueue("new")) // the other slot's worker waits for other queues
			time.Sleep(time.Minute)
			return ran(&list)(ctx, args)
		})
		enqueue(t, rt.Context(), slow, "slow")
		rt.Advance(90 * time.Second)
		wantRan(t, list, "first")
		enqueue(t, rt.Context(), quick, "second")
		time.Sleep(time.Second)
		synctest.Wait()
		wantRan(t, list, "first")
		rt.Drain()
		wantRan(t, list, "first", "second", "slow")
	})
}

func TestRunsAreCountedForEachDrain(t *testing.T) {
	stemtest.RunWith(t, stemtest.Config{MaxRuns: 3}, func(t *testing.T, rt *stemtest.Runtime) {
		def := task(t, rt, "a", echo)
		for range 3 {
			for range 3 {
				enqueue(t, rt.Context(), def, "x")
			}
			rt.Drain()
		}
	})
}

func TestAHandlerStandsStillAtTheEndOfAdvance(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		var list []string
		def := task(t, rt, "slow", func(ctx context.Context, args string) (string, error) {
			select {
			case <-time.After(10 * time.Minute):
				list = append(list, args)
				return args, nil
			case <-ctx.Done():
				return "", context.Cause(ctx)
			}
		})
		job := enqueue(t, rt.Context(), def, "first")
		rt.Advance(time.Minute)
		enqueue(t, rt.Context(), def, "second")
		if err := job.Revoke(rt.Context(), stem.RevokeReason("too slow")); err != nil {
			t.Fatal(err)
		}
		wantRan(t, list)
		rt.DrainAll()
		wantRan(t, list, "second")
		if _, err := job.Wait(rt.Context()); !errors.Is(err, stem.ErrCancelled) {
			t.Errorf("got %v, want that it was cancelled", err)
		}
	})
}

func TestRetriesTakeNoTime(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		def := task(t, rt, "flaky", func(ctx context.Context, args string) (string, error) {
			if info, _ := stem.Info(ctx); info.Attempt < 4 {
				return "", fmt.Errorf("attempt %d", info.Attempt)
			}
			return args, nil
		}, stem.Backoff(stem.ExponentialBackoff(time.Hour, 0)))
		job := enqueue(t, rt.Context(), def, "done")
		rt.Drain()
		if record, err := job.Status(rt.Context()); err != nil || record.State != stem.StateRetrying {
			t.Errorf("got %v, %v, want that it is to be retried", record.State, err)
		}
		rt.DrainAll()
		record, err := job.Status(rt.Context())
		if err != nil || record.State != stem.StateSucceeded || record.Attempt != 4 {
			t.Errorf("got %v at attempt %d, %v, want success at the fourth", record.State, record.Attempt, err)
		}
		if n := len(stemtest.Events[stem.TaskRetrying](rt)); n != 3 {
			t.Errorf("got %d events of retries, want 3", n)
		}
	})
}

func TestWaitingForAJobLetsTimePass(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		child := task(t, rt, "child", echo)
		parent := task(t, rt, "parent", func(ctx context.Context, args string) (string, error) {
			job, err := child.Enqueue(ctx, args, stem.Delay(time.Hour))
			if err != nil {
				return "", err
			}
			return job.Wait(ctx)
		})
		got, err := enqueue(t, rt.Context(), parent, "x", stem.Delay(24*time.Hour)).Wait(rt.Context())
		if got != "x" || err != nil {
			t.Errorf("got %q, %v, want what the child gave", got, err)
		}
	})
}

func TestWhoeverWaitsForWhatNeverEndsIsTold(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		task(t, rt, "known", echo)
		unknown := define("unknown")
		job := enqueue(t, rt.Context(), unknown, "x")
		_, err := job.Wait(rt.Context())
		want := "nothing is left that would run: 1 of task unknown are not registered (see Runtime.Register)"
		if !errors.Is(err, stem.ErrNoResult) || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		ctx, cancel := context.WithTimeout(rt.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if _, err := job.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("got %v after %v, want the deadline after a minute", err, time.Since(began))
		}
		if _, err := job.Wait(stem.WithClient(t.Context(), rt.Client())); !errors.Is(err, stem.ErrNoResult) {
			t.Errorf("got %v, want ErrNoResult", err)
		}
	})
}

func TestPausedQueuesAndQueuesThatNobodyServesKeepTheirTasks(t *testing.T) {
	stemtest.RunWith(t, stemtest.Config{Worker: stem.WorkerConfig{Queues: []string{"a", "b"}}}, func(t *testing.T, rt *stemtest.Runtime) {
		var list []string
		def := task(t, rt, "note", ran(&list))
		for _, queue := range []string{"a", "b", "c"} {
			enqueue(t, rt.Context(), def, queue, stem.OnQueue(queue))
		}
		if err := rt.Client().Pause(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		rt.DrainAll()
		wantRan(t, list, "b")
		if err := rt.Client().Resume(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		rt.DrainAll()
		wantRan(t, list, "b", "a")
	})
}

func TestAWorkerLikeTheProgramsIsUsed(t *testing.T) {
	var mu sync.Mutex
	var order []string
	cfg := stemtest.Config{
		Client: stem.ClientConfig{Defaults: []stem.Option{stem.MaxRetries(0)}, Middleware: []stem.EnqueueMiddleware{sealed}},
		Worker: stem.WorkerConfig{
			Name: "mine", Slots: 3, MaxInterruptions: 1,
			ReceiveMiddleware: []stem.ReceiveMiddleware{func(next stem.Receiver) stem.Receiver {
				return func(ctx context.Context, d *stem.Delivery) (*stem.Delivery, error) {
					_, args, _ := strings.Cut(string(d.Payload), d.ID+" ")
					return next(ctx, d.WithPayload([]byte(args)))
				}
			}},
			Middleware: []stem.Middleware{func(next stem.Handler) stem.Handler {
				return func(ctx context.Context, d *stem.Delivery) ([]byte, error) {
					info, _ := stem.Info(ctx)
					mu.Lock()
					order = append(order, info.Worker)
					mu.Unlock()
					return next(ctx, d)
				}
			}},
		},
	}
	stemtest.RunWith(t, cfg, func(t *testing.T, rt *stemtest.Runtime) {
		def := task(t, rt, "fails", func(context.Context, string) (string, error) { time.Sleep(time.Hour); return "", errDeclined })
		for range 3 {
			enqueue(t, rt.Context(), def, "x")
		}
		began := time.Now()
		rt.DrainAll()
		wantRan(t, order, "mine", "mine", "mine")
		if d := time.Since(began); d != time.Hour {
			t.Errorf("got %v, want an hour: three slots", d)
		}
		letters, err := rt.Store().DeadLetters(t.Context(), "default", 10)
		if err != nil || len(letters) != 3 {
			t.Errorf("got %d dead letters, %v, want 3: the client's default is no retry", len(letters), err)
		}
	})
}

func TestWhatNeverEndsEndsTheTestByName(t *testing.T) {
	tests := []struct {
		promise string
		test    func(t testing.TB)
		want    string
	}{
		{"a task that enqueues itself", func(t testing.TB) {
			rt := stemtest.New(t, stemtest.Config{MaxRuns: 50})
			var def *textTask
			def = task(t, rt, "tick", func(ctx context.Context, args string) (string, error) {
				_, err := def.Enqueue(ctx, args, stem.Delay(time.Minute))
				return "", err
			})
			enqueue(t, rt.Context(), def, "x")
			rt.DrainAll()
		}, "stemtest: DrainAll: 51 runs and no end: tick ran 51 times; a task that enqueues or snoozes itself for ever is watched with Advance (more runs: Config.MaxRuns)"},
		{"a handler that does not return", func(t testing.TB) {
			rt := stemtest.New(t, stemtest.Config{})
			def := task(t, rt, "stuck", func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "", ctx.Err() })
			enqueue(t, rt.Context(), def, "x")
			rt.Drain()
		}, "stemtest: Drain: nothing has happened for 24h0m0s, and this does not end: stuck (task-1)"},
		{"nothing is registered", func(t testing.TB) {
			rt := stemtest.New(t, stemtest.Config{})
			enqueue(t, rt.Context(), define("a"), "x")
			rt.Drain()
		}, "stemtest: Drain: stem: NewWorker: no task is registered: call the generated Register, or stem.Handle, first"},
		{"a registration that fails", func(t testing.TB) {
			stemtest.New(t, stemtest.Config{}).Register(func(*stem.Registry) error { return errDeclined })
		}, "stemtest: Register: declined"},
		{"a time that has passed", func(t testing.TB) {
			stemtest.New(t, stemtest.Config{}).AdvanceTo(time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC))
		}, "stemtest: AdvanceTo: 1999-12-31 00:00:00 +0000 UTC has passed 24h0m0s ago"},
		{"a crash that did not come", func(t testing.TB) {
			rt := stemtest.New(t, stemtest.Config{})
			rt.CrashBefore(define("never"))
			rt.StoreFails(stemtest.OpSettle, 3, nil)
		}, "stemtest: CrashBefore(never): it did not come to that\nstemtest: StoreFails(settle): it did not come to that"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				said, _, _ := strings.Cut(failureOf(t, tt.test), "\n0s ") // then comes the story
				wantSaid(t, strings.TrimSpace(said), tt.want)
			})
		})
	}
}

func TestTasksThatHaveNotSucceededAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := failureOf(t, func(t testing.TB) {
			rt := stemtest.New(t, stemtest.Config{})
			def := task(t, rt, "a", func(_ context.Context, args string) (string, error) {
				if args == "bad" {
					return "", stem.Permanent(errDeclined)
				}
				return args, nil
			})
			enqueue(t, rt.Context(), def, "good", stem.WithID("good"))
			enqueue(t, rt.Context(), def, "good", stem.WithID("good"))
			rt.Drain()
			rt.MustSucceed()
			enqueue(t, rt.Context(), def, "bad")
			enqueue(t, rt.Context(), def, "good", stem.Delay(time.Hour))
			rt.Drain()
			rt.MustSucceed()
		})
		wantSaid(t, said, `stemtest: 2 tasks have not succeeded:
  task-1 a became a dead letter (error: declined)
  task-2 a enqueued`)
	})
}

func TestARuntimeOutsideABubbleSaysSo(t *testing.T) {
	wantSaid(t, failureOf(t, func(t testing.TB) { stemtest.New(t, stemtest.Config{}) }),
		"stemtest: New: this is no synctest bubble: call it within synctest.Test, or use stemtest.Run")
}

func TestAHandlerThatIsLeftBehindIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := failureOf(t, func(t testing.TB) {
			rt := stemtest.New(t, stemtest.Config{})
			def := task(t, rt, "deaf", func(context.Context, string) (string, error) { time.Sleep(time.Hour); return "", nil })
			enqueue(t, rt.Context(), def, "x")
			rt.Advance(time.Minute)
		})
		if want := "these handlers have not returned: deaf (task-1)"; !strings.Contains(said, want) {
			t.Errorf("got %q, want %q", said, want)
		}
		time.Sleep(time.Hour)
	})
}

// The same story is told each time, also one of failures.
func TestTheStoryIsTheSameEachTime(t *testing.T) {
	var first string
	for i := range 20 {
		stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
			child := task(t, rt, "child", echo)
			def := task(t, rt, "a", func(ctx context.Context, args string) (string, error) {
				if info, _ := stem.Info(ctx); info.Attempt < 3 {
					return "", errDeclined
				}
				time.Sleep(time.Second)
				_, err := child.Enqueue(ctx, args, stem.Delay(time.Hour))
				return args, err
			})
			rt.CrashAfter(child)
			rt.CutOff(def)
			for _, args := range []string{"x", "y", "z"} {
				enqueue(t, rt.Context(), def, args)
			}
			rt.DrainAll()
			if story := rt.Story(); i == 0 {
				first = story
			} else if story != first {
				t.Fatalf("got:\n%s\nwant as the first time:\n%s", story, first)
			}
		})
	}
	if n := strings.Count(first, "succeeded\n"); n != 6 {
		t.Errorf("got %d successes, want 6:\n%s", n, first)
	}
}
