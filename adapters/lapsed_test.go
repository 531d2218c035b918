package adapters_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// The memory store takes what a lost worker had as soon as anybody looks.
func TestAnExaminationFindsTasksOfAWorkerThatIsLost(t *testing.T) {
	for name, url := range map[string]string{"Redis": testredis.Start(t, testredis.Config{}).URL(), "PostgreSQL": testpostgres.URL(t)} {
		t.Run(name, func(t *testing.T) {
			stores := opened(t, []string{"STEM_BROKER_URL=" + url})
			client, err := stem.NewClient(stores.Broker, stem.ClientConfig{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := client.EnqueueRaw(t.Context(), "t", []byte{0xc0}, stem.OnQueue("q")); err != nil {
				t.Fatal(err)
			}
			request := stem.ReceiveRequest{Session: stem.Session{ID: "lost", Lease: 500 * time.Millisecond}, Queues: []string{"q"}, Max: 1, MaxBytes: 100}
			if _, err := stores.Broker.Receive(t.Context(), request); err != nil {
				t.Fatal(err)
			}
			service, err := ops.New(ops.Stores{Broker: stores.Broker}, ops.Config{})
			if err != nil {
				t.Fatal(err)
			}
			lapsed := func(f ops.Finding) bool { return f.Code == "lapsed" && strings.Contains(f.What, "queue q: 1 tasks") }
			var found []ops.Finding
			for deadline := time.Now().Add(20 * time.Second); !slices.ContainsFunc(found, lapsed); {
				if found, err = service.Examine(t.Context()); err != nil || time.Now().After(deadline) {
					t.Fatalf("got %+v, error %v, want a task whose worker is lost", found, err)
				}
			}
		})
	}
}
