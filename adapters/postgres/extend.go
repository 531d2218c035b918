package postgres

import (
	"context"
	"slices"

	"github.com/gostem/gostem/stem"
)

// Extend renews a session: one call of a function, and one more if anything is revoked.
func (s *Store) Extend(ctx context.Context, session stem.Session, held ...stem.Delivery) ([]stem.Notice, error) {
	if err := session.Validate(); err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	notices, err := s.extend(ctx, &session, held)
	if err != nil {
		return nil, s.failed("extend", err)
	}
	s.tidyNowAndThen()
	return notices, nil
}

func (s *Store) extend(ctx context.Context, session *stem.Session, held []stem.Delivery) ([]stem.Notice, error) {
	nos, seqs, numbers := make([]int32, len(held)), make([]int64, len(held)), make([]int64, len(held))
	for i := range held {
		// What is not of this store or this session keeps 0, which no session has.
		if r, ok := held[i].Receipt.(*receipt); ok && r.schema == s.cfg.Schema && held[i].Session == session.ID {
			nos[i], seqs[i], numbers[i] = r.holder, r.seq, held[i].Number
		}
	}
	rows, err := s.on.rows(ctx, s.sql.extend, s.offset.Load(), session.ID, micros(session.Lease), session.Leaving, listOf(nos), listOf(seqs), listOf(numbers))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	lost := make([]bool, len(held))
	var notices []stem.Notice
	revoked := false
	for rows.Next() {
		var place int
		var flag bool
		if err := rows.Scan(&place, &flag); err != nil {
			return nil, err
		}
		switch {
		case place < 0:
			revoked = flag
		case place < len(held):
			lost[place] = true
			notices = append(notices, stem.Notice{Index: place, Cause: stem.ErrLeaseLost})
		}
	}
	if err := rows.Err(); err != nil || !revoked {
		return notices, err
	}
	told, err := s.revokedOf(ctx, held)
	if err != nil {
		return nil, err
	}
	for _, n := range told {
		if !lost[n.Index] {
			notices = append(notices, n)
		}
	}
	slices.SortFunc(notices, func(a, b stem.Notice) int { return a.Index - b.Index })
	return notices, nil
}
