package stem

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// WorkerConfig adjusts a worker. The zero value works.
type WorkerConfig struct {
	// Name is shown in results, events and logs. The default is made of host,
	// process id and a random part.
	Name string
	// Queues are those that the worker serves, in order of preference: while
	// one has due tasks, later ones wait. The default is DefaultQueue alone. To share the
	// worker out instead, set QueueWeights.
	Queues []string
	// QueueWeights are the queues that the worker serves, each with its weight of 1 to
	// 1,000,000, in place of Queues: for every batch that it receives the worker draws
	// which queue comes first, each as often as its weight says, which comes
	// second, and so on. Shares follow the weights as long as all the queues have due
	// tasks; where one has none, the others get its part. The default is none.
	QueueWeights map[string]int
	// AgeAfter keeps tasks of low priority from waiting for ever behind those of higher
	// ones: for each AgeAfter that the first task of a priority has been due, that
	// priority ranks one higher within its queue. The default is 0: priorities are strict.
	AgeAfter time.Duration
	// Slots is how many tasks run at once, at most 100,000. The default is 10
	// per CPU.
	Slots int
	// Autoscale changes the number of slots by itself, between a fewest and a most; Slots is what it
	// begins with, by default the fewest. The default is nil: as many as Slots says, or SetSlots.
	Autoscale *Autoscale
	// Prefetch bounds the tasks in hand, running or about to, to Prefetch × Slots.
	// 1 fetches a task only when a slot is free for it; the most is 1,000. What no slot has
	// taken when the lease is renewed for the second time goes back, and until slots
	// are quicker again only so much is fetched ahead as they take in half that time. The
	// default is 2, and more while slots are through with it in less than 50 ms: up to
	// 512 tasks ahead.
	Prefetch int
	// PrefetchBytes bounds the payloads of the tasks in hand, running or about to, so that many large ones are
	// not in memory at once: while there is nearly as much, nothing more is fetched, also where slots are free. It
	// is exceeded by no more than one payload, since a task is fetched however large it is. Payloads are counted
	// as they travel. At least 1; the default is 64 MiB.
	PrefetchBytes int
	// Lease is how long after the worker was last heard of its tasks may run
	// elsewhere: 1 s to 24 h. It is renewed every third of it, and at least every
	// 5 s. The default is 15 s.
	Lease time.Duration
	// Grace is how long Run may take to return once its context has ended.
	// Handlers have four fifths of it to finish, then their contexts are
	// cancelled with ErrShutdown. The default is 30 s; less than 1 s counts as 1 s.
	Grace time.Duration
	// StopAfterIdle makes Run return nil when the worker has had nothing to do for so long:
	// for batch jobs and tests. Nothing to do means nothing in hand, nothing due in
	// its queues that it knows, and a store that answers. It waits neither for tasks that are due
	// later, retries and those whose turn is later among them, nor for what other workers run, limits and paused queues hold. Run returns
	// after this time at the earliest and twice of it at the latest. At least 100 ms; the
	// default is 0: never.
	StopAfterIdle time.Duration
	// MaxLent bounds the slots that are lent: those of handlers that wait for a job
	// (see Job.Wait), which run another task meanwhile. Beyond it Job.Wait keeps its slot.
	// The default is 1,000; a negative one means that none is lent.
	MaxLent int
	// MaxInterruptions is how many runs in a row may be cut short by a crash or a
	// lost lease before the task is taken for poison and dead-lettered without another run.
	// The default is 3; a negative one means no limit.
	MaxInterruptions int
	// StuckAfter is how long after its context has ended (at its timeout, or because the
	// lease is lost, the task revoked or the worker stopping) a handler that has not
	// returned is told of: by TaskStuck and an error in the log, with its goroutine's
	// stack. It keeps its slot until it returns. At least 100 ms; the default is 10 s, and a
	// negative one means never.
	StuckAfter time.Duration
	// HeartbeatInterval is how often the worker announces itself to a broker that is a [PresenceKeeper] (see
	// Client.Workers): 1 s to 1 h. It is gone when it has not done so for three times as
	// long. The default is 10 s, and a negative one means that it does not announce itself.
	HeartbeatInterval time.Duration
	// Limiter says when limited tasks may run; limit.New makes one. A worker that serves a task whose
	// definition limits it needs one. The default is none.
	Limiter Limiter
	// AcceptCommand may refuse a [Command] that is meant for this worker, by an error, which is the reply: to obey some people
	// alone, or none at all. It may be called at any time while Run does, one call at a time. The default is nil: all
	// who reach the store are obeyed.
	AcceptCommand func(ctx context.Context, c *Command) error
	// ReceiveMiddleware sees each delivery before it runs and may decrypt, verify or refuse
	// it; the first is the outermost.
	ReceiveMiddleware []ReceiveMiddleware
	// Middleware wraps every handler; the first is the outermost.
	Middleware []Middleware
	// Observer is told of this worker's events. The default is the client's.
	Observer Observer
	// Logger is the worker's log. The default is the client's.
	Logger *slog.Logger
}

