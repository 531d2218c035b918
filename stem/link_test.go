package stem_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// diary is a task that keeps what it is called with, and by whom.
type diary struct {
	*stem.TaskDefinition[string, string]
	mu   sync.Mutex // runs may be at work at the same time
	runs []stem.TaskInfo
	args []string
}

func (r *rig) diary(name string, opts ...stem.Option) *diary {
	d := new(diary)
	d.TaskDefinition = r.task(name, func(ctx context.Context, args string) (string, error) {
		info, _ := stem.Info(ctx)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.runs, d.args = append(d.runs, info), append(d.args, args)
		return name + " of " + args, nil
	}, opts...)
	return d
}

// wrote expects what the runs were called with, in any order, once all that was to come has come.
func (d *diary) wrote(t *testing.T, want ...string) {
	t.Helper()
	time.Sleep(time.Hour)
	synctest.Wait()
	if diff := cmp.Diff(slices.Sorted(slices.Values(d.args)), slices.Sorted(slices.Values(want)), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s ran with -, want +:\n%s", d.Name(), diff)
	}
}

func fails(context.Context, string) (string, error) {
	return "", stem.Permanent(errors.New("no such account"))
}

func TestATaskIsFollowedByWhatItsEndCallsFor(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		good, bad := r.task("good", greet), r.task("bad", fails)
		next, mend := r.diary("next"), r.diary("mend")
		follow := []stem.Option{
			stem.OnSuccess(next.With("1"), next.With("2", stem.Header("a", "b"))),
			stem.OnFailure(mend.With("3", stem.Header("a", "b"))),
		}
		r.work(stem.WorkerConfig{Slots: 1})
		won, lost := r.enqueue(good, "", follow...), r.enqueue(bad, "", follow...)
		next.wrote(t, "1", "2")
		mend.wrote(t, "3")
		if info := next.runs[1]; info.ID != won.ID()+"/ok/1" || info.Parent != won.ID() || info.Root != won.ID() || !cmp.Equal(info.Headers, map[string]string{"a": "b"}) {
			t.Errorf("after the success: got %+v, want a child of %s with its header", info, won.ID())
		}
		headers := map[string]string{"a": "b", stem.FailureKindHeader: "error", stem.FailureHeader: "no such account"}
		if info := mend.runs[0]; info.ID != lost.ID()+"/failed/0" || info.Parent != lost.ID() || !cmp.Equal(info.Headers, headers) {
			t.Errorf("after the failure: got %+v, want a child of %s with %v", info, lost.ID(), headers)
		}
	})
}

func TestAResultIsPassedOnFromTaskToTask(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		first, second, third := r.diary("first"), r.diary("second"), r.diary("third")
		r.work(stem.WorkerConfig{})
		job := r.enqueue(first.TaskDefinition, "a", stem.IgnoreResult(),
			stem.Then(first, second.TaskDefinition, stem.IgnoreResult(), stem.Then(second, third.TaskDefinition)))
		third.wrote(t, "second of first of a")
		if info := third.runs[0]; info.Parent != job.ID()+"/ok/0" || info.Root != job.ID() {
			t.Errorf("got parent %s and root %s, want the second and the first of the family", info.Parent, info.Root)
		}
		if got, err := r.wait(third.job(t, r, job.ID()+"/ok/0/ok/0")); got != "third of second of first of a" || err != nil {
			t.Errorf("the last one's result: got %q, %v", got, err)
		}
	})
}

func (d *diary) job(t *testing.T, r *rig, id string) stem.Job[string] {
	t.Helper()
	job, err := d.Via(r.client).Job(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// A task without args gives a result too, and a Handler that gives nil gives the zero value.
func TestEveryKindOfTaskPassesItsResultOn(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		next := r.diary("next")
		noArgs := stem.DefineNoArgs(stem.TaskSpec{Name: "no args"[:2]}, text)
		if err := stem.HandleNoArgs(&r.registry, noArgs, func(context.Context) (string, error) { return "result", nil }); err != nil {
			t.Fatal(err)
		}
		raw := stem.Define(stem.TaskSpec{Name: "raw"}, text, text)
		if err := r.registry.Register(raw.Spec(), func(context.Context, *stem.Delivery) ([]byte, error) { return nil, nil }); err != nil {
			t.Fatal(err)
		}
		r.work(stem.WorkerConfig{Slots: 1})
		if _, err := noArgs.Via(r.client).Enqueue(t.Context(), stem.Then(noArgs, next.TaskDefinition)); err != nil {
			t.Fatal(err)
		}
		next.wrote(t, "result")
		r.enqueue(raw.Via(r.client), "", stem.Then(raw, next.TaskDefinition))
		next.wrote(t, "result", "")
	})
}

func TestACancelledTaskIsFollowedByNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		good, next := r.task("good", greet), r.diary("next")
		follow := []stem.Option{stem.OnSuccess(next.With("ok")), stem.OnFailure(next.With("failed"))}
		r.enqueue(good, "", append(follow, stem.ExpiresIn(time.Second))...)
		revoked := r.enqueue(good, "", follow...)
		if err := revoked.Revoke(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		r.work(stem.WorkerConfig{})
		next.wrote(t)
	})
}

func TestWhatFollowsARevokedFamilyIsRevoked(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		good, next := r.task("good", greet), r.diary("next")
		job := r.enqueue(good, "", stem.OnSuccess(next.With("ok", stem.Delay(time.Minute))))
		r.work(stem.WorkerConfig{})
		if _, err := r.wait(job); err != nil {
			t.Fatal(err)
		}
		if err := job.Revoke(t.Context(), stem.WithDescendants()); err != nil {
			t.Fatal(err)
		}
		next.wrote(t)
	})
}

// Nobody knows where a crash falls. What was published is published again by whoever runs the task
// again, and adds nothing.
func TestACrashLosesNoLinkAndDoublesNone(t *testing.T) {
	for name, crash := range map[string]func(f *faulty){
		"before the links are published": func(f *faulty) {
			once(&f.refuses, func([]stem.Envelope) error { f.away.Store(true); return errAway })
		},
		"between the links and the settlement": func(f *faulty) {
			once(&f.bad, func([]stem.Settlement) error { f.away.Store(true); return errAway })
		},
		"while the links are published": func(f *faulty) {
			once(&f.refuses, func(envs []stem.Envelope) error {
				f.away.Store(true)
				_, _ = f.Store.Publish(context.Background(), envs[0])
				return errAway
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
				survivor := &rig{t: t, store: r.store}
				var err error
				if survivor.client, err = stem.NewClient(r.store, stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)}); err != nil {
					t.Fatal(err)
				}
				var runs atomic.Int64
				run := func(context.Context, string) (string, error) { return fmt.Sprint("run ", runs.Add(1)), nil }
				first, _ := r.task("first", run), survivor.task("first", run)
				next, tell := survivor.diary("next"), survivor.diary("tell")
				job := r.enqueue(first, "", stem.Then(first, next.TaskDefinition), stem.OnSuccess(tell.With("done")))
				crash(f)
				r.work(stem.WorkerConfig{}) // it has the first task alone, and dies in it
				time.Sleep(time.Minute)     // its lease lapses
				survivor.work(stem.WorkerConfig{})
				tell.wrote(t, "done")
				if len(next.args) != 1 || runs.Load() != 2 {
					t.Errorf("got %d runs, followed by %q; want 2, followed once", runs.Load(), next.args)
				}
				if s := r.status(job); s.State != stem.StateSucceeded {
					t.Errorf("got %s, want succeeded", s.State)
				}
			})
		})
	}
}

// once makes a fault that happens to the next call.
func once[T any](fault *atomic.Pointer[func([]T) error], f func([]T) error) {
	fire := func(items []T) error {
		fault.Store(nil)
		return f(items)
	}
	fault.Store(&fire)
}

func TestWhatCannotBePublishedHoldsItsTaskBackAndNoOther(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		good, next := r.task("good", greet), r.diary("next")
		down := func(envs []stem.Envelope) error {
			if envs[0].Task == "next" {
				return errAway
			}
			return nil
		}
		f.refuses.Store(&down)
		r.work(stem.WorkerConfig{Slots: 1})
		held := r.enqueue(good, "held", stem.OnSuccess(next.With("once")))
		for range 50 {
			if _, err := r.wait(r.enqueue(good, "free")); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Hour) // an outage is no reason to give up
		if s := r.status(held); s.State.Terminal() {
			t.Errorf("got %s, want a task that is not settled", s.State)
		}
		f.refuses.Store(nil)
		next.wrote(t, "once")
		if s := r.status(held); s.State != stem.StateSucceeded {
			t.Errorf("got %s, want succeeded", s.State)
		}
	})
}

