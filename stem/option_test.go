package stem_test

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/stem"
)

// published gives the envelope that a client with these defaults makes of a
// definition and a call with these options.
func published(t *testing.T, defaults, definition, call []stem.Option) (stem.Envelope, error) {
	t.Helper()
	c := new(catcher)
	client, err := stem.NewClient(c, stem.ClientConfig{Defaults: defaults})
	if err != nil {
		return stem.Envelope{}, err
	}
	def := stem.Define(stem.TaskSpec{Name: "task", Options: definition}, text, text)
	if _, err := def.Via(client).Enqueue(t.Context(), "", call...); err != nil {
		return stem.Envelope{}, err
	}
	return c.envs[0], nil
}

// catcher is a broker that keeps what is published.
type catcher struct {
	stem.Broker
	envs  []stem.Envelope
	trips []int // envelopes of each
}

func (c *catcher) Publish(_ context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	answers := make([]stem.Published, len(envs))
	for i, e := range envs {
		answers[i].ID = e.ID
	}
	c.envs = append(c.envs, envs...)
	c.trips = append(c.trips, len(envs))
	return answers, nil
}

func TestEveryOptionReachesTheEnvelope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tests := []struct {
			name string
			opt  stem.Option
			set  func(*stem.Envelope)
		}{
			{"Delay", stem.Delay(time.Minute), func(e *stem.Envelope) { e.Delay = time.Minute }},
			{"Delay, negative", stem.Delay(-1), func(*stem.Envelope) {}},
			{"At", stem.At(time.Now().Add(time.Minute)), func(e *stem.Envelope) { e.Delay = time.Minute }},
			{"At, past", stem.At(time.Now().Add(-1)), func(*stem.Envelope) {}},
			{"ExpiresIn", stem.ExpiresIn(time.Minute), func(e *stem.Envelope) { e.ExpiresIn = time.Minute }},
			{"ExpiresAt", stem.ExpiresAt(time.Now().Add(time.Minute)), func(e *stem.Envelope) { e.ExpiresIn = time.Minute }},
			{"ExpiresAt, past", stem.ExpiresAt(time.Now().Add(-1)), func(e *stem.Envelope) { e.ExpiresIn = 1 }},
			{"OnQueue", stem.OnQueue("mail"), func(e *stem.Envelope) { e.Queue = "mail" }},
			{"Priority", stem.Priority(9), func(e *stem.Envelope) { e.Priority = 9 }},
			{"MaxRetries", stem.MaxRetries(0), func(e *stem.Envelope) { e.MaxRetries = 0 }},
			{"RetryFor", stem.RetryFor(time.Hour), func(e *stem.Envelope) { e.RetryFor = time.Hour }},
			{"Backoff", stem.Backoff(stem.FixedBackoff(1)), func(e *stem.Envelope) { e.Backoff = stem.FixedBackoff(1) }},
			{"Timeout", stem.Timeout(time.Minute), func(e *stem.Envelope) { e.Timeout = time.Minute }},
			{"SoftTimeout", stem.SoftTimeout(time.Minute), func(e *stem.Envelope) { e.SoftTimeout = time.Minute }},
			{"Visibility", stem.Visibility(time.Minute), func(e *stem.Envelope) { e.Visibility = time.Minute }},
			{"KeepResult", stem.KeepResult(time.Minute), func(e *stem.Envelope) { e.KeepResult = time.Minute }},
			{"IgnoreResult", stem.IgnoreResult(), func(e *stem.Envelope) { e.KeepResult = 0 }},
			{"WithID", stem.WithID("id"), func(e *stem.Envelope) { e.ID, e.DedupeKey, e.DedupeWindow = "id", "id", 10*time.Minute }},
			{"IdempotencyKey", stem.IdempotencyKey("key"), func(e *stem.Envelope) { e.DedupeKey, e.DedupeWindow = "task key", 10*time.Minute }},
			{"DedupeWindow, without a key", stem.DedupeWindow(time.Hour), func(*stem.Envelope) {}},
			{"Header", stem.Header("tenant", "acme"), func(e *stem.Envelope) { e.Headers = map[string]string{"tenant": "acme"} }},
			{"Fingerprint", stem.Fingerprint(1 << 63), func(e *stem.Envelope) { e.Fingerprint = 1 << 63 }},
		}
		for _, tt := range tests {
			got, err := published(t, nil, nil, []stem.Option{tt.opt})
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
				continue
			}
			want := stem.Envelope{
				ID: got.ID, Task: "task", Queue: "default", Payload: []byte{0xa0}, MaxRetries: 3,
				Backoff: stem.ExponentialBackoff(2*time.Second, 5*time.Minute), KeepResult: 24 * time.Hour,
			}
			tt.set(&want)
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("%s: got -, want +:\n%s", tt.name, diff)
			}
		}
		both, err := published(t, nil, nil, []stem.Option{stem.WithID("id"), stem.IdempotencyKey("key"), stem.DedupeWindow(time.Hour)})
		if err != nil || both.ID != "id" || both.DedupeKey != "task key" || both.DedupeWindow != time.Hour {
			t.Errorf("id, key and window: got %+v, %v; want all three", both, err)
		}
	})
}

