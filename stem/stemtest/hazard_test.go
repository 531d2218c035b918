package stemtest_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/stemtest"
)

func TestACrashBeforeTheHandlerCostsARunAndNoAttempt(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		var infos []stem.TaskInfo
		def := task(t, rt, "a", func(ctx context.Context, args string) (string, error) {
			info, _ := stem.Info(ctx)
			infos = append(infos, info)
			return args, nil
		})
		rt.CrashBefore(def)
		job := enqueue(t, rt.Context(), def, "x")
		began := time.Now()
		if got, err := job.Wait(rt.Context()); got != "x" || err != nil {
			t.Errorf("got %q, %v, want x", got, err)
		}
		if len(infos) != 1 || infos[0].Interruptions != 1 || infos[0].Attempt != 1 || infos[0].Worker != "worker-2" {
			t.Errorf("got %+v, want one run, on another worker, after an interruption", infos)
		}
		if d := time.Since(began); d != 15*time.Second {
			t.Errorf("got %v, want the lease of 15 s", d)
		}
		failed, stopped := stemtest.Events[stem.StoreFailed](rt), stemtest.Events[stem.WorkerStopped](rt)
		if len(failed) > 0 || len(stopped) != 1 || stopped[0].Worker != "worker-2" {
			t.Errorf("got %+v and %+v, want that the dead process tells nothing", failed, stopped)
		}
	})
}

func TestACrashAfterTheHandlerRepeatsItsEffects(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		effects := 0
		def := task(t, rt, "a", func(context.Context, string) (string, error) { effects++; return "", nil })
		other := task(t, rt, "b", echo)
		rt.CrashAfter(def)
		enqueue(t, rt.Context(), def, "x")
		waits := enqueue(t, rt.Context(), other, "y")
		rt.Drain()
		if effects != 2 {
			t.Errorf("got %d effects, want 2", effects)
		}
		if record, err := waits.Status(rt.Context()); err != nil || record.Interruptions != 0 {
			t.Errorf("got %+v, %v, want that what had not started was not interrupted", record, err)
		}
	})
}

func TestThreeCrashesMakePoison(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		def := task(t, rt, "a", echo)
		for range 3 {
			rt.CrashBefore(def)
		}
		_, err := enqueue(t, rt.Context(), def, "x").Wait(rt.Context())
		var failed *stem.TaskError
		if !errors.As(err, &failed) || failed.Failure.Kind != stem.FailurePoison {
			t.Errorf("got %v, want poison", err)
		}
	})
}

// mailer is a fake on which a handler depends.
type mailer struct{ sent []string }

func (m *mailer) send(ctx context.Context, to string) {
	m.sent = append(m.sent, to)
	if len(m.sent) == 2 {
		stemtest.Crash(ctx)
	}
}

func TestACrashInTheMiddleEndsTheHandlerThere(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		var m mailer
		def := task(t, rt, "a", func(ctx context.Context, _ string) (string, error) {
			for _, to := range []string{"Ann", "Bob", "Cid"} {
				m.send(ctx, to)
			}
			return "", nil
		})
		enqueue(t, rt.Context(), def, "x")
		rt.Drain()
		if want := []string{"Ann", "Bob", "Ann", "Bob", "Cid"}; !slices.Equal(m.sent, want) {
			t.Errorf("got %v, want %v", m.sent, want)
		}
	})
}

func TestADeadProcessDoesNothingMore(t *testing.T) {
	stemtest.RunWith(t, stemtest.Config{Worker: stem.WorkerConfig{Slots: 2}}, func(t *testing.T, rt *stemtest.Runtime) {
		crashes := task(t, rt, "crashes", func(ctx context.Context, _ string) (string, error) { time.Sleep(time.Second); return "", nil })
		var errs []error
		child := task(t, rt, "child", echo)
		beside := task(t, rt, "beside", func(ctx context.Context, _ string) (string, error) {
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Second):
			}
			_, err := child.Enqueue(context.WithoutCancel(ctx), "x")
			errs = append(errs, err)
			return "", err
		})
		rt.CrashAfter(crashes)
		enqueue(t, rt.Context(), crashes, "x")
		enqueue(t, rt.Context(), beside, "x")
		rt.Drain()
		if len(errs) != 2 || !errors.Is(errs[0], stem.ErrClosed) || errs[1] != nil {
			t.Errorf("got %v, want that the dead process enqueues nothing and the next does", errs)
		}
	})
}

