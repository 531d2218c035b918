package adapters_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/examples/typed_tasks/hello"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	goleak.VerifyTestMain(testpostgres.Main(testredis.Main(m)))
}

var _ = [...]stem.SavingSettler{(*memory.Store)(nil), (*redis.Store)(nil)}

func TestEveryStoreIsOpenedByItsURL(t *testing.T) {
	cluster := testredis.Cluster(t, 3)
	for url, want := range map[string]string{
		"memory:":        "*memory.Store",
		testredis.URL(t): "*redis.Store",
		"redis+cluster://" + cluster.Addrs()[0] + "?addr=" + cluster.Addrs()[1]: "*redis.ClusterStore",
	} {
		stores, err := adapters.Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		for _, got := range []string{fmt.Sprintf("%T", stores.Broker), fmt.Sprintf("%T", stores.Backend)} {
			if got != want {
				t.Errorf("%s: got a %s, want a %s", url, got, want)
			}
		}
		if err := carries(t.Context(), stores); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		for range 2 {
			if err := stores.Close(); err != nil {
				t.Errorf("%s: close: %v", url, err)
			}
		}
		if _, err := stores.Backend.Load(t.Context(), "id"); err == nil || !strings.Contains(err.Error(), stem.ErrClosed.Error()) {
			t.Errorf("%s: after Close: got %v, want %v", url, err, stem.ErrClosed)
		}
	}
}

func TestTasksAndResultsLieInDifferentStores(t *testing.T) {
	inRedis, err := adapters.Open(t.Context(), testredis.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer inRedis.Close()
	inPostgres, err := adapters.Open(t.Context(), testpostgres.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	defer inPostgres.Close()
	if err := carries(t.Context(), adapters.Stores{Broker: inRedis.Broker, Backend: inPostgres.Backend}); err != nil {
		t.Errorf("tasks in Redis, results in PostgreSQL: %v", err)
	}
	if err := carries(t.Context(), adapters.Stores{Broker: inPostgres.Broker, Backend: inRedis.Backend}); err != nil {
		t.Errorf("tasks in PostgreSQL, results in Redis: %v", err)
	}
}

// carries sends a task through the stores, to its result.
func carries(ctx context.Context, stores adapters.Stores) error {
	client, err := stem.NewClient(stores.Broker, stem.ClientConfig{Backend: stores.Backend})
	if err != nil {
		return err
	}
	var tasks stem.Registry
	if err := hello.Register(&tasks); err != nil {
		return err
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{})
	if err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(working) }()
	job, err := hello.Enqueue(stem.WithClient(ctx, client), hello.HelloArgs{Name: "Stem"})
	if err == nil {
		var greeting string
		if greeting, err = job.Wait(ctx); err == nil && greeting != "Hello Stem" {
			err = fmt.Errorf("got the result %q, want Hello Stem", greeting)
		}
	}
	stop()
	if ended := <-ended; err == nil {
		err = ended
	}
	return err
}

func TestWhatCannotBeOpenedIsToldWithTheWayOut(t *testing.T) {
	for url, want := range map[string]string{
		"":                            "none of memory:, redis://, rediss://, redis+cluster://, rediss+cluster:// and postgres://",
		"localhost:6379":              "none of memory:",
		"nats://me:hunter2@host":      "none of memory:",
		"memory:hunter2":              "want memory: alone",
		"redis+sentinel://h/mymaster": "redis.NewFailoverClient",
		"redis://me:hunter2@h:p":      "redis: open: the URL cannot be read",
		"redis+cluster://me:hunter2":  "redis: open: the URL cannot be read",
		"redis://127.0.0.1:1":         "connection refused",
		"redis+cluster://127.0.0.1:1": "connection refused",
	} {
		_, err := adapters.Open(t.Context(), url)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: got %v, want an error with %q and no password", url, err, want)
		}
	}
}
