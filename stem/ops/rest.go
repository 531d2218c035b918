package ops

import (
	"context"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

// Pause keeps workers from receiving anything more from a queue, until it is resumed (see [stem.Client.Pause]).
func (s *Service) Pause(ctx context.Context, by By, queue string) error {
	return s.rest(ctx, by, "queue.pause", queue, s.client.Pause)
}

// Resume ends a pause.
func (s *Service) Resume(ctx context.Context, by By, queue string) error {
	return s.rest(ctx, by, "queue.resume", queue, s.client.Resume)
}

// Drain pauses a queue, and waits until nothing of it runs, or ctx ends; the queue stays paused. It takes 5 s at least:
// workers that wait at the store may overlook a pause for so long.
func (s *Service) Drain(ctx context.Context, by By, queue string) error {
	return s.rest(ctx, by, "queue.drain", queue, func(ctx context.Context, queue string) error {
		if err := s.client.Pause(ctx, queue); err != nil {
			return err
		}
		return s.drained(ctx, queue)
	})
}

func (s *Service) rest(ctx context.Context, by By, action, queue string, do func(context.Context, string) error) error {
	_, err := s.act(ctx, Event{By: by, Action: action, Queue: queue}, func() (c Change, err error) {
		if _, err := capable[stem.QueuePauser](s.stores.Broker); err != nil {
			return c, err
		}
		return c, do(ctx, queue)
	})
	return err
}

// How long workers may overlook a pause, and how often it is looked whether something runs.
const (
	overlooked   = 5 * time.Second
	betweenLooks = 250 * time.Millisecond
)

// drained waits until nothing runs of a queue that has just been paused.
func (s *Service) drained(ctx context.Context, queue string) error {
	paused := time.Now()
	ticker := time.NewTicker(betweenLooks)
	defer ticker.Stop()
	for {
		sure := time.Since(paused) > overlooked
		counts, err := s.counts(ctx, queue)
		switch {
		case err != nil:
			return err
		case sure && counts.Running == 0:
			return nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("ops: queue %s is paused, and %d of its tasks are still with their workers: %w", queue, counts.Running, ctx.Err())
		}
	}
}
