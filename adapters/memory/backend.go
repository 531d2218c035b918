package memory

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

// Save stores records. Payload, Failure, Progress and History are shared from here on
// with all who load them, so nobody may change them.
func (s *Store) Save(ctx context.Context, rs ...stem.Result) error {
	return s.each(ctx, len(rs), func(i int, now instant) error { return s.save(&rs[i], now) })
}

// sweepResults is how many expired records may go for each that is saved or
// loaded: more than one, so that they become fewer; few, so that nobody waits.
const sweepResults = 4

// save stores one record, and tells those who wait for it.
func (s *Store) save(r *stem.Result, now instant) error {
	s.results.sweep(now, sweepResults, s.bury)
	old, live := s.results.find(r.ID, now)
	if live {
		if same, err := fence(&old.value, r); same || err != nil {
			return err
		}
	}
	s.results.put(old, r.ID, r.Keep, now).value = *r
	for s.results.len() > s.maxResults() {
		first := s.results.first()
		s.results.remove(first)
		s.bury(first)
	}
	if r.State.Terminal() {
		s.announce(r)
	}
	return nil
}

// fence answers an error if a record may not stand where an old one does, and
// same if it says what stands there anyway.
func fence(old, r *stem.Result) (same bool, err error) {
	switch {
	case r.Delivery > old.Delivery:
		return false, nil
	case r.Delivery < old.Delivery:
		return false, stem.ErrLeaseLost
	case !old.State.Terminal():
		return false, nil
	case !saysTheSame(old, r):
		return false, stem.ErrLeaseLost
	default:
		return true, nil
	}
}

// saysTheSame compares what workers write.
func saysTheSame(old, r *stem.Result) bool {
	without := *old
	without.Replays = r.Replays
	return reflect.DeepEqual(&without, r)
}

// AnnotateReplay notes in a record that its dead letter was sent back.
func (s *Store) AnnotateReplay(ctx context.Context, id, as string) error {
	now, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	i, live := s.results.find(id, now)
	if !live {
		return stem.ErrNoResult
	}
	next := stem.Replays{As: as, At: s.wall(now).Truncate(time.Millisecond), Count: 1}
	if before := i.value.Replays; before != nil {
		if before.As == as {
			return nil
		}
		next.Count += before.Count
	}
	i.value.Replays = &next // what was loaded before is shared, and stays as it is
	return nil
}

// bury remembers of an outcome that is no longer kept that there was one. News
// of a task under way leaves nothing behind: who waits for the outcome waits on.
func (s *Store) bury(gone *item[stem.Result]) {
	if gone.value.State.Terminal() {
		s.gone.add(gone.hash)
	}
}

func (s *Store) maxResults() int {
	if s.MaxResults > 0 {
		return s.MaxResults
	}
	return defaultMaxResults
}

// Load answers records. Their payloads, failures and progress are shared and
// read-only.
func (s *Store) Load(ctx context.Context, ids ...string) ([]stem.Result, error) {
	results := make([]stem.Result, len(ids))
	err := s.each(ctx, len(ids), func(i int, now instant) (err error) {
		results[i], err = s.load(ids[i], now)
		return err
	})
	return results, err
}

func (s *Store) load(id string, now instant) (stem.Result, error) {
	s.results.sweep(now, sweepResults, s.bury)
	i, live := s.results.find(id, now)
	if live {
		return i.value, nil
	}
	if i != nil { // expired, and not swept yet
		s.results.remove(i)
		s.bury(i)
	}
	if s.gone.has(s.results.items.hash(id)) {
		return stem.Result{}, stem.ErrResultExpired
	}
	return stem.Result{}, stem.ErrNoResult
}

// Await blocks until there is an outcome. It sees one also if that is not kept
// for as long as it takes to look.
func (s *Store) Await(ctx context.Context, id string) (stem.Result, error) {
	outcome, r, err := s.watch(ctx, id)
	if outcome == nil {
		return r, err
	}
	select {
	case r, ok := <-outcome:
		if !ok {
			return stem.Result{}, stem.ErrClosed
		}
		return r, nil
	case <-ctx.Done():
		s.unwatch(id, outcome)
		return stem.Result{}, ctx.Err()
	}
}

// watch answers the outcome of a task, or an error, or a channel on which the
// outcome will come. Close closes the channel.
func (s *Store) watch(ctx context.Context, id string) (chan stem.Result, stem.Result, error) {
	now, err := s.begin(ctx)
	if err != nil {
		return nil, stem.Result{}, err
	}
	defer s.mu.Unlock()
	r, err := s.load(id, now)
	if err == nil && r.State.Terminal() || errors.Is(err, stem.ErrResultExpired) {
		return nil, r, err
	}
	if s.watchers == nil {
		s.watchers = make(map[string][]chan stem.Result)
	}
	outcome := make(chan stem.Result, 1) // with room, so that whoever saves never waits
	s.watchers[id] = append(s.watchers[id], outcome)
	return outcome, stem.Result{}, nil
}

func (s *Store) unwatch(id string, outcome chan stem.Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := slices.DeleteFunc(s.watchers[id], func(other chan stem.Result) bool { return other == outcome })
	if len(rest) > 0 {
		s.watchers[id] = rest
	} else {
		delete(s.watchers, id)
	}
}

// announce gives an outcome to all who wait for it.
func (s *Store) announce(r *stem.Result) {
	if len(s.watchers) == 0 {
		return
	}
	for _, watcher := range s.watchers[r.ID] {
		watcher <- *r
	}
	delete(s.watchers, r.ID)
}
