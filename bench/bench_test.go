package main

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/bench/task"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
)

// TestMain lets the test's program be the child that the command would start.
func TestMain(m *testing.M) {
	if os.Getenv(cellVariable) != "" {
		main()
		return
	}
	os.Exit(testpostgres.Main(m).Run())
}

// What Stem does is measured by each measure, and what the others do by two: what they share is the same
// code. No figure is compared, since machines that run tests are never quiet.
func TestAMeasureFindsThatWorkWasDone(t *testing.T) {
	for _, m := range measures {
		for _, system := range m.systems {
			if system == ours || system == oursPG || system == oursMemory || m.name == "enqueue ×16" || m.name == "drain c10" {
				t.Run(m.name+", "+system, func(t *testing.T) {
					t.Parallel()
					f, err := one(context.Background(), config{during: 100 * time.Millisecond, backlog: 100_000}, m, system)
					if err != nil {
						t.Fatal(err)
					}
					if f.Tasks < 1 {
						t.Errorf("got figures of no task: %+v", f)
					}
				})
			}
		}
	}
}

func TestAllBarsAreOfMeasuresThatExist(t *testing.T) {
	for _, b := range barsOf(false) {
		var of []string
		for _, m := range measures {
			if m.name == b.measure {
				of = m.systems
			}
		}
		if !strings.Contains(strings.Join(of, " "), b.system) {
			t.Errorf("%s, %s: no such measure or system", b.measure, b.system)
		}
	}
}

func TestStemCarriesPayloadsOfTheSizeOfTheOthers(t *testing.T) {
	size := 0
	look := func(next stem.Enqueuer) stem.Enqueuer {
		return func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
			size = len(envs[0].Payload)
			return next(ctx, envs)
		}
	}
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{Middleware: []stem.EnqueueMiddleware{look}})
	if err != nil {
		t.Fatal(err)
	}
	s := &stemSystem{client: client, task: task.HandlerRunTask.Via(client)}
	sum, span := 0, 2*payloadSpan+1
	for n := int32(firstTask); n < firstTask+int32(span); n++ {
		if err := s.Enqueue(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		if size != len(payload(n)) {
			t.Errorf("task %d: got %d bytes, want %d", n, size, len(payload(n)))
		}
		sum += size
	}
	if sum != payloadSize*span {
		t.Errorf("got %d bytes for %d tasks, want %d on average", sum, span, payloadSize)
	}
}

func TestTablesSayWhatWasFound(t *testing.T) {
	all := []outcome{
		{"drain c100", ours, []figures{{Rate: 60_000, ClientCPU: 1, ServerCPU: 1, Commands: 0.2}, {Rate: 50_000, ClientCPU: 1, ServerCPU: 1, Commands: 0.2}}},
		{"drain c100", theirs, []figures{{Rate: 10_000, ClientCPU: 4, ServerCPU: 4}, {Rate: 10_000, ClientCPU: 4, ServerCPU: 4}}},
	}
	var out strings.Builder
	if err := writeTables(&out, all, barsOf(false)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| drain c100 | stem   | 55.0k/s | 50.0–60.0k/s | 5.5     | 4.0 ",
		"| drain c100 | stem   | ≥ 5 × asynq           | 5.50  | reached |",
		"| drain c100 | stem   | ≤ 0.1 commands        | 0.20  | missed  |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwithout %q", &out, want)
		}
	}
	out.Reset()
	if err := writeJSON(&out, all); err != nil || !json.Valid([]byte(out.String())) {
		t.Errorf("got error %v and %s", err, &out)
	}
}
