package memory

import (
	"context"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// TakeTurns takes turns in buckets.
func (s *Store) TakeTurns(ctx context.Context, turns ...limit.Turn) ([]time.Duration, error) {
	for i := range turns {
		if err := turns[i].Validate(); err != nil {
			return nil, err
		}
	}
	now, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	waits := make([]time.Duration, len(turns))
	for i, turn := range turns {
		waits[i] = s.bucket(turn.Bucket, now).Take(now.micros(), turn)
	}
	return waits, nil
}

// Penalize lets nobody have a turn in a bucket for d from now.
func (s *Store) Penalize(ctx context.Context, bucket limit.Bucket, d time.Duration) error {
	if err := bucket.Validate(); err != nil {
		return err
	}
	now, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.bucket(bucket, now).Penalize(now.micros(), d)
	return nil
}

// micros gives the instant as limits count, in whole microseconds.
func (t instant) micros() time.Duration { return time.Duration(t).Truncate(time.Microsecond) }

// bucket gives the state of a bucket.
func (s *Store) bucket(name limit.Bucket, now instant) *limit.State {
	if state := s.buckets[name]; state != nil {
		return state
	}
	if s.buckets == nil {
		s.buckets = make(map[limit.Bucket]*limit.State)
	}
	if len(s.buckets) >= s.sweepBucketsAt {
		// Keys come and go; to look for idle ones whenever their number has doubled costs
		// nothing to speak of.
		for name, state := range s.buckets {
			if state.Idle(now.micros()) {
				delete(s.buckets, name)
			}
		}
		s.sweepBucketsAt = 2*len(s.buckets) + 64
	}
	state := new(limit.State)
	s.buckets[name] = state
	return state
}

// places are the runs of a task that sessions hold, by session.
type places map[string]place

// place is how many runs a session holds, and until when.
type place struct {
	n     int
	until instant
}

// HoldPlaces says how many runs of tasks a session has.
func (s *Store) HoldPlaces(ctx context.Context, session stem.Session, holds ...stem.Hold) ([]stem.Held, error) {
	if err := session.Validate(); err != nil {
		return nil, err
	}
	for i := range holds {
		if err := holds[i].Validate(); err != nil {
			return nil, err
		}
	}
	now, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	held := make([]stem.Held, len(holds))
	for i, hold := range holds {
		held[i] = s.hold(session, hold, now)
	}
	return held, nil
}

func (s *Store) hold(session stem.Session, want stem.Hold, now instant) stem.Held {
	held := s.places[want.Task]
	others := 0
	for id, p := range held {
		switch {
		case p.until <= now:
			delete(held, id)
		case id != session.ID:
			others += p.n
		}
	}
	granted := max(min(want.N, max(held[session.ID].n, want.Limit-others)), 0)
	delete(held, session.ID)
	switch {
	case granted > 0:
		s.placesOf(want.Task)[session.ID] = place{granted, now.plus(session.Lease)}
	case len(held) == 0:
		delete(s.places, want.Task)
	}
	return stem.Held{N: granted, Free: max(want.Limit-others-granted, 0)}
}

func (s *Store) placesOf(task string) places {
	if s.places == nil {
		s.places = make(map[string]places)
	}
	if s.places[task] == nil {
		s.places[task] = make(places)
	}
	return s.places[task]
}
