package stem_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// benchArgs are args of two fields, with the codec that stemgen writes for them.
type benchArgs struct {
	Name  string
	Count int
}

var benchCodec = codec.Codec[benchArgs]{
	Append: func(b []byte, v *benchArgs) ([]byte, error) {
		b = append(b, "\x82\xa4Name"...)
		b = codec.AppendString(b, v.Name)
		b = append(b, "\xa5Count"...)
		return codec.AppendInt(b, int64(v.Count)), nil
	},
	Read: func(r *codec.Reader, v *benchArgs) {
		for n := r.EnterMap(); n > 0; n-- {
			key := r.Key()
			switch string(key) {
			case "Name":
				v.Name = r.Str()
			case "Count":
				v.Count = r.Int()
			default:
				r.Skip()
			}
			if r.Failed() {
				r.InField(key)
				return
			}
		}
		r.Leave()
	},
}

// load is a client, a worker and a task that takes them to their limits: its handler
// does nothing, but for what the feature under load asks of it.
type load struct {
	feature
	tb     testing.TB
	def    *stem.TaskDefinition[benchArgs, string]
	child  *stem.TaskDefinition[benchArgs, string]
	stop   func()
	failed []uint8 // runs of each task

	tasks    int64
	done     atomic.Int64
	undone   chan struct{} // holds a token for each chunk of tasks that is under way
	finished chan struct{}
}

// Tasks come from so many goroutines, and at most so many chunks are undone: 5,120 tasks.
const producers, chunk, mostChunks = 4, 256, 20

func newLoad(tb testing.TB, f feature, slots int) *load {
	tb.Helper()
	client := stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)}
	worker := stem.WorkerConfig{Slots: slots}
	if f.configure != nil {
		f.configure(&client, &worker)
	}
	l := &load{feature: f, tb: tb}
	kept := []stem.Option{stem.KeepResult(time.Second), stem.Backoff(stem.BackoffPolicy{})}
	var registry stem.Registry
	l.child = l.define(&registry, "child", kept, func(_ context.Context, a benchArgs) (string, error) {
		if l.follows {
			l.ended()
		}
		return a.Name, nil
	})
	if f.follows {
		kept = append(kept, stem.OnSuccess(l.child.With(benchArgs{Name: "name"})))
	}
	l.def = l.define(&registry, "bench", append(kept, f.options...), l.handle)
	c, err := stem.NewClient(new(memory.Store), client)
	if err != nil {
		tb.Fatal(err)
	}
	w, err := stem.NewWorker(c, &registry, worker)
	if err != nil {
		tb.Fatal(err)
	}
	l.def = l.def.Via(c)
	ctx, cancel := context.WithCancel(tb.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := w.Run(ctx); err != nil {
			tb.Error(err)
		}
	})
	l.stop = func() { cancel(); running.Wait() }
	return l
}

func (l *load) define(r *stem.Registry, name string, options []stem.Option, fn func(context.Context, benchArgs) (string, error)) *stem.TaskDefinition[benchArgs, string] {
	def := stem.Define(stem.TaskSpec{Name: name, Options: options}, benchCodec, text)
	if err := stem.Handle(r, def, fn); err != nil {
		l.tb.Fatal(err)
	}
	return def
}

// run enqueues so many tasks, and returns when all have succeeded.
func (l *load) run(tasks int) {
	l.failed = make([]uint8, tasks)
	l.tasks = int64(tasks)
	l.done.Store(0)
	l.undone, l.finished = make(chan struct{}, mostChunks), make(chan struct{})
	produce(tasks, producers, func(i int) {
		if i/producers%chunk == 0 {
			l.undone <- struct{}{}
		}
		var options []stem.Option
		if l.call != nil {
			options = l.call(i)
		}
		if _, err := l.def.Enqueue(l.tb.Context(), benchArgs{Name: "name", Count: i}, options...); err != nil {
			l.tb.Error(err)
		}
	})
	<-l.finished
}

var errOfLoad = errors.New("not yet")

func (l *load) handle(ctx context.Context, a benchArgs) (string, error) {
	if l.failed[a.Count] < l.failures {
		l.failed[a.Count]++
		return "", errOfLoad
	}
	if l.waits {
		job, err := l.child.Enqueue(ctx, a)
		if err != nil {
			return "", err
		}
		if _, err = job.Wait(ctx); err != nil {
			return "", err
		}
	}
	if l.reports {
		stem.Progress(ctx, 50, "half", nil)
	}
	if !l.follows {
		l.ended()
	}
	return a.Name, nil
}

// ended notes that a task has come to its end, with what follows it.
func (l *load) ended() {
	n := l.done.Add(1)
	if n%chunk == 0 {
		<-l.undone
	}
	if n == l.tasks {
		close(l.finished)
	}
}

// produce calls enqueue n times, from several goroutines.
func produce(n, producers int, enqueue func(i int)) {
	var wg sync.WaitGroup
	for p := range producers {
		wg.Go(func() {
			for i := p; i < n; i += producers {
				enqueue(i)
			}
		})
	}
	wg.Wait()
}
