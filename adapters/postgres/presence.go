package postgres

import (
	"context"

	"github.com/gostem/gostem/stem"
)

// Announce keeps what a worker says of itself, by one statement.
func (s *Store) Announce(ctx context.Context, info stem.WorkerInfo) error {
	if err := info.Validate(); err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	return s.failed("announce", s.on.exec(ctx, s.sql.announce, s.offset.Load(), info.ID, micros(info.For), stem.AppendWorkerInfo(nil, &info)))
}

// Workers answers what is kept.
func (s *Store) Workers(ctx context.Context) ([]stem.WorkerInfo, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	var infos []stem.WorkerInfo
	err := s.on.query(ctx, func(scan func(...any) error) error {
		var kept stem.WorkerInfo
		var said []byte
		if err := scan(&kept.ID, &kept.Seen, &said); err != nil {
			return err
		}
		info, err := stem.ParseWorkerInfo(said)
		if err != nil {
			info = stem.WorkerInfo{ID: kept.ID, Malformed: err}
		}
		info.Seen = kept.Seen.UTC()
		infos = append(infos, info)
		return nil
	}, s.sql.workers, s.offset.Load())
	return infos, s.failed("workers", err)
}
