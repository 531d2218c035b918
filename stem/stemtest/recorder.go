package stemtest

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// Recorder takes tasks that are enqueued, and runs none. It is for code that enqueues:
// give it the recorder's client, by its context or as a dependency, and look at what came
// with [Enqueued].
//
// Keys and ids are deduplicated as in any store. Ids that nobody chose are task-1,
// task-2 and so on. Waiting for a job of a recorder is an error at once: nobody would run
// it. It may be used concurrently, in a synctest bubble or not.
type Recorder struct {
	ledger
	ctx    context.Context
	client *stem.Client
	store  *memory.Store
}

// NewRecorder makes a recorder with a client that has no options of its own.
func NewRecorder(t testing.TB) *Recorder {
	t.Helper()
	return NewRecorderWith(t, stem.ClientConfig{})
}

// NewRecorderWith makes a recorder with a client like the program's: with its defaults and
// its middleware. A payload that the middleware encrypts is shown as it was before.
func NewRecorderWith(t testing.TB, cfg stem.ClientConfig) *Recorder {
	t.Helper()
	rec := &Recorder{store: new(memory.Store)}
	t.Cleanup(func() { _ = rec.store.Close() })
	rec.client = newClient(t, &tape{rec.store, rec}, cfg, &rec.ledger)
	rec.ctx = stem.WithClient(t.Context(), rec.client)
	return rec
}

// newClient makes a client whose envelopes go by a ledger.
func newClient(t testing.TB, broker stem.Broker, cfg stem.ClientConfig, l *ledger) *stem.Client {
	t.Helper()
	cfg.Middleware = slices.Insert(slices.Clone(cfg.Middleware), 0, l.middleware)
	if cfg.Logger == nil {
		cfg.Logger = testLog(t)
	}
	client, err := stem.NewClient(broker, cfg)
	if err != nil {
		t.Fatalf("stemtest: the client: %v", err)
	}
	return client
}

// Client gives the client through which tasks are recorded.
func (r *Recorder) Client() *stem.Client { return r.client }

// Context gives the context of the test with the recorder's client, which Enqueue of a task
// definition finds there. For another context there is [stem.WithClient].
func (r *Recorder) Context() context.Context { return r.ctx }

// Publish makes the recorder what Via of a task definition takes in place of a transaction:
//
//	billing.Charge.Via(rec).Enqueue(ctx, args)
//
// Such a task has the defaults of the client in ctx, if there is one, and nobody can wait for it.
func (r *Recorder) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	envs = slices.Clone(envs)
	r.name(envs)
	return (&tape{r.store, r}).Publish(ctx, envs...)
}

func (r *Recorder) book() *ledger { return &r.ledger }

// tape is the broker of a recorder: a store to which nobody comes for work.
type tape struct {
	*memory.Store
	rec *Recorder
}

func (p *tape) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	answers, err := p.Store.Publish(ctx, envs...)
	p.rec.note(envs, answers, err)
	return answers, err
}

// never says why there will be no result.
type never string

func (n never) Error() string        { return string(n) }
func (n never) Is(target error) bool { return target == stem.ErrNoResult }

// Await answers who would wait for ever.
func (p *tape) Await(_ context.Context, id string) (stem.Result, error) {
	return stem.Result{}, never(fmt.Sprintf("stemtest: a Recorder runs nothing, and so not %s: use stemtest.Run to have tasks run", id))
}