func TestATaskWhoseLinksAreRefusedByNameFailsAfterAMinute(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		good, next, mend := r.task("good", greet), r.diary("next"), r.diary("mend")
		var everything atomic.Bool
		down := func(envs []stem.Envelope) error {
			if envs[0].Task == "next" || envs[0].Task == "mend" && everything.Load() {
				return &stem.PartialError{Items: []stem.ItemError{{Index: 0, Err: errors.New("not on this server")}}}
			}
			return nil
		}
		f.refuses.Store(&down)
		r.work(stem.WorkerConfig{Slots: 1})
		follow := []stem.Option{stem.OnSuccess(next.With("")), stem.OnFailure(mend.With("it"))}
		_, err := r.wait(r.enqueue(good, "", follow...))
		var failed *stem.TaskError
		if !errors.As(err, &failed) || failed.Failure.Kind != stem.FailureUnlinked || !strings.Contains(failed.Failure.Message, "not on this server") {
			t.Errorf("got %v, want a failure of the kind unlinked that says why", err)
		}
		mend.wrote(t, "it")
		everything.Store(true)
		if _, err = r.wait(r.enqueue(good, "", follow...)); !errors.As(err, &failed) {
			t.Errorf("with all links refused: got %v, want a failure", err)
		}
		mend.wrote(t, "it")
		if n := len(r.deadLetters("default")); n != 2 {
			t.Errorf("got %d dead letters, want 2", n)
		}
	})
}

func TestLinksPassTheEnqueueMiddlewareWhenTheyArePublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var passed []string
		stamp := func(next stem.Enqueuer) stem.Enqueuer {
			return func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
				for i := range envs {
					passed = append(passed, envs[i].Task)
					envs[i].Headers["stamp"] = "yes"
				}
				return next(ctx, envs)
			}
		}
		r := newRig(t, nil, stem.ClientConfig{Middleware: []stem.EnqueueMiddleware{stamp}})
		good, next := r.task("good", greet), r.diary("next")
		r.work(stem.WorkerConfig{})
		r.enqueue(good, "", stem.OnSuccess(next.With("1"), next.With("2")))
		next.wrote(t, "1", "2")
		if diff := cmp.Diff(passed, []string{"good", "next", "next"}); diff != "" {
			t.Errorf("passed -, want +:\n%s", diff)
		}
		if got := next.runs[0].Headers["stamp"]; got != "yes" {
			t.Errorf("got the stamp %q, want it", got)
		}
	})
}

// A minute of an outage is none in which a link is refused.
func TestAnOutageBetweenRefusalsOfALinkDoesNotCount(t *testing.T) {
	faultyRig(t, func(t *testing.T, r *rig, f *faulty) {
		good, next := r.task("good", greet), r.diary("next")
		var away atomic.Bool
		refuse := func(envs []stem.Envelope) error {
			switch {
			case envs[0].Task != "next":
				return nil
			case away.Load():
				return errAway
			default:
				return &stem.PartialError{Items: []stem.ItemError{{Index: 0, Err: errors.New("not on this server")}}}
			}
		}
		f.refuses.Store(&refuse)
		r.work(stem.WorkerConfig{Slots: 1})
		job := r.enqueue(good, "", stem.OnSuccess(next.With("once")))
		time.Sleep(10 * time.Second)
		away.Store(true)
		time.Sleep(time.Hour)
		away.Store(false)
		time.Sleep(50 * time.Second)
		if s := r.status(job); s.State.Terminal() {
			t.Errorf("got %s, want that the task is not given up", s.State)
		}
		f.refuses.Store(nil)
		next.wrote(t, "once")
	})
}

