package stemtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// stage is the broker of one performance. What is published first is the task that is
// performed: it is lent once, in the circumstances that were asked for. What is published
// after that goes to the recorder.
type stage struct {
	*memory.Store
	p *performance

	mu         sync.Mutex
	queue      string // of the task, once it is published
	lent       bool
	settled    chan struct{}
	settlement stem.Settlement
	ended      bool
}

func newStage(p *performance) *stage {
	return &stage{Store: new(memory.Store), p: p, settled: make(chan struct{})}
}

func (s *stage) close() { _ = s.Close() }

// Publish takes the task, and has all others recorded. The result of the task is kept also where
// it would not be, so that it can be told.
func (s *stage) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	s.mu.Lock()
	first := s.queue == ""
	if first {
		s.queue = envs[0].Queue
	}
	s.mu.Unlock()
	if first {
		task := envs[0]
		task.KeepResult = max(task.KeepResult, time.Hour)
		return s.Store.Publish(ctx, task)
	}
	return (&tape{s.p.into.store, s.p.into}).Publish(ctx, envs...)
}

// Receive lends the task once. Whoever asks again waits for his context.
func (s *stage) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	s.mu.Lock()
	again := s.lent
	s.lent = true
	s.mu.Unlock()
	if again {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ds, err := s.Store.Receive(ctx, req)
	for i := range ds {
		ds[i].Attempt, ds[i].Interruptions = s.p.attempt, s.p.interruptions
	}
	return ds, err
}

// Settle ends the performance.
func (s *stage) Settle(ctx context.Context, ss ...stem.Settlement) error {
	return s.end(ss, s.Store.Settle(ctx, ss...))
}

// SaveAndSettle ends the performance.
func (s *stage) SaveAndSettle(ctx context.Context, ss ...stem.Settlement) error {
	return s.end(ss, s.Store.SaveAndSettle(ctx, ss...))
}

func (s *stage) end(ss []stem.Settlement, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended || stem.ItemErr(err, 0) != nil {
		return err
	}
	s.ended, s.settlement = true, ss[0]
	if ss[0].Result != nil {
		record := *ss[0].Result // the worker uses its own again
		s.settlement.Result = &record
	}
	close(s.settled)
	return nil
}

// Await answers a handler that waits for what does not run.
func (s *stage) Await(_ context.Context, id string) (stem.Result, error) {
	return stem.Result{}, never(fmt.Sprintf("stemtest: Perform runs one task, and has recorded %s: use stemtest.Run to have both run", id))
}
