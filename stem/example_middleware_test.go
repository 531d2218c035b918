package stem_test

import (
	"context"
	"errors"
	"fmt"

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