// Middleware refuses all that it is given in one call, for the sake of one. What it makes of a link may be nothing that
// can be published, which is no reason to try for ever; an error of its own may pass.
func TestWhatTheMiddlewareDoesNotLetPassHoldsItsTaskBackAndNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var away atomic.Bool
		away.Store(true)
		guard := func(next stem.Enqueuer) stem.Enqueuer {
			return func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
				for i := range envs {
					switch {
					case envs[i].Task == "sealed" && away.Load():
						return nil, errors.New("no key")
					case envs[i].Task == "swollen":
						envs[i].Payload = make([]byte, 2<<20)
					}
				}
				return next(ctx, envs)
			}
		}
		r := newRig(t, nil, stem.ClientConfig{Middleware: []stem.EnqueueMiddleware{guard}})
		good, sealed, swollen, next := r.task("good", greet), r.diary("sealed"), r.diary("swollen"), r.diary("next")
		var held, bad, free []stem.Job[string]
		for range 10 {
			held = append(held, r.enqueue(good, "", stem.OnSuccess(sealed.With("later"))))
			bad = append(bad, r.enqueue(good, "", stem.OnSuccess(swollen.With(""))))
			free = append(free, r.enqueue(good, "", stem.OnSuccess(next.With(""))))
		}
		r.work(stem.WorkerConfig{Slots: 20})
		began := time.Now()
		for _, job := range free {
			if _, err := r.wait(job); err != nil || time.Since(began) > time.Second {
				t.Errorf("what is followed by another: got %v after %v, want that it does not wait", err, time.Since(began))
			}
		}
		for _, job := range bad {
			var failed *stem.TaskError
			if _, err := r.wait(job); !errors.As(err, &failed) || failed.Failure.Kind != stem.FailureUnlinked {
				t.Errorf("followed by what cannot be published: got %v, want a failure of the kind unlinked", err)
			}
		}
		if s := r.status(held[0]); s.State.Terminal() || time.Since(began) < time.Minute {
			t.Errorf("after %v: got %s, want tasks that are not settled", time.Since(began), s.State)
		}
		away.Store(false)
		sealed.wrote(t, slices.Repeat([]string{"later"}, 10)...)
	})
}

func TestTheIDOfALinkIsMadeOfItsCauseAndNeverTooLong(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		good, next := r.task("good", greet), r.diary("next")
		r.work(stem.WorkerConfig{})
		r.enqueue(good, "", stem.WithID(strings.Repeat("x", stem.MaxIDLength)), stem.OnSuccess(next.With("1"), next.With("2")))
		next.wrote(t, "1", "2")
		if a, b := next.runs[0].ID, next.runs[1].ID; a == b || len(a) != 37 || !strings.HasPrefix(a, "link-") {
			t.Errorf("got %q and %q, want two digests", a, b)
		}
	})
}

func TestLinksThatCannotBeAreRefusedByTheEnqueue(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		good, other := r.task("good", greet), r.task("other", greet)
		broken := stem.Define(stem.TaskSpec{Name: "broken"}, codec.Codec[string]{Append: func([]byte, *string) ([]byte, error) { return nil, errors.New("no bytes") }}, text)
		deep := other.With("")
		for range stem.MaxLinkDepth {
			deep = other.With("", stem.OnSuccess(deep))
		}
		for name, tt := range map[string]struct {
			opt  stem.Option
			want string
		}{
			"an id":               {stem.OnSuccess(other.With("", stem.WithID("id"))), `on success: link 0: stem: WithID or IdempotencyKey of the linked task other "id": want neither`},
			"a key":               {stem.OnFailure(other.With("", stem.IdempotencyKey("key"))), `on failure: link 0: stem: WithID or IdempotencyKey of the linked task other "key": want neither`},
			"a zero call":         {stem.OnSuccess(stem.Call{}), "the call is zero: make it with the definition's With"},
			"args without bytes":  {stem.OnSuccess(broken.With("")), "task broken: encode args: no bytes"},
			"another's result":    {stem.Then(other, good), "Then(other, good) is an option of task good: it takes the result of other, so use it there"},
			"unique by a result":  {stem.Then(good, other, stem.Unique(stem.UntilDone)), "its args are a result that is not known yet"},
			"a limit by a result": {stem.Then(good, other, stem.RateLimit(1, time.Second), stem.LimitKeyField("a")), "its args are a result that is not known yet"},
			"no definition":       {stem.Then(good, (*stem.TaskDefinition[string, string])(nil)), "nil or zero"},
			"a bad option":        {stem.OnSuccess(other.With("", stem.Priority(11))), "priority 11"},
			"too many":            {stem.OnSuccess(make17(other.With(""))...), "links 17: want at most 16"},
			"too deep":            {stem.OnSuccess(deep), "at most 8 tasks that follow each other"},
			"too much":            {stem.OnSuccess(other.With(strings.Repeat("x", 1<<20))), "encoded links would take 10"},
			"headers to the brim": {stem.OnFailure(other.With("", stem.Header("a", strings.Repeat("x", stem.MaxHeaders-1)))), "headers 65536 bytes: want at most 63488"},
		} {
			if _, err := good.Enqueue(t.Context(), "", tt.opt); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: got %v, want an error with %q", name, err, tt.want)
			}
		}
		if got := r.count("default"); got.Ready > 0 {
			t.Errorf("got %+v, want nothing enqueued", got)
		}
		if _, err := stem.NewClient(r.store, stem.ClientConfig{Defaults: []stem.Option{stem.OnSuccess(other.With(""))}}); err == nil || !strings.Contains(err.Error(), "they would follow themselves") {
			t.Errorf("as a default of a client: got %v, want an error", err)
		}
	})
}

