package limit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

// Config adjusts limits.
type Config struct {
	// Queues are rate limits of queues: how often a run of any task in the queue begins, in all
	// workers together. All workers of a queue should say the same. The default is none.
	Queues map[string]stem.Rate
	// WhenStoreFails says whether limited tasks run while the store of the limits does not answer:
	// FailOpen or FailClosed. It has no default.
	WhenStoreFails Failure
}

// Failure is what becomes of limited tasks while the store of their limits fails.
type Failure int

const (
	// FailOpen lets tasks run as if they were not limited: nothing stops, and what the limits
	// protect gets more than they allow.
	FailOpen Failure = iota + 1
	// FailClosed lets no limited task begin: they go back to their queue for a while, longer each
	// time up to half a minute, which costs no attempt. Tasks without a limit go on.
	FailClosed
)

// Limits is the [stem.Limiter] on a store. All methods may be called concurrently.
type Limits struct {
	store  Store
	queues map[string]stem.Rate
	open   bool
}

var _ stem.Limiter = (*Limits)(nil)

// New makes limits on a store, which all workers that are to share them use. The stores of all
// adapters will do; for a broker of which only the interface is at hand, stem.As[limit.Store] finds it.
func New(store Store, cfg Config) (*Limits, error) {
	if store == nil {
		return nil, errors.New("limit: New: the store is nil: pass that of an adapter, such as a *memory.Store")
	}
	if cfg.WhenStoreFails != FailOpen && cfg.WhenStoreFails != FailClosed {
		return nil, &stem.OptionError{
			Option: "limit.Config.WhenStoreFails", Value: fmt.Sprint(int(cfg.WhenStoreFails)),
			Want: "limit.FailOpen, which lets limited tasks run without limits while the store of the limits does not answer, or limit.FailClosed, which lets them wait until it does",
		}
	}
	for _, queue := range slices.Sorted(maps.Keys(cfg.Queues)) {
		rate := cfg.Queues[queue]
		if err := rate.Validate(); err != nil || rate == (stem.Rate{}) {
			return nil, &stem.OptionError{Option: "limit.Config.Queues", Value: fmt.Sprintf("%+v for %q", rate, queue), Want: "a rate such as 10 in a second"}
		}
	}
	return &Limits{store: store, queues: maps.Clone(cfg.Queues), open: cfg.WhenStoreFails == FailOpen}, nil
}

// Reserve takes turns. A task that has a rate limit and lies in a queue that has one takes a turn in both,
// and waits for the later.
func (l *Limits) Reserve(ctx context.Context, turns ...stem.Turn) ([]time.Duration, error) {
	var w wishes
	for i := range turns {
		t := &turns[i]
		if t.Limit != nil && t.Limit.Rate != (stem.Rate{}) {
			w.add(i, turns, w.task(t), t.Limit.Rate)
		}
		if rate, limited := l.queues[t.Queue]; limited {
			w.add(i, turns, Queue(t.Queue), rate)
		}
	}
	if len(w.turns) == 0 {
		return nil, nil
	}
	waits := make([]time.Duration, len(turns))
	taken, err := l.take(ctx, w.turns)
	for i, turn := range w.of {
		if err == nil {
			waits[turn] = max(waits[turn], taken[i])
		} else if !l.open {
			waits[turn] = stem.NotNow
		}
	}
	return waits, err
}

// wishes are the turns that deliveries take in buckets, and whose each is.
type wishes struct {
	turns []Turn
	of    []int
	last  *stem.Turn // of which task names the bucket
	named Bucket
}

// task names the bucket of a delivery. Most often it is that of the one before.
func (w *wishes) task(t *stem.Turn) Bucket {
	if w.last == nil || w.last.Task != t.Task || w.last.Limit.Key != t.Limit.Key {
		w.named = Task(t.Task, t.Limit.Key)
	}
	w.last = t
	return w.named
}

// add adds a turn in a bucket, for the ith delivery.
func (w *wishes) add(i int, turns []stem.Turn, b Bucket, r stem.Rate) {
	if w.turns == nil {
		w.turns, w.of = make([]Turn, 0, len(turns)), make([]int, 0, len(turns))
	}
	w.turns = append(w.turns, Turn{Bucket: b, Interval: r.Interval(), Tolerance: r.Tolerance(), Reserved: turns[i].Reserved})
	w.of = append(w.of, i)
}

func (l *Limits) take(ctx context.Context, wishes []Turn) ([]time.Duration, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	waits, err := l.store.TakeTurns(ctx, wishes...)
	if err == nil && len(waits) != len(wishes) {
		err = fmt.Errorf("the store answered %d turns with %d waits", len(wishes), len(waits))
	}
	if err != nil {
		return nil, fmt.Errorf("limit: take turns: %w", err)
	}
	return waits, nil
}

// Hold says how many runs of tasks a session has.
func (l *Limits) Hold(ctx context.Context, s stem.Session, holds ...stem.Hold) ([]stem.Held, error) {
	held, err := l.hold(ctx, s, holds)
	if err == nil || !l.open {
		return held, err
	}
	held = make([]stem.Held, len(holds))
	for i := range holds {
		held[i] = stem.Held{N: holds[i].N, Free: holds[i].Limit}
	}
	return held, err
}

func (l *Limits) hold(ctx context.Context, s stem.Session, holds []stem.Hold) ([]stem.Held, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	held, err := l.store.HoldPlaces(ctx, s, holds...)
	if err == nil && len(held) != len(holds) {
		err = fmt.Errorf("the store answered %d tasks with %d", len(holds), len(held))
	}
	if err != nil {
		return nil, fmt.Errorf("limit: hold places: %w", err)
	}
	return held, nil
}

// Penalize lets nobody have a turn in a bucket for d from now, in no worker: it is for who is told to slow
// down, as by HTTP 429. Turns that were taken are taken anew after it, evenly spaced, without
// a burst. A longer penalty stands. Handlers that run are not affected, nor are tasks that take no turns there.
//
//	if response.StatusCode == http.StatusTooManyRequests {
//		after := retryAfter(response)
//		return errors.Join(stem.RetryAfter(after, errSlowDown), limits.Penalize(ctx, limit.Task("mail.send", args.Tenant), after))
//	}
func (l *Limits) Penalize(ctx context.Context, bucket Bucket, d time.Duration) error {
	if err := l.store.Penalize(ctx, bucket, d); err != nil {
		return fmt.Errorf("limit: penalize %s: %w", bucket, err)
	}
	return nil
}
