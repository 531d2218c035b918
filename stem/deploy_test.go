package stem_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// Builds of one program, by the schema of the args of their one task. The second
// reads what the first enqueued.
var (
	firstBuild  = stem.Schema{Fingerprint: 0xf1}
	secondBuild = stem.Schema{Fingerprint: 0xf2, Older: []uint64{0xf1}}
)

// build gives the rig as another program sees it: the same store and client, and
// a registry with a task of its own.
func (r *rig) build(spec stem.TaskSpec) (program *rig, def *stem.TaskDefinition[string, string]) {
	r.t.Helper()
	program = &rig{t: r.t, store: r.store, client: r.client}
	def = stem.Define(spec, text, text).Via(r.client)
	if err := stem.Handle(&program.registry, def, greet); err != nil {
		r.t.Fatal(err)
	}
	return program, def
}

func (r *rig) builtFor(schema stem.Schema) (*rig, *stem.TaskDefinition[string, string]) {
	return r.build(stem.TaskSpec{Name: "hello", Schema: schema})
}

// setAside expects what is set aside in the default queue.
func (r *rig) setAside(want map[stem.TaskSchema]int) {
	r.t.Helper()
	synctest.Wait()
	if diff := cmp.Diff(r.count("default").Unknown, want); diff != "" {
		r.t.Errorf("set aside: got -, want +:\n%s", diff)
	}
}

// succeeded expects a job to have a result, at the first attempt of its task.
func (r *rig) succeeded(job stem.Job[string]) {
	r.t.Helper()
	if _, err := r.wait(job); err != nil {
		r.t.Fatal(err)
	}
	if got := r.status(job); got.Attempt != 1 || got.Interruptions+got.Releases+got.Snoozes != 0 {
		r.t.Errorf("got %+v, want the first attempt and no counter moved", got)
	}
}

func TestAnUnknownTaskStaysQueued(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		hello := r.task("hello", greet)
		r.work(stem.WorkerConfig{})
		if _, err := r.client.EnqueueRaw(t.Context(), "stranger", nil); err != nil {
			t.Fatal(err)
		}
		r.succeeded(r.enqueue(hello, ""))
		r.setAside(map[stem.TaskSchema]int{{Task: "stranger"}: 1})
	})
}

func TestANewClientsTasksWaitForANewWorker(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		oldProgram, oldTask := r.builtFor(firstBuild)
		newProgram, newTask := r.builtFor(secondBuild)
		oldProgram.work(stem.WorkerConfig{})
		waiting := r.enqueue(newTask, "")
		r.succeeded(r.enqueue(oldTask, ""))
		time.Sleep(time.Hour)
		r.setAside(map[stem.TaskSchema]int{{Task: "hello", Fingerprint: 0xf2}: 1})
		newProgram.work(stem.WorkerConfig{})
		r.succeeded(waiting)
		r.setAside(nil)
	})
}

func TestAnOldClientsTasksRunOnANewWorker(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		_, oldTask := r.builtFor(firstBuild)
		newProgram, newTask := r.builtFor(secondBuild)
		newProgram.work(stem.WorkerConfig{})
		r.succeeded(r.enqueue(oldTask, ""))
		r.succeeded(r.enqueue(newTask, ""))
	})
}

// What was enqueued before the rollback is neither failed nor lost: it waits until
// the new build comes again, also what was to be retried.
func TestARollbackFailsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		newProgram := &rig{t: t, store: r.store, client: r.client}
		fails := true
		newTask := stem.Define(stem.TaskSpec{Name: "hello", Schema: secondBuild}, text, text).Via(r.client)
		err := stem.Handle(&newProgram.registry, newTask, func(context.Context, string) (string, error) {
			if fails {
				return "", stem.RetryAfter(time.Minute, errors.New("the new build has a bug"))
			}
			return "", nil
		})
		if err != nil {
			t.Fatal(err)
		}
		stop := newProgram.work(stem.WorkerConfig{})
		retried := r.enqueue(newTask, "")
		synctest.Wait()
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		delayed := r.enqueue(newTask, "", stem.Delay(time.Minute))

		oldProgram, oldTask := r.builtFor(firstBuild)
		stop = oldProgram.work(stem.WorkerConfig{})
		r.succeeded(r.enqueue(oldTask, ""))
		time.Sleep(time.Hour)
		r.setAside(map[stem.TaskSchema]int{{Task: "hello", Fingerprint: 0xf2}: 2})
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if letters := r.deadLetters("default"); len(letters) > 0 {
			t.Errorf("dead letters: got %v, want none", letters)
		}

		fails = false
		newProgram.work(stem.WorkerConfig{})
		r.succeeded(delayed)
		if _, err := r.wait(retried); err != nil || r.status(retried).Attempt != 2 {
			t.Errorf("the retried one: got %+v, %v; want success at its second attempt", r.status(retried), err)
		}
	})
}

func TestADefinitionWithoutASchemaTakesAllOfItsTask(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		plainProgram, plainTask := r.builtFor(stem.Schema{})
		_, oldTask := r.builtFor(firstBuild)
		newProgram, _ := r.builtFor(secondBuild)
		stop := plainProgram.work(stem.WorkerConfig{})
		r.succeeded(r.enqueue(oldTask, ""))
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		newProgram.work(stem.WorkerConfig{})
		r.succeeded(r.enqueue(plainTask, "")) // and everybody takes what it enqueues
	})
}

