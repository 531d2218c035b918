package adapters_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// BenchmarkProgress measures what it costs the other tasks that 100 handlers report 100 times a second each: how fast plain
// tasks are drained beside handlers that do nothing between their ticks, and beside such that report.
func BenchmarkProgress(b *testing.B) {
	for _, store := range []struct {
		name string
		url  func(b *testing.B) string
	}{
		{"memory", func(*testing.B) string { return "memory:" }},
		{"redis", func(b *testing.B) string { return testredis.Start(b, testredis.Config{}).URL() }},
		{"postgres", func(b *testing.B) string { return testpostgres.URL(b) }},
	} {
		for _, talk := range []struct {
			name string
			say  func(ctx context.Context, tick int)
		}{
			{"silent", func(context.Context, int) {}},
			{"reporting", func(ctx context.Context, tick int) {
				stem.Progress(ctx, float64(tick%100), "under way", map[string]string{"row": "17"})
			}},
		} {
			b.Run(store.name+"/"+talk.name, func(b *testing.B) { beside(b, store.url(b), talk.say) })
		}
	}
}

var (
	plain = stem.Define(stem.TaskSpec{Name: "plain", Options: []stem.Option{stem.KeepResult(time.Minute)}}, text, text)
	talks = stem.Define(stem.TaskSpec{Name: "talks", Options: []stem.Option{stem.OnQueue("talks")}}, text, text)
)

var text = codec.Codec[string]{
	Append: func(b []byte, v *string) ([]byte, error) { return codec.AppendString(b, *v), nil },
	Read:   func(r *codec.Reader, v *string) { *v = r.Str() },
}

// beside drains b.N plain tasks beside 100 handlers that say something every 10 ms.
func beside(b *testing.B, url string, say func(ctx context.Context, tick int)) {
	const talkers, slots = 100, 50
	store, err := adapters.Open(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	client, err := stem.NewClient(store.Broker, stem.ClientConfig{Backend: store.Backend, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	var talking sync.WaitGroup
	var left atomic.Int64
	drained := make(chan struct{})
	talking.Add(talkers)
	var tasks stem.Registry
	if err := stem.Handle(&tasks, talks, func(ctx context.Context, _ string) (string, error) {
		talking.Done()
		ticks := time.NewTicker(10 * time.Millisecond)
		defer ticks.Stop()
		for tick := 0; ; tick++ {
			select {
			case <-ticks.C:
				say(ctx, tick)
			case <-ctx.Done():
				return "", nil
			}
		}
	}); err != nil {
		b.Fatal(err)
	}
	if err := stem.Handle(&tasks, plain, func(_ context.Context, args string) (string, error) {
		if left.Add(-1) == 0 {
			close(drained)
		}
		return args, nil
	}); err != nil {
		b.Fatal(err)
	}
	left.Store(int64(b.N))
	enqueue(b, talks.Via(client), talkers)
	enqueue(b, plain.Via(client), b.N)
	worker := func(queue string, slots int) func(context.Context) error {
		w, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{Queues: []string{queue}, Slots: slots, Grace: time.Second})
		if err != nil {
			b.Fatal(err)
		}
		return w.Run
	}
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = worker("talks", talkers)(ctx) })
	talking.Wait()
	b.ResetTimer()
	running.Go(func() { _ = worker(stem.DefaultQueue, slots)(ctx) })
	<-drained
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
	stop()
	running.Wait()
}

func enqueue(b *testing.B, def *stem.TaskDefinition[string, string], n int) {
	b.Helper()
	for n > 0 {
		batch := make([]string, min(n, 1000))
		if _, err := def.EnqueueMany(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		n -= len(batch)
	}
}
