package stemgen_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stemgen"
)

// recorder is a program that enqueues every task of a package without options and
// prints what the definition says and what is published.
const recorder = `package main

import (
	"context"
	"encoding/json"
	"os"

	"example.com/golden/job"
	"github.com/gostem/gostem/stem"
)

type recorder struct{ last stem.Envelope }

func (r *recorder) Publish(_ context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	r.last = envs[0]
	return make([]stem.Published, 1), nil
}

var kinds = map[stem.BackoffKind]string{stem.BackoffFixed: "fixed", stem.BackoffLinear: "linear", stem.BackoffExponential: "exponential"}

func main() {
	var rec recorder
	out := json.NewEncoder(os.Stdout)
	ctx := context.Background()
	record := func(spec stem.TaskSpec, err error) {
		if err != nil {
			panic(err)
		}
		e := rec.last
		err = out.Encode(map[string]any{
			"Task": e.Task, "Queue": e.Queue, "Priority": e.Priority, "MaxRetries": e.MaxRetries, "RetryFor": e.RetryFor.String(), "Timeout": e.Timeout.String(),
			"SoftTimeout": e.SoftTimeout.String(), "Heartbeat": e.HeartbeatTimeout.String(), "ExpiresIn": e.ExpiresIn.String(), "Visibility": e.Visibility.String(),
			"Backoff": []any{kinds[e.Backoff.Kind], e.Backoff.Base.String(), e.Backoff.Cap.String()},
			"Name": spec.Name, "Aliases": spec.Aliases, "Tags": spec.Tags, "Description": spec.Description,
		})
		if err != nil {
			panic(err)
		}
	}
%s}
`

// What a directive says is in the definition, and in the envelope that a bare enqueue
// publishes; what it leaves out is the runtime's default.
func TestEveryOptionReachesTheEnvelope(t *testing.T) {
	defaults := map[string]any{
		"Queue": "default", "Priority": 0., "MaxRetries": 3., "RetryFor": "0s", "Timeout": "0s", "SoftTimeout": "0s", "Heartbeat": "0s", "ExpiresIn": "0s", "Visibility": "0s",
		"Backoff": []any{"exponential", "2s", "5m0s"}, "Aliases": nil, "Tags": nil, "Description": "",
	}
	tests := []struct {
		options string
		want    map[string]any // beside the defaults
	}{
		{"", nil},
		{"name=job.own", map[string]any{"Task": "job.own", "Name": "job.own"}},
		{"alias=job.a,job.b", map[string]any{"Aliases": []any{"job.a", "job.b"}}},
		{"queue=bulk", map[string]any{"Queue": "bulk"}},
		{"priority=9", map[string]any{"Priority": 9.}},
		{"retries=0", map[string]any{"MaxRetries": 0.}},
		{"retries=7", map[string]any{"MaxRetries": 7.}},
		{"retry-for=6h", map[string]any{"RetryFor": "6h0m0s"}},
		{"backoff=fixed(10s)", map[string]any{"Backoff": []any{"fixed", "10s", "0s"}}},
		{"backoff=linear(1s,1m)", map[string]any{"Backoff": []any{"linear", "1s", "1m0s"}}},
		{"backoff=exp(1s,1h)", map[string]any{"Backoff": []any{"exponential", "1s", "1h0m0s"}}},
		{"timeout=1500ms", map[string]any{"Timeout": "1.5s"}},
		{"heartbeat=1s timeout=2s", map[string]any{"Heartbeat": "1s", "Timeout": "2s"}},
		{"soft-timeout=1s timeout=2s", map[string]any{"SoftTimeout": "1s", "Timeout": "2s"}},
		{"expires=24h", map[string]any{"ExpiresIn": "24h0m0s"}},
		{"visibility=10m", map[string]any{"Visibility": "10m0s"}},
		{"tags=billing,eu", map[string]any{"Tags": []any{"billing", "eu"}}},
		{"var=Mine", nil},
		{"func=EnqueueMine", nil},
	}
	dir := newModule(t)
	var code, calls strings.Builder
	for i, tt := range tests {
		fmt.Fprintf(&code, "//stem:task %s\nfunc task%d(context.Context) error { return nil }\n\n", tt.options, i)
		variable := fmt.Sprintf("job.Task%d", i)
		if tt.options == "var=Mine" {
			variable = "job.Mine"
		}
		fmt.Fprintf(&calls, "\t{\n\t\t_, err := %s.Via(&rec).Enqueue(ctx)\n\t\trecord(%[1]s.Spec(), err)\n\t}\n", variable)
	}
	writeFile(t, filepath.Join(dir, "job", "job.go"), []byte("package job\n\nimport \"context\"\n\n"+code.String()))
	writeFile(t, filepath.Join(dir, "main.go"), fmt.Appendf(nil, recorder, calls.String()))
	out, err := stemgen.Generate(t.Context(), stemgen.Config{Dir: dir, Patterns: []string{"./job"}})
	if err != nil || len(out.Diagnostics) > 0 {
		t.Fatal(err, out.Diagnostics)
	}
	for _, f := range out.Files {
		if err := f.Write(); err != nil {
			t.Fatal(err)
		}
	}
	published := json.NewDecoder(strings.NewReader(goCommand(t, dir, "run", ".")))
	for i, tt := range tests {
		t.Run(tt.options, func(t *testing.T) {
			want := map[string]any{"Task": fmt.Sprintf("job.task%d", i), "Name": fmt.Sprintf("job.task%d", i)}
			for _, values := range []map[string]any{defaults, tt.want} {
				for key, value := range values {
					want[key] = value
				}
			}
			var got map[string]any
			if err := published.Decode(&got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
		})
	}
}
