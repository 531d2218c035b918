// Command rate_limit_delay shows limits that several workers share, delays and priorities.
//
//	go run ./examples/rate_limit_delay [-broker url]
//
// Without a broker two workers run in this process, and all is in memory. With one that others reach, such as
// -broker redis://127.0.0.1:6379 or -broker postgres://user:password@127.0.0.1:5432/database, this process has
// one worker, and others take part that are started in the same way:
//
//	go run ./examples/rate_limit_delay -worker -broker redis://127.0.0.1:6379
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole command; it gives the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("rate_limit_delay", flag.ContinueOnError)
	flags.SetOutput(stderr)
	broker := flags.String("broker", "memory:", "the `url` of the store: memory:, redis://host:port or postgres://host:port/database")
	only := flags.Bool("worker", false, "only run tasks of others, until interrupted")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if *only && *broker == "memory:" {
		fmt.Fprintln(stderr, "rate_limit_delay: -worker runs tasks of other processes: name a -broker that they reach")
		return 2
	}
	if err := serve(ctx, *broker, *only, stdout); err != nil {
		fmt.Fprintln(stderr, "rate_limit_delay:", err)
		return 1
	}
	return 0
}

// serve runs workers, and the show besides unless they shall only work.
func serve(ctx context.Context, url string, only bool, stdout io.Writer) (err error) {
	stores, err := adapters.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	client, err := stem.NewClient(stores.Broker, stem.ClientConfig{Backend: stores.Backend})
	if err != nil {
		return err
	}
	workers := 1
	if url == "memory:" {
		workers = 2
	}
	var team []*stem.Worker
	for range workers {
		worker, err := newWorker(client, stores)
		if err != nil {
			return err
		}
		team = append(team, worker)
	}
	if only {
		return team[0].Run(ctx)
	}
	return during(ctx, team, func(ctx context.Context) error { return show(stem.WithClient(ctx, client), stdout) })
}

// newWorker makes a worker that keeps to the limits which all workers at the same store share.
func newWorker(client *stem.Client, stores adapters.Stores) (*stem.Worker, error) {
	store, ok := stem.As[limit.Store](stores.Broker)
	if !ok {
		return nil, errors.New("the store keeps no limits")
	}
	limits, err := limit.New(store, limit.Config{WhenStoreFails: limit.FailClosed})
	if err != nil {
		return nil, err
	}
	var tasks stem.Registry
	if err := Register(&tasks); err != nil {
		return nil, err
	}
	return stem.NewWorker(client, &tasks, stem.WorkerConfig{Limiter: limits, Slots: 4})
}

// during runs workers in the background while do enqueues and waits.
func during(ctx context.Context, workers []*stem.Worker, do func(context.Context) error) error {
	working, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	errs := make([]error, len(workers))
	for i, worker := range workers {
		background.Go(func() { errs[i] = worker.Run(working) })
	}
	did := do(ctx)
	stop()
	background.Wait()
	return errors.Join(append(errs, did)...)
}
