package stem_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

func TestAnotherTasksResultIsNotTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello, bye := r.task("hello", greet), r.task("bye", greet)
		r.work(stem.WorkerConfig{})
		if _, err := r.wait(r.enqueue(hello, "", stem.WithID("x"))); err != nil {
			t.Fatal(err)
		}
		duplicate := r.enqueue(bye, "", stem.WithID("x"))
		if _, err := r.wait(duplicate); !errors.Is(err, stem.ErrOtherTask) || !strings.Contains(err.Error(), "a task hello") {
			t.Errorf("Wait: got %v, want ErrOtherTask that names the task", err)
		}
		if _, err := duplicate.Status(t.Context()); !errors.Is(err, stem.ErrOtherTask) {
			t.Errorf("Status: got %v, want ErrOtherTask", err)
		}
	})
}

func TestOneTasksKeyIsNotAnothers(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		charge, email := r.task("charge", greet), r.task("email", greet)
		first := r.enqueue(charge, "", stem.IdempotencyKey("order-7"))
		second := r.enqueue(email, "", stem.IdempotencyKey("order-7"))
		if second.Duplicate() || first.ID() == second.ID() {
			t.Error("got the other task's job, want one of its own")
		}
	})
}

func TestPublishChecksWhatItIsGiven(t *testing.T) {
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	good := stem.Envelope{ID: "i", Task: "t", Queue: "q"}
	bad := good
	bad.Priority = 77
	if _, err := client.Publish(t.Context(), good, bad); err == nil || !strings.Contains(err.Error(), "envelope 1: stem: priority 77") {
		t.Errorf("got %v, want an error that names the envelope and the field", err)
	}
	bad = good
	bad.Payload = make([]byte, 1<<20+1)
	var large *stem.PayloadTooLargeError
	if _, err := client.Publish(t.Context(), bad); !errors.As(err, &large) {
		t.Errorf("a large payload: got %v, want a *stem.PayloadTooLargeError", err)
	}
	if answers, err := client.Publish(t.Context()); answers != nil || err != nil {
		t.Errorf("nothing: got %v, %v; want nothing", answers, err)
	}
}

func TestATripTakesSoManyBytes(t *testing.T) {
	c := new(catcher)
	client, err := stem.NewClient(c, stem.ClientConfig{MaxPayload: 10 << 20})
	if err != nil {
		t.Fatal(err)
	}
	envs := make([]stem.Envelope, 20)
	for i := range envs {
		envs[i] = stem.Envelope{ID: fmt.Sprint(i), Task: "t", Queue: "q", Payload: make([]byte, 1<<20)}
	}
	envs[0].Payload = make([]byte, 9<<20) // goes alone
	answers, err := client.Publish(t.Context(), envs...)
	if err != nil || len(answers) != 20 || answers[19].ID != "19" {
		t.Fatalf("got %d answers, %v; want 20 in order", len(answers), err)
	}
	if diff := cmp.Diff(c.trips, []int{1, 8, 8, 3}); diff != "" {
		t.Errorf("envelopes per trip: got -, want +:\n%s", diff)
	}
}

func TestABrokerThatAnswersTooLittleIsAnError(t *testing.T) {
	named := &stem.PartialError{Items: []stem.ItemError{{Index: 0, Err: errors.New("x")}}}
	for _, answer := range []error{nil, named} {
		b := brokerFunc(func() ([]stem.Published, error) { return nil, answer })
		client, err := stem.NewClient(b, stem.ClientConfig{})
		if err != nil {
			t.Fatal(err)
		}
		def := stem.Define(stem.TaskSpec{Name: "t"}, text, text)
		if _, err := def.Via(client).Enqueue(t.Context(), ""); err == nil {
			t.Errorf("Enqueue, %v: got nil, want an error", answer)
		}
		if _, err := def.Via(b).EnqueueMany(t.Context(), []string{"", ""}); err == nil {
			t.Errorf("EnqueueMany in a transaction, %v: got nil, want an error", answer)
		}
	}
}

