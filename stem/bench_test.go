package stem_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// benchArgs are args of two fields, with the codec that stemgen writes for them.
type benchArgs struct {
	Name  string
	Count int
}

var benchCodec = codec.Codec[benchArgs]{
	Append: func(b []byte, v *benchArgs) ([]byte, error) {
		b = append(b, "\x82\xa4Name"...)
		b = codec.AppendString(b, v.Name)
		b = append(b, "\xa5Count"...)
		return codec.AppendInt(b, int64(v.Count)), nil
	},
	Read: func(r *codec.Reader, v *benchArgs) {
		for n := r.EnterMap(); n > 0; n-- {
			key := r.Key()
			switch string(key) {
			case "Name":
				v.Name = r.Str()
			case "Count":
				v.Count = r.Int()
			default:
				r.Skip()
			}
			if r.Failed() {
				r.InField(key)
				return
			}
		}
		r.Leave()
	},
}

// BenchmarkRuntime measures a task from Enqueue to settled through the whole
// runtime in memory: codec, client, broker, worker, a handler that does nothing and a string
// result kept for a second, with at most 5,000 tasks undone. The channel pool beside it is the floor: the
// same hand-over without any of that.
func BenchmarkRuntime(b *testing.B) {
	const producers = 4
	// At most so many chunks of tasks are undone: 5,120 tasks.
	const chunk, mostChunks = 256, 20
	for _, slots := range []int{20, 100} {
		b.Run(fmt.Sprintf("stem/slots=%d", slots), func(b *testing.B) {
			var done atomic.Int64
			finished := make(chan struct{})
			undone := make(chan struct{}, mostChunks)
			def := stem.Define(stem.TaskSpec{Name: "bench", Options: []stem.Option{stem.KeepResult(time.Second)}}, benchCodec, text)
			var registry stem.Registry
			err := stem.Handle(&registry, def, func(_ context.Context, a benchArgs) (string, error) {
				n := done.Add(1)
				if n%chunk == 0 {
					<-undone
				}
				if n == int64(b.N) {
					close(finished)
				}
				return a.Name, nil
			})
			if err != nil {
				b.Fatal(err)
			}
			client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			worker, err := stem.NewWorker(client, &registry, stem.WorkerConfig{Slots: slots})
			if err != nil {
				b.Fatal(err)
			}
			ctx, cancel := context.WithCancel(b.Context())
			var running sync.WaitGroup
			running.Go(func() { _ = worker.Run(ctx) })
			def = def.Via(client)

			b.ReportAllocs()
			b.ResetTimer()
			produce(b.N, producers, func(i int) {
				if i/producers%chunk == 0 {
					undone <- struct{}{}
				}
				if _, err := def.Enqueue(b.Context(), benchArgs{Name: "name", Count: i}); err != nil {
					b.Error(err)
				}
			})
			<-finished
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
			cancel()
			running.Wait()
		})
	}
	b.Run("channel pool", func(b *testing.B) {
		tasks := make(chan benchArgs, 1000)
		var workers sync.WaitGroup
		for range 20 {
			workers.Go(func() {
				for range tasks {
				}
			})
		}
		b.ReportAllocs()
		b.ResetTimer()
		produce(b.N, producers, func(i int) { tasks <- benchArgs{Name: "name", Count: i} })
		close(tasks)
		workers.Wait()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
	})
}

// produce calls enqueue n times, from several goroutines.
func produce(n, producers int, enqueue func(i int)) {
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := p; i < n; i += producers {
				enqueue(i)
			}
		})
	}
	wg.Wait()
}