// Definitions may have links of their own, each with many. What that comes to is refused before it fills the memory.
func TestLinksThatMultiplyAreRefusedBeforeTheyAreAllMade(t *testing.T) {
	r := newRig(t, nil, stem.ClientConfig{})
	last := r.task("last", greet)
	for i := range stem.MaxLinkDepth {
		calls := slices.Repeat([]stem.Call{last.With("")}, stem.MaxLinks)
		last = stem.Define(stem.TaskSpec{Name: fmt.Sprint("task-", i), Options: []stem.Option{stem.OnSuccess(calls...)}}, text, text)
	}
	began := time.Now()
	var large *stem.PayloadTooLargeError
	if _, err := last.Via(r.client).Enqueue(t.Context(), ""); !errors.As(err, &large) || large.What != "links" {
		t.Errorf("got %v, want that the links are too large", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func make17(c stem.Call) []stem.Call {
	calls := make([]stem.Call, 17)
	for i := range calls {
		calls[i] = c
	}
	return calls
}

// A link may be unique like any task: what is a duplicate adds nothing, and its task is done.
func TestALinkMayBeUnique(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		good, next := r.task("good", greet), r.diary("next", stem.Unique(stem.UntilDone), stem.UniqueKey("one"), stem.OnConflict(stem.ConflictError))
		follow := stem.OnSuccess(next.With("", stem.Delay(time.Minute)))
		jobs := []stem.Job[string]{r.enqueue(good, "", follow), r.enqueue(good, "", follow)}
		r.work(stem.WorkerConfig{})
		next.wrote(t, "")
		for _, job := range jobs {
			if s := r.status(job); s.State != stem.StateSucceeded {
				t.Errorf("got %s, want succeeded", s.State)
			}
		}
	})
}

// A task holds its unique key until it is settled, and what follows it is published before that: a link with the same
// key could never come to be. One that gives its key back as it starts may follow itself.
func TestATaskThatHoldsItsUniqueKeyToTheEndIsNotFollowedByItself(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		next := r.diary("next")
		unique := func(until stem.UniqueUntil, more ...stem.Option) []stem.Option {
			return append(more, stem.Unique(until), stem.UniqueKey("one"))
		}
		ever := unique(stem.UntilDone)
		for _, again := range []stem.Option{
			stem.OnSuccess(next.With("", ever...)),
			stem.OnFailure(next.With("", unique(stem.UntilStarted)...)),
			stem.OnSuccess(next.With("", unique(stem.UntilDone, stem.OnConflict(stem.ConflictReplace))...)),
		} {
			_, err := next.Enqueue(t.Context(), "", unique(stem.UntilDone, again)...)
			if err == nil || !strings.Contains(err.Error(), "would be a duplicate of it") {
				t.Errorf("got %v, want an error", err)
			}
		}
		r.work(stem.WorkerConfig{})
		r.enqueue(next.TaskDefinition, "1", unique(stem.UntilStarted, stem.OnSuccess(next.With("2", ever...)))...)
		next.wrote(t, "1", "2")
		r.enqueue(next.TaskDefinition, "3", unique(stem.UntilDone, stem.OnSuccess(next.With("4", unique(stem.UntilDone, stem.OnQueue("other"))...)))...)
		next.wrote(t, "1", "2", "3")
		if got := r.count("other"); got.Ready != 1 {
			t.Errorf("got %+v, want the link on its queue, where nobody holds the key", got)
		}
	})
}

