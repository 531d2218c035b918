package stemtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// Handler is what runs a task: a function that calls Register of package stem's registry,
// as the generated Register is, or the handler itself.
type Handler[A, R any] interface {
	func(*stem.Registry) error | func(context.Context, A) (R, error)
}

// Perform runs a task once, as a worker would, and tells how the run was judged:
//
//	got := stemtest.Perform(t, billing.Charge, billing.Register, billing.ChargeArgs{Cents: 1200})
//
// The args go through the codec, the options and the client's middleware into an envelope, and
// from there through a worker's middleware to the handler, which finds its Info, Logger and client
// in its context, and its timeout upon it. What it enqueues is recorded and does not run
// (see [Into]). The result comes back through its codec, whatever the options say about keeping it.
//
// It is one run: a retry is told as an outcome, and not made. Delays are not waited for.
// Perform returns when the handler has; in a synctest bubble its waits take no time.
//
// Args, or a result, that are others behind the wire than before it fail the test (see [RoundTrip]).
// What cannot be performed at all ends it: args that do not encode, say, or a registration that fails.
func Perform[A, R any, H Handler[A, R]](t testing.TB, def Task[A, R], handler H, args A, opts ...PerformOption) Outcome[R] {
	t.Helper()
	p := performance{ctx: t.Context(), attempt: 1}
	for _, opt := range opts {
		opt(&p)
	}
	if p.into == nil {
		p.into = NewRecorder(t)
	}
	payload := encode(t, "the args of "+def.Name(), def.ArgsCodec(), args)
	out := Outcome[R]{t: t, Recorder: p.into, task: def.Name()}
	var returned *R
	var registry stem.Registry
	if err := register(&registry, def, handler, &returned); err != nil {
		t.Fatalf("stemtest: perform %s: %v", def.Name(), err)
	}
	if err := p.check(&registry, def.Spec()); err != nil {
		t.Fatalf("stemtest: perform %s: %v", def.Name(), err)
	}
	settled, err := p.run(t, def, &registry, payload, &out.Err)
	if err != nil {
		t.Fatalf("stemtest: perform %s: %v", def.Name(), err)
	}
	out.judged(settled)
	if settled.Result == nil || settled.Result.State != stem.StateSucceeded || len(settled.Result.Payload) == 0 {
		return out
	}
	if err := def.ResultCodec().Decode(settled.Result.Payload, &out.Result); err != nil {
		t.Errorf("stemtest: the result of %s does not survive the wire: %v; it is %s", def.Name(), err, short(settled.Result.Payload))
	} else if returned != nil {
		survives(t, "the result of "+def.Name(), *returned, out.Result)
	}
	return out
}

// register binds the handler. What a plain function returns is kept, so that it can be compared.
func register[A, R any, H Handler[A, R]](registry *stem.Registry, def Task[A, R], handler H, returned **R) error {
	fn, plain := any(handler).(func(context.Context, A) (R, error))
	if !plain {
		return any(handler).(func(*stem.Registry) error)(registry)
	}
	if fn == nil {
		return registry.Register(def.Spec(), nil)
	}
	keeping := func(ctx context.Context, args A) (R, error) {
		result, err := fn(ctx, args)
		*returned = &result
		return result, err
	}
	if d, ok := def.(*stem.TaskDefinition[A, R]); ok {
		return stem.Handle(registry, d, keeping)
	}
	d, ok := any(def).(*stem.NoArgsDefinition[R])
	if !ok {
		return fmt.Errorf("a definition of type %T has no handler of its own: pass what registers it", def)
	}
	return stem.HandleNoArgs(registry, d, func(ctx context.Context) (R, error) {
		var none A
		return keeping(ctx, none)
	})
}

// PerformOption says under which circumstances a task is performed.
type PerformOption func(*performance)

type performance struct {
	ctx           context.Context
	attempt       int
	interruptions int
	options       []stem.Option
	client        stem.ClientConfig
	worker        stem.WorkerConfig
	into          *Recorder
}

// Attempt makes it attempt number n, of which the n−1 before have failed. The default is 1.
func Attempt(n int) PerformOption { return func(p *performance) { p.attempt = n } }

// Interruptions makes it look as if n runs in a row had been cut short by a crash. The default is 0.
func Interruptions(n int) PerformOption { return func(p *performance) { p.interruptions = n } }

// With enqueues the task with options, for example headers, an id or a timeout.
func With(opts ...stem.Option) PerformOption {
	return func(p *performance) { p.options = append(p.options, opts...) }
}

// From performs the task with values that the handler finds in its context, for example
// those that the program puts into that of Worker.Run. The default is the context of the test.
func From(ctx context.Context) PerformOption { return func(p *performance) { p.ctx = ctx } }

// Into records what the handler enqueues together with what else the recorder has. The default
// is one of its own: Outcome.Recorder.
func Into(rec *Recorder) PerformOption { return func(p *performance) { p.into = rec } }

// OnClient performs the task with a client like the program's: with its defaults and its middleware.
func OnClient(cfg stem.ClientConfig) PerformOption { return func(p *performance) { p.client = cfg } }

