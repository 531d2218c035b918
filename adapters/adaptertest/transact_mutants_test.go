package adaptertest_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/internal/txmemory"
	"github.com/gostem/gostem/stem"
)

// faultyStore has transactions that a hook changes. A nil hook changes nothing.
type faultyStore struct {
	faultyBroker
	right    *txmemory.Store
	publish  func(tx *txmemory.Tx, envs []stem.Envelope) ([]stem.Published, error)
	complete func(tx *txmemory.Tx, s stem.Settlement) error
	commit   func(tx *txmemory.Tx) error
	rollback func(tx *txmemory.Tx) error

	mu   sync.Mutex
	seen []stem.Settlement // what was completed, for hooks that remember
}

// faultyTx is one of its transactions.
type faultyTx struct {
	store *faultyStore
	tx    *txmemory.Tx
}

func (f faultyTx) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	if f.store.publish != nil {
		return f.store.publish(f.tx, envs)
	}
	return f.tx.Publish(ctx, envs...)
}

func (f faultyTx) Complete(ctx context.Context, s stem.Settlement) error {
	if f.store.complete != nil {
		return f.store.complete(f.tx, s)
	}
	return f.tx.Complete(ctx, s)
}

func (f faultyTx) end(hook func(*txmemory.Tx) error, right func(*txmemory.Tx) error) func() error {
	return func() error {
		if hook != nil {
			return hook(f.tx)
		}
		return right(f.tx)
	}
}

// transaction makes a fault of what to set on a store with transactions, which takes the
// place of the one that has none.
func transaction(set func(f *faultyStore)) func(*adaptertest.Stores) {
	return func(s *adaptertest.Stores) {
		right := new(txmemory.Store)
		f := &faultyStore{faultyBroker: faultyBroker{Broker: right}, right: right}
		set(f)
		s.Broker, s.Backend, s.Close = f, right, right.Close
		s.Begin = func(testing.TB) adaptertest.Transaction {
			tx := faultyTx{f, right.Begin()}
			return adaptertest.Transaction{
				Publisher: tx, Completer: tx,
				Commit: tx.end(f.commit, (*txmemory.Tx).Commit), Rollback: tx.end(f.rollback, (*txmemory.Tx).Rollback),
			}
		}
	}
}

// completing and settling make a fault of what completions or settlements answer.
func completing(answer func(err error) error) func(*adaptertest.Stores) {
	return transaction(func(f *faultyStore) {
		f.complete = func(tx *txmemory.Tx, s stem.Settlement) error { return answer(tx.Complete(context.Background(), s)) }
	})
}

func settling(answer func(err error) error) func(*adaptertest.Stores) {
	return transaction(func(f *faultyStore) {
		f.settle = func(ctx context.Context, ss []stem.Settlement) error { return answer(f.right.Settle(ctx, ss...)) }
	})
}

// answers gives another error in the place of one.
func answers(of, other error) func(error) error {
	return func(err error) error {
		if errors.Is(err, of) {
			return other
		}
		return err
	}
}

