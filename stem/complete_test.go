package stem_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/internal/txmemory"
	"github.com/gostem/gostem/stem"
)

// bank is a rig on a store that has transactions, with its log.
type bank struct {
	*rig
	store *txmemory.Store
	log   bytes.Buffer
}

func inBank(t *testing.T, cfg stem.ClientConfig, story func(t *testing.T, b *bank)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bank{store: new(txmemory.Store)}
		cfg.Logger = slog.New(slog.NewTextHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		b.rig = newRig(t, func(*memory.Store) stem.Broker { return b.store }, cfg)
		b.rig.store = &b.store.Store
		story(t, b)
	})
}

// succeeded expects that the job's one run succeeded, with that result, and that nothing else became of it.
func (b *bank) succeeded(job stem.Job[string], want string) {
	b.t.Helper()
	if got, err := b.wait(job); got != want || err != nil {
		b.t.Errorf("result: got %q, %v; want %q", got, err, want)
	}
	time.Sleep(time.Hour) // whatever would come again has come
	if n := len(eventsOf[stem.TaskSucceeded](b.rig)); n != 1 {
		b.t.Errorf("got %d TaskSucceeded, want 1", n)
	}
	for name, n := range map[string]int{
		"TaskRetrying": len(eventsOf[stem.TaskRetrying](b.rig)), "TaskFailed": len(eventsOf[stem.TaskFailed](b.rig)),
		"TaskSnoozed": len(eventsOf[stem.TaskSnoozed](b.rig)), "TaskReleased": len(eventsOf[stem.TaskReleased](b.rig)),
		"TaskCancelled": len(eventsOf[stem.TaskCancelled](b.rig)), "LeaseLost": len(eventsOf[stem.LeaseLost](b.rig)),
	} {
		if n > 0 {
			b.t.Errorf("got %d %s, want none", n, name)
		}
	}
	if n := len(eventsOf[stem.TaskStarted](b.rig)); n != 1 {
		b.t.Errorf("got %d runs, want 1", n)
	}
	if got := b.count("default"); got.Ready+got.Delayed+got.Running+got.Dead > 0 {
		b.t.Errorf("left in the queue: got %+v, want nothing", got)
	}
}

func (b *bank) pauses(d time.Duration) {
	b.t.Helper()
	if err := b.client.Pause(b.t.Context(), "default"); err != nil {
		b.t.Fatal(err)
	}
	time.Sleep(d)
	if err := b.client.Resume(b.t.Context(), "default"); err != nil {
		b.t.Fatal(err)
	}
}

// commits completes the task in a transaction that commits.
func (b *bank) commits(ctx context.Context, def *stem.TaskDefinition[string, string], result string) error {
	tx := b.store.Begin()
	if err := def.Complete(ctx, tx, result); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func TestACommittedCompletionStandsWhateverTheHandlerReturns(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func() (string, error)
		logs string
	}{
		"the same result":   {func() (string, error) { return "committed", nil }, ""},
		"another result":    {func() (string, error) { return "other", nil }, "another result"},
		"an error":          {func() (string, error) { return "", errors.New("sorry") }, "error=sorry"},
		"a permanent error": {func() (string, error) { return "", stem.Permanent(errors.New("sorry")) }, "verdict=dead-letter error=sorry"},
		"a snooze":          {func() (string, error) { return "", stem.Snooze(time.Second) }, "verdict=snooze"},
		"a panic":           {func() (string, error) { panic("sorry") }, "panic: sorry"},
	} {
		t.Run(name, func(t *testing.T) {
			inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
				var task *stem.TaskDefinition[string, string]
				task = b.task("task", func(ctx context.Context, _ string) (string, error) {
					if err := b.commits(ctx, task, "committed"); err != nil {
						t.Error(err)
					}
					return tt.end()
				})
				b.work(stem.WorkerConfig{})
				b.succeeded(b.enqueue(task, ""), "committed")
				if log := b.log.String(); !strings.Contains(log, tt.logs) || (tt.logs == "") != (log == "") {
					t.Errorf("log: got %q, want %q in it", log, tt.logs)
				}
			})
		})
	}
}

