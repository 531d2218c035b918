package stemtest

import (
	"slices"
	"testing"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// Task is a task definition with typed args and result: a [stem.TaskDefinition], or a
// [stem.NoArgsDefinition], whose args are stem.None.
type Task[A, R any] interface {
	Definition[A]
	ResultCodec() codec.Codec[R]
}

// Definition is a task definition as far as its args go.
type Definition[A any] interface {
	stem.AnyTask
	ArgsCodec() codec.Codec[A]
}

// Request is one task as it was enqueued: its args, and the envelope with all that options
// said, such as Queue, Delay, Headers or MaxRetries.
type Request[A any] struct {
	Args A
	stem.Envelope
}

// Enqueued gives what was enqueued of a task, in order, without what was a duplicate or has been
// replaced by a later one (see stem.OnConflict). Args
// that the definition cannot read end the test.
func Enqueued[A any](t testing.TB, from Source, def Definition[A]) []Request[A] {
	t.Helper()
	var requests []Request[A]
	for _, e := range takenOf(from, def) {
		r := Request[A]{Envelope: e.Envelope}
		if err := def.ArgsCodec().Decode(e.Payload, &r.Args); err != nil {
			t.Fatalf("stemtest: the args of %s are not those of the definition: %v; they are %s", e.ID, err, short(e.Payload))
		}
		requests = append(requests, r)
	}
	return requests
}

// EnqueuedOne gives the one request of a task. None, or several, end the test, with a
// list of what was enqueued.
func EnqueuedOne[A any](t testing.TB, from Source, def Definition[A]) Request[A] {
	t.Helper()
	requests := Enqueued(t, from, def)
	switch len(requests) {
	case 1:
		return requests[0]
	case 0:
		t.Fatalf("stemtest: %s was not enqueued; %v", def.Name(), from.book())
	default:
		t.Fatalf("stemtest: %s was enqueued %d times, want once; %v", def.Name(), len(requests), from.book())
	}
	return Request[A]{}
}

// NotEnqueued ends the test if the task was enqueued, with a list of what was.
func NotEnqueued(t testing.TB, from Source, def stem.AnyTask) {
	t.Helper()
	if len(takenOf(from, def)) > 0 {
		t.Fatalf("stemtest: %s was enqueued, want that it is not; %v", def.Name(), from.book())
	}
}

// takenOf gives what the store has taken of a task, under its name or an alias.
func takenOf(from Source, def stem.AnyTask) []taken {
	return slices.DeleteFunc(from.book().all(), func(e taken) bool {
		return !e.stands() || !answersTo(def, e.Task)
	})
}
