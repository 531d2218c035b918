package stem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/gostem/gostem/stem/codec"
)

// ClientConfig adjusts a client. The zero value works.
type ClientConfig struct {
	// Backend keeps the results. The default is the broker where it is a
	// Backend too; else there is none, results are dropped and waiting for one
	// answers ErrNoBackend.
	Backend Backend
	// Revocations keeps what is revoked, for a broker that is no Revoker. Workers ask
	// it about each batch that they receive, and about all in hand as often as they
	// renew their lease. While it does not answer, tasks start that may be revoked; they
	// are cancelled when it is back. The default is the broker where it is a
	// Revoker; else there is none, and revoking answers an error.
	Revocations RevocationStore
	// Defaults are the options of every enqueue, under those of the task
	// definition and of the call. What At and ExpiresAt say is computed once,
	// when the client is made.
	Defaults []Option
	// MaxPayload is the most bytes of encoded args or result. The default is 1 MiB.
	MaxPayload int
	// CallTimeout bounds every call to the store but those that wait for
	// something to happen. The default is 10 s.
	CallTimeout time.Duration
	// Middleware wraps every enqueue, in or outside a transaction; the first is the
	// outermost. The default is none.
	Middleware []EnqueueMiddleware
	// Observer is told of events. The default is none.
	Observer Observer
	// Logger is the log of the client and its workers. The default is slog.Default().
	Logger *slog.Logger
}