// brokerFunc is a broker whose Publish answers what it is told to.
type brokerFunc func() ([]stem.Published, error)

func (f brokerFunc) Publish(context.Context, ...stem.Envelope) ([]stem.Published, error) { return f() }

func (brokerFunc) Receive(context.Context, stem.ReceiveRequest) ([]stem.Delivery, error) {
	return nil, stem.ErrClosed
}

func (brokerFunc) Extend(context.Context, stem.Session, ...stem.Delivery) ([]stem.Notice, error) {
	return nil, stem.ErrClosed
}

func (brokerFunc) Settle(context.Context, ...stem.Settlement) error { return stem.ErrClosed }

func TestADefinitionThatIsNoneSaysSo(t *testing.T) {
	var r stem.Registry
	var missing *stem.TaskDefinition[string, string]
	half := stem.Define(stem.TaskSpec{Name: "half"}, text, codec.Codec[string]{})
	bad := stem.Define(stem.TaskSpec{Name: "bad", Options: []stem.Option{stem.Priority(77)}}, text, text)
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := missing.Enqueue(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "stem.Define") {
		t.Errorf("nil: got %v, want an error that names stem.Define", err)
	}
	if _, err := new(stem.TaskDefinition[string, string]).EnqueueMany(t.Context(), []string{""}); err == nil {
		t.Error("zero: got nil, want an error")
	}
	if err := stem.Handle(&r, half, greet); err == nil || !strings.Contains(err.Error(), "task \"half\": a codec is missing") {
		t.Errorf("half a codec: got %v, want an error that says so", err)
	}
	if err := stem.Handle(&r, bad, greet); err == nil || !strings.Contains(err.Error(), "priority 77") {
		t.Errorf("a bad option: got %v, want an error that names it", err)
	}
	noArgs := stem.Define(stem.TaskSpec{Name: "no args"}, codec.Codec[string]{}, text).Via(client)
	if _, err := noArgs.Enqueue(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "a codec is missing") {
		t.Errorf("no codec of args: got %v, want an error that says so", err)
	}
}

