package stem_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

func doNothing(context.Context, *stem.Delivery) ([]byte, error) { return nil, nil }

func TestTheRegistryRefuses(t *testing.T) {
	var r stem.Registry
	if err := r.Register(stem.TaskSpec{Name: "t", Aliases: []string{"old", "older"}, Source: "a.go:1"}, doNothing); err != nil {
		t.Fatal(err)
	}
	for name, spec := range map[string]stem.TaskSpec{
		"a name twice":            {Name: "t", Source: "b.go:2"},
		"a name that is an alias": {Name: "old", Source: "b.go:2"},
		"an alias that is a name": {Name: "u", Aliases: []string{"new", "t"}, Source: "b.go:2"},
		"an alias twice":          {Name: "u", Aliases: []string{"new", "older"}, Source: "b.go:2"},
	} {
		err := r.Register(spec, doNothing)
		var duplicate *stem.DuplicateTaskError
		if !errors.As(err, &duplicate) || !strings.Contains(err.Error(), "first at a.go:1, again at b.go:2") {
			t.Errorf("%s: got %v, want a *stem.DuplicateTaskError with both places", name, err)
		} else if claimed := append(spec.Aliases, spec.Name); !slices.Contains(claimed, duplicate.Task) || duplicate.Task == "new" {
			t.Errorf("%s: got the name %s, want the one that is taken", name, duplicate.Task)
		}
	}
	if err := r.Register(stem.TaskSpec{Name: "new"}, doNothing); err != nil {
		t.Errorf("a name that a refused spec wanted: got %v, want nil", err)
	}
	if err := r.Register(stem.TaskSpec{Name: "u"}, nil); err == nil || !strings.Contains(err.Error(), `task "u" has no handler`) {
		t.Errorf("no handler: got %v, want an error", err)
	}
	if err := stem.Handle(&r, stem.Define(stem.TaskSpec{Name: "u"}, text, text), nil); err == nil {
		t.Error("Handle with a nil function: got nil, want an error")
	}
	if err := (*stem.Registry)(nil).Register(stem.TaskSpec{Name: "t"}, doNothing); err == nil {
		t.Error("a nil registry: got nil, want an error")
	}
}

func TestASpecThatIsWrongIsRefusedByName(t *testing.T) {
	for want, spec := range map[string]stem.TaskSpec{
		`stem: task name "": want 1 to 200`:                           {},
		`task "t": stem: alias "a b": want printable ASCII`:           {Name: "t", Aliases: []string{"a b"}},
		`task "t": stem: alias "t": want a name that the task had`:    {Name: "t", Aliases: []string{"t"}},
		`task "t": stem: alias "a": want each alias once`:             {Name: "t", Aliases: []string{"a", "b", "a"}},
		`task "t": stem: tag "": want 1 to 200 printable ASCII bytes`: {Name: "t", Tags: []string{"a", ""}},
		`task "t": stem: tag "ü": want 1 to 200`:                      {Name: "t", Tags: []string{"ü"}},
		`task "t": stem: tag "\n": want 1 to 200`:                     {Name: "t", Tags: []string{"\n"}},
		`(201 bytes): want 1 to 200`:                                  {Name: "t", Tags: []string{strings.Repeat("x", 201)}},
		`task "t": stem: tag "a": want each tag once`:                 {Name: "t", Tags: []string{"a", "a"}},
		`task "t": stem: tags 21: want at most 20`:                    {Name: "t", Tags: strings.Fields("a b c d e f g h i j k l m n o p q r s t u")},
	} {
		var r stem.Registry
		var option *stem.OptionError
		if err := r.Register(spec, doNothing); !errors.As(err, &option) || !strings.Contains(err.Error(), want) {
			t.Errorf("Register: got %v, want a *stem.OptionError with %q", err, want)
		}
		if err := stem.Handle(&r, stem.Define(spec, text, text), greet); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Handle: got %v, want %q", err, want)
		}
		if _, err := spec.Envelope(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Envelope: got %v, want %q", err, want)
		}
	}
}

func TestTheRegistryListsEachTaskOnceWithItsTags(t *testing.T) {
	var r stem.Registry
	b := stem.TaskSpec{Name: "b", Aliases: []string{"a", "z"}, Tags: []string{"billing", "two words", strings.Repeat("x", 200)}}
	def := stem.Define(b, text, text)
	if err := stem.Handle(&r, def, greet); err != nil {
		t.Fatal(err)
	}
	c := stem.TaskSpec{Name: "c", Tags: strings.Fields("a b c d e f g h i j k l m n o p q r s t")}
	if err := r.Register(c, doNothing); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r.Tasks(), []stem.TaskSpec{b, c}); diff != "" {
		t.Errorf("tasks: got -, want +:\n%s", diff)
	}
	if diff := cmp.Diff(stem.AnyTask(def).Spec(), b); diff != "" {
		t.Errorf("spec: got -, want +:\n%s", diff)
	}
}

// A handler without a typed definition may have nothing to give.
func TestAHandlerThatGivesNilGivesTheZeroValue(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		def := stem.Define(stem.TaskSpec{Name: "t"}, text, text).Via(r.client)
		if err := r.registry.Register(def.Spec(), doNothing); err != nil {
			t.Fatal(err)
		}
		r.work(stem.WorkerConfig{})
		if got, err := r.wait(r.enqueue(def, "")); got != "" || err != nil {
			t.Errorf("got %q, %v; want nothing", got, err)
		}
		raw, err := r.client.EnqueueRaw(t.Context(), "t", []byte{0xc0})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := raw.Wait(t.Context()); len(got) != 0 || err != nil {
			t.Errorf("raw: got %v, %v; want nothing", got, err)
		}
	})
}

// What a middleware keeps for a task it keeps once, whatever the task is called.
func TestMiddlewareWrapsATaskOnceForAllItsNames(t *testing.T) {
	var r stem.Registry
	if err := r.Register(stem.TaskSpec{Name: "t", Aliases: []string{"old", "older"}}, doNothing); err != nil {
		t.Fatal(err)
	}
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	wrapped := 0
	count := func(next stem.Handler) stem.Handler {
		wrapped += len(r.Tasks()) // it may ask the registry
		return next
	}
	if _, err := stem.NewWorker(client, &r, stem.WorkerConfig{Middleware: []stem.Middleware{count}}); err != nil {
		t.Fatal(err)
	}
	if wrapped != 1 {
		t.Errorf("got %d wraps, want 1", wrapped)
	}
}
