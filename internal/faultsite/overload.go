//go:build unix

package faultsite

import (
	"fmt"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/ledger"
)

// Overloaded tells of workers that have one thread each, and on it more handlers that compute without a pause than it can serve, for
// longer than a lease. They renew their leases nevertheless: nothing goes to the worker that stands by. The test runs
// by itself: it would slow those beside it down, and they would be its excuse.
func Overloaded(t *testing.T, s *Site) {
	const workers, slots, lease = 3, 16, 15 * time.Second // the default
	span := max(Outage(), lease+5*time.Second)
	s.Staff(workers, Orders{Lease: lease, Slots: slots, Prefetch: 1, Threads: 1})
	const tasks = workers * slots
	for i := range tasks {
		if err := s.Enqueue(t.Context(), Grind, fmt.Sprint("grind-", i), span.String()); err != nil {
			t.Fatal(err)
		}
	}
	s.Until("all tasks run", Patience, func() bool { return s.Lines(Tried) >= tasks })
	s.Staff(1, Orders{Slots: tasks})
	s.Until("all tasks are done", span+Patience, s.IsQuiet)
	var used time.Duration
	for _, w := range s.Crew {
		used += s.CPU(w)
	}
	t.Logf("%d handlers computed for %v and took %v of the CPU", tasks, span, used)
	if least := span / 2; used < least {
		t.Errorf("the workers took %v of the CPU in %v, want %v at least: nothing was overloaded", used, span, least)
	}
	s.Dismiss()
	s.Balance(ledger.Expected{Tasks: tasks})
	if n := s.Lines(Rescued); n > 0 {
		t.Errorf("%d tasks were taken from workers that lived, want none", n)
	}
}
