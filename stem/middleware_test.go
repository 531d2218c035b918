package stem_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
)

// stamp appends its name to a header of each envelope, and to a log of its own before and behind.
func stamp(name string, log *[]string) stem.EnqueueMiddleware {
	return func(next stem.Enqueuer) stem.Enqueuer {
		return func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
			*log = append(*log, name)
			for i := range envs {
				envs[i].Headers["by"] += name
			}
			defer func() { *log = append(*log, "/"+name) }()
			return next(ctx, envs)
		}
	}
}

func enqueueing(t *testing.T, broker stem.Broker, middleware ...stem.EnqueueMiddleware) *stem.Client {
	t.Helper()
	client, err := stem.NewClient(broker, stem.ClientConfig{Middleware: middleware, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestEnqueueMiddlewareWrapsEveryEnqueueFromTheOutside(t *testing.T) {
	def := stem.Define(stem.TaskSpec{Name: "task", Options: []stem.Option{stem.Header("own", "kept")}}, text, text)
	for name, enqueue := range map[string]func(*stem.Client, *catcher) error{
		"one": func(c *stem.Client, _ *catcher) error {
			_, err := def.Via(c).Enqueue(t.Context(), "a")
			return err
		},
		"many": func(c *stem.Client, _ *catcher) error {
			_, err := def.Via(c).EnqueueMany(t.Context(), []string{"a", "b"})
			return err
		},
		"raw": func(c *stem.Client, _ *catcher) error {
			_, err := c.EnqueueRaw(t.Context(), "task", []byte{0xa0}, stem.Header("own", "kept"))
			return err
		},
		"in a transaction": func(c *stem.Client, tx *catcher) error {
			_, err := def.Via(c).Via(tx).Enqueue(t.Context(), "a")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log []string
			store, tx := new(catcher), new(catcher)
			client := enqueueing(t, store, stamp("outer", &log), stamp("inner", &log))
			if err := enqueue(client, tx); err != nil {
				t.Fatal(err)
			}
			if want := []string{"outer", "inner", "/inner", "/outer"}; !slices.Equal(log, want) {
				t.Errorf("got %v, want %v", log, want)
			}
			envs := slices.Concat(store.envs, tx.envs)
			if len(envs) == 0 {
				t.Fatal("got no envelope")
			}
			for _, e := range envs {
				if diff := cmp.Diff(e.Headers, map[string]string{"own": "kept", "by": "outerinner"}); diff != "" {
					t.Errorf("got -, want +:\n%s", diff)
				}
			}
		})
	}
}

func TestEnqueueMiddlewareRefusesAndIsChecked(t *testing.T) {
	no := errors.New("no")
	def := stem.Define(stem.TaskSpec{Name: "task"}, text, text)
	for name, tt := range map[string]struct {
		do   func([]stem.Envelope) error
		want string
	}{
		"refuses":            {func([]stem.Envelope) error { return no }, "stem: enqueue task task: no"},
		"panics":             {func([]stem.Envelope) error { panic("oops") }, "the enqueue middleware panicked: oops"},
		"breaks a rule":      {func(e []stem.Envelope) error { e[0].Priority = 10; return nil }, "priority 10: want 0 to 9"},
		"makes it too large": {func(e []stem.Envelope) error { e[0].Payload = make([]byte, 2<<20); return nil }, "the limit is 1048576"},
	} {
		t.Run(name, func(t *testing.T) {
			store := new(catcher)
			client := enqueueing(t, store, func(next stem.Enqueuer) stem.Enqueuer {
				return func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
					if err := tt.do(envs); err != nil {
						return nil, err
					}
					return next(ctx, envs)
				}
			})
			_, err := def.Via(client).Enqueue(t.Context(), "a")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if len(store.envs) != 0 {
				t.Errorf("got %d envelopes in the store, want none", len(store.envs))
			}
		})
	}
}

func TestEnqueueMiddlewareAnswersForEveryTask(t *testing.T) {
	def := stem.Define(stem.TaskSpec{Name: "task"}, text, text)
	first := func(err error) error { return &stem.PartialError{Items: []stem.ItemError{{Index: 0, Err: err}}} }
	for name, tt := range map[string]struct {
		answers []stem.Published
		err     error
		want    string
	}{
		"none":            {nil, nil, "the enqueue middleware gave the ids of 0 tasks for 1"},
		"too many":        {[]stem.Published{{ID: "a"}, {ID: "b"}}, nil, "the enqueue middleware gave the ids of 2 tasks for 1"},
		"one without id":  {[]stem.Published{{}}, nil, "the enqueue middleware gave the ids of 0 tasks for 1"},
		"a partial error": {[]stem.Published{{}}, first(errors.New("full")), "stem: enqueue task task: full"},
		"another's error": {[]stem.Published{{ID: "a"}}, &stem.PartialError{Items: []stem.ItemError{{Index: 7, Err: errors.New("full")}}}, "item 7: full"},
	} {
		t.Run(name, func(t *testing.T) {
			client := enqueueing(t, new(catcher), func(stem.Enqueuer) stem.Enqueuer {
				return func(context.Context, []stem.Envelope) ([]stem.Published, error) { return tt.answers, tt.err }
			})
			if _, err := def.Via(client).Enqueue(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestEnqueueMiddlewareThatIsNoneIsRefused(t *testing.T) {
	for want, middleware := range map[string]stem.EnqueueMiddleware{
		"number 0 is nil":           nil,
		"number 0 gave no Enqueuer": func(stem.Enqueuer) stem.Enqueuer { return nil },
	} {
		_, err := stem.NewClient(new(catcher), stem.ClientConfig{Middleware: []stem.EnqueueMiddleware{middleware}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// turned turns each byte of a payload over: a cipher for tests.
func turned(payload []byte) []byte {
	other := make([]byte, len(payload))
	for i, b := range payload {
		other[i] = ^b
	}
	return other
}

func TestPayloadsAreEncryptedOnTheirWay(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		var stored []byte
		r.client = enqueueing(t, r.store, func(next stem.Enqueuer) stem.Enqueuer {
			return func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
				for i := range envs {
					envs[i].Payload = turned(envs[i].Payload)
				}
				return next(ctx, envs)
			}
		})
		hello := r.task("hello", greet)
		var order []string
		layer := func(name string, do func(*stem.Delivery) *stem.Delivery) stem.ReceiveMiddleware {
			return func(next stem.Receiver) stem.Receiver {
				return func(ctx context.Context, d *stem.Delivery) (*stem.Delivery, error) {
					order = append(order, name)
					return next(ctx, do(d))
				}
			}
		}
		r.work(stem.WorkerConfig{ReceiveMiddleware: []stem.ReceiveMiddleware{
			layer("look", func(d *stem.Delivery) *stem.Delivery { stored = d.Payload; return d }),
			layer("decrypt", func(d *stem.Delivery) *stem.Delivery { return d.WithPayload(turned(d.Payload)) }),
		}})
		if got, err := r.wait(r.enqueue(hello, "Stem")); got != "Hello Stem" || err != nil {
			t.Errorf("got %q, %v; want Hello Stem", got, err)
		}
		if want := turned([]byte("\xa4Stem")); string(stored) != string(want) {
			t.Errorf("stored: got %x, want %x", stored, want)
		}
		if want := []string{"look", "decrypt"}; !slices.Equal(order, want) {
			t.Errorf("got %v, want %v", order, want)
		}
	})
}

func TestWhatReceiveMiddlewareSaysIsJudgedAsTheHandlersWord(t *testing.T) {
	for name, tt := range map[string]struct {
		first func() (*stem.Delivery, error)
		state stem.State
		check func(stem.Result) bool
	}{
		"a permanent error": {func() (*stem.Delivery, error) { return nil, stem.Permanent(errors.New("forged")) }, stem.StateFailed,
			func(s stem.Result) bool { return s.Failure.Message == "forged" }},
		"a snooze": {func() (*stem.Delivery, error) { return nil, stem.Snooze(time.Second) }, stem.StateSucceeded,
			func(s stem.Result) bool { return s.Snoozes == 1 && s.Attempt == 1 }},
		"an error":    {func() (*stem.Delivery, error) { return nil, errors.New("no key yet") }, stem.StateSucceeded, func(s stem.Result) bool { return s.Attempt == 2 }},
		"a panic":     {func() (*stem.Delivery, error) { panic("oops") }, stem.StateSucceeded, func(s stem.Result) bool { return s.Attempt == 2 }},
		"no delivery": {func() (*stem.Delivery, error) { return nil, nil }, stem.StateSucceeded, func(s stem.Result) bool { return s.Attempt == 2 }},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, r *rig) {
				hello := r.task("hello", greet)
				seen := 0
				r.work(stem.WorkerConfig{ReceiveMiddleware: []stem.ReceiveMiddleware{func(next stem.Receiver) stem.Receiver {
					return func(ctx context.Context, d *stem.Delivery) (*stem.Delivery, error) {
						if seen++; seen == 1 {
							return tt.first()
						}
						return next(ctx, d)
					}
				}}})
				job := r.enqueue(hello, "Stem")
				_, _ = r.wait(job)
				if s := r.status(job); s.State != tt.state || !tt.check(s) {
					t.Errorf("got %+v, want it %s", s, tt.state)
				}
				if n := len(eventsOf[stem.TaskStarted](r)); n != seen-1 {
					t.Errorf("got %d TaskStarted events of %d receives, want none for the first", n, seen)
				}
			})
		})
	}
}

func TestWhatMustNotRunPassesNoReceiveMiddleware(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		job := r.enqueue(hello, "", stem.ExpiresIn(time.Second))
		time.Sleep(time.Minute)
		r.work(stem.WorkerConfig{ReceiveMiddleware: []stem.ReceiveMiddleware{func(stem.Receiver) stem.Receiver {
			return func(context.Context, *stem.Delivery) (*stem.Delivery, error) {
				t.Error("an expired task came to the middleware")
				return nil, nil
			}
		}}})
		if _, err := r.wait(job); !errors.Is(err, stem.ErrCancelled) {
			t.Errorf("got %v, want ErrCancelled", err)
		}
	})
}

func TestReceiveMiddlewareThatIsNoneIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.task("hello", greet)
		for want, middleware := range map[string]stem.ReceiveMiddleware{
			"number 0 is nil":           nil,
			"number 0 gave no Receiver": func(stem.Receiver) stem.Receiver { return nil },
		} {
			_, err := stem.NewWorker(r.client, &r.registry, stem.WorkerConfig{ReceiveMiddleware: []stem.ReceiveMiddleware{middleware}})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
	})
}
