package ops_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

func TestAnExaminationFindsWhatKeepsTasksFromRunning(t *testing.T) {
	lend := func(ctx context.Context, store *memory.Store, tasks *stem.TaskSet) error {
		_, err := store.Receive(ctx, stem.ReceiveRequest{Session: stem.Session{ID: "s", Lease: time.Minute}, Queues: []string{"q"}, Tasks: tasks, Max: 1, MaxBytes: 100})
		return err
	}
	announce := func(ctx context.Context, store *memory.Store, id, revision string) error {
		return store.Announce(ctx, stem.WorkerInfo{ID: id, Name: id, Queues: []string{"q"}, Revision: revision, For: time.Hour})
	}
	tests := map[string]struct {
		provoke func(ctx context.Context, store *memory.Store, client *stem.Client) error
		want    ops.Finding
	}{
		"a store that forgets": {nil, ops.Finding{Level: ops.LevelInfo, Code: "durability", What: "gone with it"}},
		"a queue that rests": {func(ctx context.Context, store *memory.Store, _ *stem.Client) error {
			return store.PauseQueue(ctx, "q", true)
		},
			ops.Finding{Level: ops.LevelWarning, Code: "paused", What: "queue q: it is paused", Remedy: "stem queue resume q"}},
		"a queue that none can be": {func(ctx context.Context, store *memory.Store, _ *stem.Client) error {
			return store.PauseQueue(ctx, "a\nb", true)
		}, ops.Finding{Level: ops.LevelWarning, Code: "unreadable-queue", What: `queue "a\nb": want printable ASCII without spaces`, Remedy: "what else writes to the store"}},
		"a queue without a worker": {nil, ops.Finding{Level: ops.LevelError, Code: "no-worker", What: "queue q: 1 tasks are due", Remedy: "STEM_WORKER_QUEUES=q"}},
		"a task that nobody knows": {func(ctx context.Context, store *memory.Store, _ *stem.Client) error {
			soon, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			if err := lend(soon, store, stem.NewTaskSet(stem.TaskSpec{Name: "another"})); !errors.Is(err, context.DeadlineExceeded) {
				return err
			}
			return nil
		}, ops.Finding{Level: ops.LevelError, Code: "unknown-task", What: "1 of task t wait, and no worker knows it", Remedy: "deploy a worker"}},
		"args that nobody reads": {func(ctx context.Context, store *memory.Store, client *stem.Client) error {
			if _, err := client.EnqueueRaw(ctx, "typed", []byte{0xc0}, stem.OnQueue("q"), stem.Priority(9), stem.Fingerprint(7)); err != nil {
				return err
			}
			return lend(ctx, store, stem.NewTaskSet(stem.TaskSpec{Name: "t"}, stem.TaskSpec{Name: "typed", Schema: stem.Schema{Fingerprint: 5}}))
		}, ops.Finding{Level: ops.LevelError, Code: "unknown-schema", What: "no worker reads their args", Remedy: "deploy workers"}},
		"workers of two builds": {func(ctx context.Context, store *memory.Store, _ *stem.Client) error {
			return errors.Join(announce(ctx, store, "a", "new"), announce(ctx, store, "b", "old"), announce(ctx, store, "c", "old"))
		}, ops.Finding{Level: ops.LevelInfo, Code: "revisions", What: `workers of 2 builds run: "new, old"`, Remedy: "a deploy"}},
		"dead letters": {func(ctx context.Context, store *memory.Store, client *stem.Client) error {
			for range 1000 {
				if _, err := client.EnqueueRaw(ctx, "t", []byte{0xc0}, stem.OnQueue("dead")); err != nil {
					return err
				}
				ds, err := store.Receive(ctx, stem.ReceiveRequest{Session: stem.Session{ID: "s", Lease: time.Minute}, Queues: []string{"dead"}, Max: 1, MaxBytes: 100})
				if err != nil {
					return err
				}
				if err := store.Settle(ctx, stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictDeadLetter}); err != nil {
					return err
				}
			}
			return nil
		}, ops.Finding{Level: ops.LevelWarning, Code: "dead-letters", What: "queue dead: 1000 dead letters", Remedy: "stem dlq list --queue dead"}},
	}
	for promise, tt := range tests {
		t.Run(promise, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := new(memory.Store)
				service, err := ops.New(ops.Stores{Broker: store}, ops.Config{})
				if err != nil {
					t.Fatal(err)
				}
				client, err := stem.NewClient(store, stem.ClientConfig{})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := client.EnqueueRaw(t.Context(), "t", []byte{0xc0}, stem.OnQueue("q")); err != nil {
					t.Fatal(err)
				}
				fits := func(f ops.Finding) bool {
					return f.Level == tt.want.Level && f.Code == tt.want.Code && strings.Contains(f.What, tt.want.What) && strings.Contains(f.Remedy, tt.want.Remedy)
				}
				if tt.provoke != nil {
					if found, err := service.Examine(t.Context()); err != nil || slices.ContainsFunc(found, fits) {
						t.Errorf("before it is so: got %+v, error %v", found, err)
					}
					if err := tt.provoke(t.Context(), store, client); err != nil {
						t.Fatal(err)
					}
				}
				found, err := service.Examine(t.Context())
				if err != nil || !slices.ContainsFunc(found, fits) {
					t.Errorf("got %+v, error %v, want %+v among it", found, err, tt.want)
				}
				if !slices.IsSortedFunc(found, func(a, b ops.Finding) int {
					return slices.Index(ops.Levels, a.Level) - slices.Index(ops.Levels, b.Level)
				}) {
					t.Errorf("got %+v, want the gravest first", found)
				}
			})
		})
	}
}
