package ops

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// LimitView is a limit of a task, or of one key of it, and how far it is used up.
type LimitView struct {
	// Task is the task that it is of, and Limit what its envelopes say: a rate, a number of runs at once, or both.
	Task  string
	Limit stem.Limit
	// Waiting is how many of the tasks that were looked at and do not run are under it.
	Waiting int
	// NextTurn is how long one that came now would wait for its turn, and Penalty for how long nobody has one (see
	// [limit.Limits.Penalize]). Both are 0 without a rate.
	NextTurn, Penalty time.Duration
	// Held is how many places of the task are held, by Holders, in all its keys together. Both are empty where it has no Limit.Concurrency.
	Held    int
	Holders []limit.Holder
}

// Limits answers the limits of the tasks in a queue, in the order of tasks and keys, and what is used up of them: of the first 500
// entries of each state, since limits travel with tasks. Where more lies there, others may be in force.
func (s *Service) Limits(ctx context.Context, queue string) ([]LimitView, error) {
	if err := stem.ValidateName("queue", queue); err != nil {
		return nil, err
	}
	reader, err := capable[limit.Reader](s.stores.Limits)
	if err != nil {
		return nil, err
	}
	views, err := s.limited(ctx, queue)
	if err != nil || len(views) == 0 {
		return nil, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	if err := readLimits(ctx, reader, views); err != nil {
		return nil, fmt.Errorf("ops: limits of queue %s: %w", queue, err)
	}
	return views, nil
}

// limited finds the limits of the tasks in a queue. Tasks of two builds may have different ones under one name.
func (s *Service) limited(ctx context.Context, queue string) ([]LimitView, error) {
	type of struct {
		task  string
		limit stem.Limit
	}
	waiting := make(map[of]int)
	for _, state := range States {
		page, err := s.Tasks(ctx, TaskQuery{Queue: queue, State: state, Limit: MaxPage})
		if err != nil {
			return nil, err
		}
		for i := range page.Tasks {
			t := &page.Tasks[i]
			if t.Limit == nil {
				continue
			}
			n := 1
			if state == Running {
				n = 0
			}
			waiting[of{t.Task, *t.Limit}] += n
		}
	}
	byName := func(a, b of) int {
		return cmp.Or(cmp.Compare(a.task, b.task), cmp.Compare(a.limit.Key, b.limit.Key),
			cmp.Compare(a.limit.Rate.Interval(), b.limit.Rate.Interval()), cmp.Compare(a.limit.Concurrency, b.limit.Concurrency))
	}
	var views []LimitView
	for _, found := range slices.SortedFunc(maps.Keys(waiting), byName) {
		views = append(views, LimitView{Task: found.task, Limit: found.limit, Waiting: waiting[found]})
	}
	return views, nil
}

// readLimits fills in what stands in the store.
func readLimits(ctx context.Context, reader limit.Reader, views []LimitView) error {
	buckets, tasks := make([]limit.Bucket, len(views)), make([]string, len(views))
	for i := range views {
		buckets[i], tasks[i] = limit.Task(views[i].Task, views[i].Limit.Key), views[i].Task
	}
	states, err := reader.ReadBuckets(ctx, buckets...)
	if err != nil {
		return err
	}
	holders, err := reader.ReadPlaces(ctx, tasks...)
	if err != nil {
		return err
	}
	for i := range views {
		v := &views[i]
		if rate := v.Limit.Rate; rate != (stem.Rate{}) {
			v.Penalty = states[i].Penalty
			v.NextTurn = states[i].Take(0, limit.Turn{Interval: rate.Interval(), Tolerance: rate.Tolerance()})
		}
		if v.Limit.Concurrency == 0 {
			continue
		}
		v.Holders = holders[i]
		for _, h := range holders[i] {
			v.Held += h.N
		}
	}
	return nil
}
