package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/ops"
)

const (
	mostBenched  = 1_000_000
	benchBatch   = 500 // tasks of one enqueue
	benchClients = 4   // that enqueue at once
	benchSingles = 200 // tasks whose latency is measured, one after the other
)

// benchView is what was measured.
type benchView struct {
	Tasks         int     `json:"tasks"`
	Concurrency   int     `json:"concurrency"`
	EnqueuePerSec float64 `json:"enqueued_per_second"`
	DrainPerSec   float64 `json:"run_per_second"`
	P50           float64 `json:"latency_p50_seconds"`
	P99           float64 `json:"latency_p99_seconds"`
}

func (v benchView) detail() detail {
	d := detail{name: fmt.Sprintf("%.0f", v.DrainPerSec)}
	ms := func(seconds float64) string { return fmt.Sprintf("%.2f ms", seconds*1000) }
	d.field("Enqueued", fmt.Sprintf("%.0f tasks per second, %d at a time, %d of these at once", v.EnqueuePerSec, benchBatch, benchClients))
	d.field("Run", fmt.Sprintf("%.0f tasks per second, with %d slots", v.DrainPerSec, v.Concurrency))
	d.field("Latency", fmt.Sprintf("%s median, %s for 99 of 100: from enqueue to start, one task at a time", ms(v.P50), ms(v.P99)))
	return d
}

func (p *program) benchCommand() *cobra.Command {
	var tasks, concurrency int
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how many tasks a second go through the store from here",
		Long: `Measure how many tasks a second go through the store from here: tasks that do nothing are enqueued on a queue of their own, then run by a worker
within this process; then one after the other is enqueued, to measure how long it takes to start. What is left of them is deleted in the end, also after
Ctrl-C. Results are not kept. The store has as much to do as it can: leave one alone that others need.`,
		Example: "  stem bench --tasks 10000 --concurrency 50",
		Args:    wants(0, 0, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.makesTables = true
			if tasks < 1 || tasks > mostBenched {
				return usagef("--tasks %d: want 1 to %d", tasks, mostBenched)
			}
			ctx, cancel := p.bounded(cmd.Context(), endless)
			defer cancel()
			stores, err := p.openStores(ctx)
			if err != nil {
				return err
			}
			v, err := measure(ctx, stores, tasks, concurrency)
			if err != nil && isOver(ctx) {
				err = timedOutf("the measurement has not ended within %s: %w", age(p.flags.timeout), err)
			}
			if err := errors.Join(err, stores.Close()); err != nil {
				return err
			}
			return p.printer.show(v, v.detail())
		},
	}
	cmd.Flags().IntVar(&tasks, "tasks", 10_000, "how many tasks, up to a million")
	cmd.Flags().IntVar(&concurrency, "concurrency", 50, "how many of them run at once")
	return cmd
}

// bench is one measurement.
type bench struct {
	queue  string
	client *stem.Client
	task   *stem.TaskDefinition[int64, stem.None] // its args are when it was enqueued
	ran    atomic.Int64
	all    chan struct{} // closed once as many have run as there are
	want   int64
	waits  chan time.Duration // of single tasks
}

