//go:build unix

package faultsite

import (
	"encoding/json"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/crashworker"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// Processes tells what becomes of tasks when worker processes are killed, sleep, are poisoned or leave.
func Processes(t *testing.T, start func(t *testing.T) *Site) {
	for promise, story := range map[string]func(*testing.T, *Site){
		"workers are killed at random and nothing is lost":   workersAreKilled,
		"the tasks of a killed worker run elsewhere in time": tasksOfAKilledWorker,
		"what follows a task survives who publishes it":      publisherIsKilled,
		"tasks follow tasks while workers are killed":        workersAreKilledAmongLinks,
		"a worker that sleeps past its lease is fenced":      sleepPastALease,
		"whatever a sleeper writes is refused":               sleeperWrites,
		"a worker that leaves gives its tasks back":          workerLeaves,
		"workers leave under load":                           workersLeaveUnderLoad,
		"a process dies at each call of a life":              processDiesAtEachCall,
		"the places of a killed worker are free in time":     placesOfAKilledWorker,
	} {
		t.Run(promise, func(t *testing.T) {
			t.Parallel()
			story(t, start(t))
		})
	}
	for kind := range poisons {
		t.Run("poison is quarantined and its neighbours are not: "+kind, func(t *testing.T) {
			t.Parallel()
			quarantine(t, start(t), kind)
		})
	}
}

// Workers are killed at random moments of their work. No task is lost, and only those are done twice that were in the hands of
// one who was killed.
func workersAreKilled(t *testing.T, s *Site) {
	kills := 6 * Scale()
	o := Orders{Lease: 5 * time.Second}
	s.Staff(3, o)
	enough := s.Load("chore")
	killed := make(map[string]int)
	for range kills {
		s.Progress(1 + s.Random.IntN(200))
		i := s.Random.IntN(len(s.Crew))
		s.Crew[i].Kill()
		killed[s.Crew[i].Name] = InHand
		s.Crew[i] = s.Hire(o)
	}
	tasks := enough()
	s.Quiet()
	s.Dismiss()
	s.Balance(ledger.Expected{Tasks: tasks, Duplicates: kills * InHand})
	s.Excuse(killed)
}

// What a worker that is killed has in hand runs elsewhere within its lease and 5 s, and no attempt
// is spent.
func tasksOfAKilledWorker(t *testing.T, s *Site) {
	const tasks, lease = 8, 2 * time.Second
	victim := s.Hire(Orders{Lease: lease, Slots: tasks, Says: true})
	s.EnqueueAll(tasks, Vigil, "vigil", "")
	for range tasks {
		s.Hears(victim, "held")
	}
	heir := s.Hire(Orders{Slots: tasks, Says: true})
	killed := time.Now()
	victim.Kill()
	var took []time.Duration
	for range tasks {
		fields := s.Hears(heir, "held")
		took = append(took, time.Since(killed))
		if attempt, interruptions := fields[3], fields[4]; attempt != "1" || interruptions != "1" {
			t.Errorf("got attempt %s after %s interruptions, want 1 after 1", attempt, interruptions)
		}
	}
	s.rescued(took)
	slices.Sort(took)
	t.Logf("lease %v: rescued after %v (half of them), %v (the last)", lease, took[tasks/2], took[tasks-1])
	if latest := took[tasks-1]; latest > lease+5*time.Second {
		t.Errorf("got the last rescue after %v, want at most %v", latest, lease+5*time.Second)
	}
}

// A worker that stands still past its lease wakes up when its tasks are done elsewhere: its handlers are cancelled for
// that reason, and what it settles is refused, though its handlers succeed.
func sleepPastALease(t *testing.T, s *Site) {
	const tasks = 8
	sleeper := s.Hire(Orders{Lease: time.Second, Slots: tasks, Says: true})
	s.EnqueueAll(tasks, Vigil, "vigil", "")
	numbers := make(map[string]string)
	for range tasks {
		fields := s.Hears(sleeper, "held")
		numbers[fields[1]] = fields[2]
	}
	sleeper.Pause()
	heir := s.Hire(Orders{Lease: time.Minute, Grace: time.Second, Slots: tasks, Says: true})
	for range tasks {
		if fields := s.Hears(heir, "held"); fields[2] == numbers[fields[1]] {
			t.Errorf("%s: the heir has the delivery number of the sleeper", fields[1])
		}
	}
	sleeper.Continue()
	for range tasks {
		if line := strings.Join(s.Hears(sleeper, "ended"), " "); !strings.HasSuffix(line, stem.ErrLeaseLost.Error()) {
			t.Errorf("the sleeper: got %q, want the cause %q", line, stem.ErrLeaseLost)
		}
	}
	s.Until("all that the sleeper did is in the ledger", Patience, func() bool { return s.Lines(ledger.Effect) >= tasks })
	if code := sleeper.Terminate(Patience); code != 0 {
		t.Errorf("the sleeper ended with %d, want 0", code)
	}
	for _, e := range s.Entries() {
		if e.Kind == ledger.Settled {
			t.Errorf("%+v was accepted, want nothing of the sleeper to be", e)
		}
	}
	counts, err := s.Store.CountQueue(t.Context(), stem.DefaultQueue)
	if err != nil || counts.Running != tasks {
		t.Errorf("got %d tasks on loan, %v, want all %d with the heir", counts.Running, err, tasks)
	}
}

// Whatever a process writes that was asleep while others took its deliveries over is refused by the store itself.
func sleeperWrites(t *testing.T, s *Site) {
	s.EnqueueAll(len(writes), Chore, "chore", "1ms")
	sleeper := crashworker.Start(t, "sleep", s.Place)
	sleeper.Pause()
	s.Staff(1, Orders{})
	s.Quiet()
	s.Dismiss()
	sleeper.Continue()
	if err := sleeper.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	var refused map[string]bool
	if err := json.Unmarshal([]byte(sleeper.Line(Patience)), &refused); err != nil || len(refused) != len(writes)+1 {
		t.Fatalf("got %v, %v, want an answer for each write", refused, err)
	}
	for what, refused := range refused {
		if !refused {
			t.Errorf("%s of the sleeper: got no %v", what, stem.ErrLeaseLost)
		}
	}
	s.Balance(ledger.Expected{Tasks: len(writes)})
	s.RightResults()
}

// A worker that is asked to stop by SIGTERM gives back what it cannot finish: at once, and without an attempt or an interruption.
func workerLeaves(t *testing.T, s *Site) {
	const tasks, lease = 8, time.Hour // nothing is taken over for a lease that is over
	leaver := s.Hire(Orders{Lease: lease, Grace: time.Second, Slots: tasks, Says: true})
	s.EnqueueAll(tasks, Vigil, "vigil", "unfinished")
	for range tasks {
		s.Hears(leaver, "held")
	}
	heir := s.Hire(Orders{Lease: lease, Slots: tasks, Says: true})
	if code := leaver.Terminate(Patience); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	for range tasks {
		if fields := s.Hears(heir, "held"); strings.Join(fields[3:], " ") != "1 0 1" {
			t.Errorf("%s: got attempt, interruptions and releases %v, want 1 0 1", fields[1], fields[3:])
		}
	}
}
