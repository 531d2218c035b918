package stemtest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/stemtest"
)

var errDeclined = errors.New("declined")

// work is a task with a back-off without jitter.
var work = define("work", stem.MaxRetries(2), stem.Backoff(stem.FixedBackoff(10*time.Second)))

func TestARunIsJudgedAsAWorkerWould(t *testing.T) {
	fails := func(err error) handler {
		return func(context.Context, string) (string, error) { return "", err }
	}
	tests := []struct {
		promise string
		fn      handler
		opts    []stemtest.PerformOption
		want    string
		verdict stem.Verdict
	}{
		{"a result", echo, nil, "succeeded with Ann", stem.VerdictAck},
		{"a failure", fails(errDeclined), nil, "retry in 10s, error: declined", stem.VerdictRetry},
		{"the last failure", fails(errDeclined), []stemtest.PerformOption{stemtest.Attempt(3)}, "dead-letter, error: declined", stem.VerdictDeadLetter},
		{"options of the enqueue", fails(errDeclined), []stemtest.PerformOption{stemtest.With(stem.MaxRetries(0))}, "dead-letter, error: declined", stem.VerdictDeadLetter},
		{"a permanent error", fails(stem.Permanent(errDeclined)), nil, "dead-letter, error: declined", stem.VerdictDeadLetter},
		{"a wait of the handler's", fails(stem.RetryAfter(time.Hour, errDeclined)), nil, "retry in 1h0m0s, error: declined", stem.VerdictRetry},
		{"a snooze", fails(stem.Snooze(time.Minute)), nil, "snooze for 1m0s", stem.VerdictSnooze},
		{"a panic", func(context.Context, string) (string, error) { panic("boom") }, nil, "retry in 10s, panic: panic: boom", stem.VerdictRetry},
		{"a timeout", func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "", ctx.Err() },
			[]stemtest.PerformOption{stemtest.With(stem.Timeout(time.Hour))}, "retry in 10s, timeout: timeout of 1h0m0s: context deadline exceeded", stem.VerdictRetry},
		{"a delay is not waited for", echo, []stemtest.PerformOption{stemtest.With(stem.Delay(time.Hour))}, "succeeded with Ann", stem.VerdictAck},
		{"a result that is ignored", echo, []stemtest.PerformOption{stemtest.With(stem.IgnoreResult())}, "succeeded with Ann", stem.VerdictAck},
		{"the fourth run after three crashes", echo, []stemtest.PerformOption{stemtest.Interruptions(3)}, "dead-letter, poison: 3 runs in a row were cut short by a crash or a lost lease", stem.VerdictDeadLetter},
		{"the third after two", echo, []stemtest.PerformOption{stemtest.Interruptions(2)}, "succeeded with Ann", stem.VerdictAck},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := stemtest.Perform(t, work, tt.fn, "Ann", tt.opts...)
				if got.String() != tt.want || got.Verdict != tt.verdict {
					t.Errorf("got %v: %v, want %v: %s", got.Verdict, got, tt.verdict, tt.want)
				}
			})
		})
	}
}

func TestTheHandlersErrorIsTheOneThatItReturned(t *testing.T) {
	got := stemtest.Perform(t, work, func(context.Context, string) (string, error) { return "", fmt.Errorf("pay: %w", errDeclined) }, "x")
	if !errors.Is(got.Err, errDeclined) || got.State != stem.StateRetrying || got.Failure == nil || got.Failure.Message != "pay: declined" {
		t.Errorf("got %v, %s, %+v, want the very error and what the record says", got.Err, got.State, got.Failure)
	}
}

func TestAHandlerFindsWhatAWorkerGivesIt(t *testing.T) {
	type key struct{}
	var info stem.TaskInfo
	var value any
	got := stemtest.Perform(t, work, func(ctx context.Context, args string) (string, error) {
		info, _ = stem.Info(ctx)
		value = ctx.Value(key{})
		return args, nil
	}, "x", stemtest.Attempt(2), stemtest.Interruptions(1), stemtest.From(context.WithValue(t.Context(), key{}, "db")),
		stemtest.With(stem.Header("tenant", "acme"), stem.OnQueue("bulk")))
	got.Must()
	if info.ID != "task-1" || info.Attempt != 2 || info.Interruptions != 1 || info.Headers["tenant"] != "acme" || info.Queue != "bulk" || info.Worker != "worker-1" {
		t.Errorf("got %+v, want what was asked for", info)
	}
	if value != "db" {
		t.Errorf("got %v in the context, want the value of From", value)
	}
}

func TestARunGoesThroughTheMiddleware(t *testing.T) {
	var order []string
	enter := func(name string) { order = append(order, name) }
	got := stemtest.Perform(t, work, func(ctx context.Context, args string) (string, error) {
		enter("handler")
		return args, nil
	}, "x",
		stemtest.OnClient(stem.ClientConfig{Middleware: []stem.EnqueueMiddleware{func(next stem.Enqueuer) stem.Enqueuer {
			return func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
				enter("enqueue " + envs[0].ID)
				return next(ctx, envs)
			}
		}}}),
		stemtest.OnWorker(stem.WorkerConfig{
			Slots: 50, Queues: []string{"of no importance"},
			ReceiveMiddleware: []stem.ReceiveMiddleware{func(next stem.Receiver) stem.Receiver {
				return func(ctx context.Context, d *stem.Delivery) (*stem.Delivery, error) {
					enter("receive")
					return next(ctx, d)
				}
			}},
			Middleware: []stem.Middleware{func(next stem.Handler) stem.Handler {
				return func(ctx context.Context, d *stem.Delivery) ([]byte, error) { enter("run"); return next(ctx, d) }
			}},
		}))
	got.Must()
	if want := []string{"enqueue task-1", "receive", "run", "handler"}; !slices.Equal(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
}

