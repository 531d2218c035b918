//go:build unix

package faults_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/internal/testredis"
)

// Workers have one thread each, and on it more handlers that compute without a pause than it can serve, for longer than a lease. They
// renew their leases nevertheless: nothing goes to the worker that stands by. The test runs by itself: it would slow
// those beside it down, and they would be its excuse.
func TestOverloadedWorkersLoseNoLease(t *testing.T) {
	const workers, slots, lease = 3, 16, 15 * time.Second // the default
	span := max(faultsite.Outage(), lease+5*time.Second)
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, server.URL())
	s.Staff(workers, faultsite.Orders{Lease: lease, Slots: slots, Prefetch: 1, Threads: 1})
	const tasks = workers * slots
	for i := range tasks {
		if err := s.Enqueue(t.Context(), faultsite.Grind, fmt.Sprint("grind-", i), span.String()); err != nil {
			t.Fatal(err)
		}
	}
	s.Until("all tasks run", faultsite.Patience, func() bool { return s.Lines(faultsite.Tried) >= tasks })
	s.Staff(1, faultsite.Orders{Slots: tasks})
	s.Until("all tasks are done", span+faultsite.Patience, s.IsQuiet)
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
	if n := s.Lines(faultsite.Rescued); n > 0 {
		t.Errorf("%d tasks were taken from workers that lived, want none", n)
	}
}
