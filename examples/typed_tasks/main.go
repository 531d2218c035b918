// Command typed_tasks inspects text files with typed background tasks, all in
// this process and in memory.
//
//	go run ./examples/typed_tasks [-all] [file or folder ...]
//
// Without arguments it takes the text files of the current folder. It exits with 1
// if a task has failed.
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

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/examples/typed_tasks/hello"
	"github.com/gostem/gostem/examples/typed_tasks/textfile"
	"github.com/gostem/gostem/stem"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole command; it gives the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("typed_tasks", flag.ContinueOnError)
	flags.SetOutput(stderr)
	all := flags.Bool("all", false, "show every file, not only the longest ones and the failures")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	paths := flags.Args()
	if len(paths) == 0 {
		paths = []string{"."}
	}

	ctx, stop, err := start(ctx)
	if err == nil {
		err = job(ctx, paths, *all, stdout)
		err = errors.Join(err, stop())
	}
	if err != nil {
		fmt.Fprintln(stderr, "typed_tasks:", err)
		return 1
	}
	return 0
}

// start runs a worker in the background and gives a context with its client.
func start(ctx context.Context) (_ context.Context, stop func() error, err error) {
	var registry stem.Registry
	err = errors.Join(
		hello.Register(&registry),
		textfile.Register(&registry),
		textfile.RegisterReporter(&registry, &textfile.Reporter{Separator: ","}),
	)
	if err != nil {
		return nil, nil, err
	}
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{})
	if err != nil {
		return nil, nil, err
	}
	worker, err := stem.NewWorker(client, &registry, stem.WorkerConfig{})
	if err != nil {
		return nil, nil, err
	}
	working, cancel := context.WithCancel(ctx)
	var done sync.WaitGroup
	var runErr error
	done.Go(func() { runErr = worker.Run(working) })
	stop = func() error {
		cancel()
		done.Wait()
		return runErr
	}
	return stem.WithClient(ctx, client), stop, nil
}

// errFailed tells that a task failed; the table says which and why.
var errFailed = errors.New("not every task succeeded")

// job enqueues everything, awaits typed results and prints what came of it.
func job(ctx context.Context, paths []string, all bool, stdout io.Writer) error {
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
	for _, path := range textFiles(paths) {
		args = append(args, textfile.InspectArgs{Path: path})
	}
	inspections, err := textfile.Inspect.EnqueueMany(ctx, args)
	if err != nil {
		return err
	}

	files := make([]row[textfile.Stats], len(inspections))
	var found []textfile.Stats
	for i, inspection := range inspections {
		files[i] = await(ctx, args[i].Path, inspection)
		if files[i].err == nil {
			found = append(found, files[i].result)
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
	if err := printAll(stdout, title.result, files, rows, all); err != nil {
		return err
	}
	if failed(files) || failed(rows) {
		return errFailed
	}
	return nil
}
