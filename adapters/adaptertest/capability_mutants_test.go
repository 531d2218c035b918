package adaptertest_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/stem"
)

var capabilityMutants = slices.Concat(savingSettlerMutants, watchMutants, deadLetterMutants, countMutants)

// faultySettler is a SavingSettler in front of a correct broker and backend.
type faultySettler struct {
	stem.Broker
	backend       stem.Backend
	saveAndSettle func(ctx context.Context, ss []stem.Settlement) error
}

func (f *faultySettler) Unwrap() stem.Broker { return f.Broker }

func (f *faultySettler) SaveAndSettle(ctx context.Context, ss ...stem.Settlement) error {
	return f.saveAndSettle(ctx, ss)
}

// settler makes a fault of a SaveAndSettle of its own, which may use the
// correct one.
func settler(f func(f *faultySettler, right stem.SavingSettler) func(context.Context, []stem.Settlement) error) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		right, _ := stem.As[stem.SavingSettler](s.Broker)
		faulty := &faultySettler{Broker: s.Broker, backend: s.Backend}
		faulty.saveAndSettle = f(faulty, right)
		s.Broker = faulty
	}
}

// save saves the results of settlements.
func (f *faultySettler) save(ctx context.Context, ss []stem.Settlement) error {
	for _, s := range ss {
		if s.Result != nil {
			if err := f.backend.Save(ctx, *s.Result); err != nil {
				return err
			}
		}
	}
	return nil
}

var savingSettlerMutants = []mutant{
	{"has a SavingSettler of the broker's own", settler(func(_ *faultySettler, right stem.SavingSettler) func(context.Context, []stem.Settlement) error {
		return func(ctx context.Context, ss []stem.Settlement) error { return right.SaveAndSettle(ctx, ss...) }
	}), []string{"Capabilities/broker and backend have the same SavingSettler"}},

	{"saves first and settles then", settler(func(f *faultySettler, _ stem.SavingSettler) func(context.Context, []stem.Settlement) error {
		return func(ctx context.Context, ss []stem.Settlement) error {
			_ = f.save(ctx, ss)
			return f.Broker.Settle(ctx, ss...)
		}
	}), []string{
		"Capabilities/a lost delivery leaves no result",
		"Capabilities/of a batch of results and settlements each pair stands for itself",
	}},

	{"settles and saves nothing", settler(func(f *faultySettler, _ stem.SavingSettler) func(context.Context, []stem.Settlement) error {
		return func(ctx context.Context, ss []stem.Settlement) error { return f.Broker.Settle(ctx, ss...) }
	}), []string{
		"Capabilities/a result and its settlement are both there",
		"Capabilities/every verdict may have a result",
		"Capabilities/await is woken by an outcome saved with its settlement",
	}},

	{"settles nothing where a result is refused", settler(func(f *faultySettler, right stem.SavingSettler) func(context.Context, []stem.Settlement) error {
		return func(ctx context.Context, ss []stem.Settlement) error {
			if err := f.save(ctx, ss); err != nil {
				return err
			}
			return f.Broker.Settle(ctx, ss...)
		}
	}), []string{"Capabilities/a result that is refused does not keep its delivery from being settled"}},

	{"wants a result with every settlement", settler(func(_ *faultySettler, right stem.SavingSettler) func(context.Context, []stem.Settlement) error {
		return func(ctx context.Context, ss []stem.Settlement) error {
			for _, s := range ss {
				if s.Result == nil {
					return errors.New("a settlement has no result")
				}
			}
			return right.SaveAndSettle(ctx, ss...)
		}
	}), []string{"Capabilities/a settlement needs no result"}},

	{"saves with a plain settlement", broker(func(b *faultyBroker) {
		right, _ := stem.As[stem.SavingSettler](b.Broker)
		b.settle = func(ctx context.Context, ss []stem.Settlement) error { return right.SaveAndSettle(ctx, ss...) }
	}), []string{"Capabilities/a plain settlement saves no result"}},

	{"saves what a repeated settlement says", settler(func(f *faultySettler, right stem.SavingSettler) func(context.Context, []stem.Settlement) error {
		return func(ctx context.Context, ss []stem.Settlement) error {
			err := right.SaveAndSettle(ctx, ss...)
			if err != nil {
				for _, s := range ss {
					s.Result.Delivery++
				}
				_ = f.save(ctx, ss)
			}
			return err
		}
	}), []string{"Capabilities/a saved settlement that is repeated changes nothing"}},
}

// faultyWatcher is a ResultWatcher in front of a correct one.
type faultyWatcher struct {
	stem.Backend
	await func(ctx context.Context, id string) (stem.Result, error)
}

