package stemtest_test

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/stemtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// text is the codec of string args and results.
var text = codec.Codec[string]{
	Append: func(b []byte, v *string) ([]byte, error) { return codec.AppendString(b, *v), nil },
	Read:   func(r *codec.Reader, v *string) { *v = r.Str() },
}

type textTask = stem.TaskDefinition[string, string]

func define(name string, opts ...stem.Option) *textTask {
	return stem.Define(stem.TaskSpec{Name: name, Options: opts}, text, text)
}

type handler = func(context.Context, string) (string, error)

func echo(_ context.Context, args string) (string, error) { return args, nil }

// task defines a task and handles it on a runtime.
func task(t testing.TB, rt *stemtest.Runtime, name string, fn handler, opts ...stem.Option) *textTask {
	t.Helper()
	def := define(name, opts...)
	if err := stem.Handle(rt.Registry(), def, fn); err != nil {
		t.Fatal(err)
	}
	return def
}

func enqueue(t testing.TB, ctx context.Context, def *textTask, args string, opts ...stem.Option) stem.Job[string] {
	t.Helper()
	job, err := def.Enqueue(ctx, args, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// fakeT is a test that may fail.
type fakeT struct {
	testing.TB
	ctx context.Context

	mu       sync.Mutex
	said     []string
	cleanups []func()
}

func (f *fakeT) Helper()                  {}
func (f *fakeT) Name() string             { return "fake" }
func (f *fakeT) Context() context.Context { return f.ctx }
func (f *fakeT) Output() io.Writer        { return io.Discard }

func (f *fakeT) Cleanup(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cleanups = append(f.cleanups, fn)
}

func (f *fakeT) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.said = append(f.said, fmt.Sprintf(format, args...))
}

func (f *fakeT) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// failureOf runs a test and gives what it says against the code under test.
func failureOf(t *testing.T, test func(t testing.TB)) string {
	t.Helper()
	fake := &fakeT{ctx: t.Context()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			for len(fake.cleanups) > 0 {
				last := len(fake.cleanups) - 1
				cleanup := fake.cleanups[last]
				fake.cleanups = fake.cleanups[:last]
				cleanup()
			}
		}()
		test(fake)
	}()
	<-done
	return strings.Join(fake.said, "\n")
}

// wantSaid compares a failure's text.
func wantSaid(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