func (c WorkerConfig) withDefaults(client *Client) WorkerConfig {
	if c.Name == "" {
		host, _ := os.Hostname()
		id := NewID()
		c.Name = fmt.Sprintf("%s-%d-%s", orWorker(host), os.Getpid(), id[len(id)-6:])
	}
	if len(c.Queues) == 0 && len(c.QueueWeights) == 0 {
		c.Queues = []string{DefaultQueue}
	}
	if c.Autoscale != nil {
		c.Autoscale = c.Autoscale.withDefaults()
		if c.Slots == 0 {
			c.Slots = c.Autoscale.Min
		}
	}
	if c.Slots == 0 {
		c.Slots = defaultSlots()
	}
	if c.Prefetch == 0 {
		c.Prefetch = defaultPrefetch
	}
	if c.PrefetchBytes == 0 {
		c.PrefetchBytes = defaultPrefetchBytes
	}
	if c.Lease == 0 {
		c.Lease = defaultLease
	}
	if c.Grace == 0 {
		c.Grace = defaultGrace
	}
	c.Grace = max(c.Grace, time.Second)
	if c.MaxLent == 0 {
		c.MaxLent = defaultMaxLent
	}
	if c.StuckAfter == 0 {
		c.StuckAfter = defaultStuckAfter
	}
	if c.HeartbeatInterval == 0 {
		c.HeartbeatInterval = defaultHeartbeat
	}
	if c.MaxInterruptions == 0 {
		c.MaxInterruptions = defaultMaxInterruptions
	}
	if c.Logger == nil {
		c.Logger = client.cfg.Logger
	}
	return c
}

func orWorker(host string) string {
	if validName("host", host) != nil {
		return "worker"
	}
	return host
}

// The bounds of a worker's numbers; beyond them lies a mistake.
const (
	mostSlots    = 100_000
	mostPrefetch = 1000
	longestLease = 24 * time.Hour
	mostWeight   = 1_000_000
	shortestIdle = 100 * time.Millisecond // a receive must have the time to answer
	soonestStuck = 100 * time.Millisecond // whoever looks for stuck handlers looks four times as often
	longestHeart = time.Hour
)

func (c WorkerConfig) validate() error {
	if err := validName("WorkerConfig.Name", c.Name); err != nil {
		return err
	}
	if err := c.validateQueues(); err != nil {
		return err
	}
	if c.Autoscale != nil {
		if err := c.Autoscale.validate(c.Slots); err != nil {
			return err
		}
	}
	switch {
	case c.AgeAfter < 0:
		return &OptionError{Option: "WorkerConfig.AgeAfter", Value: c.AgeAfter.String(), Want: "a positive duration, or 0 for strict priorities"}
	case c.Slots < 0 || c.Slots > mostSlots:
		return &OptionError{Option: "WorkerConfig.Slots", Value: fmt.Sprint(c.Slots), Want: "1 to 100,000, or 0 for 10 per CPU"}
	case c.Prefetch < 0 || c.Prefetch > mostPrefetch:
		return &OptionError{Option: "WorkerConfig.Prefetch", Value: fmt.Sprint(c.Prefetch), Want: "1 to 1,000, or 0 for 2"}
	case c.PrefetchBytes < 0:
		return &OptionError{Option: "WorkerConfig.PrefetchBytes", Value: fmt.Sprint(c.PrefetchBytes), Want: "1 or more, or 0 for 64 MiB"}
	case c.StopAfterIdle != 0 && c.StopAfterIdle < shortestIdle:
		return &OptionError{Option: "WorkerConfig.StopAfterIdle", Value: c.StopAfterIdle.String(), Want: "at least 100ms, or 0 for never"}
	case c.StuckAfter > 0 && c.StuckAfter < soonestStuck:
		return &OptionError{Option: "WorkerConfig.StuckAfter", Value: c.StuckAfter.String(), Want: "at least 100ms, 0 for 10s, or a negative one for never"}
	case c.HeartbeatInterval >= 0 && c.HeartbeatInterval < time.Second || c.HeartbeatInterval > longestHeart:
		return &OptionError{Option: "WorkerConfig.HeartbeatInterval", Value: c.HeartbeatInterval.String(), Want: "1s to 1h, 0 for 10s, or a negative one for never"}
	case c.Lease < time.Second || c.Lease > longestLease:
		return &OptionError{Option: "WorkerConfig.Lease", Value: c.Lease.String(), Want: "1s to 24h, or 0 for 15s"}
	}
	return nil
}

