package memory_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// One operation of these benchmarks is one task, in batches as the runtime
// makes them under load.
const batch = 32

// benchIDs are made beforehand: a client pays for them, not the store.
var benchIDs = func() []string {
	ids := make([]string, 1<<20)
	for i := range ids {
		ids[i] = fmt.Sprintf("01939d4e-7a5c-7000-8000-%012d", i)
	}
	return ids
}()

func benchID(i int) string { return benchIDs[i&(len(benchIDs)-1)] }

func benchEnvelopes() []stem.Envelope {
	envs := make([]stem.Envelope, batch)
	payload := make([]byte, 64)
	for i := range envs {
		envs[i] = stem.Envelope{Task: "bench.task", Queue: "default", Payload: payload, MaxRetries: 3, KeepResult: time.Hour}
	}
	return envs
}

// loop is the life of a batch of tasks, in steps that a benchmark times.
type loop struct {
	b       *testing.B
	store   *memory.Store
	request stem.ReceiveRequest
	envs    []stem.Envelope
	results []stem.Result
	next    int
}

func newLoop(b *testing.B) *loop {
	b.Helper()
	l := &loop{
		b:     b,
		store: new(memory.Store),
		request: stem.ReceiveRequest{
			Session: stem.Session{ID: "bench", Lease: time.Hour},
			Queues:  []string{"default"},
			Tasks:   knowing("bench.task"),
			Max:     batch,
		},
		envs:    benchEnvelopes(),
		results: make([]stem.Result, batch),
	}
	b.Cleanup(func() { _ = l.store.Close() })
	b.ReportAllocs()
	return l
}

func (l *loop) publish() {
	for i := range l.envs {
		l.envs[i].ID = benchID(l.next)
		l.next++
	}
	if _, err := l.store.Publish(context.Background(), l.envs...); err != nil {
		l.b.Fatal(err)
	}
}

func (l *loop) receive() []stem.Delivery {
	ds, err := l.store.Receive(context.Background(), l.request)
	if err != nil {
		l.b.Fatal(err)
	}
	return ds
}

func (l *loop) settlements(ss []stem.Settlement, ds []stem.Delivery) []stem.Settlement {
	ss = ss[:0]
	for i := range ds {
		l.results[i] = stem.Result{
			ID: ds[i].ID, Task: ds[i].Task, Queue: ds[i].Queue, State: stem.StateSucceeded,
			Payload: ds[i].Payload, Delivery: ds[i].Number, Attempt: 1, Keep: time.Hour,
		}
		ss = append(ss, stem.Settlement{Delivery: ds[i], Verdict: stem.VerdictAck, Result: &l.results[i]})
	}
	return ss
}

func BenchmarkChannel(b *testing.B) {
	b.ReportAllocs()
	envs := benchEnvelopes()
	tasks := make(chan *stem.Envelope, batch)
	for n := 0; n < b.N; n += batch {
		for i := range envs {
			env := envs[i]
			tasks <- &env
		}
		for range envs {
			<-tasks
		}
	}
}

func BenchmarkPublish(b *testing.B) {
	l := newLoop(b)
	for n := 0; n < b.N; n += batch {
		l.publish()
	}
}

func BenchmarkReceive(b *testing.B) {
	l := newLoop(b)
	for n := 0; n < b.N; n += batch {
		l.publish()
	}
	b.ResetTimer()
	for n := 0; n < b.N; n += batch {
		l.receive()
	}
}

func BenchmarkSettle(b *testing.B) {
	l := newLoop(b)
	var batches [][]stem.Settlement
	for n := 0; n < b.N; n += batch {
		l.publish()
		batches = append(batches, l.settlements(nil, l.receive()))
	}
	b.ResetTimer()
	for _, ss := range batches {
		if err := l.store.Settle(context.Background(), ss...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSave is at the cap all the time: each record evicts another.
func BenchmarkSave(b *testing.B) {
	l := newLoop(b)
	benchmarkSave(b, l, time.Hour)
}

// BenchmarkSaveExpiring lets records expire, a million of them at once in the store.
func BenchmarkSaveExpiring(b *testing.B) {
	l := newLoop(b)
	l.store.MaxResults = 2_000_000
	benchmarkSave(b, l, time.Second)
}

func benchmarkSave(b *testing.B, l *loop, keep time.Duration) {
	rs := make([]stem.Result, batch)
	for n := 0; n < b.N; n += batch {
		for i := range rs {
			rs[i] = stem.Result{ID: benchID(l.next), Task: "bench.task", Queue: "default", State: stem.StateSucceeded, Delivery: int64(n + 1), Keep: keep}
			l.next++
		}
		if err := l.store.Save(context.Background(), rs...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLife publishes, receives, and saves and settles.
func BenchmarkLife(b *testing.B) {
	newLoop(b).live()
}

func (l *loop) live() {
	var ss []stem.Settlement
	for n := 0; n < l.b.N; n += batch {
		l.publish()
		ss = l.settlements(ss, l.receive())
		if err := l.store.SaveAndSettle(context.Background(), ss...); err != nil {
			l.b.Fatal(err)
		}
	}
}

// BenchmarkLifeBesideRevocations is of tasks of families, none of which is among the
// ten thousand tasks and families that are revoked on their queue.
func BenchmarkLifeBesideRevocations(b *testing.B) {
	l := newLoop(b)
	for i := range 10_000 {
		r := stem.Revocation{Queue: "default", ID: fmt.Sprint("revoked ", i), For: 24 * time.Hour}
		family := r
		family.Family = true
		if err := l.store.Revoke(context.Background(), r, family); err != nil {
			b.Fatal(err)
		}
	}
	for i := range l.envs {
		l.envs[i].Parent, l.envs[i].Root = "parent", "root"
	}
	b.ResetTimer()
	l.live()
}

// BenchmarkLifeParallel does so in several goroutines beside a backlog.
func BenchmarkLifeParallel(b *testing.B) {
	shared := newLoop(b)
	for range 1000 {
		shared.publish()
	}
	b.RunParallel(func(pb *testing.PB) {
		l := *shared
		l.envs, l.results = benchEnvelopes(), make([]stem.Result, batch)
		var ss []stem.Settlement
		for {
			for range batch {
				if !pb.Next() {
					return
				}
			}
			l.publish()
			ss = l.settlements(ss, l.receive())
			if err := l.store.SaveAndSettle(context.Background(), ss...); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkDelayed is a storm: all come due at once.
func BenchmarkDelayed(b *testing.B) {
	l := newLoop(b)
	for i := range l.envs {
		l.envs[i].Delay = time.Duration(i+1) * time.Nanosecond
	}
	for n := 0; n < b.N; n += batch {
		l.publish()
	}
	b.ResetTimer()
	for n := 0; n < b.N; {
		n += len(l.receive())
	}
}
