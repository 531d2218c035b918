//go:build unix

package faultsite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// Enqueue enqueues a task until the store has acknowledged it, which its id makes safe, and enters it into the ledger.
func (s *Site) Enqueue(ctx context.Context, task *stem.TaskDefinition[string, string], id, args string, opts ...stem.Option) error {
	for {
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, err := task.Via(s.Client).Enqueue(once, args, append([]stem.Option{stem.WithID(id)}, opts...)...)
		cancel()
		if err == nil {
			return s.Book.Append(ledger.Entry{Kind: ledger.Enqueued, ID: id})
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		Yield(5 * time.Millisecond)
	}
}

// EnqueueAll enqueues n tasks whose ids begin with a name.
func (s *Site) EnqueueAll(n int, task *stem.TaskDefinition[string, string], name, args string) {
	s.t.Helper()
	for i := range n {
		if err := s.Enqueue(s.t.Context(), task, fmt.Sprint(name, "-", i), args); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Load has eight clients enqueue chores of up to 20 ms, some 800 a second, until the answer is called, which waits for
// what is not acknowledged yet and tells how many there are.
func (s *Site) Load(name string, opts ...stem.Option) (enough func() int) {
	return s.LoadOf(Chore, name, opts...)
}

// LoadOf is Load with another task that takes a span.
func (s *Site) LoadOf(task *stem.TaskDefinition[string, string], name string, opts ...stem.Option) (enough func() int) {
	var count atomic.Int64
	var clients sync.WaitGroup
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*Patience+Outage())
	stop := make(chan struct{})
	for range 8 {
		random := rand.New(rand.NewPCG(s.Random.Uint64(), 0))
		clients.Go(func() {
			for {
				id := fmt.Sprint(name, "-", count.Add(1))
				if err := s.Enqueue(ctx, task, id, fmt.Sprint(1+random.IntN(20), "ms"), opts...); err != nil {
					s.t.Errorf("an enqueue was never acknowledged: %v", err)
					return
				}
				select {
				case <-stop:
					return
				default:
					Yield(10 * time.Millisecond)
				}
			}
		})
	}
	return func() int {
		close(stop)
		clients.Wait()
		cancel()
		return int(count.Load())
	}
}

// Progress waits until so many more settlements have been accepted: a fault falls into work.
func (s *Site) Progress(n int) {
	s.t.Helper()
	before := s.Lines(ledger.Settled)
	s.Until("work goes on", Patience, func() bool { return s.Lines(ledger.Settled) >= before+n })
}

// Quiet waits until the queue is empty.
func (s *Site) Quiet() {
	s.t.Helper()
	s.Until("the queue is empty", Patience, s.IsQuiet)
}

// IsQuiet reports whether the queue is empty.
func (s *Site) IsQuiet() bool { return s.isQuiet(stem.DefaultQueue) }

func (s *Site) isQuiet(queue string) bool {
	counts, err := s.Store.CountQueue(s.t.Context(), queue)
	return err == nil && counts.Ready+counts.Delayed+counts.Running == 0
}
