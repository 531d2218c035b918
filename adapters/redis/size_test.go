package redis_test

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/examples/typed_tasks/hello"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// TestATaskTakesNoMoreMemoryThanIsTold measures what the page on this adapter tells: what 10,000 tasks with payloads
// of 120 bytes, and results as long, add to used_memory.
func TestATaskTakesNoMoreMemoryThanIsTold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state string
		most  int
		reach func(t *testing.T, store *redis.Store)
	}{
		{"ready", 350, func(t *testing.T, store *redis.Store) { enqueue(t, store) }},
		{"delayed", 500, func(t *testing.T, store *redis.Store) { enqueue(t, store, stem.Delay(time.Hour)) }},
		{"on loan", 450, func(t *testing.T, store *redis.Store) {
			enqueue(t, store)
			borrow(t, store)
		}},
		{"dead-lettered", 800, func(t *testing.T, store *redis.Store) {
			enqueue(t, store)
			bury(t, store, borrow(t, store))
		}},
		{"done, with its result", 480, func(t *testing.T, store *redis.Store) {
			enqueue(t, store)
			work(t, store)
		}},
		{"done, without", 10, func(t *testing.T, store *redis.Store) {
			enqueue(t, store, stem.IgnoreResult())
			work(t, store)
		}},
	} {
		t.Run(tt.state, func(t *testing.T) {
			server := testredis.Start(t, testredis.Config{})
			store, err := redis.Open(t.Context(), server.URL(), redis.Config{})
			if err != nil {
				t.Fatal(err)
			}
			// What scripts and buffers take, about 1.3 MB, they take once.
			enqueue(t, store, stem.IgnoreResult())
			work(t, store)
			before := used(t, server)
			defer store.Close()
			tt.reach(t, store)
			got := (used(t, server) - before) / tasks
			t.Logf("%d bytes", got)
			if got > tt.most {
				t.Errorf("got %d bytes a task, want at most %d", got, tt.most)
			}
		})
	}
}

const tasks = 10_000

// enqueue enqueues the tasks, in batches.
func enqueue(t *testing.T, store *redis.Store, opts ...stem.Option) {
	t.Helper()
	client, err := stem.NewClient(store, stem.ClientConfig{Defaults: opts})
	if err != nil {
		t.Fatal(err)
	}
	ctx := stem.WithClient(t.Context(), client)
	args := make([]hello.HelloArgs, 500)
	for i := range args {
		args[i].Name = strings.Repeat("x", 112) // 120 bytes with what is around it
	}
	for range tasks / len(args) {
		if _, err := hello.Hello.EnqueueMany(ctx, args); err != nil {
			t.Fatal(err)
		}
	}
}

// borrow takes the tasks on loan.
func borrow(t *testing.T, store *redis.Store) (all []stem.Delivery) {
	t.Helper()
	for len(all) < tasks {
		ds, err := store.Receive(t.Context(), stem.ReceiveRequest{
			Session: stem.Session{ID: "size", Lease: time.Hour}, Queues: []string{"default"}, Max: 500,
		})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, ds...)
	}
	if got := len(all[0].Payload); got != 120 {
		t.Fatalf("got payloads of %d bytes, want 120", got)
	}
	return all
}

// bury makes dead letters of tasks.
func bury(t *testing.T, store *redis.Store, ds []stem.Delivery) {
	t.Helper()
	ss := make([]stem.Settlement, len(ds))
	for i := range ds {
		ss[i] = stem.Settlement{Delivery: ds[i], Verdict: stem.VerdictDeadLetter, Reason: "the mail server refuses the address"}
	}
	for i := 0; i < len(ss); i += 500 {
		if err := store.Settle(t.Context(), ss[i:i+500]...); err != nil {
			t.Fatal(err)
		}
	}
}

// work runs the tasks until none is left.
func work(t *testing.T, store *redis.Store) {
	t.Helper()
	client, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var registry stem.Registry
	if err := hello.Register(&registry); err != nil {
		t.Fatal(err)
	}
	worker, err := stem.NewWorker(client, &registry, stem.WorkerConfig{StopAfterIdle: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	counts, err := store.CountQueue(context.WithoutCancel(t.Context()), "default")
	if err != nil || counts.Ready+counts.Running+counts.Dead > 0 {
		t.Fatalf("got %+v, %v, want nothing left", counts, err)
	}
}

// used gives the server's used_memory.
func used(t *testing.T, server *testredis.Server) int {
	t.Helper()
	info, err := server.Do("INFO", "memory")
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`used_memory:(\d+)`).FindStringSubmatch(info.(string))
	n, err := strconv.Atoi(match[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