func (c WorkerConfig) validateQueues() error {
	if len(c.Queues) > 0 && len(c.QueueWeights) > 0 {
		return &OptionError{Option: "WorkerConfig.QueueWeights", Value: "beside Queues", Want: "one of the two: a strict order or weights"}
	}
	for i, q := range c.Queues {
		if err := validName("WorkerConfig.Queues", q); err != nil {
			return err
		}
		if slices.Contains(c.Queues[:i], q) {
			return &OptionError{Option: "WorkerConfig.Queues", Value: clip(q), Want: "each queue once"}
		}
	}
	for _, q := range slices.Sorted(maps.Keys(c.QueueWeights)) {
		if err := validName("WorkerConfig.QueueWeights", q); err != nil {
			return err
		}
		if weight := c.QueueWeights[q]; weight < 1 || weight > mostWeight {
			return &OptionError{Option: "WorkerConfig.QueueWeights", Value: fmt.Sprintf("%d for %s", weight, q), Want: "1 to 1,000,000"}
		}
	}
	return nil
}

// Worker receives tasks, runs their handlers and settles them.
type Worker struct {
	cfg           WorkerConfig
	client        *Client
	log           *slog.Logger
	observe       *observe // the client's, where the worker has no observer of its own
	unpack        Receiver // nil: no receive middleware
	handlers      map[string]Handler
	steers        map[string]steering
	known         *TaskSet
	rota          rota
	limits        *limits // nil: nothing is limited
	specs         []TaskSpec
	session       Session
	tenure        tenure
	receives      pledge
	renews        pledge
	unasked       time.Time   // until when the client's store of revocations is not asked; fetch's own
	startsUntold  bool        // the store could not be told of the last unique tasks that were to start; as dealt
	unlimitedTold time.Time   // when it was last said that limited tasks go back, for want of a limiter; fetch's own
	unheard       atomic.Bool // the client's store of revocations did not answer when it was last asked

	resting resting
	tally   tally
	began   time.Time // when Run was called

	ran     atomic.Bool
	ended   atomic.Bool
	base    context.Context
	stops   stops
	hand    *hand
	sizing  sync.Mutex // one change of the number of slots at a time
	slots   sync.WaitGroup
	room    room
	unsure  atomic.Bool // a call has had no answer, and nothing has been received since
	held    held
	dealing sync.WaitGroup // what was received and is not with the slots yet: one batch at a time
	dealt   []*loan        // whoever deals has it
	settler *settler

	reporter reporter
}

// NewWorker makes a worker for the tasks that are registered by now. It uses
// the client's broker and backend, and handlers find the client in their context.
func NewWorker(client *Client, r *Registry, cfg WorkerConfig) (*Worker, error) {
	if client == nil {
		return nil, errors.New("stem: NewWorker: the client is nil: make one with stem.NewClient")
	}
	if r == nil {
		return nil, errors.New("stem: NewWorker: the registry is nil: pass a *stem.Registry with tasks registered")
	}
	open := cfg.Prefetch == 0
	cfg = cfg.withDefaults(client)
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	specs := r.Tasks() // first: what is registered meanwhile has no place in them
	handlers, err := r.handlers(cfg.Middleware)
	if err != nil {
		return nil, err
	}
	w := &Worker{
		cfg:      cfg,
		client:   client,
		log:      cfg.Logger.With("worker", cfg.Name),
		handlers: handlers,
		steers:   r.steerings(),
		known:    NewTaskSet(specs...),
		specs:    specs,
		session:  Session{ID: NewID(), Lease: cfg.Lease},
	}
	if len(w.specs) == 0 {
		return nil, errors.New("stem: NewWorker: no task is registered: call the generated Register, or stem.Handle, first")
	}
	if w.unpack, err = wrapReceive(cfg.ReceiveMiddleware); err != nil {
		return nil, err
	}
	w.observe = &client.observe
	if cfg.Observer != nil {
		w.observe = &observe{log: w.log, observer: cfg.Observer}
	}
	if w.limits, err = newLimits(w); err != nil {
		return nil, err
	}
	w.rota = newRota(cfg)
	w.tally = newTally(w.rota.queues)
	w.room.init(&cfg, open)
	w.stops = newStops()
	w.hand = newHand(cfg.Slots)
	w.settler = newSettler(w, cfg.Slots)
	w.reporter.init()
	return w, nil
}

