package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

var by = ops.By{Actor: "ann", Reason: "a customer asked"}

// registry has a task with a schema, one without args and one without a schema.
func registry(t *testing.T, run func(d *stem.Delivery)) *stem.Registry {
	t.Helper()
	var r stem.Registry
	handler := func(_ context.Context, d *stem.Delivery) ([]byte, error) {
		if run != nil {
			run(d)
		}
		return []byte{0xc3}, nil
	}
	const args = `{"type":"object","properties":{"To":{"type":"string"},"Count":{"type":"integer"}},"additionalProperties":false}`
	for _, spec := range []stem.TaskSpec{
		{Name: "mail.send", Aliases: []string{"send"}, Schema: stem.Schema{Fingerprint: 7, Args: args}, Options: []stem.Option{stem.OnQueue("mail"), stem.Priority(3)}},
		{Name: "mail.sweep", Schema: stem.Schema{Fingerprint: 8}},
		{Name: "mail.raw"},
	} {
		if err := r.Register(spec, handler); err != nil {
			t.Fatal(err)
		}
	}
	return &r
}

func TestATaskIsEnqueuedByNameAsItsProgramWould(t *testing.T) {
	var store memory.Store
	var events []ops.Event
	var ran *stem.Delivery
	tasks := registry(t, func(d *stem.Delivery) { ran = d })
	service, err := ops.New(ops.Stores{Broker: &store}, ops.Config{
		Registry: tasks, Observer: func(_ context.Context, e ops.Event) { events = append(events, e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	published, err := service.Enqueue(t.Context(), by, ops.EnqueueRequest{
		Task: "send", Args: json.RawMessage(`{"Count":2,"To":"ada"}`), Options: []stem.Option{stem.Priority(5), stem.WithID("one")},
	})
	if err != nil || published.ID != "one" {
		t.Fatalf("got %+v, %v", published, err)
	}
	again, err := service.Enqueue(t.Context(), by, ops.EnqueueRequest{Task: "send", Options: []stem.Option{stem.WithID("one")}})
	if err != nil || !again.Duplicate {
		t.Errorf("the same id again: got %+v, %v, want a duplicate", again, err)
	}
	want := ops.Event{By: by, Action: "task.enqueue", Queue: "mail", ID: "one", Count: 1}
	if diff := cmp.Diff(events, []ops.Event{want, want}, cmpopts.IgnoreFields(ops.Event{}, "At")); diff != "" || events[0].At.IsZero() {
		t.Errorf("events: got -, want +:\n%s", diff)
	}
	work(t, &store, tasks, service, "one")
	if ran.Task != "mail.send" || ran.Queue != "mail" || ran.Priority != 5 || ran.Fingerprint != 7 || string(ran.Payload) != "\x82\xa2To\xa3ada\xa5Count\x02" {
		t.Errorf("ran %s of queue %s, priority %d, schema %x, args %q", ran.Task, ran.Queue, ran.Priority, ran.Fingerprint, ran.Payload)
	}
}

// work runs a worker until a task has ended, for which the service waits.
func work(t *testing.T, store *memory.Store, tasks *stem.Registry, service *ops.Service, id string) {
	t.Helper()
	client, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	worker, err := stem.NewWorker(client, tasks, stem.WorkerConfig{Queues: []string{"mail"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	result, err := service.Await(ctx, id)
	stop()
	if runErr := <-ended; err != nil || runErr != nil || result.State != stem.StateSucceeded {
		t.Errorf("awaited %s: got %s, %v (the worker: %v), want %s", id, result.State, err, runErr, stem.StateSucceeded)
	}
}

func TestWhatCannotBeEnqueuedIsToldWhy(t *testing.T) {
	with, err := ops.New(ops.Stores{Broker: new(memory.Store)}, ops.Config{Registry: registry(t, nil)})
	if err != nil {
		t.Fatal(err)
	}
	without, err := ops.New(ops.Stores{Broker: new(memory.Store)}, ops.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		promise    string
		service    *ops.Service
		by         ops.By
		task, args string
		want       string
	}{
		{"nobody does it", with, ops.By{}, "mail.send", "", `stem: By.Actor "": want who does it`},
		{"a slip in the name", with, by, "mail.sned", "", "ops: there is no task called mail.sned: is mail.send meant?"},
		{"a name of nothing", with, by, "zebra", "", "ops: there is no task called zebra"},
		{"a program without tasks", without, by, "mail.send", "", ops.ErrNoRegistry.Error()},
		{"args that the schema refuses", with, by, "mail.send", `{"Count":1.5}`, "ops: task mail.send: args.Count: 1.5: want an integer"},
		{"args of a task that takes none", with, by, "mail.sweep", `{"Count":1}`, "ops: task mail.sweep: args: the task takes none"},
		{"args of which nothing is known", with, by, "mail.raw", `1`, "ops: task mail.raw: args: the task's definition has no schema to make them by; stemgen writes one"},
	}
	for _, tt := range tests {
		t.Run(tt.promise, func(t *testing.T) {
			_, err := tt.service.Enqueue(t.Context(), tt.by, ops.EnqueueRequest{Task: tt.task, Args: json.RawMessage(tt.args)})
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
	for _, args := range []string{"", "null", " {} "} {
		if _, err := with.Enqueue(t.Context(), by, ops.EnqueueRequest{Task: "mail.sweep", Args: json.RawMessage(args)}); err != nil {
			t.Errorf("no args, written as %q: %v", args, err)
		}
	}
}

// pulls is a backend that cannot push results.
type pulls struct{ stem.Backend }

func TestAwaitEndsWithItsContextAndWithoutAPush(t *testing.T) {
	var store memory.Store
	service, err := ops.New(ops.Stores{Broker: &store, Backend: pulls{&store}}, ops.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := service.Await(ctx, "one"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's error", err)
	}
	if err := store.Save(t.Context(), stem.Result{ID: "one", Task: "t", Queue: "q", State: stem.StateSucceeded, Delivery: 1, Keep: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if result, err := service.Await(t.Context(), "one"); err != nil || result.State != stem.StateSucceeded {
		t.Errorf("got %+v, %v", result, err)
	}
}