var transactionMutants = []mutant{
	{"publishes before the commit", transaction(func(f *faultyStore) {
		f.publish = func(_ *txmemory.Tx, envs []stem.Envelope) ([]stem.Published, error) {
			return f.right.Publish(context.Background(), envs...)
		}
	}), []string{
		"Capabilities/what a transaction publishes is lent once it commits",
		"Capabilities/what a transaction published that rolls back never was",
		"Capabilities/a completion and what is published with it are there together",
	}},

	{"deduplicates nothing in a transaction", transaction(func(f *faultyStore) {
		f.publish = func(tx *txmemory.Tx, envs []stem.Envelope) ([]stem.Published, error) {
			for i := range envs {
				envs[i].DedupeKey = ""
			}
			return tx.Publish(context.Background(), envs...)
		}
	}), []string{"Capabilities/a transaction knows what others published, and what it did itself"}},

	{"commits when it is to roll back", transaction(func(f *faultyStore) { f.rollback = (*txmemory.Tx).Commit }), []string{
		"Capabilities/what a transaction published that rolls back never was",
		"Capabilities/a completion that rolls back leaves the delivery as it was",
		"Capabilities/a completion and what is published with it are there together",
		"Capabilities/nobody takes over what an open transaction completes",
	}},

	{"rolls back when it is to commit", transaction(func(f *faultyStore) { f.commit = (*txmemory.Tx).Rollback }), []string{
		"Capabilities/what a transaction publishes is lent once it commits",
		"Capabilities/a completion that commits has settled the delivery and saved its result",
		"Capabilities/await is woken by a completion that commits",
		"Capabilities/a completion needs no result",
		"Capabilities/a completion may be repeated in its transaction",
	}},

	{"completes before the commit", transaction(func(f *faultyStore) {
		f.complete = func(_ *txmemory.Tx, s stem.Settlement) error {
			return stem.ItemErr(f.right.SaveAndSettle(context.Background(), s), 0)
		}
	}), []string{
		"Capabilities/a completion that commits has settled the delivery and saved its result",
		"Capabilities/a completion that rolls back leaves the delivery as it was",
		"Capabilities/a completion and what is published with it are there together",
		"Capabilities/another transaction is told that the delivery is completed",
		"Capabilities/while a transaction is open its delivery is not settled and others are",
		"Capabilities/a completed delivery is settled once more by ack, and by nothing else",
	}},

	{"looks at completions when it commits", transaction(func(f *faultyStore) {
		f.complete = func(_ *txmemory.Tx, s stem.Settlement) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.seen = append(f.seen, s)
			return nil
		}
		f.commit = func(*txmemory.Tx) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.right.SaveAndSettle(context.Background(), f.seen...)
		}
	}), []string{
		"Capabilities/nobody takes over what an open transaction completes",
		"Capabilities/while a transaction is open its delivery is not settled and others are",
		"Capabilities/a delivery that is lent again or settled cannot be completed",
	}},

	{"wants a result with every completion", transaction(func(f *faultyStore) {
		f.complete = func(tx *txmemory.Tx, s stem.Settlement) error {
			if s.Result == nil {
				return errors.New("a completion has no result")
			}
			return tx.Complete(context.Background(), s)
		}
	}), []string{"Capabilities/a completion needs no result"}},

	{"completes once only", transaction(func(f *faultyStore) {
		f.complete = func(tx *txmemory.Tx, s stem.Settlement) error {
			for _, d := range f.seen {
				if d.Delivery.ID == s.Delivery.ID {
					return stem.ErrTransactionOpen
				}
			}
			f.seen = append(f.seen, s)
			return tx.Complete(context.Background(), s)
		}
	}), []string{"Capabilities/a completion may be repeated in its transaction"}},

	{"completes in one transaction after the other", completing(answers(stem.ErrCompleted, nil)),
		[]string{"Capabilities/another transaction is told that the delivery is completed"}},
	{"takes a completed delivery for a lost one", completing(answers(stem.ErrCompleted, stem.ErrLeaseLost)),
		[]string{"Capabilities/another transaction is told that the delivery is completed"}},
	{"completes for stale holders", completing(forgive),
		[]string{"Capabilities/a delivery that is lent again or settled cannot be completed"}},
	{"takes a delivery of another store for a lost one", completing(func(err error) error {
		if errors.As(err, new(*stem.OtherStoreError)) {
			return stem.ErrLeaseLost
		}
		return err
	}), []string{"Capabilities/a delivery of another store cannot be completed"}},

	{"takes open transactions for lost leases", settling(answers(stem.ErrTransactionOpen, stem.ErrLeaseLost)),
		[]string{"Capabilities/while a transaction is open its delivery is not settled and others are"}},
	{"settles nothing beside an open transaction", transaction(func(f *faultyStore) {
		f.settle = func(ctx context.Context, ss []stem.Settlement) error {
			return oneByOne(ss, func(s stem.Settlement) error { return f.right.Settle(ctx, s) })
		}
	}), []string{"Capabilities/while a transaction is open its delivery is not settled and others are"}},
	{"takes any verdict for the repetition of a completion", settling(answers(stem.ErrCompleted, nil)),
		[]string{"Capabilities/a completed delivery is settled once more by ack, and by nothing else"}},
	{"takes what is completed for lost when it is settled", settling(answers(stem.ErrCompleted, stem.ErrLeaseLost)),
		[]string{"Capabilities/a completed delivery is settled once more by ack, and by nothing else"}},

	{"calls completed deliveries lost", transaction(func(f *faultyStore) {
		f.complete = func(tx *txmemory.Tx, s stem.Settlement) error {
			f.seen = append(f.seen, s)
			return tx.Complete(context.Background(), s)
		}
		f.extend = func(ctx context.Context, s stem.Session, held []stem.Delivery) ([]stem.Notice, error) {
			notices, err := f.right.Extend(ctx, s, held...)
			for i, d := range held {
				for _, completed := range f.seen {
					if completed.Delivery.ID == d.ID {
						notices = append(notices, stem.Notice{Index: i, Cause: stem.ErrLeaseLost})
					}
				}
			}
			return notices, err
		}
	}), []string{"Capabilities/extend does not call lost what a transaction completes or has completed"}},
}