func (f *faultyWatcher) Unwrap() stem.Backend { return f.Backend }

func (f *faultyWatcher) Await(ctx context.Context, id string) (stem.Result, error) {
	return f.await(ctx, id)
}

// watcher makes a fault of an Await of its own.
func watcher(f func(s *adaptertest.Stores, right stem.ResultWatcher) func(context.Context, string) (stem.Result, error)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		right, _ := stem.As[stem.ResultWatcher](s.Backend)
		s.Backend = &faultyWatcher{Backend: s.Backend, await: f(s, right)}
	}
}

// asking gives an Await that loads every interval until a record will do.
func asking(every time.Duration, enough func(r stem.Result) bool) func(*adaptertest.Stores, stem.ResultWatcher) func(context.Context, string) (stem.Result, error) {
	return func(s *adaptertest.Stores, _ stem.ResultWatcher) func(context.Context, string) (stem.Result, error) {
		right := s.Backend
		return func(ctx context.Context, id string) (stem.Result, error) {
			for {
				select {
				case <-time.After(every):
				case <-ctx.Done():
					return stem.Result{}, ctx.Err()
				}
				if rs, err := right.Load(ctx, id); err == nil && enough(rs[0]) {
					return rs[0], nil
				}
			}
		}
	}
}

var watchMutants = []mutant{
	{"looks for results every half minute", watcher(asking(30*time.Second, func(r stem.Result) bool { return r.State.Terminal() })), []string{
		"Capabilities/await answers at once what is already there",
		"Capabilities/await is woken by the outcome",
		"Capabilities/await is woken by the outcome that another connection saves",
		"Capabilities/many may await one result",
		"Capabilities/await is woken by an outcome saved with its settlement",
	}},

	{"takes news for an outcome", watcher(asking(time.Millisecond, func(stem.Result) bool { return true })),
		[]string{"Capabilities/await is not woken by news"}},

	{"wakes whoever waits for any result", watcher(func(_ *adaptertest.Stores, right stem.ResultWatcher) func(context.Context, string) (stem.Result, error) {
		return func(ctx context.Context, _ string) (stem.Result, error) { return right.Await(ctx, "b") }
	}), []string{"Capabilities/await is not woken by the outcome of another task"}},

	{"answers the end of an await with nothing", watcher(func(_ *adaptertest.Stores, right stem.ResultWatcher) func(context.Context, string) (stem.Result, error) {
		return func(ctx context.Context, id string) (stem.Result, error) {
			r, err := right.Await(ctx, id)
			if errors.Is(err, context.Canceled) {
				err = nil
			}
			return r, err
		}
	}), []string{"Capabilities/await answers its context's error when that ends"}},

	{"answers an expired record as one that never was", watcher(func(_ *adaptertest.Stores, right stem.ResultWatcher) func(context.Context, string) (stem.Result, error) {
		return func(ctx context.Context, id string) (stem.Result, error) {
			r, err := right.Await(ctx, id)
			if errors.Is(err, stem.ErrResultExpired) {
				err = stem.ErrNoResult
			}
			return r, err
		}
	}), []string{"Capabilities/await answers for an expired record as load does"}},
}

// faultyLister changes what a correct lister answers.
type faultyLister struct {
	stem.Broker
	letters func(right stem.DeadLetterLister, queue string, limit int) ([]stem.DeadLetter, error)
}

func (f *faultyLister) Unwrap() stem.Broker { return f.Broker }

func (f *faultyLister) DeadLetters(_ context.Context, queue string, limit int) ([]stem.DeadLetter, error) {
	right, _ := stem.As[stem.DeadLetterLister](f.Broker)
	return f.letters(right, queue, limit)
}

func lister(f func(right stem.DeadLetterLister, queue string, limit int) ([]stem.DeadLetter, error)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) { s.Broker = &faultyLister{Broker: s.Broker, letters: f} }
}

// letter makes a fault of what happens to each dead letter.
func letter(change func(l *stem.DeadLetter)) func(*adaptertest.Stores) {
	return lister(func(right stem.DeadLetterLister, queue string, limit int) ([]stem.DeadLetter, error) {
		letters, err := right.DeadLetters(context.Background(), queue, limit)
		for i := range letters {
			change(&letters[i])
		}
		return letters, err
	})
}