func TestACompletionWritesTheRecordThatTheWorkerWould(t *testing.T) {
	inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
		var completes *stem.TaskDefinition[string, string]
		work := func(ctx context.Context) (string, error) {
			if info, _ := stem.Info(ctx); info.Attempt == 1 {
				return "", errors.New("not yet")
			}
			time.Sleep(3 * time.Second)
			return "done", nil
		}
		returns := b.task("returns", func(ctx context.Context, _ string) (string, error) { return work(ctx) })
		completes = b.task("completes", func(ctx context.Context, _ string) (string, error) {
			result, err := work(ctx)
			if err == nil {
				err = b.commits(ctx, completes, result)
			}
			return result, err
		})
		b.work(stem.WorkerConfig{Name: "w"})
		one, other := b.enqueue(returns, ""), b.enqueue(completes, "")
		synctest.Wait()
		b.pauses(time.Minute) // so that the second runs have waited
		for _, job := range []stem.Job[string]{one, other} {
			if got, err := b.wait(job); got != "done" || err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		random := cmpopts.IgnoreFields(stem.Result{}, "ID", "Task", "Delivery", "Waited", "History")
		if diff := cmp.Diff(b.status(one), b.status(other), random); diff != "" {
			t.Errorf("the worker's record, and that of Complete:\n%s", diff)
		}
		if history := b.status(other).History; len(history) != 1 || history[0].Message != "not yet" {
			t.Errorf("history: got %+v, want the first attempt", history)
		}
	})
}

func TestARolledBackCompletionIsJudgedByWhatTheHandlerReturns(t *testing.T) {
	inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
		var task *stem.TaskDefinition[string, string]
		task = b.task("task", func(ctx context.Context, args string) (string, error) {
			tx := b.store.Begin()
			if err := task.Complete(ctx, tx, "rolled back"); err != nil {
				t.Error(err)
			}
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
			if info, _ := stem.Info(ctx); info.Attempt == 1 && args == "fails" {
				return "", errors.New("sorry")
			}
			return "returned", nil
		})
		b.work(stem.WorkerConfig{})
		for _, args := range []string{"fails", "succeeds"} {
			if got, err := b.wait(b.enqueue(task, args)); got != "returned" || err != nil {
				t.Errorf("%s: got %q, %v; want what the handler returned", args, got, err)
			}
		}
		if n := len(eventsOf[stem.TaskRetrying](b.rig)); n != 1 {
			t.Errorf("got %d TaskRetrying, want the one of the handler that failed", n)
		}
	})
}

func TestARevokedTaskIsCancelledUnlessItsCompletionCommits(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(*txmemory.Tx) error
		want func(b *bank, job stem.Job[string])
	}{
		"it commits": {(*txmemory.Tx).Commit, func(b *bank, job stem.Job[string]) { b.succeeded(job, "committed") }},
		"it rolls back": {(*txmemory.Tx).Rollback, func(b *bank, job stem.Job[string]) {
			if _, err := b.wait(job); !errors.Is(err, stem.ErrCancelled) {
				b.t.Errorf("got %v, want ErrCancelled", err)
			}
			if n := len(eventsOf[stem.TaskStarted](b.rig)); n != 1 {
				b.t.Errorf("got %d runs, want 1", n)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
				var task *stem.TaskDefinition[string, string]
				task = b.task("task", func(ctx context.Context, _ string) (string, error) {
					tx := b.store.Begin()
					if err := task.Complete(ctx, tx, "committed"); err != nil {
						t.Error(err)
					}
					<-ctx.Done()
					return "", errors.Join(tt.end(tx), context.Cause(ctx))
				})
				b.work(stem.WorkerConfig{})
				job := b.enqueue(task, "")
				synctest.Wait()
				if err := job.Revoke(t.Context()); err != nil {
					t.Fatal(err)
				}
				tt.want(b, job)
			})
		})
	}
}