func TestCrashOutsideAHandlerPanics(t *testing.T) {
	defer func() {
		if p := recover(); p != "stemtest: Crash: the context is not that of a handler that a Runtime runs" {
			t.Errorf("got %v", p)
		}
	}()
	stemtest.Crash(t.Context())
}

func TestWhoIsCutOffHearsOfItAndIsRefused(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		var causes []error
		def := task(t, rt, "a", func(ctx context.Context, _ string) (string, error) {
			info, _ := stem.Info(ctx)
			select {
			case <-ctx.Done():
				causes = append(causes, context.Cause(ctx))
			case <-time.After(20 * time.Second):
			}
			return info.Worker, nil
		})
		rt.CutOff(def)
		got, err := enqueue(t, rt.Context(), def, "x").Wait(rt.Context())
		if got != "worker-2" || err != nil {
			t.Errorf("got %q, %v, want the result of the second worker", got, err)
		}
		if len(causes) != 1 || !errors.Is(causes[0], stem.ErrLeaseLost) {
			t.Errorf("got %v, want ErrLeaseLost once", causes)
		}
		if again, err := enqueue(t, rt.Context(), def, "y").Wait(rt.Context()); again != "worker-2" || err != nil {
			t.Errorf("got %q, %v, want that the first worker takes no more work", again, err)
		}
		if lost := stemtest.Events[stem.LeaseLost](rt); len(lost) != 1 || lost[0].Worker != "worker-1" {
			t.Errorf("got %+v, want that the first worker was refused", lost)
		}
	})
}

func TestAStoreThatFailsIsAskedAgain(t *testing.T) {
	for _, op := range []stemtest.Operation{stemtest.OpReceive, stemtest.OpExtend, stemtest.OpSettle} {
		t.Run(string(op), func(t *testing.T) {
			stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
				runs := 0
				def := task(t, rt, "a", func(_ context.Context, args string) (string, error) {
					runs++
					time.Sleep(6 * time.Second)
					return args, nil
				})
				rt.StoreFails(op, 2, nil)
				got, err := enqueue(t, rt.Context(), def, "x").Wait(rt.Context())
				if got != "x" || err != nil || runs != 1 {
					t.Errorf("got %q, %v after %d runs, want x after one", got, err, runs)
				}
				failed := stemtest.Events[stem.StoreFailed](rt)
				if len(failed) != 2 || failed[0].Operation != string(op) || !errors.Is(failed[0].Err, stemtest.ErrStore) {
					t.Errorf("got %+v, want two failures of %s", failed, op)
				}
			})
		})
	}
}

func TestAnEnqueueFailsWithTheErrorThatTheTestGives(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		def := task(t, rt, "a", echo)
		rt.StoreFails(stemtest.OpPublish, 1, stem.ErrBackpressure)
		if _, err := def.Enqueue(rt.Context(), "x"); !errors.Is(err, stem.ErrBackpressure) {
			t.Errorf("got %v, want the test's error", err)
		}
		stemtest.NotEnqueued(t, rt, def)
		enqueue(t, rt.Context(), def, "x")
	})
}

func TestAnAnswerThatIsLostMakesASecondTaskUnlessThereIsAKey(t *testing.T) {
	for name, opts := range map[string][]stem.Option{"without": nil, "with": {stem.IdempotencyKey("k")}} {
		t.Run(name, func(t *testing.T) {
			stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
				var list []string
				def := task(t, rt, "a", ran(&list))
				rt.AnswersLost(stemtest.OpPublish, 1, nil)
				if _, err := def.Enqueue(rt.Context(), "x", opts...); !errors.Is(err, stemtest.ErrStore) {
					t.Errorf("got %v, want ErrStore", err)
				}
				enqueue(t, rt.Context(), def, "x", opts...)
				rt.Drain()
				if want := 2 - len(opts); len(list) != want {
					t.Errorf("got %d runs, want %d", len(list), want)
				}
			})
		})
	}
}

