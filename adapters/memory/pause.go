package memory

import "context"

// PauseQueue pauses or resumes a queue. Both hold at once, also for receivers that wait.
func (s *Store) PauseQueue(ctx context.Context, queue string, paused bool) error {
	if _, err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	q := s.queues[queue]
	if q == nil {
		if !paused {
			return nil
		}
		q = s.queue(queue)
	}
	q.paused = paused
	// Who has waited during the pause is woken for what came meanwhile, one after
	// the other: each passes on.
	q.callNext()
	return nil
}
