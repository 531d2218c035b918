//go:build unix

package faultsite

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/stem"
)

// Headers that name the worker who dies where it publishes the envelope: before that, or behind it.
const (
	diesBefore = "fault-dies-before"
	diesAfter  = "fault-dies-after"
)

// dies is enqueue middleware that takes the process of a worker down around what it publishes.
func dies(name string) stem.EnqueueMiddleware {
	return func(next stem.Enqueuer) stem.Enqueuer {
		return func(ctx context.Context, envs []stem.Envelope) ([]stem.Published, error) {
			dieAt(diesBefore, name, envs)
			published, err := next(ctx, envs)
			dieAt(diesAfter, name, envs)
			return published, err
		}
	}
}

func dieAt(header, name string, envs []stem.Envelope) {
	for i := range envs {
		if envs[i].Headers[header] == name {
			_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

// A worker that is killed before it has published what follows a task, or between that and the settlement, loses none of
// it: who runs the task again publishes it, and what is there already is not there twice.
func publisherIsKilled(t *testing.T, s *Site) {
	moments := []string{diesBefore, diesAfter}
	for i, moment := range moments {
		victim := s.Hire(Orders{Lease: time.Second})
		id := fmt.Sprint("followed-", i)
		follow := stem.OnSuccess(Chore.With("1ms", stem.Header(moment, victim.Name)), Chore.With("1ms"))
		if err := s.Enqueue(t.Context(), Chore, id, "1ms", follow); err != nil {
			t.Fatal(err)
		}
		if !victim.Ended(Patience) {
			t.Fatalf("%s: the worker lives on", moment)
		}
		s.expectLinks(id, 2)
		s.Staff(2, Orders{}) // the next victim has nothing of this one's in hand: that would be done twice as well
		s.Quiet()
		s.Dismiss()
	}
	s.Balance(ledger.Expected{Tasks: 3 * len(moments), Duplicates: len(moments)})
}

// expectLinks enters into the ledger what follows a task that was enqueued.
func (s *Site) expectLinks(id string, links int) {
	s.t.Helper()
	for i := range links {
		if err := s.Book.Append(ledger.Entry{Kind: ledger.Enqueued, ID: fmt.Sprintf("%s/ok/%d", id, i)}); err != nil {
			s.t.Fatal(err)
		}
	}
}

// Workers are killed at random moments while tasks follow tasks: each comes, and only those are done twice that were in the
// hands of one who was killed.
func workersAreKilledAmongLinks(t *testing.T, s *Site) {
	kills := 4 * Scale()
	o := Orders{Lease: 5 * time.Second}
	s.Staff(3, o)
	enough := s.Load("chore", stem.OnSuccess(Chore.With("1ms", stem.OnSuccess(Chore.With("1ms")))))
	killed := make(map[string]int)
	for range kills {
		s.Progress(1 + s.Random.IntN(200))
		i := s.Random.IntN(len(s.Crew))
		s.Crew[i].Kill()
		killed[s.Crew[i].Name] = InHand
		s.Crew[i] = s.Hire(o)
	}
	tasks := enough()
	for i := range tasks {
		id := fmt.Sprint("chore-", i+1)
		s.expectLinks(id, 1)
		s.expectLinks(id+"/ok/0", 1)
	}
	s.Quiet()
	s.Dismiss()
	s.Balance(ledger.Expected{Tasks: 3 * tasks, Duplicates: kills * InHand})
	s.Excuse(killed)
}
