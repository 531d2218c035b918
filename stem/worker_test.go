package stem_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
)

func greet(_ context.Context, name string) (string, error) { return "Hello " + name, nil }

func TestATaskRunsAndItsResultIsAwaited(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		r.work(stem.WorkerConfig{})
		got, err := r.wait(r.enqueue(hello, "Stem"))
		if got != "Hello Stem" || err != nil {
			t.Errorf("got %q, %v; want Hello Stem", got, err)
		}
	})
}

func TestATaskWithoutArgsOrResult(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		ran := 0
		clean := stem.DefineNoArgs(stem.TaskSpec{Name: "clean"}, stem.NoneCodec())
		err := stem.HandleNoArgs(&r.registry, clean, func(context.Context) (stem.None, error) { ran++; return stem.None{}, nil })
		if err != nil {
			t.Fatal(err)
		}
		r.work(stem.WorkerConfig{})
		job, err := clean.Via(r.client).Enqueue(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := job.Wait(t.Context()); err != nil || ran != 1 {
			t.Errorf("got %v after %d runs, want nil after one", err, ran)
		}
	})
}

func TestAFailureIsRetriedAfterItsBackoff(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var starts []time.Duration
		begin := time.Now()
		flaky := r.task("flaky", func(ctx context.Context, _ string) (string, error) {
			starts = append(starts, time.Since(begin))
			if len(starts) < 3 {
				return "", errors.New("not yet")
			}
			return "done", nil
		}, stem.Backoff(stem.FixedBackoff(time.Minute)))
		r.work(stem.WorkerConfig{})
		job := r.enqueue(flaky, "")
		time.Sleep(time.Second)
		if s := r.status(job); s.State != stem.StateRetrying || s.Attempt != 1 || s.Failure.Message != "not yet" {
			t.Errorf("after the first failure: got %+v, want retrying after attempt 1", s)
		}
		if got, err := r.wait(job); got != "done" || err != nil {
			t.Fatalf("got %q, %v; want done", got, err)
		}
		if diff := cmp.Diff(starts, []time.Duration{0, time.Minute, 2 * time.Minute}); diff != "" {
			t.Errorf("starts: got -, want +:\n%s", diff)
		}
		if s := r.status(job); s.State != stem.StateSucceeded || s.Attempt != 3 {
			t.Errorf("got %s at attempt %d, want succeeded at attempt 3", s.State, s.Attempt)
		}
		if n := len(eventsOf[stem.TaskRetrying](r)); n != 2 {
			t.Errorf("got %d TaskRetrying events, want 2", n)
		}
	})
}

func TestATaskThatFailsForGoodIsADeadLetter(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		boom := r.task("boom", func(context.Context, string) (string, error) { return "", errors.New("boom") },
			stem.MaxRetries(2), stem.Backoff(stem.FixedBackoff(0)))
		r.work(stem.WorkerConfig{})
		job := r.enqueue(boom, "args")
		_, err := r.wait(job)
		var failed *stem.TaskError
		if !errors.As(err, &failed) || failed.State != stem.StateFailed || failed.Attempt != 3 || failed.Failure.Message != "boom" {
			t.Fatalf("got %v, want a *stem.TaskError of attempt 3", err)
		}
		letters := r.deadLetters("default")
		if len(letters) != 1 || letters[0].ID != job.ID() || letters[0].Reason != "error: boom" {
			t.Fatalf("got %+v, want one dead letter, error: boom", letters)
		}
		e, err := stem.ParseEnvelope(letters[0].Envelope)
		if err != nil || string(e.Payload) != "\xa4args" {
			t.Errorf("got payload %q, %v; want the original bytes", e.Payload, err)
		}
	})
}

