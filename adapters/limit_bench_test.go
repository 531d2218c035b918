package adapters_test

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// BenchmarkLimit measures what limits cost that do not bind: how fast tasks are drained with one of them and without.
func BenchmarkLimit(b *testing.B) {
	for _, store := range []struct {
		name string
		url  func(b *testing.B) string
	}{
		{"memory", func(*testing.B) string { return "memory:" }},
		{"redis", func(b *testing.B) string { return testredis.Start(b, testredis.Config{}).URL() }},
		{"postgres", func(b *testing.B) string { return testpostgres.URL(b) }},
	} {
		for _, limited := range []struct {
			name string
			opts []stem.Option
		}{
			{"none", nil},
			{"rate", []stem.Option{stem.RateLimit(1_000_000, time.Second), stem.Burst(1_000_000)}},
			{"rate by key", []stem.Option{stem.RateLimit(1_000_000, time.Second), stem.Burst(1_000_000), stem.LimitKeyHeader("tenant")}},
			{"concurrency", []stem.Option{stem.Concurrency(10_000)}},
		} {
			b.Run(store.name+"/"+limited.name, func(b *testing.B) { drainLimited(b, store.url(b), limited.opts) })
		}
	}
}

// drainLimited drains b.N tasks, ten of each of a hundred tenants in turns, with a worker that has a limiter.
func drainLimited(b *testing.B, url string, opts []stem.Option) {
	store, err := adapters.Open(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	client, err := stem.NewClient(store.Broker, stem.ClientConfig{Backend: store.Backend, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	shared, _ := stem.As[limit.Store](store.Broker)
	limits, err := limit.New(shared, limit.Config{WhenStoreFails: limit.FailClosed})
	if err != nil {
		b.Fatal(err)
	}
	var left atomic.Int64
	drained := make(chan struct{})
	limited := stem.Define(stem.TaskSpec{Name: "limited", Options: append(opts, stem.KeepResult(time.Minute))}, text, text)
	var tasks stem.Registry
	if err := stem.Handle(&tasks, limited, func(_ context.Context, args string) (string, error) {
		if left.Add(-1) == 0 {
			close(drained)
		}
		return args, nil
	}); err != nil {
		b.Fatal(err)
	}
	left.Store(int64(b.N))
	for n := 0; n < b.N; n += 10 {
		args := make([]string, min(b.N-n, 10))
		if _, err := limited.Via(client).EnqueueMany(b.Context(), args, stem.Header("tenant", strconv.Itoa(n/10%100))); err != nil {
			b.Fatal(err)
		}
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{Slots: 50, Grace: time.Second, Limiter: limits})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	b.ResetTimer()
	running.Go(func() { _ = worker.Run(ctx) })
	<-drained
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
	stop()
	running.Wait()
}
