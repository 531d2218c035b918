package postgres_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// pages gives the ids of all pages of a list, and how many pages there were.
func pages(t *testing.T, store *postgres.Store, q ops.TaskQuery) (ids []string, n int) {
	t.Helper()
	for {
		page, err := store.ListTasks(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		n++
		for _, task := range page.Tasks {
			ids = append(ids, task.ID)
		}
		if len(page.Next) > ops.MaxCursor || strings.ContainsFunc(page.Next, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Fatalf("got the cursor %q", page.Next)
		}
		if q.After = page.Next; q.After == "" {
			return ids, n
		}
	}
}

func openStore(t *testing.T, url string) *postgres.Store {
	t.Helper()
	store, err := postgres.Open(t.Context(), url, postgres.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// TestAsideIsListedInAnOrderThatStays has tasks aside of several names, some of them as long as names may be, with and without
// schemas, of several priorities: each page goes on where the one before ended, wherever that is.
func TestAsideIsListedInAnOrderThatStays(t *testing.T) {
	url := testpostgres.URL(t)
	store := openStore(t, url)
	var envs []stem.Envelope
	for _, name := range []string{"a", strings.Repeat("b", 199) + "1", strings.Repeat("b", 199) + "2", "c.d-e f"[:5]} {
		for _, print := range []uint64{0, 1, 1 << 63, 7} {
			for _, priority := range []int{0, 5, 9} {
				for range 3 {
					envs = append(envs, stem.Envelope{ID: fmt.Sprint("task", len(envs)), Queue: "mail", Task: name, Fingerprint: print, Priority: priority})
				}
			}
		}
	}
	if _, err := store.Publish(t.Context(), envs...); err != nil {
		t.Fatal(err)
	}
	exec(t, url, "UPDATE stem.task SET holder = 0")
	want, _ := pages(t, store, ops.TaskQuery{Queue: "mail", State: ops.Unknown, Limit: ops.MaxPage})
	if sorted := slices.Compact(slices.Sorted(slices.Values(want))); len(want) != len(envs) || len(sorted) != len(envs) {
		t.Fatalf("got %d tasks, %d of them different, want %d", len(want), len(sorted), len(envs))
	}
	for _, limit := range []int{1, 2, 7, 143} {
		if got, _ := pages(t, store, ops.TaskQuery{Queue: "mail", State: ops.Unknown, Limit: limit}); !slices.Equal(got, want) {
			t.Errorf("by %d: got %v, want %v", limit, got, want)
		}
	}
}

// TestAPageIsShortWhereEnvelopesAreLong: the bytes of a page are bounded, too.
func TestAPageIsShortWhereEnvelopesAreLong(t *testing.T) {
	store := openStore(t, testpostgres.URL(t))
	var envs []stem.Envelope
	for i := range 5 {
		envs = append(envs, stem.Envelope{ID: fmt.Sprint("task", i), Queue: "mail", Task: "demo.hello", Payload: make([]byte, 3<<20)})
	}
	envs[4].Payload = make([]byte, 6<<20)
	if _, err := store.Publish(t.Context(), envs...); err != nil {
		t.Fatal(err)
	}
	if ids, n := pages(t, store, ops.TaskQuery{Queue: "mail", State: ops.Ready, Limit: 100}); n != 5 || len(ids) != 5 {
		t.Errorf("got %v in %d pages, want 5 in 5", ids, n)
	}
	if ids, _ := pages(t, store, ops.TaskQuery{Queue: "mail", State: ops.Ready, ID: "task4", Limit: 100}); !slices.Equal(ids, []string{"task4"}) {
		t.Errorf("got %v, want task4", ids)
	}
}

// TestWhatIsNoEnvelopeIsListed puts garbage where envelopes and marks stand: it is shown for what it is, found by the id that it is given,
// and can be deleted.
func TestWhatIsNoEnvelopeIsListed(t *testing.T) {
	url := testpostgres.URL(t)
	store := openStore(t, url)
	for i := range 5 {
		if _, err := store.Publish(t.Context(), stem.Envelope{ID: fmt.Sprint("task", i), Queue: "mail", Task: "demo.hello", Priority: i}); err != nil {
			t.Fatal(err)
		}
	}
	exec(t, url, `UPDATE stem.task SET envelope = '\xdeadbeef' WHERE priority = 0`, `UPDATE stem.task SET envelope = '' WHERE priority = 1`,
		`UPDATE stem.task SET marks = '[1, {"a": null}]' WHERE priority = 2`, `UPDATE stem.task SET queue = 'other' WHERE priority = 3`,
		`INSERT INTO stem.dead_letter VALUES ('mail', now(), 1, E'\u0007', E'\u001b[31m', 'why', 1, 1, '"x"', '\x00')`,
		`INSERT INTO stem.dead_letter VALUES ('mail', now(), 2, '', '', '', -1, -1, NULL, '')`)
	var malformed []ops.Task
	for queue, want := range map[string]int{"mail": 4, "other": 1} {
		page, err := store.ListTasks(t.Context(), ops.TaskQuery{Queue: queue, State: ops.Ready, Limit: 10})
		if err != nil || len(page.Tasks) != want {
			t.Fatalf("%s: got %d tasks, %v, want %d", queue, len(page.Tasks), err, want)
		}
		for _, task := range page.Tasks {
			if task.Malformed != nil {
				malformed = append(malformed, task)
				if task.Task != "demo.hello" || task.Queue != queue {
					t.Errorf("got task %q of queue %q, want demo.hello of %s", task.Task, task.Queue, queue)
				}
			}
		}
	}
	if len(malformed) != 4 {
		t.Fatalf("got %d malformed tasks, want 4", len(malformed))
	}
	for _, task := range malformed {
		if ids, _ := pages(t, store, ops.TaskQuery{Queue: task.Queue, State: ops.Ready, ID: task.ID, Limit: 1}); !slices.Equal(ids, []string{task.ID}) {
			t.Errorf("got %v, want %s", ids, task.ID)
		}
	}
	if err := store.DeleteTasks(t.Context(), malformed...); err != nil {
		t.Error(err)
	}
	letters, err := store.ListDeadLetters(t.Context(), ops.DeadLetterQuery{Queue: "mail", Limit: 10})
	if err != nil || len(letters.Letters) != 2 {
		t.Fatalf("got %v, %v, want 2 dead letters", letters, err)
	}
	if err := store.RemoveDeadLetters(t.Context(), "mail", letters.Letters...); err != nil {
		t.Error(err)
	}
}

// TestWhatATransactionHoldsIsNotWaitedFor: a publish in a transaction of the user's that is open holds the row of the task that it replaces.
func TestWhatATransactionHoldsIsNotWaitedFor(t *testing.T) {
	url := testpostgres.URL(t)
	store := openStore(t, url)
	unique := &stem.Uniqueness{Key: "k", Until: stem.UntilDone, OnConflict: stem.ConflictReplace}
	if _, err := store.Publish(t.Context(), stem.Envelope{ID: "old", Queue: "mail", Task: "demo.hello", Delay: time.Hour, Unique: unique}); err != nil {
		t.Fatal(err)
	}
	page, err := store.ListTasks(t.Context(), ops.TaskQuery{Queue: "mail", State: ops.Delayed, Limit: 1})
	if err != nil || len(page.Tasks) != 1 {
		t.Fatalf("got %v, %v, want a task", page, err)
	}
	tx, err := connect(t, url).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := postgres.Tx(tx).Publish(t.Context(), stem.Envelope{ID: "new", Queue: "mail", Task: "demo.hello", Unique: unique}); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	for name, change := range map[string]error{"hasten": store.HastenTasks(t.Context(), page.Tasks...), "delete": store.DeleteTasks(t.Context(), page.Tasks...)} {
		if !errors.Is(change, stem.ErrTransactionOpen) {
			t.Errorf("%s: got %v, want %v", name, change, stem.ErrTransactionOpen)
		}
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := store.DeleteTasks(t.Context(), page.Tasks...); err != nil {
		t.Fatal(err)
	}
	if got := value(t, url, "SELECT count(*)::text FROM stem.unique_key"); got != "0" {
		t.Errorf("got %s keys, want none", got)
	}
}

// TestOperatorsAgreeAtAnyIsolation has some of them delete the same tasks and dead letters at once, whatever isolation the database gives
// its transactions: each goes once, and the others are told that it is gone.
func TestOperatorsAgreeAtAnyIsolation(t *testing.T) {
	for _, level := range []string{"read committed", "repeatable read", "serializable"} {
		t.Run(level, func(t *testing.T) {
			url := testpostgres.URL(t)
			exec(t, url, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = %L', current_database(), '`+level+`'); END $$`)
			store := openStore(t, url)
			const many, operators = 40, 4
			var envs []stem.Envelope
			for i := range many {
				envs = append(envs, stem.Envelope{ID: fmt.Sprint("task", i), Queue: "mail", Task: "demo.hello",
					Unique: &stem.Uniqueness{Key: fmt.Sprint("key", i), Until: stem.UntilDone, OnConflict: stem.ConflictReplace}})
			}
			if _, err := store.Publish(t.Context(), envs...); err != nil {
				t.Fatal(err)
			}
			exec(t, url, fmt.Sprintf(`INSERT INTO stem.dead_letter SELECT 'mail', now(), n, n, 'demo.hello', '', 1, 1, NULL, '\x00' FROM generate_series(1, %d) n`, many))
			waiting, err := store.ListTasks(t.Context(), ops.TaskQuery{Queue: "mail", State: ops.Ready, Limit: many})
			if err != nil {
				t.Fatal(err)
			}
			letters, err := store.ListDeadLetters(t.Context(), ops.DeadLetterQuery{Queue: "mail", Limit: many})
			if err != nil {
				t.Fatal(err)
			}
			deleted, removed := make(chan int, operators), make(chan int, operators)
			for range operators {
				go func() {
					n, m := 0, 0
					for i := range many {
						n += gone(t, store.DeleteTasks(t.Context(), waiting.Tasks[i]))
						m += gone(t, store.RemoveDeadLetters(t.Context(), "mail", letters.Letters[i]))
					}
					deleted <- n
					removed <- m
				}()
			}
			n, m := 0, 0
			for range operators {
				n, m = n+<-deleted, m+<-removed
			}
			if n != many || m != many {
				t.Errorf("got %d tasks deleted and %d dead letters removed, want %d of each", n, m, many)
			}
			if got := value(t, url, "SELECT count(*)::text FROM stem.unique_key"); got != "0" {
				t.Errorf("got %s unique keys, want none", got)
			}
		})
	}
}

// gone gives 1 where a change was made, and 0 where somebody else had made it.
func gone(t *testing.T, err error) int {
	if err == nil {
		return 1
	}
	if !errors.Is(err, ops.ErrGone) {
		t.Errorf("got error %v, want none or that it is gone", err)
	}
	return 0
}
