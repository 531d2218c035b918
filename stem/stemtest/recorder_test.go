package stemtest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/stemtest"
)

var (
	greet = define("greet", stem.OnQueue("mail"))
	count = define("count")
)

func TestWhatIsEnqueuedIsRecordedInOrderWithItsOptions(t *testing.T) {
	rec := stemtest.NewRecorder(t)
	enqueue(t, rec.Context(), greet, "Ann", stem.Delay(time.Hour), stem.Header("tenant", "acme"))
	enqueue(t, rec.Context(), count, "1")
	if _, err := greet.Via(rec).EnqueueMany(t.Context(), []string{"Bob", "Cid"}, stem.Priority(3)); err != nil {
		t.Fatal(err)
	}
	enqueue(t, t.Context(), greet.Via(rec.Client()), "Dan")

	got := stemtest.Enqueued(t, rec, greet)
	if len(got) != 4 {
		t.Fatalf("got %d requests, want 4", len(got))
	}
	for i, want := range []string{"Ann", "Bob", "Cid", "Dan"} {
		if got[i].Args != want {
			t.Errorf("request %d: got args %q, want %q", i, got[i].Args, want)
		}
	}
	ann := got[0]
	if ann.ID != "task-1" || ann.Queue != "mail" || ann.Delay != time.Hour || ann.Headers["tenant"] != "acme" || ann.MaxRetries != 3 {
		t.Errorf("got %+v, want task-1 with its options and defaults", ann.Envelope)
	}
	if got[2].ID != "task-4" || got[2].Priority != 3 {
		t.Errorf("got %s of priority %d, want task-4 of priority 3", got[2].ID, got[2].Priority)
	}
	if one := stemtest.EnqueuedOne(t, rec, count); one.Args != "1" {
		t.Errorf("got %q, want the one of count", one.Args)
	}
	stemtest.NotEnqueued(t, rec, define("other"))
}

func TestIdsThatSomebodyChoseStay(t *testing.T) {
	rec := stemtest.NewRecorder(t)
	job := enqueue(t, rec.Context(), greet, "Ann", stem.WithID("order-7"))
	once := enqueue(t, rec.Context(), greet, "Bob", stem.IdempotencyKey("k"))
	again := enqueue(t, rec.Context(), greet, "Bob", stem.IdempotencyKey("k"))
	uuid := enqueue(t, rec.Context(), greet, "Cid", stem.WithID("0195d4a1-6d7c-7c3a-9c1e-6a2f4b8d0e11"))

	if job.ID() != "order-7" || once.ID() != "task-1" || uuid.ID() != "0195d4a1-6d7c-7c3a-9c1e-6a2f4b8d0e11" {
		t.Errorf("got ids %s, %s and %s, want order-7, task-1 and the UUID", job.ID(), once.ID(), uuid.ID())
	}
	if !again.Duplicate() || again.ID() != "task-1" {
		t.Errorf("got %s, duplicate %v, want a duplicate of task-1", again.ID(), again.Duplicate())
	}
	if n := len(stemtest.Enqueued(t, rec, greet)); n != 3 {
		t.Errorf("got %d requests, want 3: a duplicate is none", n)
	}
}

func TestARenamedTaskIsFoundUnderItsAlias(t *testing.T) {
	rec := stemtest.NewRecorder(t)
	enqueue(t, rec.Context(), greet, "Ann")
	renamed := stem.Define(stem.TaskSpec{Name: "welcome", Aliases: []string{"greet"}}, text, text)
	if got := stemtest.EnqueuedOne(t, rec, renamed); got.Args != "Ann" {
		t.Errorf("got %q, want Ann", got.Args)
	}
}

// sealed is enqueue middleware that makes payloads unreadable.
func sealed(next stem.Enqueuer) stem.Enqueuer {
	return func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
		for i := range envs {
			envs[i].Payload = codec.AppendBytes(nil, append([]byte("sealed "+envs[i].ID+" "), envs[i].Payload...))
		}
		return next(ctx, envs)
	}
}

