package postgres

import (
	"context"
	"slices"
	"time"

	"github.com/gostem/gostem/stem/ops"
)

var (
	_ ops.QueueLister      = (*Store)(nil)
	_ ops.QueueGauger      = (*Store)(nil)
	_ ops.TaskLister       = (*Store)(nil)
	_ ops.TaskChanger      = (*Store)(nil)
	_ ops.DeadLetterKeeper = (*Store)(nil)
	_ ops.ResultAnnotator  = (*Store)(nil)
)

// queuesAtOnce is how many names of queues a statement looks for, so that none runs for long.
const queuesAtOnce = 200

// Queues answers the names of the queues that hold anything, were paused once or are served by a worker that says so. It leaps from name
// to name in the indexes, some hundred by each statement.
func (s *Store) Queues(ctx context.Context) ([]string, error) {
	infos, err := s.Workers(ctx)
	if err != nil {
		return nil, err
	}
	var queues []string
	for i := range infos {
		queues = append(queues, infos[i].Queues...)
	}
	last, found := "", queuesAtOnce
	for found == queuesAtOnce {
		found = 0
		err := s.repeated(ctx, "list queues", func(ctx context.Context) error {
			return s.on.query(ctx, func(scan func(...any) error) error {
				found++
				err := scan(&last)
				queues = append(queues, last)
				return err
			}, s.sql.queues, last, queuesAtOnce)
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(queues)
	return slices.Compact(queues), nil
}

// GaugeQueue measures a queue by the heads of its ten lines and by the ten thousand tasks that are due first.
func (s *Store) GaugeQueue(ctx context.Context, queue string) (ops.Gauge, error) {
	var gauge ops.Gauge
	err := s.repeated(ctx, "measure a queue", func(ctx context.Context) error {
		return s.on.query(ctx, func(scan func(...any) error) error {
			var oldest *int64
			if err := scan(&oldest, &gauge.Retrying); err != nil {
				return err
			}
			if oldest != nil {
				gauge.Oldest = time.Duration(min(*oldest, int64(longest/time.Microsecond))) * time.Microsecond
			}
			return nil
		}, s.sql.gauge, s.offset.Load(), queue)
	})
	return gauge, err
}

// longest is the longest time that a duration can say.
const longest = time.Duration(1<<63 - 1)