func TestHandlersSteerByTheirErrors(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		begin := time.Now()
		steer := r.task("steer", func(ctx context.Context, how string) (string, error) {
			info, _ := stem.Info(ctx)
			switch {
			case how == "permanent":
				return "", stem.Permanent(errors.New("never"))
			case how == "snooze" && info.Snoozes < 2:
				return "", stem.Snooze(time.Hour)
			case how == "after" && info.Attempt == 1:
				return "", stem.RetryAfter(time.Hour, errors.New("busy"))
			}
			return time.Since(begin).String(), nil
		})
		r.work(stem.WorkerConfig{})
		if _, err := r.wait(r.enqueue(steer, "permanent")); err == nil || len(r.deadLetters("default")) != 1 {
			t.Errorf("permanent: got %v, want a dead letter at once", err)
		}
		after := r.enqueue(steer, "after")
		snoozed := r.enqueue(steer, "snooze")
		if got, err := r.wait(after); got != "1h0m0s" || err != nil {
			t.Errorf("RetryAfter: got %q, %v; want 1h0m0s", got, err)
		}
		if got, err := r.wait(snoozed); got != "2h0m0s" || err != nil {
			t.Errorf("Snooze: got %q, %v; want 2h0m0s", got, err)
		}
		if s := r.status(snoozed); s.Attempt != 1 || s.Snoozes != 2 {
			t.Errorf("Snooze: got attempt %d and %d snoozes, want 1 and 2", s.Attempt, s.Snoozes)
		}
	})
}

func TestAPanicCostsAnAttemptNeverTheWorker(t *testing.T) {
	for name, end := range map[string]func(){
		"panic":  func() { panic("oh no") },
		"Goexit": runtime.Goexit,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				var runs atomic.Int64
				bad := r.task("bad", func(context.Context, string) (string, error) {
					if runs.Add(1) == 1 {
						end()
					}
					return "survived", nil
				}, stem.Backoff(stem.FixedBackoff(time.Minute)))
				r.work(stem.WorkerConfig{Slots: 1})
				job := r.enqueue(bad, "")
				time.Sleep(time.Second)
				s := r.status(job)
				if s.State != stem.StateRetrying || s.Attempt != 1 {
					t.Fatalf("got %+v, want retrying after attempt 1", s)
				}
				if name == "panic" && (s.Failure.Kind != stem.FailurePanic || s.Failure.Message != "panic: oh no" ||
					!strings.Contains(s.Failure.Stack, "worker_test.go")) {
					t.Errorf("got %+v, want the panic with its stack", s.Failure)
				}
				if got, err := r.wait(job); got != "survived" || err != nil {
					t.Errorf("got %q, %v; want survived", got, err)
				}
			})
		})
	}
}

// typedNil is an error whose nil pointer is returned by mistake.
type typedNil struct{ s string }

func (e *typedNil) Error() string { return e.s }

// rude is an error that panics when somebody looks into it.
type rude struct{}

func (rude) Error() string { return "rude" }

func (rude) Is(error) bool { panic("do not ask") }

func (rude) As(any) bool { panic("do not ask") }

func TestAnErrorThatPanicsIsAFailure(t *testing.T) {
	for name, bad := range map[string]error{"a typed nil": (*typedNil)(nil), "a rude one": rude{}} {
		inBubble(t, func(t *testing.T, r *rig) {
			def := r.task("bad", func(context.Context, string) (string, error) { return "", bad }, stem.MaxRetries(0))
			r.work(stem.WorkerConfig{Slots: 1})
			_, err := r.wait(r.enqueue(def, ""))
			var failed *stem.TaskError
			if !errors.As(err, &failed) || failed.Failure.Kind != stem.FailurePanic || failed.Failure.Stack == "" {
				t.Errorf("%s: got %v, want a failure by panic with its stack", name, err)
			}
		})
	}
}

