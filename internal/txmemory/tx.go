package txmemory

import (
	"context"
	"errors"
	"slices"

	"github.com/gostem/gostem/stem"
)

// Tx is a transaction. Once it has ended its methods answer an error.
type Tx struct {
	store     *Store
	envs      []stem.Envelope
	keys      map[string]string // of envs
	uniques   map[string]string // of envs
	completed []stem.Settlement
	ended     bool
}

var errEnded = errors.New("txmemory: the transaction has ended")

// Begin begins a transaction.
func (s *Store) Begin() *Tx {
	return &Tx{store: s, keys: make(map[string]string), uniques: make(map[string]string)}
}

// Publish keeps envelopes until the transaction commits.
func (tx *Tx) Publish(_ context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	tx.store.mu.Lock()
	defer tx.store.mu.Unlock()
	if tx.ended {
		return nil, errEnded
	}
	published := make([]stem.Published, len(envs))
	for i, e := range envs {
		if id := tx.standing(e); id != "" {
			published[i] = stem.Published{ID: id, Duplicate: true}
			continue
		}
		if id := tx.holder(&e); id != "" {
			published[i] = stem.Published{ID: id, Duplicate: true, Conflict: true}
			continue
		}
		published[i].ID = e.ID
		tx.envs = append(tx.envs, e)
		if key := dedupeKey(e); key != "" {
			tx.keys[key] = e.ID
		}
		if key := uniqueKey(&e); key != "" {
			tx.uniques[key] = e.ID
		}
	}
	return published, nil
}

// holder gives the id that holds an envelope's unique key, if any does.
func (tx *Tx) holder(e *stem.Envelope) string {
	key := uniqueKey(e)
	if id := tx.store.uniques[key]; id != "" {
		return id
	}
	return tx.uniques[key]
}

// standing gives the id that an envelope duplicates, if it does.
func (tx *Tx) standing(e stem.Envelope) string {
	key := dedupeKey(e)
	if id := tx.store.keys[key]; id != "" {
		return id
	}
	return tx.keys[key]
}

// Complete ends a delivery when the transaction commits.
func (tx *Tx) Complete(_ context.Context, settlement stem.Settlement) error {
	s, d := tx.store, settlement.Delivery
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := s.loans[d.ID]; last == nil || last.Receipt != d.Receipt {
		return &stem.OtherStoreError{Transaction: "a txmemory.Store"}
	}
	l := s.loanOf(d)
	switch {
	case tx.ended:
		return errEnded
	case l == nil || l.settled:
		return stem.ErrLeaseLost
	case l.completed:
		return stem.ErrCompleted
	case l.tx == tx:
		return nil
	case l.tx != nil:
		return stem.ErrTransactionOpen
	}
	l.tx = tx
	tx.completed = append(tx.completed, settlement)
	return nil
}

// Commit makes what the transaction holds seen by all.
func (tx *Tx) Commit() error {
	tx.store.mu.Lock()
	defer tx.store.mu.Unlock()
	if tx.ended {
		return errEnded
	}
	tx.end(true)
	ctx := context.Background()
	var err error
	if len(tx.completed) > 0 {
		err = tx.store.Store.SaveAndSettle(ctx, tx.completed...)
		for _, settlement := range tx.completed {
			tx.store.letGo(settlement)
		}
	}
	if len(tx.envs) > 0 {
		_, failed := tx.store.publish(ctx, slices.Clone(tx.envs))
		err = errors.Join(err, failed)
	}
	return err
}

// Rollback drops what the transaction holds.
func (tx *Tx) Rollback() error {
	tx.store.mu.Lock()
	defer tx.store.mu.Unlock()
	if tx.ended {
		return errEnded
	}
	tx.end(false)
	return nil
}

// end gives the transaction's deliveries up, completed or as they were. mu is held.
func (tx *Tx) end(committed bool) {
	tx.ended = true
	for _, settlement := range tx.completed {
		if l := tx.store.loanOf(settlement.Delivery); l != nil {
			l.tx, l.completed = nil, committed
		}
	}
}
