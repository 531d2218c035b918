package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/gostem/gostem/stem"
)

// Save stores records, by one call of a function.
func (s *Store) Save(ctx context.Context, rs ...stem.Result) error {
	if err := s.begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	if len(rs) == 0 {
		return nil
	}
	ctx, cancel := bound(ctx)
	defer cancel()
	var refused []stem.ItemError
	var err error
	if twice(rs) {
		refused, err = s.saveOneByOne(ctx, rs)
	} else {
		refused, err = s.save(ctx, rs)
	}
	if err != nil {
		return s.failed("save results", err)
	}
	ids := make([]*string, len(rs))
	for i := range rs {
		ids[i] = &rs[i].ID
	}
	s.watch.look(ids)
	s.notifier.notify(resultChannel, "")
	s.tidyNowAndThen()
	return partial(refused)
}

// twice reports whether two records have one id. One statement cannot save both.
func twice(rs []stem.Result) bool {
	seen := make(map[string]struct{}, len(rs))
	for i := range rs {
		if _, found := seen[rs[i].ID]; found {
			return true
		}
		seen[rs[i].ID] = struct{}{}
	}
	return false
}

// save saves records of different ids.
func (s *Store) save(ctx context.Context, rs []stem.Result) (refused []stem.ItemError, err error) {
	ids, numbers, terminals := make([]string, len(rs)), make([]int64, len(rs)), make([]bool, len(rs))
	keeps, records := make([]int64, len(rs)), make([][]byte, len(rs))
	for i := range rs {
		ids[i], numbers[i], terminals[i], keeps[i] = rs[i].ID, rs[i].Delivery, rs[i].State.Terminal(), max(micros(rs[i].Keep), 1)
		records[i] = record(&rs[i])
	}
	err = s.on.query(ctx, func(scan func(...any) error) error {
		var place int
		err := scan(&place)
		refused = append(refused, stem.ItemError{Index: place, Err: stem.ErrLeaseLost})
		return err
	}, s.sql.save, s.offset.Load(), listOf(ids), listOf(numbers), listOf(terminals), listOf(keeps), listOf(records))
	return refused, err
}

func (s *Store) saveOneByOne(ctx context.Context, rs []stem.Result) (refused []stem.ItemError, err error) {
	for i := range rs {
		some, err := s.save(ctx, rs[i:i+1])
		if err != nil {
			return nil, err
		}
		if len(some) > 0 {
			refused = append(refused, stem.ItemError{Index: i, Err: stem.ErrLeaseLost})
		}
	}
	return refused, nil
}

// Load answers records. One that has expired can be told from one that was never there for ten minutes.
func (s *Store) Load(ctx context.Context, ids ...string) ([]stem.Result, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	return s.load(ctx, ids)
}

func (s *Store) load(ctx context.Context, ids []string) ([]stem.Result, error) {
	rs := make([]stem.Result, len(ids))
	errs := make([]error, len(ids))
	for i := range errs {
		errs[i] = stem.ErrNoResult
	}
	err := s.on.query(ctx, func(scan func(...any) error) error {
		var place int
		var live bool
		var record []byte
		if err := scan(&place, &live, &record); err != nil {
			return err
		}
		rs[place], errs[place] = parseRecord(live, record)
		return nil
	}, s.sql.load, s.offset.Load(), ids)
	if err != nil {
		return nil, s.failed("load results", err)
	}
	var failed []stem.ItemError
	for i, err := range errs {
		if err != nil {
			failed = append(failed, stem.ItemError{Index: i, Err: err})
		}
	}
	return rs, partial(failed)
}

var errRecord = errors.New("postgres: what is stored is no record of a result")

func parseRecord(live bool, record []byte) (stem.Result, error) {
	if !live {
		return stem.Result{}, stem.ErrResultExpired
	}
	r, err := stem.ParseResult(record)
	if err != nil {
		return stem.Result{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	return r, nil
}