// careless is a broker that lends whatever is due.
type careless struct{ *memory.Store }

func (c careless) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	req.Tasks = nil
	return c.Store.Receive(ctx, req)
}

// A broker that lends what the worker cannot read breaks its contract; the task
// goes back all the same, and no handler sees the args.
func TestWhatAWorkerCannotReadGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(s *memory.Store) stem.Broker { return careless{s} }, stem.ClientConfig{})
		program, _ := r.builtFor(firstBuild)
		_, newTask := r.builtFor(secondBuild)
		stop := program.work(stem.WorkerConfig{})
		r.enqueue(newTask, "")
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if got := r.count("default"); got.Ready+got.Delayed != 1 || got.Dead != 0 {
			t.Errorf("got %+v, want the task still queued", got)
		}
		if n := len(eventsOf[stem.TaskReleased](r)); n == 0 || n > 13 {
			t.Errorf("got %d releases in a minute, want one every five seconds or so", n)
		}
	})
}

func TestEveryWayToEnqueueTellsTheSchema(t *testing.T) {
	c := new(catcher)
	client, err := stem.NewClient(c, stem.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	def := stem.Define(stem.TaskSpec{Name: "hello", Schema: secondBuild}, text, text)
	ctx := t.Context()
	_, one := def.Via(client).Enqueue(ctx, "", stem.Fingerprint(7)) // the definition knows better
	_, many := def.Via(client).EnqueueMany(ctx, []string{"", ""})
	_, inTransaction := def.Via(c).Enqueue(ctx, "")
	_, raw := client.EnqueueRaw(ctx, "hello", nil)
	_, rawTold := client.EnqueueRaw(ctx, "hello", nil, stem.Fingerprint(7))
	if err := errors.Join(one, many, inTransaction, raw, rawTold); err != nil {
		t.Fatal(err)
	}
	var got []uint64
	for _, e := range c.envs {
		got = append(got, e.Fingerprint)
	}
	if diff := cmp.Diff(got, []uint64{0xf2, 0xf2, 0xf2, 0xf2, 0, 7}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
}

// A renamed task drains what waits under its old name, whoever enqueues there.
func TestARenamedTaskRunsWhatWaitsUnderItsOldName(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		_, oldTask := r.build(stem.TaskSpec{Name: "greet", Schema: firstBuild})
		waiting := r.enqueue(oldTask, "", stem.WithID("old"))
		seen := map[string]string{}
		newProgram := &rig{t: t, store: r.store, client: r.client}
		newTask := stem.Define(stem.TaskSpec{Name: "hello", Aliases: []string{"hi", "greet"}, Schema: secondBuild}, text, text).Via(r.client)
		err := stem.Handle(&newProgram.registry, newTask, func(ctx context.Context, _ string) (string, error) {
			info, _ := stem.Info(ctx)
			seen[info.ID] = info.Task
			return info.Task, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		newProgram.work(stem.WorkerConfig{})
		r.succeeded(waiting)
		r.succeeded(r.enqueue(oldTask, "", stem.WithID("late")))
		r.succeeded(r.enqueue(newTask, "", stem.WithID("new")))
		if diff := cmp.Diff(seen, map[string]string{"old": "greet", "late": "greet", "new": "hello"}); diff != "" {
			t.Errorf("the names that handlers saw: got -, want +:\n%s", diff)
		}
		for _, e := range eventsOf[stem.TaskSucceeded](r) {
			if e.Task != seen[e.ID] {
				t.Errorf("event of %s: got task %s, want %s", e.ID, e.Task, seen[e.ID])
			}
		}

		claim, err := newTask.Job(t.Context(), "old")
		if err != nil {
			t.Fatal(err)
		}
		if result, err := r.wait(claim); result != "greet" || err != nil {
			t.Errorf("the new definition's claim on the old id: got %q, %v; want the result", result, err)
		}
		if got := r.status(claim); got.Task != "greet" {
			t.Errorf("status: got task %s, want greet, as it was enqueued", got.Task)
		}
		claim, err = oldTask.Job(t.Context(), "new")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.wait(claim); !errors.Is(err, stem.ErrOtherTask) {
			t.Errorf("the old definition's claim on a new id: got %v, want ErrOtherTask", err)
		}
	})
}

func TestARenameStartsKeysAnew(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		_, oldTask := r.build(stem.TaskSpec{Name: "greet"})
		_, newTask := r.build(stem.TaskSpec{Name: "hello", Aliases: []string{"greet"}})
		r.enqueue(oldTask, "", stem.IdempotencyKey("order-7"))
		if r.enqueue(newTask, "", stem.IdempotencyKey("order-7")).Duplicate() {
			t.Error("a key used under the alias: got a duplicate, want a task of its own")
		}
		r.enqueue(oldTask, "", stem.WithID("order-7"))
		if !r.enqueue(newTask, "", stem.WithID("order-7")).Duplicate() {
			t.Error("an id used under the alias: got a second task, want a duplicate")
		}
	})
}
