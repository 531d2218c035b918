package stem_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/gostem/gostem/internal/txmemory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/reflectcodec"
)

// The end of a task and what it enqueues next are in one transaction of the handler's, with
// whatever else the handler writes there: they commit together. The store of this
// example has transactions of tasks only; with that of an adapter, tx would be the program's own
// transaction, and what Via and Complete take would be made of it.
func ExampleTaskDefinition_Complete() {
	store := new(txmemory.Store)
	quiet := slog.New(slog.DiscardHandler)
	client, err := stem.NewClient(store, stem.ClientConfig{Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	mail := stem.Define(stem.TaskSpec{Name: "invoice.mail"}, reflectcodec.Of[string](), stem.NoneCodec())
	book := stem.Define(stem.TaskSpec{Name: "invoice.book"}, reflectcodec.Of[int](), reflectcodec.Of[string]())

	var tasks stem.Registry
	mailed := make(chan string)
	err = errors.Join(
		stem.Handle(&tasks, mail, func(_ context.Context, number string) (stem.None, error) {
			mailed <- number
			return stem.None{}, nil
		}),
		stem.Handle(&tasks, book, func(ctx context.Context, order int) (string, error) {
			tx := store.Begin()
			defer func() { _ = tx.Rollback() }() // after the commit it does nothing
			number := fmt.Sprintf("2026-%04d", order)
			if _, err := mail.Via(tx).Enqueue(ctx, number); err != nil {
				return "", err
			}
			if err := book.Complete(ctx, tx, number); err != nil {
				return "", err
			}
			return number, tx.Commit()
		}),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = worker.Run(ctx) })
	defer running.Wait()
	defer cancel()

	job, err := book.Via(client).Enqueue(ctx, 7)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(job.Wait(ctx))
	fmt.Println("mailed", <-mailed)
	// Output:
	// 2026-0007 <nil>
	// mailed 2026-0007
}
