package health_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/examples/typed_tasks/hello"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/health"
)

// A worker that has not been started yet is alive, and not ready.
func ExampleHandler() {
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{})
	if err != nil {
		panic(err)
	}
	var tasks stem.Registry
	if err := hello.Register(&tasks); err != nil {
		panic(err)
	}
	worker, err := stem.NewWorker(client, &tasks, stem.WorkerConfig{Name: "greeter"})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(health.Handler(worker)) // yours is an http.Server on an address of its own
	defer server.Close()
	for _, path := range []string{"/livez", "/readyz"} {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			panic(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			panic(err)
		}
		answer.Body.Close()
		fmt.Println(path, answer.Status)
	}
	// Output:
	// /livez 200 OK
	// /readyz 503 Service Unavailable
}
