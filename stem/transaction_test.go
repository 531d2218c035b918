package stem_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/internal/txmemory"
	"github.com/gostem/gostem/stem"
)

func TestTasksEnqueuedInATransactionAreItsOwn(t *testing.T) {
	inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
		var ran []string
		task := b.task("task", func(_ context.Context, args string) (string, error) {
			ran = append(ran, args)
			return "", nil
		})
		b.work(stem.WorkerConfig{Slots: 1})
		kept, dropped := b.store.Begin(), b.store.Begin()
		for name, tx := range map[string]*txmemory.Tx{"kept": kept, "dropped": dropped} {
			jobs, err := task.Via(tx).EnqueueMany(t.Context(), []string{name + " 1", name + " 2"})
			if err != nil || len(jobs) != 2 {
				t.Fatalf("got %d jobs, %v; want 2", len(jobs), err)
			}
			if _, err := task.Via(tx).Enqueue(t.Context(), name+" 3", stem.IdempotencyKey("3")); err != nil {
				t.Fatal(err)
			}
		}
		if synctest.Wait(); ran != nil {
			t.Errorf("before the commit: got runs of %q, want none", ran)
		}
		if err := errors.Join(dropped.Rollback(), kept.Commit()); err != nil {
			t.Fatal(err)
		}
		if synctest.Wait(); !slices.Equal(ran, []string{"kept 1", "kept 2", "kept 3"}) {
			t.Errorf("got runs of %q, want those of the transaction that committed", ran)
		}
		if n := len(eventsOf[stem.TaskEnqueued](b.rig)); n != 6 {
			t.Errorf("got %d TaskEnqueued, want 6", n)
		}
		b.enqueue(task, "direct")
		for i, e := range eventsOf[stem.TaskEnqueued](b.rig) {
			if want := i < 6; e.InTransaction != want {
				t.Errorf("event %d: got InTransaction %v, want %v", i, e.InTransaction, want)
			}
		}
	})
}

// meeting is a transaction whose publish returns when the other's has begun.
type meeting struct {
	arrives, other chan struct{}
	got            []string
}

func (m *meeting) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	close(m.arrives)
	answers := make([]stem.Published, len(envs))
	for i, e := range envs {
		answers[i].ID = e.ID
		m.got = append(m.got, e.ID)
	}
	select {
	case <-m.other:
		return answers, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("the other transaction waits in line: %w", ctx.Err())
	}
}

func TestTransactionsShareNoRoundTrip(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		a, b := make(chan struct{}), make(chan struct{})
		one, other := &meeting{arrives: a, other: b}, &meeting{arrives: b, other: a}
		task := stem.Define(stem.TaskSpec{Name: "task"}, text, text).Via(r.client)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		done := make(chan error)
		go func() {
			_, err := task.Via(one).Enqueue(ctx, "", stem.WithID("one"))
			done <- err
		}()
		_, err := task.Via(other).Enqueue(ctx, "", stem.WithID("other"))
		if err := errors.Join(err, <-done); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(one.got, []string{"one"}) || !slices.Equal(other.got, []string{"other"}) {
			t.Errorf("got %q and %q, want each its own", one.got, other.got)
		}
	})
}

func TestATransactionIsGivenABatchInOneCall(t *testing.T) {
	c, tx := new(catcher), new(catcher)
	client := enqueueing(t, c)
	task := stem.Define(stem.TaskSpec{Name: "task"}, text, text).Via(client)
	const many = 2500 // a client would make three trips of them
	if jobs, err := task.Via(tx).EnqueueMany(t.Context(), make([]string, many)); err != nil || len(jobs) != many {
		t.Fatalf("got %d jobs, %v; want %d", len(jobs), err, many)
	}
	if !slices.Equal(tx.trips, []int{many}) || c.trips != nil {
		t.Errorf("got trips of %v, and of %v to the store, want one of %d and none", tx.trips, c.trips, many)
	}
}

// Transactions commit and roll back, handlers fail, panic and outlast their workers, which are
// stopped the hard way: what a transaction has written with a completion is written once.
func TestEffectsCommittedWithACompletionAreThereOnce(t *testing.T) {
	const tasks = 300
	inBank(t, stem.ClientConfig{}, func(t *testing.T, b *bank) {
		random := rand.New(rand.NewPCG(1, 2))
		effects, refused := make(map[string]int), 0
		var mu sync.Mutex // of all three: a handler goes on when its worker has gone
		draw := func(n int) int {
			mu.Lock()
			defer mu.Unlock()
			return random.IntN(n)
		}
		var task *stem.TaskDefinition[string, string]
		write := func(ctx context.Context, args string) error {
			tx := b.store.Begin()
			time.Sleep(time.Duration(draw(20)) * time.Second)
			err := task.Complete(context.WithoutCancel(ctx), tx, args)
			time.Sleep(time.Duration(draw(20)) * time.Second)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || random.IntN(3) == 0 {
				refused++
				return errors.Join(err, tx.Rollback(), errors.New("rolled back"))
			}
			effects[args]++
			return tx.Commit()
		}
		task = b.task("task", func(ctx context.Context, args string) (string, error) {
			err := write(ctx, args)
			switch draw(4) {
			case 0:
				err = errors.Join(err, write(ctx, args)) // as if the first answer were lost
			case 1:
				panic("after the commit")
			case 2:
				err = errors.New("after the commit")
			}
			return args, err
		}, stem.MaxRetries(1000), stem.Backoff(stem.FixedBackoff(time.Second)))
		jobs := make([]stem.Job[string], tasks)
		for i := range jobs {
			jobs[i] = b.enqueue(task, fmt.Sprint(i))
		}
		for range 10 {
			w, done := b.start(stem.WorkerConfig{Slots: 20, MaxInterruptions: 1000})
			time.Sleep(time.Duration(10+draw(30)) * time.Second)
			w.Stop(stem.StopHard)
			<-done
		}
		b.work(stem.WorkerConfig{Slots: 20, MaxInterruptions: 1000})
		for i, job := range jobs {
			if got, err := b.wait(job); got != fmt.Sprint(i) || err != nil {
				t.Errorf("task %d: got %q, %v", i, got, err)
			}
		}
		time.Sleep(time.Hour)
		mu.Lock()
		defer mu.Unlock()
		for i := range jobs {
			if n := effects[fmt.Sprint(i)]; n != 1 {
				t.Errorf("task %d: got its effect %d times, want once", i, n)
			}
		}
		if lost := len(eventsOf[stem.TaskStarted](b.rig)); lost < tasks*5/4 || refused < tasks/4 {
			t.Errorf("got %d runs of %d tasks and %d rollbacks, want far more: nothing has happened", lost, tasks, refused)
		}
	})
}
