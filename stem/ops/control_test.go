package ops_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
	"github.com/gostem/gostem/stem/ops"
)

// floor is workers of a memory store and a service over it, in virtual time.
type floor struct {
	t       *testing.T
	store   *memory.Store
	client  *stem.Client
	service *ops.Service
	events  []ops.Event
}

func onFloor(t *testing.T, story func(t *testing.T, f *floor)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &floor{t: t, store: new(memory.Store)}
		client, err := stem.NewClient(f.store, stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		f.client = client
		f.service, err = ops.New(ops.Stores{Broker: f.store}, ops.Config{Observer: func(_ context.Context, e ops.Event) { f.events = append(f.events, e) }})
		if err != nil {
			t.Fatal(err)
		}
		story(t, f)
	})
}

// work starts a worker, which ends with the test at the latest.
func (f *floor) work(cfg stem.WorkerConfig) *stem.Worker {
	f.t.Helper()
	var registry stem.Registry
	text := codec.Codec[string]{
		Append: func(b []byte, v *string) ([]byte, error) { return codec.AppendString(b, *v), nil },
		Read:   func(r *codec.Reader, v *string) { *v = r.Str() },
	}
	def := stem.Define(stem.TaskSpec{Name: "hello"}, text, text)
	if err := stem.Handle(&registry, def, func(context.Context, string) (string, error) { return "", nil }); err != nil {
		f.t.Fatal(err)
	}
	w, err := stem.NewWorker(f.client, &registry, cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Run(context.Background()) }()
	f.t.Cleanup(func() {
		w.Stop(stem.StopHard)
		<-done
	})
	synctest.Wait()
	return w
}

var ann = ops.By{Actor: "ann", Reason: "deploy"}

func (f *floor) command(verb string, workers ...string) ([]stem.Reply, error) {
	return f.service.Command(f.t.Context(), ann, ops.Order{Workers: workers, Command: stem.Command{Verb: verb}})
}

func TestAllWorkersReplyAtOnce(t *testing.T) {
	onFloor(t, func(t *testing.T, f *floor) {
		f.work(stem.WorkerConfig{Name: "b"})
		f.work(stem.WorkerConfig{Name: "a"})
		f.work(stem.WorkerConfig{Name: "gone"}).Stop(stem.StopWarm)
		synctest.Wait()
		begin := time.Now()
		replies, err := f.command(stem.CommandStats)
		if err != nil || len(replies) != 2 || replies[0].Name != "a" || replies[1].Name != "b" || replies[0].Stats == nil || time.Since(begin) > 0 {
			t.Errorf("got %+v and %v after %v, want the numbers of a and b at once", replies, err, time.Since(begin))
		}
		if len(f.events) != 0 {
			t.Errorf("got events %v of a question, want none", f.events)
		}
	})
}

func TestWhoIsSilentIsNamed(t *testing.T) {
	onFloor(t, func(t *testing.T, f *floor) {
		f.work(stem.WorkerConfig{Name: "a"})
		dead := stem.WorkerInfo{ID: "killed", Name: "b", For: time.Minute}
		if err := f.store.Announce(t.Context(), dead); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		replies, err := f.command(stem.CommandPing)
		var silent *ops.SilentError
		if !errors.As(err, &silent) || len(silent.Silent) != 1 || silent.Silent[0].ID != "killed" || len(replies) != 1 || time.Since(begin) != 10*time.Second {
			t.Errorf("got %v and %v after %v, want the reply of a, and b named after 10s", replies, err, time.Since(begin))
		}
		replies, err = f.command(stem.CommandPing, "a", "c")
		if !errors.As(err, &silent) || len(silent.Silent) != 0 || fmt.Sprint(silent.Absent) != "[c]" || len(replies) != 1 {
			t.Errorf("got %v and %v, want the reply of a, and c named", replies, err)
		}
		if text := err.Error(); !strings.Contains(text, "no worker there is called c") {
			t.Errorf("got %q, want it to say that c is not there", text)
		}
	})
}

// One that does not announce itself may be there all the same.
func TestAWorkerThatIsNotAnnouncedReplies(t *testing.T) {
	onFloor(t, func(t *testing.T, f *floor) {
		f.work(stem.WorkerConfig{Name: "shy", HeartbeatInterval: -1})
		begin := time.Now()
		if replies, err := f.command(stem.CommandPing, "shy"); err != nil || len(replies) != 1 || time.Since(begin) > 0 {
			t.Errorf("by its name: got %v and %v after %v, want its reply at once", replies, err, time.Since(begin))
		}
		if replies, err := f.command(stem.CommandPing); err != nil || len(replies) != 1 || time.Since(begin) != 10*time.Second {
			t.Errorf("among all: got %v and %v after %v, want its reply after 10s", replies, err, time.Since(begin))
		}
	})
}

func TestACommandIsTold(t *testing.T) {
	onFloor(t, func(t *testing.T, f *floor) {
		w := f.work(stem.WorkerConfig{Name: "a", Slots: 3})
		replies, err := f.service.Command(t.Context(), ann, ops.Order{Workers: []string{"a"}, Command: stem.Command{Verb: stem.CommandConcurrency, Slots: 5}})
		if err != nil || len(replies) != 1 || replies[0].Err != "" || w.Slots() != 5 {
			t.Errorf("got %v and %v and %d slots, want 5", replies, err, w.Slots())
		}
		replies, err = f.service.Command(t.Context(), ann, ops.Order{Command: stem.Command{Verb: stem.CommandConcurrency}})
		if err != nil || len(replies) != 1 || replies[0].Err == "" {
			t.Errorf("got %v and %v, want a reply that does not obey", replies, err)
		}
		if len(f.events) != 2 || f.events[0].Action != "worker.concurrency" || f.events[0].By != ann || f.events[0].Count != 1 || f.events[0].ID != "a" || f.events[1].Count != 0 {
			t.Errorf("got events %+v, want both, the first of one worker that obeyed", f.events)
		}
		if _, err := f.service.Command(t.Context(), ops.By{}, ops.Order{}); err == nil || !strings.Contains(err.Error(), "Actor") {
			t.Errorf("of nobody: got %v, want an error that names Actor", err)
		}
		var option *stem.OptionError
		if _, err := f.command("no verb"); !errors.As(err, &option) {
			t.Errorf("of a verb that is none: got %v, want an *OptionError", err)
		}
	})
}

// bare is a broker without capabilities.
type bare struct{ stem.Broker }

func TestABrokerThatTakesNoCommandsIsNamed(t *testing.T) {
	service, err := ops.New(ops.Stores{Broker: bare{new(memory.Store)}}, ops.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var unsupported *ops.UnsupportedError
	if _, err := service.Command(t.Context(), ann, ops.Order{Command: stem.Command{Verb: stem.CommandPing}}); !errors.As(err, &unsupported) || unsupported.Capability != "stem.CommandPoster" {
		t.Errorf("got %v, want an *UnsupportedError that names stem.CommandPoster", err)
	}
}