func TestLinksAreMadeWithTheDefaultsOfTheClient(t *testing.T) {
	envelope, err := published(t, []stem.Option{stem.OnQueue("bulk"), stem.MaxRetries(7)}, nil, []stem.Option{stem.OnSuccess(anyCall), stem.OnFailure(anyCall)})
	if err != nil {
		t.Fatal(err)
	}
	if len(envelope.Links) != 2 || envelope.Links[0].Envelope.Queue != "bulk" || envelope.Links[1].Envelope.MaxRetries != 7 {
		t.Errorf("got %+v, want two links on the queue bulk, with 7 retries", envelope.Links)
	}
}

func TestLinksAreCommittedWithTheCompletionOfTheirTask(t *testing.T) {
	inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
		next := b.diary("next")
		var task *stem.TaskDefinition[string, string]
		task = b.task("task", func(ctx context.Context, end string) (string, error) {
			tx := b.store.Begin()
			if err := task.Complete(ctx, tx, end); err != nil {
				t.Error(err)
			}
			if n := b.count("default").Ready; n != 0 {
				t.Errorf("while the transaction is open: got %d tasks, want none", n)
			}
			if end == "rolled back" {
				return end, tx.Rollback()
			}
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
			if n := b.count("default").Ready; n != 1 {
				t.Errorf("behind the commit: got %d tasks, want what follows", n)
			}
			return "", stem.Permanent(errors.New("sorry"))
		})
		b.work(stem.WorkerConfig{Slots: 1, Prefetch: 1})
		follow := []stem.Option{stem.Then(task, next.TaskDefinition), stem.OnFailure(next.With("failed"))}
		b.enqueue(task, "committed", follow...)
		next.wrote(t, "committed")
		b.enqueue(task, "rolled back", follow...)
		next.wrote(t, "committed", "rolled back")
	})
}

// A handler that fails after its transaction has rolled back has failed.
func TestAFailureAfterARollbackIsFollowed(t *testing.T) {
	inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
		next := b.diary("next")
		var task *stem.TaskDefinition[string, string]
		task = b.task("task", func(ctx context.Context, _ string) (string, error) {
			tx := b.store.Begin()
			err := task.Complete(ctx, tx, "")
			return "", stem.Permanent(errors.Join(err, tx.Rollback(), errors.New("sorry")))
		})
		b.work(stem.WorkerConfig{})
		b.enqueue(task, "", stem.OnSuccess(next.With("ok")), stem.OnFailure(next.With("failed")))
		next.wrote(t, "failed")
	})
}

func TestACompleterThatPublishesNothingCompletesNoTaskWithLinks(t *testing.T) {
	inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
		next := b.diary("next")
		var task *stem.TaskDefinition[string, string]
		task = b.task("task", func(ctx context.Context, _ string) (string, error) {
			tx := b.store.Begin()
			defer func() { _ = tx.Rollback() }()
			only := struct{ stem.Completer }{tx}
			if err := task.Complete(ctx, only, ""); err == nil || !strings.Contains(err.Error(), "pass one that is a stem.Publisher") {
				t.Errorf("got %v, want an error that says what is missing", err)
			}
			return "", nil
		})
		b.work(stem.WorkerConfig{})
		b.enqueue(task, "", stem.OnSuccess(next.With("ok")))
		next.wrote(t, "ok")
	})
}

// Results that are kept elsewhere are saved first, and one that is not saved is followed by nothing yet.
func TestWithResultsElsewhereThatComeFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := &refusing{Store: new(memory.Store)}
		r := newRig(t, nil, stem.ClientConfig{Backend: results})
		good, next := r.task("good", greet), r.diary("next", stem.IgnoreResult())
		results.refuse.Store(true)
		r.work(stem.WorkerConfig{})
		job := r.enqueue(good, "", stem.OnSuccess(next.With("ok")))
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if len(next.args) > 0 {
			t.Errorf("while the result is refused: got %q, want nothing to follow", next.args)
		}
		results.refuse.Store(false)
		next.wrote(t, "ok")
		if s := r.status(job); s.State != stem.StateSucceeded {
			t.Errorf("got %s, want succeeded", s.State)
		}
	})
}

// refusing is a result backend that refuses records by name while it is told to.
type refusing struct {
	*memory.Store
	refuse atomic.Bool
}

func (b *refusing) Save(ctx context.Context, rs ...stem.Result) error {
	if b.refuse.Load() {
		return &stem.PartialError{Items: []stem.ItemError{{Index: 0, Err: errors.New("no room for it")}}}
	}
	return b.Store.Save(ctx, rs...)
}