// Name gives the worker's name.
func (w *Worker) Name() string { return w.cfg.Name }

// Run works until ctx ends, Stop is called or StopAfterIdle has passed, then stops gracefully: it receives
// nothing more, gives back what has not started, cancels the handlers that wait for
// a job, lets the others finish for four fifths of the grace period, cancels the rest
// with ErrShutdown and gives back what returns.
// It returns nil when all handlers have returned and their tasks are settled.
// Handlers that do not return within the grace period are left behind, named by
// the error; their tasks run elsewhere when the lease has lapsed.
//
// An outage of the store does not end Run: it tries again, with back-off. Run
// may be called once.
func (w *Worker) Run(ctx context.Context) error {
	if w.ran.Swap(true) {
		return errors.New("stem: worker " + w.cfg.Name + ": Run may be called once: make a new worker")
	}
	defer w.ended.Store(true)
	w.base, w.began = context.WithoutCancel(ctx), time.Now()

	w.log.Info("stem: worker started", "queues", strings.Join(w.rota.queues, ","), "slots", w.Slots(), "tasks", len(w.specs))
	w.warnOfQueues()
	w.observe.tell(w.base, WorkerStarted{w.cfg.Name})

	keeping, stopKeeping := context.WithCancel(w.base)
	var extender sync.WaitGroup
	w.tenure.renew(time.Now()) // the first Receive opens the session later than that
	extender.Go(func() { w.keepSession(keeping) })
	extender.Go(func() { w.keepReports(keeping) })
	if w.client.cfg.Revocations != nil {
		extender.Go(func() { w.watchRevocations(keeping) })
	}
	if w.client.counter != nil {
		extender.Go(func() { w.watchQueues(keeping) })
	}
	if w.cfg.StuckAfter > 0 {
		extender.Go(func() { w.watchStuck(keeping) })
	}
	present := w.announcer()
	if present != nil {
		extender.Go(func() { present.run(keeping) })
	}
	if orders := w.orders(); orders != nil {
		extender.Go(func() { orders.run(keeping) })
	}
	if w.limits != nil {
		extender.Go(func() { w.limits.places.watch(keeping) })
	}
	w.beginSlots()

	receiving, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(w.stops.warm, stop)()
	if w.stops.warm.raised() {
		stop()
	}
	if w.cfg.Autoscale != nil {
		extender.Go(func() { w.autoscale(receiving, w.cfg.Autoscale) })
	}
	err := w.fetch(receiving)
	w.Stop(StopWarm)
	stopped := time.Now()
	w.observe.tell(w.base, WorkerStopping{w.cfg.Name})
	if running := w.held.running(); len(running) > 0 {
		w.log.Info("stem: worker is stopping", "waits_for", strings.Join(running, ", "), "at_most", w.cfg.Grace)
	}
	extender.Go(func() { w.tellLeaving(keeping) })
	w.giveBack()
	err = errors.Join(err, w.drain())
	w.leavePlaces()

	stopKeeping()
	extender.Wait()
	if present != nil && err == nil {
		present.leave(w.patience(stopped))
	}
	w.observe.tell(w.base, WorkerStopped{w.cfg.Name})
	w.tellRest(stopped)
	w.log.Info("stem: worker stopped")
	return err
}

// warnOfQueues says which of the worker's tasks go, by their definition, to a queue
// that it does not serve. Another worker may; often it is a mistake.
func (w *Worker) warnOfQueues() {
	for _, spec := range w.specs {
		e := w.client.base
		(&draft{Envelope: &e}).apply(spec.Options)
		if !slices.Contains(w.rota.queues, e.Queue) {
			w.log.Warn("stem: this worker has a task but does not serve its queue: see WorkerConfig.Queues", "task", spec.Name, "queue", e.Queue)
		}
	}
}

// slot runs one task after the other until there are no more, or its place is
// somebody else's.
func (w *Worker) slot() {
	var l *loan
	returned := false
	defer func() {
		if !returned && !l.slotGone {
			// A handler ended its goroutine with runtime.Goexit. The task has been
			// judged; the slot goes on in another goroutine.
			w.slots.Go(w.slot)
		}
	}()
	goroutine := goroutineID()
	for l = w.hand.take(); l != nil; l = w.hand.take() {
		l.goroutine = goroutine
		if w.execute(l); l.slotGone {
			break
		}
	}
	returned = true
}
