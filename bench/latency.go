package main

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// latency enqueues so many tasks a second, whether those before have run or not, and tells how long after the
// call their handlers begin. Worker and client have their default settings. For half a second it does not count: connections
// are made, and servers prepare for what they are asked.
func latency(rate int) func(context.Context, *bench) (figures, error) {
	return func(ctx context.Context, b *bench) (figures, error) {
		n, every := int(2*b.For.Seconds()*float64(rate)), time.Second/time.Duration(rate)
		counted, early := newStretch(firstTask, n), newStretch(firstTask+n, rate/2)
		b.work(ctx, nil, 0, func(task int32) {
			if !counted.begin(int(task)) {
				early.begin(int(task))
			}
		})
		if err := early.enqueue(ctx, b, every); err != nil {
			return figures{}, err
		}
		if err := b.meter.start(ctx); err != nil {
			return figures{}, err
		}
		if err := counted.enqueue(ctx, b, every); err != nil {
			return figures{}, err
		}
		f, err := b.meter.stop(ctx, int64(n))
		f.P50, f.P95, f.P99 = percentiles(counted.waits())
		f.Rate = 0
		return f, err
	}
}

// stretch is a number of tasks that are enqueued one after the other.
type stretch struct {
	first         int
	called, begun []time.Time
	running       sync.WaitGroup
}

func newStretch(first, n int) *stretch {
	s := &stretch{first: first, called: make([]time.Time, n), begun: make([]time.Time, n)}
	s.running.Add(n)
	return s
}

// enqueue is an open loop, and returns when all have run.
func (s *stretch) enqueue(ctx context.Context, b *bench, every time.Duration) error {
	err := openLoop(len(s.called), every, func(i int) error {
		s.called[i] = time.Now()
		return b.Enqueue(ctx, int32(s.first+i))
	})
	if err == nil {
		s.running.Wait()
	}
	return err
}

// begin is told of each task, and tells whether it is of these.
func (s *stretch) begin(task int) bool {
	i := task - s.first
	if i < 0 || i >= len(s.begun) {
		return false
	}
	s.begun[i] = time.Now()
	s.running.Done()
	return true
}

// waits are the times from the calls to the handlers.
func (s *stretch) waits() []time.Duration {
	waits := make([]time.Duration, len(s.called))
	for i := range waits {
		waits[i] = s.begun[i].Sub(s.called[i])
	}
	return waits
}

// openLoop does something n times, each at its time, whether those before are done or not.
func openLoop(n int, every time.Duration, do func(i int) error) error {
	errs := make([]error, n)
	var all sync.WaitGroup
	start := time.Now()
	for i := range n {
		time.Sleep(time.Until(start.Add(time.Duration(i) * every)))
		all.Go(func() { errs[i] = do(i) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// percentiles gives the median and the 95th and 99th percentile of waits, in milliseconds.
func percentiles(waits []time.Duration) (p50, p95, p99 float64) {
	slices.Sort(waits)
	at := func(percent int) float64 { return waits[len(waits)*percent/100].Seconds() * 1000 }
	return at(50), at(95), at(99)
}
