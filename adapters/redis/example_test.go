package redis_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/examples/typed_tasks/hello"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// exampleURL gives the URL of the server of the tests.
func exampleURL() string { return testredis.URL(exampleTB{}) }

// exampleNamespace gives one that nobody has used.
func exampleNamespace() string { return fmt.Sprint("example-", time.Now().UnixNano()) }

// exampleTB is what stands in for a test in an example: what fails panics.
type exampleTB struct{ testing.TB }

func (exampleTB) Helper()                           {}
func (exampleTB) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// A store is broker and result backend in one.
func Example() {
	ctx := context.Background()
	store, err := redis.Open(ctx, exampleURL(), redis.Config{Namespace: "example"})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	client, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		panic(err)
	}
	var tasks stem.Registry
	if err := hello.Register(&tasks); err != nil {
		panic(err)
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{})
	if err != nil {
		panic(err)
	}
	working, stop := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- worker.Run(working) }()

	job, err := hello.Enqueue(stem.WithClient(ctx, client), hello.HelloArgs{Name: "Redis"})
	if err != nil {
		panic(err)
	}
	greeting, err := job.Wait(ctx)
	if err != nil {
		panic(err)
	}
	fmt.Println(greeting)
	stop()
	fmt.Println(<-ended)
	// Output:
	// Hello Redis
	// <nil>
}

// A client that the program has already, or one that a URL cannot describe, is brought along. It stays the program's.
func ExampleNew() {
	ctx := context.Background()
	options, err := goredis.ParseURL(exampleURL())
	if err != nil {
		panic(err)
	}
	options.MaxRetries = -1              // or what has been done already may be done twice
	options.ContextTimeoutEnabled = true // or calls outlast their deadlines
	client := goredis.NewClient(options)
	defer client.Close()

	store, err := redis.New(ctx, client, redis.Config{Namespace: "brought"})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	_, err = store.Load(ctx, "01890a5d-ac96-774b-bcce-b302099a8057")
	fmt.Println(errors.Is(stem.ItemErr(err, 0), stem.ErrNoResult))
	// Output: true
}

// Operators ask the store itself.
func ExampleStore() {
	ctx := context.Background()
	store, err := redis.Open(ctx, exampleURL(), redis.Config{Namespace: exampleNamespace()})
	if err != nil {
		panic(err)
	}
	defer store.Close()
	client, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		panic(err)
	}
	ctx = stem.WithClient(ctx, client)
	if _, err := hello.Enqueue(ctx, hello.HelloArgs{Name: "now"}, stem.OnQueue("mail")); err != nil {
		panic(err)
	}
	if _, err := hello.Enqueue(ctx, hello.HelloArgs{Name: "later"}, stem.OnQueue("mail"), stem.Delay(time.Hour)); err != nil {
		panic(err)
	}
	if err := client.Pause(ctx, "mail"); err != nil {
		panic(err)
	}
	counts, err := store.CountQueue(ctx, "mail")
	if err != nil {
		panic(err)
	}
	fmt.Println("ready:", counts.Ready, "delayed:", counts.Delayed, "paused:", counts.Paused)
	// Output: ready: 1 delayed: 1 paused: true
}
