//go:build unix

package faults_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/crashworker"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// Workers are killed at random moments of their work. No task is lost, and only those are done twice that were in the hands of
// one who was killed.
func TestWorkersAreKilledAtRandomAndNothingIsLost(t *testing.T) {
	t.Parallel()
	const kills = 6
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, at(server.URL()), at(server.URL()))
	o := orders{Lease: 5 * time.Second}
	s.staff(3, o)
	enough := s.load("chore")
	killed := make(map[string]int)
	for range kills {
		s.progress(1 + s.random.IntN(200))
		i := s.random.IntN(len(s.crew))
		s.crew[i].Kill()
		killed[s.crew[i].Name] = s.crew[i].Slots
		s.crew[i] = s.hire(o)
	}
	tasks := enough()
	s.quiet()
	s.dismiss()
	s.balance(ledger.Expected{Tasks: tasks, Duplicates: kills * 8})
	s.excuse(killed)
}

// excuse wants each effect that was not its task's last to be of a worker to whom something has happened, and of
// each such worker no more than it could have in hand.
func (s *site) excuse(harmed map[string]int) {
	s.t.Helper()
	last := make(map[string]ledger.Entry)
	for _, e := range s.entries() {
		if e.Kind != ledger.Effect {
			continue
		}
		if before, ok := last[e.ID]; ok {
			if before.Delivery > e.Delivery {
				before = e
			}
			if harmed[before.Worker]--; harmed[before.Worker] < 0 {
				s.t.Errorf("%s was done twice: first by %s, which was well or had not so many in hand", e.ID, before.Worker)
			}
		}
		if last[e.ID].Delivery < e.Delivery {
			last[e.ID] = e
		}
	}
}