func TestATimeoutCancelsTheHandlerAndKeepsItsSlot(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var cause error
		slow := r.task("slow", func(ctx context.Context, _ string) (string, error) {
			if _, ok := ctx.Deadline(); !ok {
				t.Error("the handler's context has no deadline")
			}
			<-ctx.Done()
			cause = context.Cause(ctx)
			time.Sleep(time.Hour) // deaf
			return "", ctx.Err()
		}, stem.Timeout(time.Minute), stem.MaxRetries(0))
		quick := r.task("quick", greet)
		r.work(stem.WorkerConfig{Slots: 1})
		stuck := r.enqueue(slow, "")
		begin := time.Now()
		if _, err := r.wait(r.enqueue(quick, "")); err != nil || time.Since(begin) != time.Hour+time.Minute {
			t.Errorf("the next task ended after %v, %v; want after 1h1m: the slot stays taken", time.Since(begin), err)
		}
		_, err := r.wait(stuck)
		var failed *stem.TaskError
		if !errors.As(err, &failed) || failed.Failure.Kind != stem.FailureTimeout || !errors.Is(cause, stem.ErrTimeout) {
			t.Errorf("got %v and cause %v, want a timeout", err, cause)
		}
	})
}

func TestAnExpiredTaskIsCancelledNotFailed(t *testing.T) {
	t.Run("in the queue", func(t *testing.T) {
		inBubble(t, func(t *testing.T, r *rig) {
			late := r.task("late", greet)
			job := r.enqueue(late, "", stem.ExpiresIn(time.Minute))
			time.Sleep(time.Minute + 1)
			r.work(stem.WorkerConfig{})
			if _, err := r.wait(job); !errors.Is(err, stem.ErrCancelled) || len(r.deadLetters("default")) != 0 {
				t.Errorf("got %v, want ErrCancelled and no dead letter", err)
			}
		})
	})
	t.Run("in the worker's prefetch", func(t *testing.T) {
		inBubble(t, func(t *testing.T, r *rig) {
			slow := r.task("slow", func(context.Context, string) (string, error) { time.Sleep(2 * time.Minute); return "", nil })
			r.work(stem.WorkerConfig{Slots: 1})
			r.enqueue(slow, "")
			job := r.enqueue(slow, "", stem.ExpiresIn(time.Minute))
			if _, err := r.wait(job); !errors.Is(err, stem.ErrCancelled) {
				t.Errorf("got %v, want ErrCancelled", err)
			}
		})
	})
}

func TestArgsThatCannotBeReadMakeADeadLetter(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.task("hello", greet)
		r.work(stem.WorkerConfig{})
		payload := []byte{0x93, 1, 2}
		job, err := r.client.EnqueueRaw(t.Context(), "hello", payload)
		if err != nil {
			t.Fatal(err)
		}
		_, err = job.Wait(t.Context())
		var failed *stem.TaskError
		if !errors.As(err, &failed) || failed.Failure.Kind != stem.FailureMalformed || failed.Attempt != 1 {
			t.Fatalf("got %v, want a malformed failure at attempt 1", err)
		}
		e, err := stem.ParseEnvelope(r.deadLetters("default")[0].Envelope)
		if err != nil || !cmp.Equal(e.Payload, payload) {
			t.Errorf("got payload %x, %v; want the original %x", e.Payload, err, payload)
		}
	})
}

func TestQueuesAreServedInOrderOfPreference(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var order []string
		note := r.task("note", func(_ context.Context, s string) (string, error) { order = append(order, s); return "", nil })
		r.enqueue(note, "slow", stem.OnQueue("slow"))
		r.enqueue(note, "fast low", stem.OnQueue("fast"))
		last := r.enqueue(note, "fast high", stem.OnQueue("fast"), stem.Priority(9))
		r.enqueue(note, "nobody's", stem.OnQueue("elsewhere"))
		r.work(stem.WorkerConfig{Queues: []string{"fast", "slow"}, Slots: 1, Prefetch: 1})
		if _, err := r.wait(last); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if diff := cmp.Diff(order, []string{"fast high", "fast low", "slow"}); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
	})
}

