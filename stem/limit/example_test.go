package limit_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/limit"
)

// text is the codec of string args and results; stemgen writes such codecs.
var text = codec.Codec[string]{
	Append: func(b []byte, v *string) ([]byte, error) { return codec.AppendString(b, *v), nil },
	Read:   func(r *codec.Reader, v *string) { *v = r.Str() },
}

// Two workers share a rate: one run each tenth of a second, for each tenant.
func Example() {
	store := new(memory.Store)
	defer store.Close()
	client, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		panic(err)
	}
	// The directive would be: rate=10/s limit-key=header.tenant
	call := stem.Define(stem.TaskSpec{
		Name:    "api.call",
		Options: []stem.Option{stem.RateLimit(10, time.Second), stem.LimitKeyHeader("tenant")},
	}, text, text)

	var began sync.Map
	var done sync.WaitGroup
	var tasks stem.Registry
	err = stem.Handle(&tasks, call, func(_ context.Context, name string) (string, error) {
		began.Store(name, time.Now())
		done.Done()
		return "", nil
	})
	if err != nil {
		panic(err)
	}
	limits, err := limit.New(store, limit.Config{WhenStoreFails: limit.FailClosed})
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	for range 2 {
		worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{Limiter: limits})
		if err != nil {
			panic(err)
		}
		workers.Go(func() { _ = worker.Run(ctx) })
	}

	done.Add(6)
	for i := range 5 {
		_, err = call.Via(client).Enqueue(ctx, fmt.Sprint("acme ", i), stem.Header("tenant", "acme"))
		if err != nil {
			panic(err)
		}
	}
	if _, err = call.Via(client).Enqueue(ctx, "globex", stem.Header("tenant", "globex")); err != nil {
		panic(err)
	}
	done.Wait()
	stop()
	workers.Wait()

	first, _ := began.Load("acme 0")
	last, _ := began.Load("acme 4")
	other, _ := began.Load("globex")
	took := last.(time.Time).Sub(first.(time.Time))
	fmt.Println("five runs took four tenths of a second at least:", took > 390*time.Millisecond)
	fmt.Println("another tenant had no need to wait:", other.(time.Time).Before(last.(time.Time)))
	// Output:
	// five runs took four tenths of a second at least: true
	// another tenant had no need to wait: true
}

// At most two runs are under way, however many slots there are.
func Example_concurrency() {
	store := new(memory.Store)
	defer store.Close()
	client, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		panic(err)
	}
	print := stem.Define(stem.TaskSpec{Name: "print", Options: []stem.Option{stem.Concurrency(2)}}, text, text)

	var mu sync.Mutex
	var now, most int
	count := func(change int) {
		mu.Lock()
		defer mu.Unlock()
		now += change
		most = max(most, now)
	}
	var done sync.WaitGroup
	var tasks stem.Registry
	err = stem.Handle(&tasks, print, func(context.Context, string) (string, error) {
		defer done.Done()
		count(1)
		defer count(-1)
		time.Sleep(10 * time.Millisecond)
		return "", nil
	})
	if err != nil {
		panic(err)
	}
	limits, err := limit.New(store, limit.Config{WhenStoreFails: limit.FailClosed})
	if err != nil {
		panic(err)
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{Limiter: limits, Slots: 20})
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var workers sync.WaitGroup
	workers.Go(func() { _ = worker.Run(ctx) })
	done.Add(10)
	for range 10 {
		if _, err := print.Via(client).Enqueue(ctx, ""); err != nil {
			panic(err)
		}
	}
	done.Wait()
	stop()
	workers.Wait()
	fmt.Println("at most", most, "at once")
	// Output: at most 2 at once
}

// A handler that is told to slow down lets all workers wait.
func ExampleLimits_Penalize() {
	store := new(memory.Store)
	defer store.Close()
	limits, err := limit.New(store, limit.Config{WhenStoreFails: limit.FailOpen})
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if err := limits.Penalize(ctx, limit.Task("mail.send", "acme"), 30*time.Second); err != nil {
		panic(err)
	}
	rate := &stem.Limit{Rate: stem.Rate{Count: 10, Per: time.Second}, Key: "acme"}
	waits, err := limits.Reserve(ctx, stem.Turn{Envelope: &stem.Envelope{Task: "mail.send", Limit: rate}})
	if err != nil {
		panic(err)
	}
	fmt.Println("the next turn is in", waits[0].Round(time.Second))
	// Output: the next turn is in 30s
}