func TestASecondTransactionIsToldThatTheFirstHasCommitted(t *testing.T) {
	inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
		var task *stem.TaskDefinition[string, string]
		task = b.task("task", func(ctx context.Context, _ string) (string, error) {
			if err := b.commits(ctx, task, "first"); err != nil { // its answer is lost, say
				t.Error(err)
			}
			err := b.commits(ctx, task, "second")
			if !errors.Is(err, stem.ErrCompleted) {
				t.Errorf("got %v, want ErrCompleted", err)
			}
			return "", err
		})
		b.work(stem.WorkerConfig{})
		b.succeeded(b.enqueue(task, ""), "first")
	})
}

func TestATaskOfADeadWorkerThatWasCompletedDoesNotRunAgain(t *testing.T) {
	inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
		var task *stem.TaskDefinition[string, string]
		task = b.task("task", func(ctx context.Context, _ string) (string, error) {
			err := b.commits(ctx, task, "committed")
			time.Sleep(time.Minute) // the worker does not wait for it
			return "", err
		})
		w, done := b.start(stem.WorkerConfig{})
		job := b.enqueue(task, "")
		synctest.Wait()
		w.Stop(stem.StopHard)
		if err := <-done; err == nil {
			t.Error("got no error of the worker, want one that names the handler")
		}
		b.work(stem.WorkerConfig{})
		if got, err := b.wait(job); got != "committed" || err != nil {
			t.Errorf("got %q, %v; want the committed result", got, err)
		}
		time.Sleep(time.Hour)
		if n := len(eventsOf[stem.TaskStarted](b.rig)); n != 1 {
			t.Errorf("got %d runs, want 1", n)
		}
	})
}

func TestAStaleHandlerCannotComplete(t *testing.T) {
	inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
		runs := 0
		var task *stem.TaskDefinition[string, string]
		task = b.task("task", func(ctx context.Context, _ string) (string, error) {
			if runs++; runs > 1 {
				return "second", b.commits(ctx, task, "second")
			}
			time.Sleep(5 * time.Minute)
			err := b.commits(context.WithoutCancel(ctx), task, "first")
			if !errors.Is(err, stem.ErrLeaseLost) {
				t.Errorf("got %v, want ErrLeaseLost", err)
			}
			return "first", err
		})
		w, done := b.start(stem.WorkerConfig{Grace: time.Second})
		job := b.enqueue(task, "")
		synctest.Wait()
		w.Stop(stem.StopHard)
		<-done
		b.work(stem.WorkerConfig{})
		if got, err := b.wait(job); got != "second" || err != nil {
			t.Errorf("got %q, %v; want that of the second run", got, err)
		}
		time.Sleep(10 * time.Minute)
	})
}

func TestATransactionLeftOpenHoldsUpItsOwnTaskOnly(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(*txmemory.Tx) error
		want string
	}{
		"it commits":    {(*txmemory.Tx).Commit, "committed"},
		"it rolls back": {(*txmemory.Tx).Rollback, "returned"},
	} {
		t.Run(name, func(t *testing.T) {
			inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
				tx := b.store.Begin()
				var task *stem.TaskDefinition[string, string]
				task = b.task("task", func(ctx context.Context, _ string) (string, error) {
					return "returned", task.Complete(ctx, tx, "committed")
				})
				hello := b.task("hello", greet)
				b.work(stem.WorkerConfig{Slots: 1})
				job := b.enqueue(task, "")
				for range 20 { // for longer than a store may refuse a result
					if got, err := b.wait(b.enqueue(hello, "Stem")); got != "Hello Stem" || err != nil {
						t.Fatalf("a neighbour: got %q, %v", got, err)
					}
					time.Sleep(10 * time.Second)
				}
				if s := b.status(job).State; s != stem.StatePending {
					t.Errorf("while the transaction is open: got %s, want no record", s)
				}
				if err := tt.end(tx); err != nil {
					t.Fatal(err)
				}
				if got, err := b.wait(job); got != tt.want || err != nil {
					t.Errorf("got %q, %v; want %q", got, err, tt.want)
				}
				time.Sleep(time.Minute)
				if n := len(eventsOf[stem.TaskSucceeded](b.rig)); n != 21 {
					t.Errorf("got %d TaskSucceeded, want 21", n)
				}
				failed := eventsOf[stem.StoreFailed](b.rig)
				if len(failed) == 0 || !errors.Is(failed[0].Err, stem.ErrTransactionOpen) {
					t.Errorf("got %+v, want it told that a transaction is open", failed)
				}
			})
		})
	}
}

