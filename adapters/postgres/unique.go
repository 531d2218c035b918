package postgres

import (
	"context"
	"strings"

	"github.com/gostem/gostem/stem"
)

// publishUnique stores envelopes some of which are unique. args are those of publish_1.
func publishUnique(ctx context.Context, on executor, sql *statements, args []any, envs []stem.Envelope, published []stem.Published) error {
	n := len(envs)
	keys, spans, expiries := make([]*string, n), make([]*int64, n), make([]*int64, n)
	replaces, aboves := make([]bool, n), make([]string, n)
	for i := range envs {
		if u := envs[i].Unique; u != nil {
			keys[i], spans[i], expiries[i] = &u.Key, microsOrNull(u.For), microsOrNull(envs[i].ExpiresIn)
			replaces[i], aboves[i] = u.OnConflict == stem.ConflictReplace, above(&envs[i])
		}
	}
	return on.query(ctx, func(scan func(...any) error) error {
		var place, kind int
		var id string
		if err := scan(&place, &id, &kind); err != nil {
			return err
		}
		if kind == 3 {
			published[place].Replaces = id
		} else {
			published[place] = stem.Published{ID: id, Duplicate: true, Conflict: kind == 2}
		}
		return nil
	}, sql.publishUnique, append(args, keys, spans, expiries, replaces, aboves)...)
}

// above gives the ids above an envelope's own.
func above(e *stem.Envelope) string {
	var ids []string
	for id := range e.Lineage {
		if id != e.ID {
			ids = append(ids, id)
		}
	}
	return strings.Join(ids, " ")
}

// Started tells that deliveries are about to run, by one call of a function. It does not look whether the leases are lost: then the
// settlement is refused.
func (s *Store) Started(ctx context.Context, ds ...stem.Delivery) ([]stem.Notice, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	k := newKeyRows(0, len(ds))
	var indices []int
	var aboves []string
	for i := range ds {
		if u := ds[i].Unique; u != nil {
			what := runs
			if u.Until == stem.UntilStarted {
				what = letGo
			}
			k.add(&ds[i], what)
			indices, aboves = append(indices, i), append(aboves, above(ds[i].Envelope))
		}
	}
	if len(indices) == 0 {
		return nil, nil
	}
	var notices []stem.Notice
	err := s.on.query(ctx, func(scan func(...any) error) error {
		var place int
		var reason *string
		if err := scan(&place, &reason); err != nil {
			return err
		}
		n := stem.Notice{Index: indices[place], Cause: stem.ErrTransactionOpen}
		if reason != nil {
			n.Cause, n.Reason = stem.ErrRevoked, *reason
		}
		notices = append(notices, n)
		return nil
	}, s.sql.started, s.offset.Load(), k.queues, k.keys, k.ids, k.whats, aboves)
	if err != nil {
		return nil, s.failed("started", err)
	}
	for _, i := range indices {
		if r, ok := ds[i].Receipt.(*receipt); ok {
			r.told.Store(true)
		}
	}
	return notices, nil
}

// What becomes of a unique key (see keep_1).
const (
	letGo  int16 = 1
	done   int16 = 2
	queued int16 = 3
	runs   int16 = 4
	// cancelled lets the key go, and a task that was replaced is not revoked any more.
	cancelled int16 = 5
)

// keyed gives what a settlement means for the unique key of its task, 0 where nothing.
func keyed(s *stem.Settlement) int16 {
	e := s.Delivery.Envelope
	if e.Unique == nil {
		return 0
	}
	succeeded := s.Verdict == stem.VerdictAck && !s.Cancelled
	switch {
	case succeeded && e.Unique.Until == stem.UntilTime:
		return done
	case succeeded && e.Unique.Until == stem.UntilStarted:
		if r, ok := s.Delivery.Receipt.(*receipt); ok && r.told.Load() {
			return 0 // it has started, and let the key go then
		}
		return letGo
	case s.Verdict == stem.VerdictAck && s.Cancelled && e.Unique.OnConflict == stem.ConflictReplace:
		return cancelled
	case s.Verdict == stem.VerdictAck, s.Verdict == stem.VerdictDeadLetter:
		return letGo
	case e.TellsStart() && e.Unique.Until != stem.UntilStarted:
		return queued
	default:
		return 0
	}
}

// keyRows are unique keys by column, one for each settlement of a batch; those that nothing becomes of are NULL.
type keyRows struct {
	queues, ids []string
	keys        []*string
	whats       []int16
}

// newKeyRows gives n rows without keys, and room for more.
func newKeyRows(n, room int) *keyRows {
	return &keyRows{make([]string, n, room), make([]string, n, room), make([]*string, n, room), make([]int16, n, room)}
}

func (k *keyRows) add(d *stem.Delivery, what int16) {
	var key *string
	if what != 0 {
		key = &d.Unique.Key
	}
	k.queues, k.ids, k.keys, k.whats = append(k.queues, d.Queue), append(k.ids, d.ID), append(k.keys, key), append(k.whats, what)
}

// only gives the rows without all but one.
func (k *keyRows) only(i int) *keyRows {
	return &keyRows{k.queues[i : i+1], k.ids[i : i+1], k.keys[i : i+1], k.whats[i : i+1]}
}
