package stem_test

import (
	"errors"
	"testing"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// Wrappers as users write them: each hides all that its store can do beyond the
// interface that it embeds.
type (
	brokerWrapper  struct{ stem.Broker }
	backendWrapper struct{ stem.Backend }
	anyWrapper     struct{ inner any }
	opaque         struct{ stem.Broker }
)

func (w brokerWrapper) Unwrap() stem.Broker   { return w.Broker }
func (w backendWrapper) Unwrap() stem.Backend { return w.Backend }
func (w anyWrapper) Unwrap() any              { return w.inner }

func TestCapabilitiesAreFoundThroughWrappers(t *testing.T) {
	store := new(memory.Store)
	for name, wrapped := range map[string]any{
		"itself":    store,
		"a broker":  brokerWrapper{brokerWrapper{store}},
		"a backend": backendWrapper{store},
		"of any":    anyWrapper{brokerWrapper{store}},
	} {
		if found, ok := stem.As[stem.SavingSettler](wrapped); !ok || found != store {
			t.Errorf("%s: got %v, %v; want the store", name, found, ok)
		}
	}
	for name, wrapped := range map[string]any{
		"nothing": nil, "a wrapper of nothing": anyWrapper{}, "one without Unwrap": opaque{store}, "a nil broker": brokerWrapper{},
	} {
		if found, ok := stem.As[stem.SavingSettler](wrapped); ok {
			t.Errorf("%s: got %v, want none", name, found)
		}
	}
}

func TestAClosedStoreIsATypedError(t *testing.T) {
	store := new(memory.Store)
	client, err := stem.NewClient(store, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	def := stem.Define(stem.TaskSpec{Name: "t"}, text, text).Via(client)
	job, err := def.Enqueue(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := def.Enqueue(t.Context(), ""); !errors.Is(err, stem.ErrClosed) {
		t.Errorf("Enqueue: got %v, want ErrClosed", err)
	}
	if _, err := def.EnqueueMany(t.Context(), []string{"", ""}); !errors.Is(err, stem.ErrClosed) {
		t.Errorf("EnqueueMany: got %v, want ErrClosed", err)
	}
	if _, err := job.Wait(t.Context()); !errors.Is(err, stem.ErrClosed) {
		t.Errorf("Wait: got %v, want ErrClosed", err)
	}
	if _, err := job.Status(t.Context()); !errors.Is(err, stem.ErrClosed) {
		t.Errorf("Status: got %v, want ErrClosed", err)
	}
}