// measure runs a benchmark on a queue of its own, and leaves nothing there.
func measure(ctx context.Context, stores adapters.Stores, tasks, concurrency int) (v benchView, err error) {
	client, err := stem.NewClient(stores.Broker, stem.ClientConfig{Backend: stores.Backend, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return v, err
	}
	b := &bench{
		queue: "stem-bench-" + strings.ToLower(rand.Text()[:8]), client: client,
		all: make(chan struct{}), want: int64(tasks), waits: make(chan time.Duration, 1),
	}
	b.task = stem.Define(stem.TaskSpec{Name: b.queue, Options: []stem.Option{stem.OnQueue(b.queue), stem.IgnoreResult()}}, codec.Codec[int64]{
		Append: func(buf []byte, v *int64) ([]byte, error) { return codec.AppendInt(buf, *v), nil },
		Read:   func(r *codec.Reader, v *int64) { *v = r.Int64() },
	}, stem.NoneCodec())
	defer func() { err = errors.Join(err, sweep(ctx, stores.Broker, b.queue)) }()
	v = benchView{Tasks: tasks, Concurrency: concurrency}
	if v.EnqueuePerSec, err = b.enqueue(ctx, tasks); err != nil {
		return v, err
	}
	err = b.run(ctx, concurrency, &v)
	return v, err
}

// enqueue enqueues tasks from some goroutines, and gives how many a second that was.
func (b *bench) enqueue(ctx context.Context, tasks int) (perSecond float64, err error) {
	begun := time.Now()
	var left atomic.Int64
	left.Store(int64(tasks))
	errs := make([]error, benchClients)
	var clients sync.WaitGroup
	for i := range errs {
		clients.Go(func() {
			for errs[i] == nil {
				n := min(benchBatch, left.Add(-benchBatch)+benchBatch)
				if n <= 0 {
					return
				}
				_, errs[i] = b.task.Via(b.client).EnqueueMany(ctx, make([]int64, n))
			}
		})
	}
	clients.Wait()
	return float64(tasks) / time.Since(begun).Seconds(), errors.Join(errs...)
}

// run has a worker run what is there, then single tasks.
func (b *bench) run(ctx context.Context, concurrency int, v *benchView) error {
	var registry stem.Registry
	if err := stem.Handle(&registry, b.task, b.handle); err != nil {
		return err
	}
	worker, err := stem.NewWorker(b.client, &registry, stem.WorkerConfig{Queues: []string{b.queue}, Slots: concurrency, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	ended := make(chan error, 1)
	begun := time.Now()
	go func() {
		err := worker.Run(ctx)
		stop(err)
		ended <- err
	}()
	err = b.follow(ctx, begun, v)
	stop(nil)
	return errors.Join(err, <-ended)
}

// follow measures what a worker does that began at an instant.
func (b *bench) follow(ctx context.Context, begun time.Time, v *benchView) error {
	select {
	case <-b.all:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	v.DrainPerSec = float64(v.Tasks) / time.Since(begun).Seconds()
	waits := make([]time.Duration, benchSingles)
	for i := range waits {
		if _, err := b.task.Via(b.client).Enqueue(ctx, time.Now().UnixNano()); err != nil {
			return err
		}
		select {
		case waits[i] = <-b.waits:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	slices.Sort(waits)
	v.P50, v.P99 = waits[len(waits)/2].Seconds(), waits[len(waits)*99/100].Seconds()
	return nil
}

// handle counts a task of the many, and measures a single one. A task that runs twice, since a lease was lost, counts twice.
func (b *bench) handle(ctx context.Context, enqueued int64) (stem.None, error) {
	if enqueued == 0 {
		if b.ran.Add(1) == b.want {
			close(b.all)
		}
		return stem.None{}, nil
	}
	select {
	case b.waits <- time.Since(time.Unix(0, enqueued)):
	case <-ctx.Done():
	}
	return stem.None{}, nil
}

// sweep deletes what is left on a queue, also where the context has ended.
func sweep(ctx context.Context, broker stem.Broker, queue string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	lister, lists := stem.As[ops.TaskLister](broker)
	changer, changes := stem.As[ops.TaskChanger](broker)
	if !lists || !changes {
		return nil
	}
	for _, state := range []ops.State{ops.Ready, ops.Delayed, ops.Retrying} {
		for after, first := "", true; first || after != ""; first = false {
			page, err := lister.ListTasks(ctx, ops.TaskQuery{Queue: queue, State: state, After: after, Limit: ops.MaxPage})
			if err != nil {
				return fmt.Errorf("delete what is left on queue %s: %w", queue, err)
			}
			if err := changer.DeleteTasks(ctx, page.Tasks...); err != nil && !errors.Is(err, ops.ErrGone) {
				return fmt.Errorf("delete what is left on queue %s: %w", queue, err)
			}
			after = page.Next
		}
	}
	return nil
}