var deadLetterMutants = []mutant{
	{"forgets reasons", letter(func(l *stem.DeadLetter) { l.Reason = "" }), []string{"Capabilities/a dead letter says what happened"}},
	{"forgets the marks of the dead", letter(func(l *stem.DeadLetter) { l.Marks = nil }), []string{"Capabilities/a dead letter says what happened"}},
	{"forgets original bytes", letter(func(l *stem.DeadLetter) { l.Envelope = nil }), []string{"Capabilities/a dead letter holds the original envelope"}},
	{"tells no time", letter(func(l *stem.DeadLetter) { l.At = time.Time{} }), []string{"Capabilities/a dead letter tells the store's time"}},

	{"shows dead letters oldest first", lister(func(right stem.DeadLetterLister, queue string, limit int) ([]stem.DeadLetter, error) {
		letters, err := right.DeadLetters(context.Background(), queue, limit)
		slices.Reverse(letters)
		return letters, err
	}), []string{"Capabilities/dead letters are shown newest first, and no more than asked for"}},

	{"shows one dead letter too many", lister(func(right stem.DeadLetterLister, queue string, limit int) ([]stem.DeadLetter, error) {
		return right.DeadLetters(context.Background(), queue, limit+1)
	}), []string{"Capabilities/dead letters are shown newest first, and no more than asked for"}},

	{"shows the dead letters of one queue", lister(func(right stem.DeadLetterLister, _ string, limit int) ([]stem.DeadLetter, error) {
		return right.DeadLetters(context.Background(), "one", limit)
	}), []string{"Capabilities/dead letters are listed by queue"}},

	{"buries without a fence", func(s *adaptertest.Stores) {
		burials := &faultyBurials{Broker: s.Broker}
		s.Broker = burials
	}, []string{
		"Capabilities/a dead letter of a lost delivery is not listed",
		"Capabilities/a repeated dead letter is listed once",
	}},
}

// faultyBurials lists every dead letter that anybody asked for.
type faultyBurials struct {
	stem.Broker
	letters []stem.DeadLetter
}

func (f *faultyBurials) Settle(ctx context.Context, ss ...stem.Settlement) error {
	for _, s := range ss {
		if s.Verdict == stem.VerdictDeadLetter {
			f.letters = append(f.letters, stem.DeadLetter{ID: s.Delivery.ID})
		}
	}
	return f.Broker.Settle(ctx, ss...)
}

func (f *faultyBurials) DeadLetters(context.Context, string, int) ([]stem.DeadLetter, error) {
	return f.letters, nil
}

// faultyCounter changes what a correct counter answers.
type faultyCounter struct {
	stem.Broker
	counts func(c *stem.QueueCounts)
	queue  func(queue string) string
}

func (f *faultyCounter) Unwrap() stem.Broker { return f.Broker }

func (f *faultyCounter) CountQueue(ctx context.Context, queue string) (stem.QueueCounts, error) {
	right, _ := stem.As[stem.QueueCounter](f.Broker)
	if f.queue != nil {
		queue = f.queue(queue)
	}
	c, err := right.CountQueue(ctx, queue)
	if f.counts != nil {
		f.counts(&c)
	}
	return c, err
}

func counted(hook func(c *stem.QueueCounts)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) { s.Broker = &faultyCounter{Broker: s.Broker, counts: hook} }
}

var countMutants = []mutant{
	{"counts one that is not there", counted(func(c *stem.QueueCounts) { c.Ready++ }), []string{
		"Capabilities/the counts of an unknown queue are 0",
		"Capabilities/queues are counted apart",
	}},
	{"counts running envelopes as ready", counted(func(c *stem.QueueCounts) { c.Ready, c.Running = c.Ready+c.Running, 0 }),
		[]string{"Capabilities/every envelope of a queue is counted in its place", "Capabilities/what is settled moves between the counts"}},
	{"counts as delayed until a receiver comes", counted(func(c *stem.QueueCounts) { c.Ready, c.Delayed = 0, c.Ready+c.Delayed }),
		[]string{"Capabilities/a delay that is over counts as ready"}},
	{"counts unknown tasks together", counted(func(c *stem.QueueCounts) {
		all := 0
		for _, n := range c.Unknown {
			all += n
		}
		c.Unknown = map[stem.TaskSchema]int{{}: all}
	}), []string{"Capabilities/envelopes set aside are counted by task"}},
	{"counts unknown schemas by task", counted(func(c *stem.QueueCounts) {
		byTask := map[stem.TaskSchema]int{}
		for schema, n := range c.Unknown {
			byTask[stem.TaskSchema{Task: schema.Task}] += n
		}
		c.Unknown = byTask
	}), []string{"Capabilities/envelopes set aside are counted by schema"}},
	{"counts all queues as one", func(s *adaptertest.Stores) {
		s.Broker = &faultyCounter{Broker: s.Broker, queue: func(string) string { return "one" }}
	}, []string{"Capabilities/queues are counted apart"}},
}