func TestAPayloadThatMiddlewareSealsIsShownAsItWas(t *testing.T) {
	rec := stemtest.NewRecorderWith(t, stem.ClientConfig{
		Middleware: []stem.EnqueueMiddleware{sealed}, Defaults: []stem.Option{stem.Priority(7)},
	})
	enqueue(t, rec.Context(), greet, "Ann")
	if got := stemtest.EnqueuedOne(t, rec, greet); got.Args != "Ann" || got.Priority != 7 {
		t.Errorf("got %q of priority %d, want Ann of the client's priority 7", got.Args, got.Priority)
	}
}

func TestWaitingForWhatARecorderHasIsAnErrorAtOnce(t *testing.T) {
	rec := stemtest.NewRecorder(t)
	job := enqueue(t, rec.Context(), greet, "Ann")
	_, err := job.Wait(rec.Context())
	want := "stem: wait for task greet (task-1) in queue mail: stemtest: a Recorder runs nothing, and so not task-1: use stemtest.Run to have tasks run"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Error("got a deadline, want none")
	}
}

func TestFailuresListWhatWasEnqueued(t *testing.T) {
	numbers := stem.Define(stem.TaskSpec{Name: "count"}, codec.Codec[int]{
		Append: func(b []byte, v *int) ([]byte, error) { return codec.AppendInt(b, int64(*v)), nil },
		Read:   func(r *codec.Reader, v *int) { *v = r.Int() },
	}, text)
	tests := []struct {
		promise string
		test    func(t testing.TB, rec *stemtest.Recorder)
		want    string
	}{
		{"none where one was wanted", func(t testing.TB, rec *stemtest.Recorder) {
			enqueue(t, rec.Context(), count, "1", stem.Delay(time.Minute), stem.Priority(2))
			enqueue(t, rec.Context(), count, "1", stem.WithID("a"))
			enqueue(t, rec.Context(), count, "2", stem.WithID("a"))
			stemtest.EnqueuedOne(t, rec, greet)
		}, `stemtest: greet was not enqueued; what was enqueued:
  task-1 count on default: "1", delayed by 1m0s, priority 2
  a count on default: "1"
  a count on default: "2", a duplicate of a`},
		{"none at all", func(t testing.TB, rec *stemtest.Recorder) {
			stemtest.EnqueuedOne(t, rec, greet)
		}, `stemtest: greet was not enqueued; nothing was enqueued`},
		{"two where one was wanted", func(t testing.TB, rec *stemtest.Recorder) {
			enqueue(t, rec.Context(), greet, "Ann")
			enqueue(t, rec.Context(), greet, "Bob")
			stemtest.EnqueuedOne(t, rec, greet)
		}, `stemtest: greet was enqueued 2 times, want once; what was enqueued:
  task-1 greet on mail: "Ann"
  task-2 greet on mail: "Bob"`},
		{"one where none was wanted", func(t testing.TB, rec *stemtest.Recorder) {
			enqueue(t, rec.Context(), greet, "Ann")
			stemtest.NotEnqueued(t, rec, greet)
		}, `stemtest: greet was enqueued, want that it is not; what was enqueued:
  task-1 greet on mail: "Ann"`},
		{"args that are another type's", func(t testing.TB, rec *stemtest.Recorder) {
			enqueue(t, rec.Context(), count, "1")
			stemtest.Enqueued(t, rec, numbers)
		}, `stemtest: the args of task-1 are not those of the definition: want int, have str at offset 0; they are "1"`},
		{"a client that is none", func(t testing.TB, _ *stemtest.Recorder) {
			stemtest.NewRecorderWith(t, stem.ClientConfig{MaxPayload: -1})
		}, `stemtest: the client: stem: ClientConfig.MaxPayload -1: want a positive number of bytes, or 0 for 1 MiB`},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			wantSaid(t, failureOf(t, func(t testing.TB) { tt.test(t, stemtest.NewRecorder(t)) }), tt.want)
		})
	}
}
