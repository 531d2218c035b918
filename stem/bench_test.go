package stem_test

import (
	"fmt"
	"sync"
	"testing"
)

// BenchmarkRuntime measures a task from Enqueue to settled through the whole
// runtime in memory: codec, client, broker, worker, a handler that does nothing and a string
// result kept for a second, with at most 5,120 tasks undone. The channel pool beside it is the floor: the
// same hand-over without any of that.
func BenchmarkRuntime(b *testing.B) {
	for _, slots := range []int{20, 100} {
		b.Run(fmt.Sprintf("stem/slots=%d", slots), func(b *testing.B) { bench(b, feature{}, slots) })
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

// BenchmarkFeature measures what each feature costs whoever uses it: the load of
// BenchmarkRuntime, once without any and once with each.
func BenchmarkFeature(b *testing.B) {
	for _, f := range features() {
		b.Run(f.name, func(b *testing.B) { bench(b, f, 100) })
	}
}

func bench(b *testing.B, f feature, slots int) {
	l := newLoad(b, f, slots)
	defer l.stop()
	l.run(producers * chunk) // what is made once has been made
	b.ReportAllocs()
	b.ResetTimer()
	l.run(b.N)
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tasks/s")
}