// OnWorker performs the task on a worker like the program's: with its middleware, say. Queues do
// not matter, nor does how much such a worker does at once.
func OnWorker(cfg stem.WorkerConfig) PerformOption { return func(p *performance) { p.worker = cfg } }

// check refuses what would never run.
func (p *performance) check(registry *stem.Registry, spec stem.TaskSpec) error {
	if p.attempt < 1 || p.interruptions < 0 {
		return fmt.Errorf("attempt %d and %d interruptions: want 1 or more, and 0 or more", p.attempt, p.interruptions)
	}
	tasks := registry.Tasks()
	if stem.NewTaskSet(tasks...).Has(spec.Name, spec.Schema.Fingerprint) {
		return nil
	}
	names := make([]string, len(tasks))
	for i, task := range tasks {
		names[i] = task.Name
	}
	return fmt.Errorf("what registers its handler has registered %s and not this task", strings.Join(names, ", "))
}

// run enqueues the task on a stage, lets a worker play it, and gives how that ended.
func (p *performance) run(t testing.TB, def stem.AnyTask, registry *stem.Registry, payload []byte, returned *error) (stem.Settlement, error) {
	t.Helper()
	s := newStage(p)
	defer s.close()
	client := newClient(t, s, p.client, &p.into.ledger)
	spec := def.Spec()
	opts := slices.Concat(spec.Options, p.options, []stem.Option{stem.Delay(0), stem.Fingerprint(spec.Schema.Fingerprint)})
	if _, err := client.EnqueueRaw(p.ctx, spec.Name, payload, opts...); err != nil {
		return stem.Settlement{}, err
	}
	cfg := p.worker
	cfg.Queues, cfg.QueueWeights, cfg.Slots, cfg.Prefetch = []string{s.queue}, nil, 1, 1
	if cfg.Name == "" {
		cfg.Name = "worker-1"
	}
	if cfg.Limiter == nil {
		cfg.Limiter = newLimits(t, s.Store, limit.Config{})
	}
	cfg.Middleware = append(slices.Clone(cfg.Middleware), func(next stem.Handler) stem.Handler {
		return func(ctx context.Context, d *stem.Delivery) ([]byte, error) {
			result, err := next(ctx, d)
			*returned = err
			return result, err
		}
	})
	worker, err := stem.NewWorker(client, registry, cfg)
	if err != nil {
		return stem.Settlement{}, err
	}
	ctx, stop := context.WithCancel(p.ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	select {
	case <-s.settled:
		stop()
		return s.settlement, <-ended
	case err := <-ended:
		return stem.Settlement{}, fmt.Errorf("the worker ended before the task did: %w", err)
	}
}

// Outcome is how a run was judged.
type Outcome[R any] struct {
	// Result is what the handler gave, where it succeeded.
	Result R
	// Err is the handler's error as it returned it: errors.Is and errors.As know it.
	// It is nil where the handler succeeded, panicked or was not called.
	Err error
	// Verdict is how the run ended: stem.VerdictAck for success and for a task that was
	// cancelled, VerdictRetry, VerdictSnooze, VerdictDeadLetter, or VerdictRelease for a run
	// that was cut short.
	Verdict stem.Verdict
	// Delay is how long after a VerdictRetry or VerdictSnooze the task would be due again. The jitter
	// of a retry follows from the task's id and attempt, so it is the same each time.
	Delay time.Duration
	// State is what the record of the task would say: StateSucceeded, StateRetrying, StateFailed or
	// StateCancelled; empty where the run leaves none.
	State stem.State
	// Failure is why the task failed, is retried or was cancelled; nil where it did not and was not.
	Failure *stem.Failure
	// Recorder has what the handler enqueued.
	Recorder *Recorder

	t    testing.TB
	task string
}

func (o *Outcome[R]) judged(s stem.Settlement) {
	o.Verdict, o.Delay = s.Verdict, s.Delay
	if s.Result != nil {
		o.State, o.Failure = s.Result.State, s.Result.Failure
	}
}

// Must gives the result, and ends the test if the run did not succeed.
func (o Outcome[R]) Must() R {
	o.t.Helper()
	if o.State != stem.StateSucceeded {
		o.t.Fatalf("stemtest: %s: %v, want a result", o.task, o)
	}
	return o.Result
}

// String tells the outcome in a line.
func (o Outcome[R]) String() string {
	why := ""
	if o.Failure != nil {
		why = fmt.Sprintf(", %s: %s", o.Failure.Kind, o.Failure.Message)
	}
	switch {
	case o.State == stem.StateSucceeded:
		return fmt.Sprintf("succeeded with %+v", o.Result)
	case o.State == stem.StateCancelled:
		return "cancelled" + why
	case o.Verdict == stem.VerdictRetry:
		return fmt.Sprintf("retry in %v%s", o.Delay, why)
	case o.Verdict == stem.VerdictSnooze:
		return fmt.Sprintf("snooze for %v", o.Delay)
	default:
		return o.Verdict.String() + why
	}
}