func TestSlotsAndPrefetchBoundWhatIsInHand(t *testing.T) {
	for _, tt := range []struct{ slots, prefetch, inHand int }{{1, 1, 1}, {3, 0, 6}, {2, 4, 8}} {
		inBubble(t, func(t *testing.T, r *rig) {
			var running, most atomic.Int64
			slow := r.task("slow", func(context.Context, string) (string, error) {
				now := running.Add(1)
				defer running.Add(-1)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				time.Sleep(time.Minute)
				return "", nil
			})
			for range 20 {
				r.enqueue(slow, "")
			}
			r.work(stem.WorkerConfig{Slots: tt.slots, Prefetch: tt.prefetch})
			synctest.Wait()
			if got := r.count("default").Running; got != tt.inHand {
				t.Errorf("%d slots, prefetch %d: got %d in hand, want %d", tt.slots, tt.prefetch, got, tt.inHand)
			}
			time.Sleep(time.Hour)
			if got := r.count("default"); most.Load() != int64(tt.slots) || got.Running+got.Ready != 0 {
				t.Errorf("got %d at once and %+v left, want %d and none", most.Load(), got, tt.slots)
			}
		})
	}
}

func TestAResultThatIsTooLargeFailsTheTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, stem.ClientConfig{MaxPayload: 10})
		long := r.task("long", func(context.Context, string) (string, error) { return strings.Repeat("x", 10), nil })
		r.work(stem.WorkerConfig{})
		_, err := r.wait(r.enqueue(long, ""))
		if err == nil || !strings.Contains(err.Error(), "the encoded result would take 11 bytes, the limit is 10") {
			t.Errorf("got %v, want an error with size and limit", err)
		}
	})
}

func TestPoisonIsSetAsideUndecoded(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		ran := false
		def := r.task("poison", func(context.Context, string) (string, error) { ran = true; return "", nil })
		job := r.enqueue(def, "")
		for i := range 2 { // two workers that crash with it
			_, err := r.store.Receive(t.Context(), stem.ReceiveRequest{
				Session: stem.Session{ID: strings.Repeat("x", i+1), Lease: time.Second}, Queues: []string{"default"}, Max: 1,
			})
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		r.work(stem.WorkerConfig{MaxInterruptions: 2})
		_, err := r.wait(job)
		var failed *stem.TaskError
		if !errors.As(err, &failed) || failed.Failure.Kind != stem.FailurePoison || ran {
			t.Errorf("got %v (ran: %v), want a poison failure without a run", err, ran)
		}
	})
}

func TestAWorkerThatIsWronglySetUpSaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		good, empty := new(stem.Registry), new(stem.Registry)
		if err := good.Register(stem.TaskSpec{Name: "t"}, func(context.Context, *stem.Delivery) ([]byte, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
		tests := []struct {
			client   *stem.Client
			registry *stem.Registry
			cfg      stem.WorkerConfig
			want     string
		}{
			{nil, good, stem.WorkerConfig{}, "the client is nil"},
			{r.client, nil, stem.WorkerConfig{}, "the registry is nil"},
			{r.client, empty, stem.WorkerConfig{}, "no task is registered"},
			{r.client, good, stem.WorkerConfig{Slots: -1}, "WorkerConfig.Slots -1"},
			{r.client, good, stem.WorkerConfig{Slots: 1 << 62}, "WorkerConfig.Slots 4611686018427387904"},
			{r.client, good, stem.WorkerConfig{Prefetch: 1001}, "WorkerConfig.Prefetch 1001"},
			{r.client, good, stem.WorkerConfig{Lease: 25 * time.Hour}, "WorkerConfig.Lease 25h"},
			{r.client, good, stem.WorkerConfig{Prefetch: -1}, "WorkerConfig.Prefetch -1"},
			{r.client, good, stem.WorkerConfig{Lease: time.Millisecond}, "WorkerConfig.Lease 1ms"},
			{r.client, good, stem.WorkerConfig{Queues: []string{"a", "a"}}, `WorkerConfig.Queues "a": want each queue once`},
			{r.client, good, stem.WorkerConfig{Queues: []string{"a b"}}, `WorkerConfig.Queues "a b"`},
			{r.client, good, stem.WorkerConfig{Queues: []string{"a"}, QueueWeights: map[string]int{"a": 1}}, "WorkerConfig.QueueWeights beside Queues"},
			{r.client, good, stem.WorkerConfig{QueueWeights: map[string]int{"a": 1, "b": 0}}, "WorkerConfig.QueueWeights 0 for b: want 1 to 1,000,000"},
			{r.client, good, stem.WorkerConfig{QueueWeights: map[string]int{"a b": 1}}, `WorkerConfig.QueueWeights "a b"`},
			{r.client, good, stem.WorkerConfig{StopAfterIdle: time.Millisecond}, "WorkerConfig.StopAfterIdle 1ms"},
			{r.client, good, stem.WorkerConfig{PrefetchBytes: -1}, "WorkerConfig.PrefetchBytes -1: want 1 or more"},
			{r.client, good, stem.WorkerConfig{Autoscale: &stem.Autoscale{}}, "WorkerConfig.Autoscale.Max 0: want 1 to 100,000"},
			{r.client, good, stem.WorkerConfig{Autoscale: &stem.Autoscale{Min: 6, Max: 5}}, "WorkerConfig.Autoscale.Min 6: want 1 to Max, which is 5"},
			{r.client, good, stem.WorkerConfig{Autoscale: &stem.Autoscale{Max: 5, Step: -1}}, "WorkerConfig.Autoscale.Step -1: want 1 or more"},
			{r.client, good, stem.WorkerConfig{Autoscale: &stem.Autoscale{Max: 5, UpCooldown: 1}}, "WorkerConfig.Autoscale.UpCooldown 1ns: want 100ms to 1h"},
			{r.client, good, stem.WorkerConfig{Autoscale: &stem.Autoscale{Max: 5, DownCooldown: 25 * time.Hour}}, "WorkerConfig.Autoscale.DownCooldown 25h0m0s: want 100ms to 24h"},
			{r.client, good, stem.WorkerConfig{Slots: 6, Autoscale: &stem.Autoscale{Max: 5}}, "WorkerConfig.Slots 6: want what Autoscale allows, 1 to 5"},
			{r.client, good, stem.WorkerConfig{HeartbeatInterval: 1}, "WorkerConfig.HeartbeatInterval 1ns: want 1s to 1h"},
			{r.client, good, stem.WorkerConfig{HeartbeatInterval: 2 * time.Hour}, "WorkerConfig.HeartbeatInterval 2h0m0s: want 1s to 1h"},
			{r.client, good, stem.WorkerConfig{StuckAfter: 1}, "WorkerConfig.StuckAfter 1ns: want at least 100ms"},
			{r.client, good, stem.WorkerConfig{AgeAfter: -time.Second}, "WorkerConfig.AgeAfter -1s"},
			{r.client, good, stem.WorkerConfig{Name: "\x1b"}, "WorkerConfig.Name"},
			{r.client, good, stem.WorkerConfig{Middleware: []stem.Middleware{nil}}, "WorkerConfig.Middleware: number 0 is nil"},
			{r.client, good, stem.WorkerConfig{Middleware: []stem.Middleware{func(stem.Handler) stem.Handler { return nil }}}, "number 0 gave no handler for task t"},
		}
		for _, tt := range tests {
			if _, err := stem.NewWorker(tt.client, tt.registry, tt.cfg); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		}
		w, err := stem.NewWorker(r.client, good, stem.WorkerConfig{})
		if err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if err := w.Run(ended); err != nil {
			t.Errorf("Run: got %v, want nil", err)
		}
		if err := w.Run(ended); err == nil || !strings.Contains(err.Error(), "Run may be called once") {
			t.Errorf("the second Run: got %v, want an error", err)
		}
	})
}