func TestNothingBoundIsNoTransaction(t *testing.T) {
	c := new(catcher)
	client, err := stem.NewClient(c, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	def := stem.Define(stem.TaskSpec{Name: "t"}, text, text).Via(client)
	if _, err := def.Via(nil).Enqueue(t.Context(), ""); !errors.Is(err, stem.ErrNoClient) || len(c.envs) != 0 {
		t.Errorf("got %v and %d envelopes, want ErrNoClient and none", err, len(c.envs))
	}
	transaction := new(catcher)
	if job, err := def.Via(transaction).Enqueue(t.Context(), ""); err != nil || len(transaction.envs) != 1 || len(c.envs) != 0 {
		t.Errorf("a transaction over a client: got %v, %v", job, err)
	}
}

func TestARawPayloadIsCopied(t *testing.T) {
	c := new(catcher)
	client, err := stem.NewClient(c, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	payload := []byte{0xa1, 'a'}
	if _, err := client.EnqueueRaw(t.Context(), "t", payload); err != nil {
		t.Fatal(err)
	}
	payload[1] = 'b'
	if got := string(c.envs[0].Payload); got != "\xa1a" {
		t.Errorf("got %q, want what was enqueued", got)
	}
}

func TestWithoutAClientEnqueueSaysWhatToDo(t *testing.T) {
	def := stem.Define(stem.TaskSpec{Name: "t"}, text, text)
	for name, d := range map[string]*stem.TaskDefinition[string, string]{
		"none": def, "nil": def.Via(nil), "a nil *Client": def.Via((*stem.Client)(nil)),
	} {
		if _, err := d.Enqueue(t.Context(), ""); !errors.Is(err, stem.ErrNoClient) {
			t.Errorf("%s: got %v, want ErrNoClient", name, err)
		}
		if _, err := d.EnqueueMany(t.Context(), []string{""}); !errors.Is(err, stem.ErrNoClient) {
			t.Errorf("%s, many: got %v, want ErrNoClient", name, err)
		}
	}
	if _, err := (*stem.Client)(nil).EnqueueRaw(t.Context(), "t", nil); !errors.Is(err, stem.ErrNoClient) {
		t.Errorf("a nil client's EnqueueRaw: got %v, want ErrNoClient", err)
	}
	if _, err := (stem.Job[string]{}).Wait(t.Context()); !errors.Is(err, stem.ErrNoClient) {
		t.Errorf("the zero Job: got %v, want ErrNoClient", err)
	}
}

func TestTheClientComesFromViaElseFromTheContext(t *testing.T) {
	one, two := new(catcher), new(catcher)
	first, _ := stem.NewClient(one, stem.ClientConfig{})
	second, _ := stem.NewClient(two, stem.ClientConfig{})
	def := stem.Define(stem.TaskSpec{Name: "t"}, text, text)
	ctx := stem.WithClient(t.Context(), first)
	if _, err := def.Enqueue(ctx, ""); err != nil || len(one.envs) != 1 {
		t.Errorf("the context's: got %v and %d envelopes, want one", err, len(one.envs))
	}
	if _, err := def.Via(second).Enqueue(ctx, ""); err != nil || len(two.envs) != 1 {
		t.Errorf("Via's: got %v and %d envelopes, want one", err, len(two.envs))
	}
	transaction := new(catcher)
	job, err := def.Via(transaction).Enqueue(t.Context(), "", stem.WithID("x"))
	if err != nil || len(transaction.envs) != 1 || job.ID() != "x" {
		t.Errorf("another publisher: got %v and %d envelopes, want one without any client", err, len(transaction.envs))
	}
}

func TestEnqueueManyAnswersOneJobEach(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		r.work(stem.WorkerConfig{})
		names := make([]string, 2500) // more than one round trip takes
		for i := range names {
			names[i] = fmt.Sprint(i)
		}
		jobs, err := hello.EnqueueMany(t.Context(), names)
		if err != nil || len(jobs) != len(names) {
			t.Fatalf("got %d jobs, %v; want %d", len(jobs), err, len(names))
		}
		for i, job := range jobs {
			if got, err := r.wait(job); got != "Hello "+names[i] || err != nil {
				t.Fatalf("job %d: got %q, %v", i, got, err)
			}
		}
	})
}

func TestADuplicateIsTheFirstOnesJob(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		runs := 0
		once := r.task("once", func(context.Context, string) (string, error) { runs++; return fmt.Sprint(runs), nil })
		r.work(stem.WorkerConfig{})
		first := r.enqueue(once, "", stem.IdempotencyKey("order-7"))
		second := r.enqueue(once, "", stem.IdempotencyKey("order-7"))
		if first.Duplicate() || !second.Duplicate() || second.ID() != first.ID() {
			t.Errorf("got %v/%v and ids %s/%s, want the second to be the first's job", first.Duplicate(), second.Duplicate(), first.ID(), second.ID())
		}
		if got, err := r.wait(second); got != "1" || err != nil {
			t.Errorf("got %q, %v; want the one run's result", got, err)
		}
		events := eventsOf[stem.TaskEnqueued](r)
		if len(events) != 2 || events[0].Duplicate || !events[1].Duplicate {
			t.Errorf("got %+v, want two TaskEnqueued, the second a duplicate", events)
		}
	})
}

func TestArgsThatAreTooLargeAreRefused(t *testing.T) {
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{MaxPayload: 5})
	if err != nil {
		t.Fatal(err)
	}
	def := stem.Define(stem.TaskSpec{Name: "t"}, text, text).Via(client)
	if _, err := def.Enqueue(t.Context(), "four"); err != nil {
		t.Errorf("5 bytes: got %v, want nil", err)
	}
	_, err = def.Enqueue(t.Context(), "fiver")
	var large *stem.PayloadTooLargeError
	if !errors.As(err, &large) || large.Size != 6 || large.Limit != 5 || large.What != "args" {
		t.Errorf("6 bytes: got %v, want a *stem.PayloadTooLargeError", err)
	}
}

