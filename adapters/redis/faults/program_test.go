//go:build unix

package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/crashworker"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

var programs = map[string]crashworker.Program{"work": work, "sleep": sleep}

// orders are what a worker process is told.
type orders struct {
	Place
	Book  string // the ledger
	Name  string
	Lease time.Duration
	Grace time.Duration
	Slots int
	Says  bool // the test reads what it says
	// Prefetch is the worker's; 0 is the default.
	Prefetch int
	// Threads is how many run at once; 0 leaves it to Go.
	Threads int
}

// Place is where the store lies: a server, the master that Sentinels name, or a cluster.
type Place struct {
	URL       string
	Sentinels []string
	Cluster   bool
}

// store is what both kinds of store are.
type store interface {
	stem.Broker
	stem.Backend
	stem.QueueCounter
	stem.DeadLetterLister
	Close() error
}

func (p *Place) open(ctx context.Context, cfg redis.Config) (store, error) {
	switch {
	case p.Cluster:
		return redis.OpenCluster(ctx, p.URL, cfg)
	case len(p.Sentinels) > 0:
		client := goredis.NewFailoverClient(&goredis.FailoverOptions{
			MasterName: "stem", SentinelAddrs: p.Sentinels, MaxRetries: -1, ContextTimeoutEnabled: true,
		})
		store, err := redis.New(ctx, client, cfg)
		return watched{store, client}, err
	}
	return redis.Open(ctx, p.URL, cfg)
}

// watched is a store with the client that it does not own.
type watched struct {
	*redis.Store
	client *goredis.Client
}

func (w watched) Close() error { return errors.Join(w.Store.Close(), w.client.Close()) }

// work runs a worker until SIGTERM. At SIGUSR1 it says how much time of the CPU it has taken.
func work(args []string, ready func()) error {
	var o orders
	if err := json.Unmarshal([]byte(args[0]), &o); err != nil {
		return err
	}
	runtime.GOMAXPROCS(o.Threads)
	book, err := ledger.Open(o.Book, o.Name)
	if err != nil {
		return err
	}
	defer book.Close()
	h := &hand{book: book, say: func(format string, args ...any) {
		if o.Says {
			fmt.Printf(format+"\n", args...)
		}
	}}
	store, err := o.open(context.Background(), redis.Config{})
	if err != nil {
		return err
	}
	defer store.Close()
	client, err := stem.NewClient(store, stem.ClientConfig{Logger: slog.Default()})
	if err != nil {
		return err
	}
	registry, err := h.registry()
	if err != nil {
		return err
	}
	worker, err := stem.NewWorker(client, registry, stem.WorkerConfig{
		Name: o.Name, Lease: o.Lease, Grace: o.Grace, Slots: o.Slots, Prefetch: o.Prefetch, Observer: h,
	})
	if err != nil {
		return err
	}
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGUSR1)
	go func() { // ends with the process
		for range asked {
			var used syscall.Rusage
			_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
			fmt.Println("cpu", time.Duration(used.Utime.Nano()+used.Stime.Nano()).Microseconds())
		}
	}()
	ready() // before there is anything that could take the process down
	return stem.RunUntilSignal(context.Background(), worker)
}

// cpu gives the time of the CPU that a worker has taken, its system calls included.
func cpu(t *testing.T, w *crashworker.Worker) time.Duration {
	t.Helper()
	if err := w.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	line := w.Line(patience)
	micros, err := strconv.Atoi(line[len("cpu "):])
	if err != nil {
		t.Fatalf("a worker says %q, want its time of the CPU", line)
	}
	return time.Duration(micros) * time.Microsecond
}