func (c ClientConfig) withDefaults(broker Broker) ClientConfig {
	if c.Backend == nil {
		if backend, ok := As[Backend](broker); ok {
			c.Backend = backend
		}
	}
	if c.MaxPayload == 0 {
		c.MaxPayload = defaultMaxPayload
	}
	if c.CallTimeout == 0 {
		c.CallTimeout = defaultCallTimeout
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c
}

func (c ClientConfig) validate() error {
	if c.MaxPayload < 0 {
		return &OptionError{Option: "ClientConfig.MaxPayload", Value: fmt.Sprint(c.MaxPayload), Want: "a positive number of bytes, or 0 for 1 MiB"}
	}
	if c.CallTimeout < 0 {
		return &OptionError{Option: "ClientConfig.CallTimeout", Value: c.CallTimeout.String(), Want: "a positive duration, or 0 for 10s"}
	}
	return nil
}

// Client enqueues tasks and asks for their results. It may be used concurrently
// and needs no closing; the adapter does.
type Client struct {
	cfg      ClientConfig
	broker   Broker
	watcher  ResultWatcher // nil: poll
	revoker  Revoker       // nil: nobody can revoke
	pauser   QueuePauser   // nil: nobody can pause
	counter  QueueCounter  // nil: nobody can count
	unique   UniqueKeeper  // nil: no task may be unique
	base     Envelope      // what holds before the options of definition and call
	limitKey limitKey      // where the key of its limit comes from
	line     line
	uniques  line // that of unique envelopes: see lineOf
	observe  observe
	enqueue  Enqueuer // nil: no middleware
	ward     ward
}

// NewClient makes a client of a broker.
func NewClient(broker Broker, cfg ClientConfig) (*Client, error) {
	if broker == nil {
		return nil, errors.New("stem: NewClient: the broker is nil: pass an adapter, for example new(memory.Store)")
	}
	cfg = cfg.withDefaults(broker)
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, broker: broker, observe: observe{log: cfg.Logger, observer: cfg.Observer}}
	c.line = line{broker: broker, timeout: cfg.CallTimeout}
	c.uniques = line{broker: broker, timeout: cfg.CallTimeout}
	c.watcher, _ = As[ResultWatcher](cfg.Backend)
	c.pauser, _ = As[QueuePauser](broker)
	c.counter, _ = As[QueueCounter](broker)
	c.unique, _ = As[UniqueKeeper](broker)
	if c.revoker, _ = As[Revoker](broker); cfg.Revocations != nil {
		c.revoker = cfg.Revocations
	}
	c.base = builtin()
	defaults := draft{Envelope: &c.base}
	defaults.apply(cfg.Defaults)
	c.limitKey = defaults.limitKey
	if given := c.base.ID + c.base.DedupeKey; given != "" || defaults.empty != "" {
		return nil, &OptionError{Option: "ClientConfig.Defaults: WithID or IdempotencyKey", Value: clip(given), Want: "neither: every task but the first would be a duplicate"}
	}
	if defaults.followUps != nil {
		return nil, &OptionError{Option: "ClientConfig.Defaults: OnSuccess, OnFailure or Then", Value: fmt.Sprint(len(defaults.followUps), " tasks"), Want: "none: they would follow themselves"}
	}
	if defaults.unique != nil {
		return nil, &OptionError{Option: "ClientConfig.Defaults: Unique and what goes with it", Value: "for all tasks", Want: "none: it is for the task definition or the call to say"}
	}
	if c.base.Fingerprint != 0 {
		return nil, &OptionError{Option: "ClientConfig.Defaults: Fingerprint", Value: fmt.Sprintf("%016x", c.base.Fingerprint), Want: "none: each task has its own"}
	}
	sample := c.base
	sample.ID, sample.Task = "id", "task"
	if err := (&draft{Envelope: &sample, limitKey: c.limitKey}).completeLimit(); err != nil {
		return nil, fmt.Errorf("stem: ClientConfig.Defaults: %w", err)
	}
	if err := sample.Validate(); err != nil {
		return nil, fmt.Errorf("stem: ClientConfig.Defaults: %w", err)
	}
	if len(cfg.Middleware) > 0 {
		var err error
		if c.enqueue, err = wrapEnqueue(cfg.Middleware, c, c.check); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// EnqueueRaw enqueues a task by name with a payload that is encoded already:
// one MessagePack value. Its schema is unknown, and fits every worker that has the
// task, unless [Fingerprint] says it. Typed code calls Enqueue of a task definition
// instead.
func (c *Client) EnqueueRaw(ctx context.Context, task string, payload []byte, opts ...Option) (Job[codec.Raw], error) {
	payload = bytes.Clone(payload) // it is kept; the caller may use its own again
	spec := &TaskSpec{Name: task}
	t, err := route{client: c, bound: true}.enqueue(ctx, spec, payload, opts)
	if err != nil {
		return Job[codec.Raw]{}, err
	}
	return Job[codec.Raw]{ticket: t, spec: spec, read: codec.RawCodec().Read}, nil
}

// Publish takes complete envelopes to the broker; one that Validate refuses fails
// the call before any is sent. Calls that arrive while a round trip is under
// way share the next one. More envelopes than one round trip takes (1,000, or
// 8 MiB of payloads) go in several; of those, the items of a trip that failed as
// a whole have errors that match ErrUnknownOutcome.
func (c *Client) Publish(ctx context.Context, envs ...Envelope) ([]Published, error) {
	if c == nil {
		return nil, ErrNoClient
	}
	for i := range envs {
		if err := c.check(&envs[i]); err != nil {
			return nil, fmt.Errorf("stem: publish: envelope %d: %w", i, err)
		}
	}
	if len(envs) == 0 {
		return nil, nil
	}
	if oneTrip(envs) == len(envs) {
		return c.lineOf(envs).publish(ctx, envs)
	}
	published := make([]Published, len(envs))
	var failed []ItemError
	for first := 0; first < len(envs); {
		trip := envs[first : first+oneTrip(envs[first:])]
		answers, err := c.lineOf(trip).publish(ctx, trip)
		copy(published[first:], answers)
		failed = append(failed, itemErrors(err, first, len(trip))...)
		first += len(trip)
	}
	if failed != nil {
		return published, &PartialError{failed}
	}
	return published, nil
}

// lineOf gives the line for envelopes. Unique ones have one of their own: a store may let them wait until somebody's transaction has
// ended that took the same key, and whatever shared their round trip, or came after it, would wait too.
func (c *Client) lineOf(envs []Envelope) *line {
	for i := range envs {
		if envs[i].Unique != nil {
			return &c.uniques
		}
	}
	return &c.line
}

// check refuses an envelope that no store would take, or that is too large.
func (c *Client) check(e *Envelope) error {
	if err := e.tooLarge(c.cfg.MaxPayload); err != nil {
		return err
	}
	if err := c.mustKeepUnique(e); err != nil {
		return err
	}
	return e.Validate()
}

// maxPayload gives the limit of a client, or that of enqueues without one.
func (c *Client) maxPayload() int {
	if c == nil {
		return defaultMaxPayload
	}
	return c.cfg.MaxPayload
}

// itemErrors gives a trip's error as those of its items, of which the first is
// item first of the whole.
func itemErrors(err error, first, n int) []ItemError {
	if err == nil {
		return nil
	}
	var partial *PartialError
	whole := !errors.As(err, &partial)
	var items []ItemError
	for i := range n {
		switch itemErr := ItemErr(err, i); {
		case whole:
			items = append(items, ItemError{first + i, fmt.Errorf("%w: %w", ErrUnknownOutcome, err)})
		case itemErr != nil:
			items = append(items, ItemError{first + i, itemErr})
		}
	}
	return items
}

// load answers the record of one task.
func (c *Client) load(ctx context.Context, id string) (Result, error) {
	if c.cfg.Backend == nil {
		return Result{}, ErrNoBackend
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.CallTimeout)
	defer cancel()
	records, err := c.cfg.Backend.Load(ctx, id)
	if err := ItemErr(err, 0); err != nil {
		return Result{}, err
	}
	return records[0], nil
}

// await blocks until the task's record is terminal.
func (c *Client) await(ctx context.Context, id string) (Result, error) {
	var record Result
	var err error
	switch {
	case c.cfg.Backend == nil:
		return Result{}, ErrNoBackend
	case c.watcher != nil:
		record, err = c.watch(ctx, id)
	default:
		record, err = c.poll(ctx, id)
	}
	if err != nil && ctx.Err() != nil {
		return Result{}, c.noResult(ctx, id)
	}
	return record, err
}

// noResult is what a wait answers that ended with its context. Not every store can tell
// a result that is no longer kept from one that never was. An old id makes the
// first likely, not certain: a task may be delayed for months. So it is said, and no
// program branches on it.
func (c *Client) noResult(ctx context.Context, id string) error {
	err := fmt.Errorf("%w: %w", ErrNoResult, ctx.Err())
	if cause := context.Cause(ctx); cause != ctx.Err() {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	const skew = time.Hour // between the clocks of who made the id and who asks
	if made, ok := idTime(id); ok && time.Since(made) > c.base.KeepResult+skew {
		err = fmt.Errorf("%w (the id is from %s: if the task has ended, its result may be no longer kept)", err, made.UTC().Format(time.DateTime))
	}
	return err
}

// Polling for a result, where the backend cannot push, starts quick and slows down.
const (
	firstPoll   = 5 * time.Millisecond
	slowestPoll = time.Second
)

// watch waits for a push, and goes on after a failure: a store that is restarted while somebody waits has not lost the task.
func (c *Client) watch(ctx context.Context, id string) (Result, error) {
	for wait := firstPoll; ; wait = min(2*wait, slowestPoll) {
		record, err := c.watcher.Await(ctx, id)
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrResultExpired) || errors.Is(err, ErrClosed) || errors.Is(err, ErrNoResult) {
			return record, err
		}
		c.cfg.Logger.WarnContext(ctx, "stem: cannot wait for a result, trying again", "id", id, "error", err)
		if !sleep(ctx, jitter(wait)) {
			return Result{}, ctx.Err()
		}
	}
}

func (c *Client) poll(ctx context.Context, id string) (Result, error) {
	for wait := firstPoll; ; wait = min(2*wait, slowestPoll) {
		record, err := c.load(ctx, id)
		switch {
		case err == nil && record.State.Terminal():
			return record, nil
		case errors.Is(err, ErrResultExpired), errors.Is(err, ErrClosed):
			return Result{}, err
		case err != nil && !errors.Is(err, ErrNoResult):
			c.cfg.Logger.WarnContext(ctx, "stem: cannot load a result, trying again", "id", id, "error", err)
		}
		if !sleep(ctx, jitter(wait)) {
			return Result{}, ctx.Err()
		}
	}
}

// sleep waits for d or the end of ctx; it reports whether d has passed.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// jitter draws from [d/2, d), so that a crowd spreads and nobody spins.
func jitter(d time.Duration) time.Duration {
	return d/2 + rand.N(d/2+1)
}

type clientKey struct{}

// WithClient gives a context in which Enqueue finds the client. The context of
// a handler has its worker's client already.
func WithClient(ctx context.Context, c *Client) context.Context {
	return context.WithValue(ctx, clientKey{}, c)
}

func clientFrom(ctx context.Context) *Client {
	c, _ := ctx.Value(clientKey{}).(*Client)
	return c
}