func TestASpecTellsWhatAnEnqueueWithoutOptionsPublishes(t *testing.T) {
	spec := stem.TaskSpec{
		Name: "task", Aliases: []string{"old"}, Tags: []string{"tag"}, Schema: stem.Schema{Fingerprint: 7, Older: []uint64{5}},
		Options: []stem.Option{stem.OnQueue("mail"), stem.Header("a", "b"), stem.Delay(time.Hour), stem.MaxRetries(0), nil},
	}
	c := new(catcher)
	client, err := stem.NewClient(c, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stem.Define(spec, text, text).Via(client).Enqueue(t.Context(), "args"); err != nil {
		t.Fatal(err)
	}
	want := c.envs[0]
	want.ID, want.Payload = "", nil
	got, err := spec.Envelope()
	if diff := cmp.Diff(got, want); diff != "" || err != nil {
		t.Errorf("error %v; got -, want +:\n%s", err, diff)
	}
	spec.Options = []stem.Option{stem.WithID("the-one")}
	if got, err = spec.Envelope(); got.ID != "the-one" || got.DedupeKey != "the-one" || err != nil {
		t.Errorf("a definition with an id: got %+v, %v; want that id", got, err)
	}
	spec.Options = []stem.Option{stem.Priority(10)}
	if _, err := spec.Envelope(); err == nil || !strings.Contains(err.Error(), `task "task": stem: priority 10`) {
		t.Errorf("a bad option: got %v, want an error that names task and option", err)
	}
}

func TestTheCallOverridesTheDefinitionAndThatTheClient(t *testing.T) {
	client := []stem.Option{stem.MaxRetries(9), stem.Timeout(9), stem.OnQueue("client"), stem.Header("a", "client"), stem.Header("b", "client")}
	definition := []stem.Option{stem.MaxRetries(5), stem.Timeout(5), stem.Header("b", "definition")}
	call := []stem.Option{stem.MaxRetries(0), stem.Header("c", "call"), nil}
	got, err := published(t, client, definition, call)
	if err != nil {
		t.Fatal(err)
	}
	if got.MaxRetries != 0 || got.Timeout != 5 || got.Queue != "client" {
		t.Errorf("got %d retries, timeout %v, queue %s; want 0 of the call, 5ns of the definition, the client's queue", got.MaxRetries, got.Timeout, got.Queue)
	}
	if diff := cmp.Diff(got.Headers, map[string]string{"a": "client", "b": "definition", "c": "call"}); diff != "" {
		t.Errorf("headers: got -, want +:\n%s", diff)
	}
	again, err := published(t, client, nil, nil)
	if err != nil || again.Headers["b"] != "client" || len(again.Headers) != 2 {
		t.Errorf("the client's headers: got %v, %v; want them untouched by earlier calls", again.Headers, err)
	}
}

var anyCall = stem.Define(stem.TaskSpec{Name: "next"}, text, text).With("args")

// Whatever the client or the definition says, a call can say that it does not want it.
func TestACallSetsEveryOptionBackToItsZero(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	tests := []struct {
		name      string
		set, zero stem.Option
		want      func(*stem.Envelope) // what zero means, where that is not the default
	}{
		{"Delay", stem.Delay(1), stem.Delay(0), nil},
		{"At", stem.At(soon), stem.At(time.Time{}), nil},
		{"ExpiresIn", stem.ExpiresIn(1), stem.ExpiresIn(0), nil},
		{"ExpiresAt", stem.ExpiresAt(soon), stem.ExpiresAt(time.Time{}), nil},
		{"OnQueue", stem.OnQueue("mail"), stem.OnQueue(stem.DefaultQueue), nil},
		{"Priority", stem.Priority(9), stem.Priority(0), nil},
		{"MaxRetries", stem.MaxRetries(9), stem.MaxRetries(0), func(e *stem.Envelope) { e.MaxRetries = 0 }},
		{"RetryFor", stem.RetryFor(1), stem.RetryFor(0), nil},
		{"Backoff", stem.Backoff(stem.FixedBackoff(1)), stem.Backoff(stem.BackoffPolicy{}), func(e *stem.Envelope) { e.Backoff = stem.BackoffPolicy{} }},
		{"Timeout", stem.Timeout(1), stem.Timeout(0), nil},
		{"SoftTimeout", stem.SoftTimeout(1), stem.SoftTimeout(0), nil},
		{"HeartbeatTimeout", stem.HeartbeatTimeout(1), stem.HeartbeatTimeout(0), nil},
		{"OnSuccess", stem.OnSuccess(anyCall), stem.OnSuccess(), nil},
		{"OnFailure", stem.OnFailure(anyCall), stem.OnFailure(), nil},
		{"Visibility", stem.Visibility(1), stem.Visibility(0), nil},
		{"KeepResult", stem.KeepResult(1), stem.KeepResult(0), func(e *stem.Envelope) { e.KeepResult = 0 }},
		{"IgnoreResult", stem.IgnoreResult(), stem.KeepResult(24 * time.Hour), nil},
		{"WithID", stem.WithID("id"), stem.WithID(""), nil},
		{"IdempotencyKey", stem.IdempotencyKey("key"), stem.IdempotencyKey(""), nil},
		{"DedupeWindow", stem.DedupeWindow(1), stem.DedupeWindow(0), nil},
		{"Header", stem.Header("a", "b"), stem.Header("a", ""), func(e *stem.Envelope) { e.Headers = map[string]string{"a": ""} }},
		{"Fingerprint", stem.Fingerprint(1), stem.Fingerprint(0), nil},
	}
	covered := map[string]bool{}
	for _, tt := range tests {
		covered[tt.name] = true
		want, err := published(t, nil, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if tt.want != nil {
			tt.want(&want)
		}
		set, zero := []stem.Option{tt.set}, []stem.Option{tt.zero}
		publish := map[string]func() (stem.Envelope, error){
			"the call over the definition":   func() (stem.Envelope, error) { return published(t, nil, set, zero) },
			"the call over the client":       func() (stem.Envelope, error) { return published(t, set, nil, zero) },
			"the definition over the client": func() (stem.Envelope, error) { return published(t, set, zero, nil) },
		}
		if slices.Contains([]string{"WithID", "IdempotencyKey", "Fingerprint", "OnSuccess", "OnFailure"}, tt.name) { // a client must not have them
			publish = map[string]func() (stem.Envelope, error){"the call over the definition": publish["the call over the definition"]}
		}
		for where, publish := range publish {
			got, err := publish()
			if err != nil {
				t.Errorf("%s, %s: %v", tt.name, where, err)
				continue
			}
			got.ID = want.ID
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("%s, %s: got -, want +:\n%s", tt.name, where, diff)
			}
		}
	}
	for _, option := range optionsOfThePackage(t) {
		if !covered[option] {
			t.Errorf("no case sets %s back to its zero", option)
		}
	}
}

// optionsOfThePackage gives the names of the exported functions in option.go.
func optionsOfThePackage(t *testing.T) (names []string) {
	file, err := parser.ParseFile(token.NewFileSet(), "option.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.IsExported() {
			names = append(names, f.Name.Name)
		}
	}
	if len(names) < 10 {
		t.Fatalf("got the options %v, want more", names)
	}
	return names
}

