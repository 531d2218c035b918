// Package txmemory is the memory store with transactions, for tests of what adapters
// whose stores have transactions must do, and of what the runtime does with them. A
// transaction holds nothing but tasks: there are no other writes in memory that could
// commit with them. No user needs it.
package txmemory

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// Store is a memory store that can begin transactions. The zero value is ready to use.
type Store struct {
	memory.Store

	mu      sync.Mutex
	loans   map[string]*loan  // the last of each id
	keys    map[string]string // the id that stands for each dedupe key
	uniques map[string]string // the id that holds each unique key
}

var (
	_ stem.SavingSettler = (*Store)(nil)
	_ stem.Publisher     = (*Tx)(nil)
	_ stem.Completer     = (*Tx)(nil)
)

// loan is what a delivery has come to, as far as transactions must know.
type loan struct {
	stem.Delivery
	tx        *Tx  // the open one that completes it
	completed bool // by one that has committed
	settled   bool
}

// Publish stores envelopes, and takes note of their dedupe keys.
func (s *Store) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.publish(ctx, envs)
}

func (s *Store) publish(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
	published, err := s.Store.Publish(ctx, envs...)
	if s.keys == nil {
		s.keys, s.uniques = make(map[string]string), make(map[string]string)
	}
	for i, p := range published {
		if key := dedupeKey(envs[i]); key != "" {
			s.keys[key] = p.ID
		}
		if key := uniqueKey(&envs[i]); key != "" {
			s.uniques[key] = p.ID
		}
	}
	return published, err
}

// letGo forgets the unique key of a delivery that has ended, as far as the promises go: one that
// is held for a time stays.
func (s *Store) letGo(settlement stem.Settlement) {
	d := settlement.Delivery
	key := uniqueKey(d.Envelope)
	if s.uniques[key] == d.ID && d.Unique.Until != stem.UntilTime &&
		(settlement.Verdict == stem.VerdictAck || settlement.Verdict == stem.VerdictDeadLetter) {
		delete(s.uniques, key)
	}
}

// uniqueKey is the unique key of an envelope with its queue, or empty.
func uniqueKey(e *stem.Envelope) string {
	if e.Unique == nil {
		return ""
	}
	return e.Queue + "\n" + e.Unique.Key
}

// dedupeKey is the key of an envelope with its queue, or empty.
func dedupeKey(e stem.Envelope) string {
	if e.DedupeKey == "" {
		return ""
	}
	return e.Queue + "\n" + e.DedupeKey
}

// Receive lends envelopes, but none that an open transaction completes: the lock on it,
// as it were, keeps its session from lapsing, and it counts as not lost on its way.
func (s *Store) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	locked, err := s.keepLocked(ctx)
	if err != nil {
		return nil, err
	}
	req.Held = slices.Concat(req.Held, locked)
	ds, err := s.Store.Receive(ctx, req)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loans == nil {
		s.loans = make(map[string]*loan)
	}
	for _, d := range ds {
		if last := s.loans[d.ID]; last == nil || last.Number < d.Number {
			s.loans[d.ID] = &loan{Delivery: d}
		}
	}
	return ds, err
}

// keepLocked gives the deliveries that open transactions complete, and renews their sessions.
func (s *Store) keepLocked(ctx context.Context) (locked []stem.Delivery, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.loans {
		if l.tx == nil {
			continue
		}
		locked = append(locked, l.Delivery)
		if _, err := s.Store.Extend(ctx, stem.Session{ID: l.Session, Lease: time.Minute}); err != nil {
			return nil, err
		}
	}
	return locked, nil
}

// Extend renews a session, and is silent about what is completed.
func (s *Store) Extend(ctx context.Context, session stem.Session, held ...stem.Delivery) ([]stem.Notice, error) {
	notices, err := s.Store.Extend(ctx, session, held...)
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(notices, func(n stem.Notice) bool {
		l := s.loanOf(held[n.Index])
		return l != nil && l.completed
	}), err
}

// Settle ends deliveries.
func (s *Store) Settle(ctx context.Context, ss ...stem.Settlement) error {
	return s.settle(ctx, ss, s.Store.Settle)
}

// SaveAndSettle saves results and ends deliveries.
func (s *Store) SaveAndSettle(ctx context.Context, ss ...stem.Settlement) error {
	return s.settle(ctx, ss, s.Store.SaveAndSettle)
}

// settle answers for what transactions complete, and lets the store below settle the rest.
func (s *Store) settle(ctx context.Context, ss []stem.Settlement, below func(context.Context, ...stem.Settlement) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var failed []stem.ItemError
	for i, settlement := range ss {
		l := s.loanOf(settlement.Delivery)
		var err error
		switch {
		case l != nil && l.tx != nil:
			err = stem.ErrTransactionOpen
		case l != nil && l.completed && settlement.Verdict != stem.VerdictAck:
			err = stem.ErrCompleted
		case l != nil && l.completed:
		default:
			err = stem.ItemErr(below(ctx, settlement), 0)
		}
		if err != nil {
			failed = append(failed, stem.ItemError{Index: i, Err: err})
		} else if l != nil {
			l.settled = true
			s.letGo(settlement)
		}
	}
	if failed != nil {
		return &stem.PartialError{Items: failed}
	}
	return nil
}

// loanOf gives the loan that a delivery is, unless the envelope was lent again since. mu is held.
func (s *Store) loanOf(d stem.Delivery) *loan {
	if l := s.loans[d.ID]; l != nil && l.Number == d.Number {
		return l
	}
	return nil
}
