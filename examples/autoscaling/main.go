// Command autoscaling shows a worker that chooses how many tasks it runs at once:
//
//	go run ./examples/autoscaling [-pictures 200] [-takes 300ms] [-slots 20] [-broker url]
//
// A burst of tasks comes, the slots follow it, and when it is done and they have been idle for a while they go again. A line
// every quarter of a second shows how many slots there are and how many tasks wait. With a -broker that others reach, such as
// redis://127.0.0.1:6379, a second one started beside it shares the burst.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/examples/autoscaling/thumbnail"
	"github.com/gostem/gostem/stem"
)

func main() {
	slog.SetLogLoggerLevel(slog.LevelWarn) // the chart tells what the worker's log would
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole command; it gives the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("autoscaling", flag.ContinueOnError)
	flags.SetOutput(stderr)
	broker := flags.String("broker", "memory:", "the `url` of the store: memory:, redis://host:port or postgres://host:port/database")
	var b burst
	flags.IntVar(&b.pictures, "pictures", 200, "how many tasks come at once")
	flags.DurationVar(&b.takes, "takes", 300*time.Millisecond, "how long each of them takes")
	flags.IntVar(&b.slots, "slots", 20, "the most slots")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if err := b.show(ctx, *broker, stdout); err != nil {
		fmt.Fprintln(stderr, "autoscaling:", err)
		return 1
	}
	return 0
}

// burst is what comes to a worker, and how far that may grow.
type burst struct {
	pictures int
	takes    time.Duration
	slots    int
}

// fewest is how many slots the worker has at rest.
const fewest = 2

// show runs a worker beside a burst, and draws what becomes of its slots.
func (b burst) show(ctx context.Context, url string, out io.Writer) (err error) {
	stores, err := adapters.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	client, err := stem.NewClient(stores.Broker, stem.ClientConfig{Backend: stores.Backend})
	if err != nil {
		return err
	}
	var tasks stem.Registry
	if err := thumbnail.Register(&tasks); err != nil {
		return err
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{
		Queues:   []string{"thumbnails"},
		Prefetch: 1,
		// A show has less time than a service, for which the defaults are 2 s and 30 s.
		Autoscale: &stem.Autoscale{Min: fewest, Max: b.slots, UpCooldown: 500 * time.Millisecond, DownCooldown: time.Second},
	})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(stem.WithClient(ctx, client))
	ended := make(chan error, 1)
	go func() { ended <- worker.Run(ctx) }()
	err = b.draw(ctx, stores.Broker, worker, out)
	stop()
	return errors.Join(err, <-ended)
}

// draw enqueues the burst, and draws a line now and again until it is done and the slots have gone.
func (b burst) draw(ctx context.Context, broker stem.Broker, worker *stem.Worker, out io.Writer) error {
	args := make([]thumbnail.MakeArgs, b.pictures)
	for i := range args {
		args[i] = thumbnail.MakeArgs{Picture: i, Takes: b.takes}
	}
	if _, err := thumbnail.MakeTask.EnqueueMany(ctx, args); err != nil {
		return err
	}
	counter, ok := stem.As[stem.QueueCounter](broker)
	if !ok {
		return errors.New("the store counts no queues")
	}
	fmt.Fprintln(out, "   time  slots  waiting")
	begin, every := time.Now(), time.NewTicker(250*time.Millisecond)
	defer every.Stop()
	for {
		counts, err := counter.CountQueue(ctx, "thumbnails")
		if err != nil {
			return err
		}
		slots := worker.Slots()
		fmt.Fprintf(out, "%5.2f s  %5d  %7d  %s\n", time.Since(begin).Seconds(), slots, counts.Ready, strings.Repeat("█", slots))
		if counts.Ready+counts.Running == 0 && slots == fewest {
			return nil
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
