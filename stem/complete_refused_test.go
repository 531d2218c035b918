package stem_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/internal/txmemory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

func TestCompleteSaysWhyItCannot(t *testing.T) {
	foreign := func(ctx context.Context, b *bank, def *stem.TaskDefinition[string, string]) error {
		return def.Complete(ctx, new(txmemory.Store).Begin(), "")
	}
	for name, tt := range map[string]struct {
		cfg  stem.ClientConfig
		call func(ctx context.Context, b *bank, def *stem.TaskDefinition[string, string]) error
		want string
	}{
		"outside a handler": {call: func(_ context.Context, b *bank, def *stem.TaskDefinition[string, string]) error {
			return b.commits(context.Background(), def, "")
		}, want: "stem: Complete: the context is not a handler's"},
		"another task's definition": {call: func(ctx context.Context, b *bank, _ *stem.TaskDefinition[string, string]) error {
			return b.commits(ctx, stem.Define(stem.TaskSpec{Name: "other"}, text, text), "")
		}, want: "stem: Complete of task \"other\": the handler that calls it runs task task: call it on the definition of that one"},
		"a context that has ended": {call: func(ctx context.Context, b *bank, def *stem.TaskDefinition[string, string]) error {
			ended, cancel := context.WithCancelCause(ctx)
			cancel(errors.New("enough"))
			return b.commits(ended, def, "")
		}, want: "stem: Complete of task task (id): enough"},
		"no transaction": {call: func(ctx context.Context, _ *bank, def *stem.TaskDefinition[string, string]) error {
			return def.Complete(ctx, nil, "")
		}, want: "stem: Complete of task task (id): the transaction is nil: pass the adapter's, for example postgres.Tx(tx)"},
		"no definition": {call: func(ctx context.Context, b *bank, _ *stem.TaskDefinition[string, string]) error {
			return b.commits(ctx, nil, "")
		}, want: "stem: the task definition is nil or zero: make it with stem.Define"},
		"no codec": {call: func(ctx context.Context, b *bank, _ *stem.TaskDefinition[string, string]) error {
			return b.commits(ctx, stem.Define(stem.TaskSpec{Name: "task"}, text, codec.Codec[string]{}), "")
		}, want: "stem: task \"task\": a codec is missing: use reflectcodec.Of, or let stemgen write the definition"},
		"a result that is too large": {cfg: stem.ClientConfig{MaxPayload: 8}, call: func(ctx context.Context, b *bank, def *stem.TaskDefinition[string, string]) error {
			return b.commits(ctx, def, "123456789")
		}, want: "stem: task task: the encoded result would take 10 bytes, the limit is 8: pass a reference to the data, or raise ClientConfig.MaxPayload"},
		"a transaction of another store": {call: foreign,
			want: "stem: Complete of task task (id): stem: the delivery came from a *txmemory.Store, the transaction is of a txmemory.Store: complete it in a transaction of the store that lent it, or only return from the handler"},
		"results in another store": {cfg: stem.ClientConfig{Backend: new(memory.Store)}, call: func(ctx context.Context, b *bank, def *stem.TaskDefinition[string, string]) error {
			return b.commits(ctx, def, "")
		}, want: "stem: Complete of task task (id): its result is kept by a *memory.Store and its delivery by a *txmemory.Store, so no transaction ends both: keep results in the broker's store, or enqueue with stem.IgnoreResult()"},
	} {
		t.Run(name, func(t *testing.T) {
			inBank(t, tt.cfg, func(t *testing.T, b *bank) {
				var task *stem.TaskDefinition[string, string]
				task = b.task("task", func(ctx context.Context, _ string) (string, error) {
					if err := tt.call(ctx, b, task); err == nil || err.Error() != tt.want {
						t.Errorf("got  %v\nwant %s", err, tt.want)
					}
					return "back", nil
				})
				b.work(stem.WorkerConfig{})
				if got, err := b.wait(b.enqueue(task, "", stem.WithID("id"))); got != "back" || err != nil {
					t.Errorf("got %q, %v; want what the handler returned", got, err)
				}
			})
		})
	}
}

func TestCompleteIsOverWhenTheHandlerIs(t *testing.T) {
	inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
		var escaped context.Context
		task := b.task("task", func(ctx context.Context, _ string) (string, error) {
			escaped = ctx
			return "", nil
		})
		b.work(stem.WorkerConfig{})
		_, _ = b.wait(b.enqueue(task, ""))
		if err := b.commits(escaped, task, ""); err == nil || !strings.Contains(err.Error(), "the task's handler has returned") {
			t.Errorf("got %v, want an error that says so", err)
		}
	})
}
