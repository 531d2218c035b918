package postgres_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/examples/typed_tasks/hello"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
)

// TestATaskTakesNoMoreSpaceThanIsTold measures what the page on this adapter tells: by how much 10,000 tasks with payloads
// of 120 bytes, and results as long, make the tables and indexes longer, before a vacuum has been there.
func TestATaskTakesNoMoreSpaceThanIsTold(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		state string
		most  int
		opts  []stem.Option
		then  func(t *testing.T, store *postgres.Store)
	}{
		{"ready", 840, nil, nil},
		{"delayed", 840, []stem.Option{stem.Delay(time.Hour)}, nil},
		{"on loan", 880, nil, func(t *testing.T, store *postgres.Store) { lendAll(t, store) }},
		{"dead-lettered", 1400, nil, buryAll},
		{"done, with its result", 1350, nil, workAll},
		{"done, without", 880, []stem.Option{stem.IgnoreResult()}, workAll},
	} {
		t.Run(tt.state, func(t *testing.T) {
			url := testpostgres.URL(t)
			store, err := postgres.Open(t.Context(), url, postgres.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			before := taken(t, url)
			enqueueAll(t, store, tt.opts...)
			if tt.then != nil {
				tt.then(t, store)
			}
			got := (taken(t, url) - before) / enqueued
			t.Logf("%d bytes", got)
			if got > tt.most {
				t.Errorf("got %d bytes a task, want at most %d", got, tt.most)
			}
		})
	}
}

const enqueued = 10_000

// enqueueAll enqueues the tasks, in batches.
func enqueueAll(t *testing.T, store *postgres.Store, opts ...stem.Option) {
	t.Helper()
	client, err := stem.NewClient(store, stem.ClientConfig{Defaults: opts})
	if err != nil {
		t.Fatal(err)
	}
	args := make([]hello.HelloArgs, 500)
	for i := range args {
		args[i].Name = strings.Repeat("x", 112) // 120 bytes with what is around it
	}
	for range enqueued / len(args) {
		if _, err := hello.Hello.Via(client).EnqueueMany(t.Context(), args); err != nil {
			t.Fatal(err)
		}
	}
}

// lendAll takes the tasks on loan.
func lendAll(t *testing.T, store *postgres.Store) (all []stem.Delivery) {
	t.Helper()
	for len(all) < enqueued {
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

// buryAll makes dead letters of the tasks.
func buryAll(t *testing.T, store *postgres.Store) {
	t.Helper()
	var ss []stem.Settlement
	for _, d := range lendAll(t, store) {
		ss = append(ss, stem.Settlement{Delivery: d, Verdict: stem.VerdictDeadLetter, Reason: "the mail server refuses the address"})
		if len(ss) == 500 {
			if err := store.Settle(t.Context(), ss...); err != nil {
				t.Fatal(err)
			}
			ss = ss[:0]
		}
	}
}

// workAll runs the tasks until none is left.
func workAll(t *testing.T, store *postgres.Store) {
	t.Helper()
	client, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var tasks stem.Registry
	if err := hello.Register(&tasks); err != nil {
		t.Fatal(err)
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{StopAfterIdle: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	counts, err := store.CountQueue(t.Context(), "default")
	if err != nil || counts.Ready+counts.Running+counts.Dead > 0 {
		t.Fatalf("got %+v, %v, want nothing left", counts, err)
	}
}

// taken gives the bytes of all tables of the store with their indexes.
func taken(t *testing.T, url string) int {
	t.Helper()
	n, err := strconv.Atoi(value(t, url, "SELECT sum(pg_total_relation_size(oid))::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'stem'::regnamespace"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
