package adaptertest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/internal/txmemory"
	"github.com/gostem/gostem/stem"
)

// faultyKeeper changes what passes to and from a correct keeper of unique keys.
type faultyKeeper struct {
	faultyBroker
	started func(ds []stem.Delivery) ([]stem.Notice, error)
}

func (k *faultyKeeper) Started(_ context.Context, ds ...stem.Delivery) ([]stem.Notice, error) {
	return k.started(ds)
}

// keeping makes a fault of how starts are told.
func keeping(started func(right stem.UniqueKeeper, ds []stem.Delivery) ([]stem.Notice, error)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		right, _ := stem.As[stem.UniqueKeeper](s.Broker)
		s.Broker = &faultyKeeper{
			faultyBroker: faultyBroker{Broker: s.Broker},
			started:      func(ds []stem.Delivery) ([]stem.Notice, error) { return started(right, ds) },
		}
	}
}

// uniquely makes a fault of what an envelope says of its uniqueness, where it does.
func uniquely(change func(u *stem.Uniqueness)) func(*adaptertest.Stores) {
	return envelope(func(e *stem.Envelope) {
		if e.Unique != nil {
			u := *e.Unique
			change(&u)
			e.Unique = &u
		}
	})
}

// lettingGo makes a fault of which settlements let all unique keys go: from then on others are meant.
func lettingGo(when func(s stem.Settlement, err error) bool) func(*adaptertest.Stores) {
	return broker(func(b *faultyBroker) {
		generation := 0
		b.envelope = func(e *stem.Envelope) {
			if e.Unique != nil {
				u := *e.Unique
				u.Key = fmt.Sprint(generation, " ", u.Key)
				e.Unique = &u
			}
		}
		b.settle = func(ctx context.Context, ss []stem.Settlement) error {
			err := b.Broker.Settle(ctx, ss...)
			for i, s := range ss {
				if when(s, stem.ItemErr(err, i)) {
					generation++
				}
			}
			return err
		}
	})
}

