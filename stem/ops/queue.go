package ops

import (
	"context"
	"fmt"
	"slices"

	"github.com/gostem/gostem/stem"
)

// Queue is what an operator sees of a queue.
type Queue struct {
	Name string
	stem.QueueCounts
	Gauge
	// Workers is how many workers serve it, of those that have announced themselves and not stopped.
	Workers int
	// Rate is how many tasks of it these workers end per second, all together, as each has said last: between two of
	// its beats, so some seconds ago.
	Rate float64
}

// Queues answers all queues, in the order of their names: two calls to the store for each.
func (s *Service) Queues(ctx context.Context) ([]Queue, error) {
	names, err := s.queueNames(ctx)
	if err != nil {
		return nil, err
	}
	return s.queues(ctx, names)
}

// Queue answers one queue; one that nobody uses is empty.
func (s *Service) Queue(ctx context.Context, name string) (Queue, error) {
	if err := stem.ValidateName("queue", name); err != nil {
		return Queue{}, err
	}
	queues, err := s.queues(ctx, []string{name})
	if err != nil {
		return Queue{}, err
	}
	return queues[0], nil
}

func (s *Service) queueNames(ctx context.Context) ([]string, error) {
	lister, err := capable[QueueLister](s.stores.Broker)
	if err != nil {
		return nil, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	names, err := lister.Queues(ctx)
	if err != nil {
		return nil, fmt.Errorf("ops: queues: %w", err)
	}
	return names, nil
}

func (s *Service) queues(ctx context.Context, names []string) ([]Queue, error) {
	workers, err := s.Workers(ctx)
	if err != nil {
		return nil, err
	}
	queues := make([]Queue, len(names))
	for i, name := range names {
		if queues[i], err = s.measure(ctx, name); err != nil {
			return nil, err
		}
		queues[i].serve(workers)
	}
	return queues, nil
}

// measure gives what the store knows of a queue.
func (s *Service) measure(ctx context.Context, name string) (Queue, error) {
	q := Queue{Name: name}
	gauger, err := capable[QueueGauger](s.stores.Broker)
	if err != nil {
		return q, err
	}
	if q.QueueCounts, err = s.counts(ctx, name); err != nil {
		return q, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if q.Gauge, err = gauger.GaugeQueue(ctx, name); err != nil {
		return q, fmt.Errorf("ops: gauge queue %s: %w", name, err)
	}
	return q, nil
}

func (s *Service) counts(ctx context.Context, queue string) (stem.QueueCounts, error) {
	counter, err := capable[stem.QueueCounter](s.stores.Broker)
	if err != nil {
		return stem.QueueCounts{}, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	counts, err := counter.CountQueue(ctx, queue)
	if err != nil {
		return stem.QueueCounts{}, fmt.Errorf("ops: count queue %s: %w", queue, err)
	}
	return counts, nil
}

// serve takes note of the workers that serve the queue.
func (q *Queue) serve(workers []stem.WorkerInfo) {
	for i := range workers {
		w := &workers[i]
		at := slices.Index(w.Queues, q.Name)
		if w.Stopped || at < 0 {
			continue
		}
		q.Workers++
		if at < len(w.Rates) { // a worker that has ended none says none
			q.Rate += w.Rates[at]
		}
	}
}