func TestWaitTellsWhyThereIsNoResult(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		queued := r.enqueue(hello, "")
		if _, err := queued.Wait(ctx); !errors.Is(err, stem.ErrNoResult) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("queued: got %v, want ErrNoResult and the context's error", err)
		}
		if s := r.status(queued); s.State != stem.StatePending {
			t.Errorf("queued: got %s, want pending", s.State)
		}
		r.work(stem.WorkerConfig{})
		if _, err := r.wait(r.enqueue(hello, "", stem.IgnoreResult())); !errors.Is(err, stem.ErrResultIgnored) {
			t.Errorf("ignored: got %v, want ErrResultIgnored", err)
		}
		brief := r.enqueue(hello, "", stem.KeepResult(time.Minute))
		time.Sleep(2 * time.Minute)
		if _, err := r.wait(brief); !errors.Is(err, stem.ErrResultExpired) {
			t.Errorf("after its retention: got %v, want ErrResultExpired", err)
		}
		known, err := hello.Job(t.Context(), brief.ID())
		if err != nil || known.ID() != brief.ID() {
			t.Errorf("a job of a known id: got %v, %v", known.ID(), err)
		}
		if _, err := hello.Job(t.Context(), ""); err == nil {
			t.Error("a job of no id: got nil, want an error")
		}
	})
}

func TestABackendWithoutAWatchIsPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := new(memory.Store)
		r := newRig(t, nil, stem.ClientConfig{Backend: struct{ stem.Backend }{results}})
		hello := r.task("hello", func(context.Context, string) (string, error) { time.Sleep(time.Minute); return "x", nil })
		r.work(stem.WorkerConfig{})
		job := r.enqueue(hello, "")
		begin := time.Now()
		if got, err := r.wait(job); got != "x" || err != nil || time.Since(begin) > time.Minute+time.Second {
			t.Errorf("got %q, %v after %v; want x within a second of its end", got, err, time.Since(begin))
		}
		if _, err := results.Load(t.Context(), job.ID()); err != nil {
			t.Errorf("the configured backend: got %v, want the record there", err)
		}
	})
}

func TestWithoutABackendNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(s *memory.Store) stem.Broker { return struct{ stem.Broker }{s} }, stem.ClientConfig{})
		ran := make(chan struct{})
		hello := r.task("hello", func(context.Context, string) (string, error) { close(ran); return "", nil })
		r.work(stem.WorkerConfig{})
		job := r.enqueue(hello, "")
		<-ran
		if _, err := r.wait(job); !errors.Is(err, stem.ErrNoBackend) {
			t.Errorf("got %v, want ErrNoBackend", err)
		}
	})
}

func TestNewClientRefuses(t *testing.T) {
	if _, err := stem.NewClient(nil, stem.ClientConfig{}); err == nil || !strings.Contains(err.Error(), "the broker is nil") {
		t.Errorf("no broker: got %v, want an error", err)
	}
	for want, cfg := range map[string]stem.ClientConfig{
		"ClientConfig.MaxPayload -1":    {MaxPayload: -1},
		"ClientConfig.CallTimeout -1ns": {CallTimeout: -1},
	} {
		if _, err := stem.NewClient(new(memory.Store), cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestAnObserverThatPanicsHarmsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, nil, stem.ClientConfig{Observer: stem.ObserverFunc(func(context.Context, stem.Event) { panic("oh") })})
		hello := r.task("hello", greet)
		r.work(stem.WorkerConfig{})
		if got, err := r.wait(r.enqueue(hello, "Stem")); got != "Hello Stem" || err != nil {
			t.Errorf("got %q, %v; want Hello Stem", got, err)
		}
	})
}
