//go:build unix

package faults_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/internal/testredis"
)

// Workers have one thread each, and on it more handlers that compute without a pause than it can serve, for longer than a lease. They
// renew their leases nevertheless: nothing goes to the worker that stands by. The test runs by itself: it would slow
// those beside it down, and they would be its excuse.
func TestOverloadedWorkersLoseNoLease(t *testing.T) {
	const workers, slots, lease = 3, 16, 15 * time.Second // the default
	span := max(outage(), lease+5*time.Second)
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, at(server.URL()), at(server.URL()))
	s.staff(workers, orders{Lease: lease, Slots: slots, Prefetch: 1, Threads: 1})
	const tasks = workers * slots
	for i := range tasks {
		if err := s.enqueue(t.Context(), grind, fmt.Sprint("grind-", i), span.String()); err != nil {
			t.Fatal(err)
		}
	}
	s.until("all tasks run", patience, func() bool { return s.lines(tried) >= tasks })
	s.staff(1, orders{Slots: tasks})
	s.until("all tasks are done", span+patience, s.isQuiet)
	var used time.Duration
	for _, w := range s.crew {
		used += cpu(t, w.Worker)
	}
	t.Logf("%d handlers computed for %v and took %v of the CPU", tasks, span, used)
	if least := span / 2; used < least {
		t.Errorf("the workers took %v of the CPU in %v, want %v at least: nothing was overloaded", used, span, least)
	}
	s.dismiss()
	s.balance(ledger.Expected{Tasks: tasks})
	if n := s.lines(rescued); n > 0 {
		t.Errorf("%d tasks were taken from workers that lived, want none", n)
	}
}
