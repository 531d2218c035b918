package stem_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

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
