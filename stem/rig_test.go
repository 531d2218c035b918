package stem_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

func TestMain(m *testing.M) {
	if !runProgram() {
		// The goroutine that delivers signals is the runtime's own, once there has been one.
		goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("os/signal.loop"), goleak.IgnoreTopFunction("os/signal.signal_recv"))
	}
}

// text is the codec of string args and results.
var text = codec.Codec[string]{
	Append: func(b []byte, v *string) ([]byte, error) { return codec.AppendString(b, *v), nil },
	Read:   func(r *codec.Reader, v *string) { *v = r.Str() },
}

// rig is a client, a registry and what its workers told, over one store. It
// lives inside a synctest bubble.
type rig struct {
	t        *testing.T
	store    *memory.Store
	client   *stem.Client
	registry stem.Registry

	mu     sync.Mutex
	events []stem.Event
}

// inBubble runs a story on a fresh rig, in virtual time.
func inBubble(t *testing.T, story func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		story(t, newRig(t, nil, stem.ClientConfig{}))
	})
}

// newRig makes a rig whose broker is the memory store, seen through wrap if given.
func newRig(t *testing.T, wrap func(*memory.Store) stem.Broker, cfg stem.ClientConfig) *rig {
	t.Helper()
	r := &rig{t: t, store: new(memory.Store)}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Observer == nil {
		cfg.Observer = r
	}
	var broker stem.Broker = r.store
	if wrap != nil {
		broker = wrap(r.store)
	}
	client, err := stem.NewClient(broker, cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.client = client
	return r
}

// Observe collects what workers and client tell.
func (r *rig) Observe(_ context.Context, e stem.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// eventsOf gives the events of one type, once all that has happened has been told.
func eventsOf[E stem.Event](r *rig) []E {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []E
	for _, e := range r.events {
		if e, ok := e.(E); ok {
			found = append(found, e)
		}
	}
	return found
}

// task defines and handles a task of text args and result.
func (r *rig) task(name string, fn func(context.Context, string) (string, error), opts ...stem.Option) *stem.TaskDefinition[string, string] {
	r.t.Helper()
	def := stem.Define(stem.TaskSpec{Name: name, Options: opts}, text, text)
	if err := stem.Handle(&r.registry, def, fn); err != nil {
		r.t.Fatal(err)
	}
	return def.Via(r.client)
}

// work starts a worker; the returned stop ends it and gives Run's error. It is
// stopped at the end of the test in any case.
func (r *rig) work(cfg stem.WorkerConfig) (stop func() error) {
	r.t.Helper()
	w, err := stem.NewWorker(r.client, &r.registry, cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	r.t.Cleanup(func() { _ = stop() })
	return stop
}

// start starts a worker that the test stops itself; done gives Run's error.
func (r *rig) start(cfg stem.WorkerConfig) (w *stem.Worker, done <-chan error) {
	r.t.Helper()
	w, err := stem.NewWorker(r.client, &r.registry, cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	end := make(chan error, 1)
	go func() { end <- w.Run(r.t.Context()) }()
	return w, end
}

func (r *rig) enqueue(def *stem.TaskDefinition[string, string], args string, opts ...stem.Option) stem.Job[string] {
	r.t.Helper()
	job, err := def.Enqueue(r.t.Context(), args, opts...)
	if err != nil {
		r.t.Fatal(err)
	}
	return job
}

// wait answers what the job came to, within a virtual day.
func (r *rig) wait(job stem.Job[string]) (string, error) {
	ctx, cancel := context.WithTimeout(r.t.Context(), 24*time.Hour)
	defer cancel()
	return job.Wait(ctx)
}

func (r *rig) status(job stem.Job[string]) stem.Result {
	r.t.Helper()
	record, err := job.Status(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return record
}

func (r *rig) deadLetters(queue string) []stem.DeadLetter {
	r.t.Helper()
	letters, err := r.store.DeadLetters(r.t.Context(), queue, 100)
	if err != nil {
		r.t.Fatal(err)
	}
	return letters
}

func (r *rig) count(queue string) stem.QueueCounts {
	r.t.Helper()
	counts, err := r.store.CountQueue(r.t.Context(), queue)
	if err != nil {
		r.t.Fatal(err)
	}
	return counts
}
