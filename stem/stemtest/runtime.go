package stemtest

import (
	"cmp"
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// Config adjusts a [Runtime]. The zero value works.
type Config struct {
	// Client is that of all clients of the runtime, the test's and those of handlers: defaults and
	// middleware like the program's. Its Backend and Revocations are the runtime's own.
	Client stem.ClientConfig
	// Worker is that of the worker: middleware, slots, lease and so on. The default is one slot,
	// so that tasks run one after the other in an order that is the same each time, every queue, and
	// Limits for its Limiter.
	// Its StopAfterIdle is ignored: the runtime says when a worker stops.
	Worker stem.WorkerConfig
	// Limits are those of queues; those of tasks need no config.
	Limits limit.Config
	// MaxRuns is how many runs a Drain, a DrainAll or an Advance may take before it ends the test and
	// names the tasks that go on and on. The default is 10,000.
	MaxRuns int
}

func (c Config) withDefaults(limits stem.Limiter) Config {
	if c.Worker.Slots == 0 {
		c.Worker.Slots = 1
	}
	if c.Worker.Prefetch == 0 {
		c.Worker.Prefetch = 1 // what a process that crashes has not started is not interrupted
	}
	if c.Worker.Lease == 0 {
		c.Worker.Lease = 15 * time.Second
	}
	if c.MaxRuns == 0 {
		c.MaxRuns = 10_000
	}
	if c.Worker.Limiter == nil {
		c.Worker.Limiter = limits
	}
	c.Client.Backend, c.Client.Revocations, c.Worker.StopAfterIdle = nil, nil, 0
	return c
}

// newLimits makes limits as in production, on the store of the test, which does not fail.
func newLimits(t testing.TB, store *memory.Store, cfg limit.Config) *limit.Limits {
	t.Helper()
	cfg.WhenStoreFails = cmp.Or(cfg.WhenStoreFails, limit.FailClosed)
	limits, err := limit.New(store, cfg)
	if err != nil {
		t.Fatalf("stemtest: the limits: %v", err)
	}
	return limits
}

// Runtime is a store, a client and a worker in a synctest bubble. Time there begins at midnight UTC,
// 1 January 2000, and passes only where somebody waits: a delay of a month takes no time.
//
// Tasks run while the test waits for them (in Drain, DrainAll, Advance, AdvanceTo, or Wait of a job) and not
// in between: what a test enqueues stays where it is until then. Everything is done as in
// production, by a worker of package stem on the memory store, middleware, limits and links included.
type Runtime struct {
	ledger
	t        testing.TB
	cfg      Config
	ctx      context.Context
	store    *memory.Store
	client   *stem.Client
	limits   *limit.Limits
	registry stem.Registry
	faults   faults
	hazards  hazards
	events   events
	schedule schedule

	turn      chan struct{} // held by who lets time pass; what follows is his
	processes []*process
	retired   int // of processes that were cut off
}

// Run runs a story on a runtime of its own, in a synctest bubble of its own.
func Run(t *testing.T, story func(t *testing.T, rt *Runtime)) {
	t.Helper()
	RunWith(t, Config{}, story)
}

// RunWith is Run with a runtime that is adjusted.
func RunWith(t *testing.T, cfg Config, story func(t *testing.T, rt *Runtime)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { story(t, New(t, cfg)) })
}

// New makes a runtime in a bubble of the caller's, which [synctest.Test] has made. It ends with
// the test that t belongs to, and fails that where a handler has not returned by then.
func New(t testing.TB, cfg Config) *Runtime {
	t.Helper()
	mustBeInBubble(t)
	rt := &Runtime{t: t, store: new(memory.Store), turn: make(chan struct{}, 1)}
	rt.limits = newLimits(t, rt.store, cfg.Limits)
	rt.cfg = cfg.withDefaults(rt.limits)
	rt.schedule.happened = make(chan struct{}, 1)
	rt.events.began = time.Now()
	rt.client = rt.newClient(nil)
	rt.ctx = stem.WithClient(t.Context(), rt.client)
	t.Cleanup(rt.close)
	return rt
}

func mustBeInBubble(t testing.TB) {
	t.Helper()
	defer func() {
		if recover() != nil {
			t.Fatalf("stemtest: New: this is no synctest bubble: call it within synctest.Test, or use stemtest.Run")
		}
	}()
	synctest.Wait()
}

// newClient makes a client as a process has it, or the test where that is nil.
func (rt *Runtime) newClient(p *process) *stem.Client {
	cfg := rt.cfg.Client
	cfg.Observer = rt.events.observer(p, cfg.Observer)
	if cfg.Logger == nil {
		cfg.Logger = testLog(rt.t)
	}
	if p != nil {
		cfg.Logger = p.log(cfg.Logger)
	}
	return newClient(rt.t, &line{rt.store, rt, p}, cfg, &rt.ledger)
}

// Register registers tasks, as the generated Register of their package does, before the first of them runs:
//
//	rt.Register(hello.Register, billing.Register)
//
// A task that is not registered is recorded when it is enqueued, and stays in its queue.
func (rt *Runtime) Register(register ...func(*stem.Registry) error) {
	rt.t.Helper()
	for _, r := range register {
		if err := r(&rt.registry); err != nil {
			rt.t.Fatalf("stemtest: Register: %v", err)
		}
	}
}

// Bind makes of the register function of tasks that are methods one of these methods' receiver:
//
//	rt.Register(stemtest.Bind(shop.RegisterPayments, &shop.Payments{Gateway: fake}))
func Bind[T any](register func(*stem.Registry, T) error, receiver T) func(*stem.Registry) error {
	return func(r *stem.Registry) error { return register(r, receiver) }
}

// Registry gives the registry, for stem.Handle and for Configure.
func (rt *Runtime) Registry() *stem.Registry { return &rt.registry }

// Client gives the client through which the test enqueues.
func (rt *Runtime) Client() *stem.Client { return rt.client }

// Context gives the context of the test with the client, which Enqueue of a task definition finds there.
func (rt *Runtime) Context() context.Context { return rt.ctx }

// Store gives the store, to look at its queues and dead letters.
func (rt *Runtime) Store() *memory.Store { return rt.store }

// Limits gives the limits, for a penalty (see limit.Limits.Penalize).
func (rt *Runtime) Limits() *limit.Limits { return rt.limits }

func (rt *Runtime) book() *ledger { return &rt.ledger }