func TestATaskWhoseResultNobodyKeepsIsCompletedWithoutOne(t *testing.T) {
	for name, cfg := range map[string]stem.ClientConfig{"": {}, "results elsewhere": {Backend: new(memory.Store)}} {
		t.Run(name, func(t *testing.T) {
			inBank(t, cfg, func(t *testing.T, b *bank) {
				var task *stem.TaskDefinition[string, string]
				task = b.task("task", func(ctx context.Context, _ string) (string, error) {
					return "", errors.Join(b.commits(ctx, task, "nobody's"), errors.New("sorry"))
				}, stem.IgnoreResult())
				b.work(stem.WorkerConfig{})
				b.enqueue(task, "", stem.WithID("id"))
				if n := len(eventsOf[stem.TaskSucceeded](b.rig)); n != 1 {
					t.Errorf("got %d TaskSucceeded, want 1", n)
				}
				if _, err := b.store.Load(t.Context(), "id"); !errors.Is(err, stem.ErrNoResult) {
					t.Errorf("got %v, want ErrNoResult", err)
				}
			})
		})
	}
}

func TestATaskWithoutArgsIsCompletedToo(t *testing.T) {
	inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
		task := stem.DefineNoArgs(stem.TaskSpec{Name: "task", Aliases: []string{"old"}}, text)
		err := stem.HandleNoArgs(&b.registry, task, func(ctx context.Context) (string, error) {
			tx := b.store.Begin()
			return "", errors.Join(task.Complete(ctx, tx, "committed"), tx.Commit(), errors.New("sorry"))
		})
		if err != nil {
			t.Fatal(err)
		}
		b.work(stem.WorkerConfig{})
		for _, name := range []string{"task", "old"} {
			old := stem.Define(stem.TaskSpec{Name: name}, text, text).Via(b.client)
			if got, err := b.wait(b.enqueue(old, "")); got != "committed" || err != nil {
				t.Errorf("enqueued as %s: got %q, %v; want what was committed", name, got, err)
			}
		}
	})
}

func TestProgressAfterCompleteIsAnEventOnly(t *testing.T) {
	inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
		var task *stem.TaskDefinition[string, string]
		task = b.task("task", func(ctx context.Context, _ string) (string, error) {
			tx := b.store.Begin()
			err := task.Complete(ctx, tx, "committed")
			stem.Progress(ctx, 100, "all done", nil)
			time.Sleep(time.Second)
			if _, none := b.store.Load(ctx, "id"); !errors.Is(none, stem.ErrNoResult) {
				t.Errorf("while the transaction is open: got %v, want no record", none)
			}
			return "committed", errors.Join(err, tx.Commit())
		})
		b.work(stem.WorkerConfig{})
		b.succeeded(b.enqueue(task, "", stem.WithID("id")), "committed")
		if n := len(eventsOf[stem.TaskProgressed](b.rig)); n != 1 {
			t.Errorf("got %d TaskProgressed, want 1", n)
		}
	})
}
