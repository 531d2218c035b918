// Command unique_tasks shows each way to be unique, and each thing that a conflict leads to.
//
//	go run ./examples/unique_tasks [-broker url]
//
// It does it all in this process and in memory, or on -broker redis://127.0.0.1:6379 or
// -broker postgres://user:password@127.0.0.1:5432/database, on a queue of its own.
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
	"sync"
	"time"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/examples/unique_tasks/desk"
	"github.com/gostem/gostem/stem"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	broker := flag.String("broker", "memory:", "the `url` of the store: memory:, redis://host:port or postgres://host:port/database")
	flag.Parse()
	if err := run(ctx, *broker, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "unique_tasks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, url string, out io.Writer) (err error) {
	var tasks stem.Registry
	if err := desk.Register(&tasks); err != nil {
		return err
	}
	stores, err := adapters.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stores.Close()) }()
	queue := fmt.Sprint("desk-", time.Now().UnixNano()) // keys are held by queue, some for an hour
	client, err := stem.NewClient(stores.Broker, stem.ClientConfig{
		Backend: stores.Backend, Defaults: []stem.Option{stem.OnQueue(queue)}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{Queues: []string{queue}})
	if err != nil {
		return err
	}
	working, stop := context.WithCancel(ctx)
	var background sync.WaitGroup
	var ran error
	background.Go(func() { ran = worker.Run(working) })
	shown := show(stem.WithClient(ctx, client), out)
	stop()
	background.Wait()
	return errors.Join(shown, ran)
}

// show tells the stories one after the other.
func show(ctx context.Context, out io.Writer) error {
	for _, story := range []struct {
		title string
		tell  func(context.Context, io.Writer) error
	}{
		{"until done: whoever asks for what is under way gets that", untilDone},
		{"until started: what changes during a run is for one more run", untilStarted},
		{"for a time: also when the first is done", forATime},
		{"replace: of those that wait only the last is wanted", replace},
		{"error: whoever asks is told", refuse},
	} {
		fmt.Fprintln(out, story.title)
		if err := story.tell(ctx, out); err != nil {
			return fmt.Errorf("%s: %w", story.title, err)
		}
	}
	return nil
}

func untilDone(ctx context.Context, out io.Writer) error {
	for _, month := range []string{"March", "March", "April"} {
		job, err := desk.Report.Enqueue(ctx, month)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %-7s a duplicate: %t\n", month, job.Duplicate())
		defer settle(ctx, out, job)
	}
	return nil
}

func untilStarted(ctx context.Context, out io.Writer) error {
	args := desk.SyncArgs{Account: "a-7", Why: "a new address"}
	first, err := desk.Sync.Enqueue(ctx, args, stem.Delay(50*time.Millisecond))
	if err != nil {
		return err
	}
	args.Why = "a new name"
	second, err := desk.Sync.Enqueue(ctx, args)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  while the first waits, a duplicate: %t\n", second.Duplicate())
	for second.Duplicate() { // it starts soon
		time.Sleep(10 * time.Millisecond)
		if second, err = desk.Sync.Enqueue(ctx, args); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "  while the first runs, a duplicate: %t\n", second.Duplicate())
	settle(ctx, out, first)
	settle(ctx, out, second)
	return nil
}

func forATime(ctx context.Context, out io.Writer) error {
	first, err := desk.Digest.Enqueue(ctx, "Ada")
	if err != nil {
		return err
	}
	settle(ctx, out, first)
	second, err := desk.Digest.Enqueue(ctx, "Ada")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  when it is done, a duplicate: %t\n", second.Duplicate())
	return nil
}

func replace(ctx context.Context, out io.Writer) error {
	var replaced int
	var jobs []stem.Job[string]
	for _, text := range []string{"D", "Dr", "Dra", "Draft"} {
		job, err := desk.Index.Enqueue(ctx, desk.IndexArgs{Document: "d-1", Text: text}, stem.Delay(100*time.Millisecond))
		if err != nil {
			return err
		}
		if job.Replaces() != "" {
			replaced++
		}
		jobs = append(jobs, job)
	}
	fmt.Fprintf(out, "  4 enqueued, %d replaced\n", replaced)
	_, err := jobs[0].Wait(ctx)
	fmt.Fprintf(out, "  the first was cancelled: %t\n", errors.Is(err, stem.ErrCancelled))
	settle(ctx, out, jobs[3])
	return nil
}

func refuse(ctx context.Context, out io.Writer) error {
	first, err := desk.Payout.Enqueue(ctx, desk.PayoutArgs{Account: "a-7", Cents: 1250})
	if err != nil {
		return err
	}
	_, err = desk.Payout.Enqueue(ctx, desk.PayoutArgs{Account: "a-7", Cents: 99})
	var conflict *stem.UniqueConflictError
	fmt.Fprintf(out, "  the second: refused %t, held by the first %t\n", errors.Is(err, stem.ErrNotUnique), errors.As(err, &conflict) && conflict.ID == first.ID())
	settle(ctx, out, first)
	return nil
}

// settle waits for a job and shows what it came to.
func settle(ctx context.Context, out io.Writer, job stem.Job[string]) {
	result, err := job.Wait(ctx)
	if err != nil {
		result = err.Error()
	}
	fmt.Fprintln(out, "  →", result)
}