func TestLostAnswersOfTheStoreLoseNoTask(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		var list []string
		def := task(t, rt, "a", ran(&list))
		rt.AnswersLost(stemtest.OpReceive, 1, nil)
		rt.AnswersLost(stemtest.OpSettle, 1, nil)
		enqueue(t, rt.Context(), def, "x")
		enqueue(t, rt.Context(), def, "y")
		rt.Drain()
		slices.Sort(list)
		wantRan(t, list, "x", "y")
	})
}

// TestAResultThatCannotBeLoaded is an error for who asks once, and who waits asks again.
func TestAResultThatCannotBeLoaded(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		job := enqueue(t, rt.Context(), task(t, rt, "a", echo), "x")
		rt.StoreFails(stemtest.OpLoad, 2, nil)
		if _, err := job.Status(rt.Context()); !errors.Is(err, stemtest.ErrStore) {
			t.Errorf("got %v, want ErrStore", err)
		}
		if got, err := job.Wait(rt.Context()); got != "x" || err != nil {
			t.Errorf("got %q, %v, want x", got, err)
		}
	})
}

func TestAProcessThatIsLostLogsNothing(t *testing.T) {
	var log strings.Builder
	cfg := stemtest.Config{Client: stem.ClientConfig{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))}}
	stemtest.RunWith(t, cfg, func(t *testing.T, rt *stemtest.Runtime) {
		def := task(t, rt, "a", echo)
		rt.CrashAfter(def)
		rt.CutOff(def)
		enqueue(t, rt.Context(), def, "x")
		rt.DrainAll()
		enqueue(t, rt.Context(), task(t, rt, "b", func(context.Context, string) (string, error) { return "", stem.Permanent(errDeclined) }), "x")
		rt.DrainAll()
	})
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "declined") {
		t.Errorf("got:\n%s\nwant the failure of the last task alone", got)
	}
}

func TestADeadProcessIsNotSaidToHaveStopped(t *testing.T) {
	stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
		def := task(t, rt, "a", func(context.Context, string) (string, error) { time.Sleep(time.Second); return "", nil })
		rt.CrashAfter(def)
		enqueue(t, rt.Context(), def, "x")
		rt.Drain()
		workers, err := rt.Client().Workers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stopped := map[string]bool{}
		for _, w := range workers {
			stopped[w.Name] = w.Stopped
		}
		if want := map[string]bool{"worker-1": false, "worker-2": true}; !maps.Equal(stopped, want) {
			t.Errorf("got %v, want that the second worker has stopped and the first is believed to live", stopped)
		}
	})
}

func TestWhatIsToldOfATaskLaterDoesNotUndoItsSuccess(t *testing.T) {
	stories := map[string]func(*testing.T, *stemtest.Runtime){
		"a duplicate": func(t *testing.T, rt *stemtest.Runtime) {
			def := task(t, rt, "a", echo)
			for range 2 {
				enqueue(t, rt.Context(), def, "x", stem.WithID("a-17"))
				rt.Drain()
			}
		},
		"the late end of a run that had lost its lease": func(t *testing.T, rt *stemtest.Runtime) {
			def := task(t, rt, "a", func(ctx context.Context, args string) (string, error) {
				if info, _ := stem.Info(ctx); info.Interruptions == 0 {
					time.Sleep(time.Minute) // without a look at its context
				}
				return args, nil
			})
			rt.CutOff(def)
			enqueue(t, rt.Context(), def, "x")
			rt.DrainAll()
			rt.Advance(2 * time.Minute)
			if lost := stemtest.Events[stem.LeaseLost](rt); len(lost) != 1 {
				t.Errorf("got %+v, want one run whose end was refused", lost)
			}
		},
		"a settlement whose answer was lost": func(t *testing.T, rt *stemtest.Runtime) {
			def := task(t, rt, "a", echo)
			rt.AnswersLost(stemtest.OpSettle, 1, nil)
			enqueue(t, rt.Context(), def, "x")
			rt.DrainAll()
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			stemtest.Run(t, func(t *testing.T, rt *stemtest.Runtime) {
				story(t, rt)
				rt.MustSucceed()
			})
		})
	}
}
