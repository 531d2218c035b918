package stem_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// Enqueue middleware that says for whom each task is, and refuses those for nobody.
func ExampleEnqueueMiddleware() {
	type tenantKey struct{}
	forTenant := func(next stem.Enqueuer) stem.Enqueuer {
		return func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
			tenant, ok := ctx.Value(tenantKey{}).(string)
			if !ok {
				return nil, errors.New("no tenant")
			}
			for i := range envs {
				envs[i].Headers["tenant"] = tenant
			}
			return next(ctx, envs)
		}
	}
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{Middleware: []stem.EnqueueMiddleware{forTenant}})
	if err != nil {
		fmt.Println(err)
		return
	}
	report := stem.DefineNoArgs(stem.TaskSpec{Name: "report.send"}, stem.NoneCodec()).Via(client)

	_, err = report.Enqueue(context.Background())
	fmt.Println(err)
	_, err = report.Enqueue(context.WithValue(context.Background(), tenantKey{}, "acme"))
	fmt.Println(err)
	// Output:
	// stem: enqueue task report.send: no tenant
	// <nil>
}

// Middleware on both sides: payloads are encrypted where tasks are enqueued and decrypted
// where they are about to run. A store never sees what is in them. One that cannot be
// decrypted is set aside as a dead letter, with the bytes as they came.
func ExampleReceiveMiddleware() {
	crypt := func(payload []byte) []byte { // stands for a real cipher, and is its own inverse
		other := make([]byte, len(payload))
		for i, b := range payload {
			other[i] = ^b
		}
		return other
	}
	encrypt := func(next stem.Enqueuer) stem.Enqueuer {
		return func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
			for i := range envs {
				envs[i].Payload = crypt(envs[i].Payload)
				envs[i].Headers["sealed"] = "yes"
			}
			return next(ctx, envs)
		}
	}
	decrypt := func(next stem.Receiver) stem.Receiver {
		return func(ctx context.Context, d *stem.Delivery) (*stem.Delivery, error) {
			if d.Headers["sealed"] == "" {
				return nil, stem.Permanent(errors.New("not sealed"))
			}
			return next(ctx, d.WithPayload(crypt(d.Payload)))
		}
	}

	greeting := stem.Define(stem.TaskSpec{Name: "demo.hello"}, text, text)
	var tasks stem.Registry
	if err := stem.Handle(&tasks, greeting, greet); err != nil {
		fmt.Println(err)
		return
	}
	store := new(memory.Store)
	quiet := slog.New(slog.DiscardHandler)
	sealing, err := stem.NewClient(store, stem.ClientConfig{Logger: quiet, Middleware: []stem.EnqueueMiddleware{encrypt}})
	if err != nil {
		fmt.Println(err)
		return
	}
	plain, err := stem.NewClient(store, stem.ClientConfig{Logger: quiet})
	if err != nil {
		fmt.Println(err)
		return
	}
	worker, err := stem.NewWorker(sealing, &tasks, stem.WorkerConfig{ReceiveMiddleware: []stem.ReceiveMiddleware{decrypt}})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error)
	go func() { done <- worker.Run(ctx) }()

	for _, client := range []*stem.Client{sealing, plain} {
		job, err := greeting.Via(client).Enqueue(ctx, "Stem", stem.WithID("greeting-"+strconv.FormatBool(client == sealing)))
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(job.Wait(ctx))
	}
	cancel()
	fmt.Println(<-done)
	// Output:
	// Hello Stem <nil>
	//  stem: task demo.hello (greeting-false) failed at attempt 1: not sealed
	// <nil>
}