func TestAnEmptyIDOrKeyIsASlipWhereItTakesNothingBack(t *testing.T) {
	id, key := []stem.Option{stem.WithID("")}, []stem.Option{stem.IdempotencyKey("")}
	for name, opts := range map[string][3][]stem.Option{
		"id of a call":        {nil, nil, id},
		"id of a definition":  {nil, id, nil},
		"id of a client":      {id, nil, nil},
		"key of a call":       {nil, nil, key},
		"key of a definition": {nil, key, nil},
		"key of a client":     {key, nil, nil},
		"key beside an id":    {nil, nil, {stem.WithID("id"), stem.IdempotencyKey("")}},
	} {
		_, err := published(t, opts[0], opts[1], opts[2])
		var option *stem.OptionError
		if !errors.As(err, &option) || option.Value != `""` {
			t.Errorf("%s: got %v, want a *stem.OptionError", name, err)
		}
	}
	if got, err := published(t, nil, id, []stem.Option{stem.WithID("id")}); err != nil || got.ID != "id" {
		t.Errorf("an id over an empty one: got %q, %v; want the id", got.ID, err)
	}
}

func TestBadOptionsAreRefusedByName(t *testing.T) {
	for want, opts := range map[string][]stem.Option{
		"priority 10: want 0 to 9": {stem.Priority(10)},
		"max retries -1":           {stem.MaxRetries(-1)},
		"timeout -1s":              {stem.Timeout(-time.Second)},
		"expiry -1s":               {stem.ExpiresIn(-time.Second)},
		`queue "a b"`:              {stem.OnQueue("a b")},
		`id "ü"`:                   {stem.WithID("ü")},
		`id ""`:                    {stem.WithID("")},
		"idempotency key":          {stem.IdempotencyKey(strings.Repeat("x", 201))},
		"back-off -1s":             {stem.Backoff(stem.FixedBackoff(-time.Second))},
		"result retention -1s":     {stem.KeepResult(-time.Second)},
		"dedupe window -1s":        {stem.DedupeWindow(-time.Second), stem.IdempotencyKey("k")},
		"retry budget -1s":         {stem.RetryFor(-time.Second)},
		"soft timeout -1s":         {stem.SoftTimeout(-time.Second)},
		"soft timeout 2s":          {stem.SoftTimeout(2 * time.Second), stem.Timeout(2 * time.Second)},
		"visibility -1s":           {stem.Visibility(-time.Second)},
		"headers 65537 bytes":      {stem.Header("k", strings.Repeat("v", 60_000)), stem.Header("l", strings.Repeat("v", 5535))},
	} {
		_, err := published(t, nil, nil, opts)
		var option *stem.OptionError
		if !errors.As(err, &option) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want a *stem.OptionError with %q", err, want)
		}
	}
	for name, bad := range map[string]stem.Option{"priority": stem.Priority(10), "an id": stem.WithID("x"), "a key": stem.IdempotencyKey("x"), "a schema": stem.Fingerprint(1)} {
		if _, err := published(t, []stem.Option{bad}, nil, nil); err == nil || !strings.Contains(err.Error(), "ClientConfig.Defaults") {
			t.Errorf("%s as a client's default: got %v, want an error that names ClientConfig.Defaults", name, err)
		}
	}
	client, err := stem.NewClient(new(catcher), stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	def := stem.Define(stem.TaskSpec{Name: "t"}, text, text).Via(client)
	for name, opt := range map[string]stem.Option{"id": stem.WithID("x"), "key": stem.IdempotencyKey("x")} {
		if _, err := def.EnqueueMany(t.Context(), []string{"", ""}, opt); err == nil || !strings.Contains(err.Error(), "duplicate") {
			t.Errorf("one %s for many tasks: got %v, want an error", name, err)
		}
		if _, err := def.EnqueueMany(t.Context(), []string{""}, opt); err != nil {
			t.Errorf("one %s for one task: got %v, want nil", name, err)
		}
	}
	if jobs, err := def.EnqueueMany(t.Context(), nil); err != nil || len(jobs) != 0 {
		t.Errorf("many of none: got %v, %v; want nothing", jobs, err)
	}
}
