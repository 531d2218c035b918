// Command typed_tasks inspects text files with typed background tasks.
//
//	go run ./examples/typed_tasks [-all] [-pace duration] [-broker url] [file or folder ...]
//
// Without arguments it takes the text files of the current folder, and does it all in
// this process and in memory. It exits with 1 if a task has failed.
//
// With a broker that others reach, such as -broker redis://127.0.0.1:6379 or
// -broker postgres://user:password@127.0.0.1:5432/database, workers in other
// processes take part, which are started in the same way:
//
//	go run ./examples/typed_tasks -worker -broker redis://127.0.0.1:6379
//
// With -pace 2s each file takes two seconds at least: time enough to watch, and to kill a worker.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/examples/typed_tasks/hello"
	"github.com/gostem/gostem/examples/typed_tasks/textfile"
	"github.com/gostem/gostem/stem"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once, but not one that a supervisor sends along with the first.
	context.AfterFunc(ctx, func() { time.AfterFunc(time.Second, stop) })
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole command; it gives the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("typed_tasks", flag.ContinueOnError)
	flags.SetOutput(stderr)
	all := flags.Bool("all", false, "show every file, not only the longest ones and the failures")
	broker := flags.String("broker", "memory:", "the `url` of the store: memory:, redis://host:port or postgres://host:port/database")
	only := flags.Bool("worker", false, "only run tasks of others, until interrupted")
	pace := flags.Duration("pace", 0, "how long each file takes at least, up to 5s, so that there is something to watch")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	if *only && *broker == "memory:" {
		fmt.Fprintln(stderr, "typed_tasks: -worker runs tasks of other processes: name a -broker that they reach")
		return 2
	}
	if *pace < 0 || *pace > slowest {
		fmt.Fprintf(stderr, "typed_tasks: -pace %v: want 0s to %v\n", *pace, slowest)
		return 2
	}
	paths := flags.Args()
	if len(paths) == 0 {
		paths = []string{"."}
	}

	a, err := open(ctx, *broker)
	switch {
	case err != nil:
	case *only:
		err = a.worker.Run(ctx)
	default:
		err = a.during(ctx, func(ctx context.Context) error { return job(ctx, paths, *pace, *all, stdout) })
	}
	if err = errors.Join(err, a.close()); err != nil {
		fmt.Fprintln(stderr, "typed_tasks:", err)
		return 1
	}
	return 0
}

// slowest is the most that a file may be made to take: its task has a timeout of 10 s.
const slowest = 5 * time.Second

// app is what every process of the program has: a store, which they share, a client
// that enqueues there and a worker that runs what is enqueued.
type app struct {
	stores adapters.Stores
	client *stem.Client
	worker *stem.Worker
}

// open connects to a store. What it gives is closed also after an error.
func open(ctx context.Context, url string) (a app, err error) {
	var tasks stem.Registry
	err = errors.Join(
		hello.Register(&tasks),
		textfile.Register(&tasks),
		textfile.RegisterReporter(&tasks, &textfile.Reporter{Separator: ","}),
	)
	if err != nil {
		return a, err
	}
	if a.stores, err = adapters.Open(ctx, url); err != nil {
		return a, err
	}
	a.client, err = stem.NewClient(a.stores.Broker, stem.ClientConfig{Backend: a.stores.Backend})
	if err != nil {
		return a, err
	}
	a.worker, err = stem.NewWorker(a.client, &tasks, stem.WorkerConfig{})
	return a, err
}

func (a app) close() error { return a.stores.Close() }

// during runs the worker in the background while do enqueues and waits.
func (a app) during(ctx context.Context, do func(context.Context) error) error {
	working, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	var ran error
	background.Go(func() { ran = a.worker.Run(working) })
	did := do(stem.WithClient(ctx, a.client))
	stop()
	background.Wait()
	return errors.Join(did, ran)
}

// errFailed tells that a task failed; the table says which and why.
var errFailed = errors.New("not every task succeeded")

// job enqueues everything, awaits typed results and prints what came of it.
func job(ctx context.Context, paths []string, pace time.Duration, all bool, stdout io.Writer) error {
	greeting, err := hello.Enqueue(ctx, hello.HelloArgs{Name: "Stem"})
	if err != nil {
		return err
	}
	flaky, err := textfile.Flaky.Enqueue(ctx, 3)
	if err != nil {
		return err
	}
	banner, err := textfile.Banner.Enqueue(ctx, textfile.BannerArgs{Title: "text files", Width: 76})
	if err != nil {
		return err
	}
	var args []textfile.InspectArgs
	files := textFiles(paths)
	for _, path := range files {
		whole, err := filepath.Abs(path) // another process may run in another folder
		if err != nil {
			return err
		}
		args = append(args, textfile.InspectArgs{Path: whole, Pace: pace})
	}
	inspections, err := textfile.Inspect.EnqueueMany(ctx, args)
	if err != nil {
		return err
	}

	inspected := make([]row[textfile.Stats], len(inspections))
	var found []textfile.Stats
	for i, inspection := range inspections {
		inspected[i] = await(ctx, files[i], inspection)
		if inspected[i].err == nil {
			found = append(found, inspected[i].result)
		}
	}
	summary, err := textfile.ReporterSummarizeTask.Enqueue(ctx, found)
	if err != nil {
		return err
	}

	rows := []row[string]{
		await(ctx, hello.Hello.Name(), greeting),
		await(ctx, textfile.ReporterSummarizeTask.Name(), summary),
		text(await(ctx, textfile.Flaky.Name(), flaky)),
	}
	title := await(ctx, textfile.Banner.Name(), banner)
	if title.err != nil {
		return title.err
	}
	if err := printAll(stdout, title.result, inspected, rows, all); err != nil {
		return err
	}
	if failed(inspected) || failed(rows) {
		return errFailed
	}
	return nil
}
