package memory

import (
	"context"
	"time"

	"github.com/gostem/gostem/stem"
)

// Announce keeps what a worker says of itself, and shares its lists from here on.
func (s *Store) Announce(ctx context.Context, info stem.WorkerInfo) error {
	if err := info.Validate(); err != nil {
		return err
	}
	now, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.workers.sweep(now, 2, nil) // more than is put, so that those that are gone do not pile up
	i, _ := s.workers.find(info.ID, now)
	i = s.workers.put(i, info.ID, info.For, now)
	info.For, info.Seen = 0, s.epoch.Add(time.Duration(now)).Round(0).UTC()
	i.value = info
	return nil
}

// Workers answers what is kept. Nobody may change the lists in it.
func (s *Store) Workers(ctx context.Context) ([]stem.WorkerInfo, error) {
	now, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	s.workers.sweep(now, s.workers.len(), nil)
	infos := make([]stem.WorkerInfo, 0, s.workers.len())
	for _, row := range s.workers.rows {
		for i := row.first; i != nil; i = i.next {
			infos = append(infos, i.value)
		}
	}
	return infos, nil
}