var uniqueMutants = []mutant{
	{"lets the unique key go", envelope(func(e *stem.Envelope) { e.Unique = nil }), []string{
		"Capabilities/an envelope whose unique key is held is not stored, and told who holds it",
		"Capabilities/a batch may hold an envelope and one with the same unique key",
		"Capabilities/unique keys of every allowed form are kept apart, and per queue",
		"Capabilities/of envelopes with one unique key published at the same time one is stored",
		"Capabilities/a unique key is held until the task is done",
		"Capabilities/a unique key is let go with save-and-settle",
		"Capabilities/a dedupe key is looked at before the unique key, and not kept with a conflict",
	}},
	{"takes a conflict for a duplicate of an id", broker(func(b *faultyBroker) {
		b.publish = func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
			ps, err := b.Broker.Publish(ctx, envs...)
			for i := range ps {
				ps[i].Conflict = false
			}
			return ps, err
		}
	}), []string{"Capabilities/an envelope whose unique key is held is not stored, and told who holds it"}},
	{"knows no capitals in unique keys", uniquely(func(u *stem.Uniqueness) { u.Key = strings.ToLower(u.Key) }),
		[]string{"Capabilities/unique keys of every allowed form are kept apart, and per queue"}},
	{"cuts unique keys at 200 bytes", uniquely(func(u *stem.Uniqueness) { u.Key = u.Key[:min(len(u.Key), 200)] }),
		[]string{"Capabilities/unique keys of every allowed form are kept apart, and per queue"}},
	{"lets unique keys go with a retry", lettingGo(func(s stem.Settlement, _ error) bool { return s.Verdict == stem.VerdictRetry }),
		[]string{"Capabilities/a unique key is held until the task is done"}},
	{"lets unique keys go with a settlement that it refuses", lettingGo(func(_ stem.Settlement, err error) bool { return err != nil }),
		[]string{"Capabilities/a refused settlement lets no unique key go"}},
	{"lets unique keys go with the end of a task, whoever holds them", lettingGo(func(s stem.Settlement, _ error) bool { return s.Verdict == stem.VerdictAck }), []string{
		"Capabilities/a bound ends a unique key, and its holder lets no other go",
		"Capabilities/a revoked task holds no unique key",
		"Capabilities/a unique key is held for a time, also by a task that succeeded",
	}},
	{"never lets a unique key go", broker(func(b *faultyBroker) {
		b.envelope = func(e *stem.Envelope) {
			if e.Unique != nil {
				u := *e.Unique
				u.Until, u.For = stem.UntilTime, 1000*time.Hour
				e.Unique = &u
			}
		}
		b.settlement = func(s *stem.Settlement) { s.Cancelled = false }
	}), []string{
		"Capabilities/a unique key is held until the task is done",
		"Capabilities/a unique key is let go with save-and-settle",
		"Capabilities/a unique key is held until the task starts",
		"Capabilities/a unique key of a task that ends without a start is let go",
		"Capabilities/a unique key is let go by the end of a task whose start nobody told",
		"Capabilities/a unique key is held for a time, also by a task that succeeded",
	}},
	{"knows no bound of unique keys", uniquely(func(u *stem.Uniqueness) {
		if u.Until == stem.UntilDone {
			u.For = 0
		}
	}), []string{"Capabilities/a bound ends a unique key, and its holder lets no other go"}},
	{"takes a cancellation for a success", settlement(func(s *stem.Settlement) { s.Cancelled = false }), []string{
		"Capabilities/a unique key for a time is let go by a dead letter and a cancellation",
		"Capabilities/a task that was replaced is not revoked any more once it was cancelled",
	}},
	{"takes the dedupe keys of a batch before its unique keys", broker(func(b *faultyBroker) {
		b.publish = func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
			ps, err := b.Broker.Publish(ctx, envs...)
			for i := range ps {
				first := slices.IndexFunc(envs, func(e stem.Envelope) bool { return e.DedupeKey == envs[i].DedupeKey })
				if envs[i].DedupeKey != "" && first < i {
					ps[i] = stem.Published{ID: envs[first].ID, Duplicate: true}
				}
			}
			return ps, err
		}
	}), []string{"Capabilities/an envelope in a batch is no duplicate of one whose unique key was held"}},
	{"lets a task be replaced by itself", broker(func(b *faultyBroker) {
		var last string
		b.envelope = func(e *stem.Envelope) {
			if e.ID == last {
				e.ID += "-itself"
			}
			last = e.ID
		}
	}), []string{"Capabilities/a task is not replaced by itself"}},
	{"drops revocations", revoking(func(f *faultyRevocations) { f.revoke = func([]stem.Revocation) error { return nil } }),
		[]string{"Capabilities/a revoked task holds no unique key"}},
	{"lets nothing expire", envelope(func(e *stem.Envelope) { e.ExpiresIn = 0 }),
		[]string{"Capabilities/a task that expired holds no unique key unless it has started"}},
	{"has unique keys before dedupe keys", envelope(func(e *stem.Envelope) {
		if e.Unique != nil {
			e.DedupeKey = ""
		}
	}), []string{"Capabilities/a dedupe key is looked at before the unique key, and not kept with a conflict"}},
	{"replaces nothing", uniquely(func(u *stem.Uniqueness) { u.OnConflict = stem.ConflictExisting }), []string{
		"Capabilities/a task that is replaced is lent as revoked, in favour of another",
		"Capabilities/a delayed task that is replaced is lent at once",
	}},
	{"replaces whatever it can", uniquely(func(u *stem.Uniqueness) { u.OnConflict = stem.ConflictReplace }),
		[]string{"Capabilities/only a task that may be replaced is"}},
	{"lends what was replaced as if it were not", delivery(func(d *stem.Delivery) { d.Revoked = false }), []string{
		"Capabilities/a task that is replaced is lent as revoked, in favour of another",
		"Capabilities/a delayed task that is replaced is lent at once",
	}},
	{"does not hear of starts", keeping(func(stem.UniqueKeeper, []stem.Delivery) ([]stem.Notice, error) { return nil, nil }), []string{
		"Capabilities/a unique key is held until the task starts",
		"Capabilities/a task that expired holds no unique key unless it has started",
		"Capabilities/a task that has started is not replaced, and one that came back is",
		"Capabilities/a task that was replaced since it was lent must not start",
		"Capabilities/after close started answers ErrClosed",
	}},
	{"knows no unique keys in transactions", transaction(func(f *faultyStore) {
		f.publish = func(tx *txmemory.Tx, envs []stem.Envelope) ([]stem.Published, error) {
			for i := range envs {
				envs[i].Unique = nil
			}
			return tx.Publish(context.Background(), envs...)
		}
	}), []string{"Capabilities/a unique key that a transaction takes is held once it commits"}},
	{"commits what is to roll back, keys and all", transaction(func(f *faultyStore) {
		f.rollback = func(tx *txmemory.Tx) error { return tx.Commit() }
	}), []string{
		"Capabilities/a unique key that a transaction takes is free if it rolls back",
		"Capabilities/a completion lets the unique key go with its commit",
	}},
	{"settles nothing beside a transaction that has published", transaction(func(f *faultyStore) {
		open := false
		f.publish = func(tx *txmemory.Tx, envs []stem.Envelope) ([]stem.Published, error) {
			open = true
			return tx.Publish(context.Background(), envs...)
		}
		f.settle = func(ctx context.Context, ss []stem.Settlement) error {
			if open {
				return stem.ErrTransactionOpen
			}
			return f.right.Settle(ctx, ss...)
		}
	}), []string{"Capabilities/a transaction that is open and takes a key over holds up neither start nor end"}},
}