// What a worker that is killed has in hand runs elsewhere within its lease and 5 s, by the store's clock, and no attempt
// is spent.
func TestTheTasksOfAKilledWorkerRunElsewhereInTime(t *testing.T) {
	t.Parallel()
	const tasks, lease = 8, 2 * time.Second
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, at(server.URL()), at(server.URL()))
	victim := s.hire(orders{Lease: lease, Slots: tasks, Says: true})
	for i := range tasks {
		if err := s.enqueue(t.Context(), vigil, fmt.Sprint("vigil-", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	for range tasks {
		s.hears(victim, "held")
	}
	heir := s.hire(orders{Slots: tasks, Says: true})
	killed := clock(t, server)
	victim.Kill()
	var took []time.Duration
	for range tasks {
		fields := s.hears(heir, "held")
		took = append(took, clock(t, server)-killed)
		if attempt, interruptions := fields[3], fields[4]; attempt != "1" || interruptions != "1" {
			t.Errorf("got attempt %s after %s interruptions, want 1 after 1", attempt, interruptions)
		}
	}
	slices.Sort(took)
	t.Logf("lease %v: rescued after %v (half of them), %v (the last)", lease, took[tasks/2], took[tasks-1])
	if latest := took[tasks-1]; latest > lease+5*time.Second {
		t.Errorf("got the last rescue after %v, want at most %v", latest, lease+5*time.Second)
	}
}

// clock gives the store's time.
func clock(t *testing.T, server *testredis.Server) time.Duration {
	t.Helper()
	reply, err := server.Do("TIME")
	if err != nil {
		t.Fatal(err)
	}
	parts := reply.([]any)
	var seconds, micros int64
	if _, err := fmt.Sscan(parts[0].(string)+" "+parts[1].(string), &seconds, &micros); err != nil {
		t.Fatal(err)
	}
	return time.Duration(seconds)*time.Second + time.Duration(micros)*time.Microsecond
}

// hears reads what a worker says until a line begins with a word, and gives the line's words.
func (s *site) hears(w *hired, word string) []string {
	s.t.Helper()
	for {
		line := w.Line(patience)
		if line == "" {
			s.t.Fatalf("%s does not say %q", w.Name, word)
		}
		if fields := strings.Fields(line); fields[0] == word {
			return fields
		}
	}
}

// A worker that stands still past its lease wakes up when its tasks are done elsewhere: its handlers are cancelled for
// that reason, and what it settles is refused, though its handlers succeed.
func TestAWorkerThatSleepsPastItsLeaseIsFenced(t *testing.T) {
	t.Parallel()
	const tasks = 8
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, at(server.URL()), at(server.URL()))
	sleeper := s.hire(orders{Lease: time.Second, Slots: tasks, Says: true})
	for i := range tasks {
		if err := s.enqueue(t.Context(), vigil, fmt.Sprint("vigil-", i), ""); err != nil {
			t.Fatal(err)
		}
	}
	numbers := make(map[string]string)
	for range tasks {
		fields := s.hears(sleeper, "held")
		numbers[fields[1]] = fields[2]
	}
	sleeper.Pause()
	heir := s.hire(orders{Lease: time.Minute, Grace: time.Second, Slots: tasks, Says: true})
	for range tasks {
		if fields := s.hears(heir, "held"); fields[2] == numbers[fields[1]] {
			t.Errorf("%s: the heir has the delivery number of the sleeper", fields[1])
		}
	}
	sleeper.Continue()
	for range tasks {
		if line := strings.Join(s.hears(sleeper, "ended"), " "); !strings.HasSuffix(line, stem.ErrLeaseLost.Error()) {
			t.Errorf("the sleeper: got %q, want the cause %q", line, stem.ErrLeaseLost)
		}
	}
	s.until("all that the sleeper did is in the ledger", patience, func() bool { return s.lines(ledger.Effect) >= tasks })
	if code := sleeper.Terminate(patience); code != 0 {
		t.Errorf("the sleeper ended with %d, want 0", code)
	}
	for _, e := range s.entries() {
		if e.Kind == ledger.Settled {
			t.Errorf("%+v was accepted, want nothing of the sleeper to be", e)
		}
	}
	counts, err := s.store.CountQueue(t.Context(), stem.DefaultQueue)
	if err != nil || counts.Running != tasks {
		t.Errorf("got %d tasks on loan, %v, want all %d with the heir", counts.Running, err, tasks)
	}
}

// sleep borrows tasks without a worker, and when it gets SIGUSR1, after others have taken them over, tries to write all that
// a holder can. Args are the URL and how many it borrows.
func sleep(args []string, ready func()) error {
	woken := make(chan os.Signal, 1)
	signal.Notify(woken, syscall.SIGUSR1)
	ctx := context.Background()
	store, err := redis.Open(ctx, args[0], redis.Config{})
	if err != nil {
		return err
	}
	defer store.Close()
	session := stem.Session{ID: "sleeper", Lease: time.Second}
	ds, err := store.Receive(ctx, stem.ReceiveRequest{Session: session, Queues: []string{stem.DefaultQueue}, Max: len(writes)})
	if err != nil || len(ds) != len(writes) {
		return fmt.Errorf("got %d deliveries, %w", len(ds), err)
	}
	ready()
	<-woken
	answers := make(map[string]bool)
	for i, w := range writes {
		answers[w.what] = errors.Is(stem.ItemErr(w.try(ctx, store, ds[i]), 0), stem.ErrLeaseLost)
	}
	notices, err := store.Extend(ctx, session, ds...)
	answers["a renewal"] = err == nil && len(notices) == len(ds) && errors.Is(notices[0].Cause, stem.ErrLeaseLost)
	line, err := json.Marshal(answers)
	fmt.Println(string(line))
	return err
}

// writes are what a holder can write.
var writes = []struct {
	what string
	try  func(ctx context.Context, store *redis.Store, d stem.Delivery) error
}{
	{"an ack", settleAs(stem.VerdictAck)},
	{"a retry", settleAs(stem.VerdictRetry)},
	{"a snooze", settleAs(stem.VerdictSnooze)},
	{"a dead letter", settleAs(stem.VerdictDeadLetter)},
	{"a release", settleAs(stem.VerdictRelease)},
	{"an ack with a result", func(ctx context.Context, store *redis.Store, d stem.Delivery) error {
		r := stale(d)
		return store.SaveAndSettle(ctx, stem.Settlement{Delivery: d, Verdict: stem.VerdictAck, Result: &r})
	}},
	{"a result", func(ctx context.Context, store *redis.Store, d stem.Delivery) error { return store.Save(ctx, stale(d)) }},
}

func settleAs(v stem.Verdict) func(context.Context, *redis.Store, stem.Delivery) error {
	return func(ctx context.Context, store *redis.Store, d stem.Delivery) error {
		return store.Settle(ctx, stem.Settlement{Delivery: d, Verdict: v})
	}
}

func stale(d stem.Delivery) stem.Result {
	return stem.Result{ID: d.ID, Task: d.Task, State: stem.StateFailed, Delivery: d.Number, Keep: time.Hour}
}

// Whatever a process writes that was asleep while others took its deliveries over is refused by the store itself.
func TestWhateverASleeperWritesIsRefused(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, at(server.URL()), at(server.URL()))
	for i := range writes {
		if err := s.enqueue(t.Context(), chore, fmt.Sprint("chore-", i), "1ms"); err != nil {
			t.Fatal(err)
		}
	}
	sleeper := crashworker.Start(t, "sleep", server.URL())
	sleeper.Pause()
	s.staff(1, orders{})
	s.quiet()
	s.dismiss()
	sleeper.Continue()
	if err := sleeper.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	var refused map[string]bool
	if err := json.Unmarshal([]byte(sleeper.Line(patience)), &refused); err != nil || len(refused) != len(writes)+1 {
		t.Fatalf("got %v, %v, want an answer for each write", refused, err)
	}
	for what, refused := range refused {
		if !refused {
			t.Errorf("%s of the sleeper: got no %v", what, stem.ErrLeaseLost)
		}
	}
	s.balance(ledger.Expected{Tasks: len(writes)})
	s.rightResults()
}