func TestWhatAHandlerEnqueuesIsRecorded(t *testing.T) {
	rec := stemtest.NewRecorder(t)
	enqueue(t, rec.Context(), count, "before")
	got := stemtest.Perform(t, work, func(ctx context.Context, args string) (string, error) {
		_, err := greet.Enqueue(ctx, "child of "+args)
		return args, err
	}, "x", stemtest.Into(rec))
	got.Must()
	child := stemtest.EnqueuedOne(t, rec, greet)
	if got.Recorder != rec || child.Args != "child of x" || child.ID != "task-3" || child.Parent != "task-2" {
		t.Errorf("got %q, %s, child of %s, want the child, task-3, of task-2", child.Args, child.ID, child.Parent)
	}
	stemtest.NotEnqueued(t, rec, work)
}

func TestAHandlerThatWaitsForAChildIsTold(t *testing.T) {
	got := stemtest.Perform(t, work, func(ctx context.Context, args string) (string, error) {
		job, err := greet.Enqueue(ctx, args)
		if err != nil {
			return "", err
		}
		return job.Wait(ctx)
	}, "x")
	want := "stem: wait for task greet (task-2) in queue mail: stemtest: Perform runs one task, and has recorded task-2: use stemtest.Run to have both run"
	if got.Err == nil || got.Err.Error() != want {
		t.Errorf("got %v, want %s", got.Err, want)
	}
}

func TestATaskWithoutArgsIsPerformed(t *testing.T) {
	sweep := stem.DefineNoArgs(stem.TaskSpec{Name: "sweep"}, text)
	swept := func(context.Context) (string, error) { return "swept", nil }
	register := func(r *stem.Registry) error { return stem.HandleNoArgs(r, sweep, swept) }
	if got := stemtest.Perform(t, sweep, register, stem.None{}).Must(); got != "swept" {
		t.Errorf("got %q, want swept", got)
	}
	plain := func(ctx context.Context, _ stem.None) (string, error) { return swept(ctx) }
	if got := stemtest.Perform(t, sweep, plain, stem.None{}).Must(); got != "swept" {
		t.Errorf("got %q from a plain function, want swept", got)
	}
}

// point is a type of whose fields the codec forgets one.
type point struct{ X, Y int }

var pointCodec = codec.Codec[point]{
	Append: func(b []byte, v *point) ([]byte, error) { return codec.AppendInt(b, int64(v.X)), nil },
	Read:   func(r *codec.Reader, v *point) { v.X = r.Int() },
}

func TestWhatCannotBePerformedIsTold(t *testing.T) {
	failing := codec.Codec[string]{
		Append: func([]byte, *string) ([]byte, error) { return nil, errors.New("too odd") }, Read: text.Read,
	}
	tests := []struct {
		promise string
		test    func(t testing.TB)
		want    string
	}{
		{"no result where one was wanted", func(t testing.TB) {
			stemtest.Perform(t, work, func(context.Context, string) (string, error) { return "", errDeclined }, "x").Must()
		}, "stemtest: work: retry in 10s, error: declined, want a result"},
		{"args that lose a field", func(t testing.TB) {
			def := stem.Define(stem.TaskSpec{Name: "move"}, pointCodec, text)
			stemtest.Perform(t, def, func(context.Context, point) (string, error) { return "", nil }, point{1, 2})
		}, "stemtest: the wire changes the args of move: .Y is 2, behind it 0"},
		{"a result that loses a field", func(t testing.TB) {
			def := stem.Define(stem.TaskSpec{Name: "move"}, text, pointCodec)
			stemtest.Perform(t, def, func(context.Context, string) (point, error) { return point{0, 3}, nil }, "x")
		}, "stemtest: the wire changes the result of move: .Y is 3, behind it 0"},
		{"args that do not encode", func(t testing.TB) {
			stemtest.Perform(t, stem.Define(stem.TaskSpec{Name: "odd"}, failing, text), echo, "x")
		}, "stemtest: the args of odd cannot be encoded: too odd"},
		{"a registration that fails", func(t testing.TB) {
			stemtest.Perform(t, work, func(*stem.Registry) error { return errDeclined }, "x")
		}, "stemtest: perform work: declined"},
		{"a registration of other tasks", func(t testing.TB) {
			stemtest.Perform(t, work, func(r *stem.Registry) error { return stem.Handle(r, greet, echo) }, "x")
		}, "stemtest: perform work: what registers its handler has registered greet and not this task"},
		{"no handler", func(t testing.TB) {
			stemtest.Perform(t, work, handler(nil), "x")
		}, "stemtest: perform work: stem: task \"work\" has no handler: pass its function to Register or Handle"},
		{"an option that is none", func(t testing.TB) {
			stemtest.Perform(t, work, echo, "x", stemtest.With(stem.Priority(11)))
		}, "stemtest: perform work: enqueue task \"work\": stem: priority 11: want 0 to 9"},
		{"an attempt that is none", func(t testing.TB) {
			stemtest.Perform(t, work, echo, "x", stemtest.Attempt(0))
		}, "stemtest: perform work: attempt 0 and 0 interruptions: want 1 or more, and 0 or more"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) { wantSaid(t, failureOf(t, tt.test), tt.want) })
	}
}
