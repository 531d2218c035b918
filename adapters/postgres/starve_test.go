package postgres_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
)

// lender is a store whose tasks a test lends by hand.
type lender struct {
	*testing.T
	*postgres.Store
	url   string
	clock *postgres.Clock
}

func newLender(t *testing.T) *lender {
	l := &lender{T: t, url: testpostgres.URL(t), clock: postgres.NewClock()}
	store, err := postgres.Open(t.Context(), l.url, postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}
	l.Store = store
	l.clock.Set(store)
	t.Cleanup(func() { _ = store.Close() })
	return l
}

// put publishes tasks on a queue.
func (l *lender) put(queue, task string, n int) {
	l.T.Helper()
	envs := make([]stem.Envelope, n)
	for i := range envs {
		envs[i] = stem.Envelope{ID: fmt.Sprintf("%s-%s-%d-%d", queue, task, i, time.Now().UnixNano()), Queue: queue, Task: task}
	}
	if _, err := l.Publish(l.Context(), envs...); err != nil {
		l.Fatal(err)
	}
}

// take lends to a session what it is lent within a second.
func (l *lender) take(session string, lease time.Duration, req stem.ReceiveRequest) []stem.Delivery {
	l.T.Helper()
	ctx, cancel := context.WithTimeout(l.Context(), time.Second)
	defer cancel()
	req.Session = stem.Session{ID: session, Lease: lease}
	ds, err := l.Receive(ctx, req)
	if err != nil && ctx.Err() == nil {
		l.Fatal(err)
	}
	return ds
}

func from(queue string, most int) stem.ReceiveRequest {
	return stem.ReceiveRequest{Queues: []string{queue}, Max: most}
}

// knows gives a set of tasks of which any args are read.
func knows(names ...string) *stem.TaskSet {
	specs := make([]stem.TaskSpec, len(names))
	for i, name := range names {
		specs[i].Name = name
	}
	return stem.NewTaskSet(specs...)
}

// Page after page of sessions is looked at that hold nothing for this receiver, if only the first is looked at.
func TestSessionsWhoseTasksNobodyMayTakeDoNotKeepOthersFromBeingRescued(t *testing.T) {
	for name, hold := range map[string]func(l *lender, session string){
		"of another queue": func(l *lender, session string) {
			l.put("elsewhere", "a", 1)
			l.take(session, time.Second, from("elsewhere", 1))
		},
		"with a longer visibility": func(l *lender, session string) {
			if _, err := l.Publish(l.Context(), stem.Envelope{ID: session, Queue: "default", Task: "a", Visibility: time.Hour}); err != nil {
				l.Fatal(err)
			}
			l.take(session, time.Second, from("default", 1))
		},
		"of a task that it does not know": func(l *lender, session string) {
			l.put("default", "unknown", 1)
			l.take(session, time.Second, from("default", 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLender(t)
			for i := range 20 {
				hold(l, fmt.Sprint("stuck-", i))
			}
			l.put("default", "a", 1)
			if got := len(l.take("gone", time.Second, from("default", 1))); got != 1 {
				t.Fatalf("got %d deliveries, want 1", got)
			}
			l.clock.Advance(time.Minute)
			req := from("default", 1)
			req.Tasks = knows("a")
			if got := len(l.take("rescuer", time.Minute, req)); got != 1 {
				t.Errorf("got %d deliveries, want the one of the session that has gone", got)
			}
		})
	}
}

// While the transaction is open nobody can take its delivery, and it is the first in line.
func TestATransactionThatIsOpenDoesNotKeepAReceiverFromTheRest(t *testing.T) {
	l := newLender(t)
	l.put("default", "a", 1)
	ds := l.take("gone", time.Second, from("default", 1))
	tx := begin(t, l.url, l.Mode(), "stem", l.clock)
	if err := tx.Complete(t.Context(), stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictAck}); err != nil {
		t.Fatal(err)
	}
	l.clock.Advance(time.Minute)
	l.put("default", "b", 1)
	got := l.take("next", time.Minute, from("default", 1))
	if len(got) != 1 || got[0].Task != "b" {
		t.Errorf("got %d deliveries, want the task that waits", len(got))
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
}

// A queue is served before those that come after it also where what is due there lies behind what nobody knows.
func TestUnknownTasksDoNotLetLaterQueuesOvertake(t *testing.T) {
	l := newLender(t)
	l.put("later", "known", 1)
	exec(t, l.url, `INSERT INTO stem.task (due, size, priority, queue, task, envelope)
		SELECT now() - interval '1 minute', 0, 0, 'first', 'unknown', '' FROM generate_series(1, 5000) n`)
	l.put("first", "known", 1)
	begun := time.Now()
	got := l.take("receiver", time.Hour, stem.ReceiveRequest{Queues: []string{"first", "later"}, Max: 1, Tasks: knows("known")})
	if len(got) != 1 || got[0].Queue != "first" {
		t.Errorf("got %d deliveries of %v after %v, want that of the first queue", len(got), got, time.Since(begun))
	}
	t.Log(time.Since(begun))
}

func TestTasksThatAreSetAsideCostAReceiverOfOthersNothing(t *testing.T) {
	l := newLender(t)
	l.put("default", "known", 1)
	exec(t, l.url, `INSERT INTO stem.task (holder, fingerprint, size, priority, queue, task, envelope)
		SELECT 0, 7, 0, 0, 'default', 'unknown-' || n % 3, '' FROM generate_series(1, 100000) n`)
	var names []string
	for i := range 50 {
		names = append(names, fmt.Sprint("known", i))
	}
	req := from("default", 1)
	req.Tasks = knows(append(names, "known")...)
	begun := time.Now()
	got := l.take("receiver", time.Hour, req)
	t.Logf("%v", time.Since(begun))
	if took := time.Since(begun); len(got) != 1 || took > 100*time.Millisecond {
		t.Errorf("got %d deliveries after %v, want 1 at once", len(got), took)
	}
}

// Those that save the same records wait for each other in one order, whatever that of the batches is.
func TestRecordsAreSavedInOneOrder(t *testing.T) {
	l := newLender(t)
	up := make([]stem.Result, 300)
	for i := range up {
		up[i] = stem.Result{ID: fmt.Sprint("id-", i), State: stem.StateRunning, Delivery: 1, Keep: time.Hour}
	}
	down := slices.Clone(up)
	slices.Reverse(down)
	var savers sync.WaitGroup
	for _, rs := range [][]stem.Result{up, down} {
		savers.Go(func() {
			for range 50 {
				if err := l.Save(t.Context(), rs...); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	savers.Wait()
}

// What was set aside comes back to two queues at once, by receivers that serve them in opposite orders.
func TestReceiversOfTheSameQueuesInOppositeOrdersDoNotWaitForEachOther(t *testing.T) {
	l := newLender(t)
	exec(t, l.url, `INSERT INTO stem.task (holder, size, priority, queue, task, envelope)
		SELECT 0, 0, 0, CASE n % 2 WHEN 0 THEN 'one' ELSE 'two' END, 'known', '' FROM generate_series(1, 40000) n`)
	orders := [][]string{{"one", "two"}, {"two", "one"}}
	var receivers sync.WaitGroup
	for i, queues := range orders {
		receivers.Go(func() {
			for range 15 {
				req := stem.ReceiveRequest{Session: stem.Session{ID: fmt.Sprint("s", i), Lease: time.Hour}, Queues: queues, Max: 1000, Tasks: knows("known")}
				if _, err := l.Receive(t.Context(), req); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	receivers.Wait()
}