// rightResults wants each task's result to be of the delivery whose end was accepted.
func (s *site) rightResults() {
	s.t.Helper()
	settled := make(map[string]ledger.Entry)
	var ids []string
	for _, e := range s.entries() {
		if e.Kind == ledger.Settled {
			settled[e.ID] = e
			ids = append(ids, e.ID)
		}
	}
	results, err := s.store.Load(s.t.Context(), ids...)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range results {
		if want := settled[r.ID].Delivery; r.Delivery != want || r.State != stem.StateSucceeded {
			s.t.Errorf("%s: got a result %v of delivery %d, want success of %d", r.ID, r.State, r.Delivery, want)
		}
	}
}

// A worker that is asked to stop by SIGTERM gives back what it cannot finish: at once, and without an attempt or an interruption.
func TestAWorkerThatLeavesGivesItsTasksBack(t *testing.T) {
	t.Parallel()
	const tasks, lease = 8, time.Hour // nothing is taken over for a lease that is over
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, at(server.URL()), at(server.URL()))
	leaver := s.hire(orders{Lease: lease, Grace: time.Second, Slots: tasks, Says: true})
	for i := range tasks {
		if err := s.enqueue(t.Context(), vigil, fmt.Sprint("vigil-", i), "unfinished"); err != nil {
			t.Fatal(err)
		}
	}
	for range tasks {
		s.hears(leaver, "held")
	}
	heir := s.hire(orders{Lease: lease, Slots: tasks, Says: true})
	if code := leaver.Terminate(patience); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	for range tasks {
		if fields := s.hears(heir, "held"); strings.Join(fields[3:], " ") != "1 0 1" {
			t.Errorf("%s: got attempt, interruptions and releases %v, want 1 0 1", fields[1], fields[3:])
		}
	}
}
