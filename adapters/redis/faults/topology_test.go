//go:build unix

package faults_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/internal/testredis"
)

// A master is killed under load and Sentinels make its replica the new one. What the replica had is not lost, nor is what comes
// after; what the master had acknowledged and not sent on is: that is counted and told, not asserted, and so are tasks
// done again because their settlements were among it.
func TestAFailoverLosesOnlyWhatWasNotReplicated(t *testing.T) {
	t.Parallel()
	const synced = 300
	watched := testredis.Sentinel(t)
	place := Place{Sentinels: watched.SentinelAddrs()}
	s := newSite(t, place, place)
	for i := range synced {
		if err := s.enqueue(t.Context(), chore, fmt.Sprint("synced-", i), "20ms"); err != nil {
			t.Fatal(err)
		}
	}
	s.until("the replica has all", patience, func() bool {
		role := must(t, watched.Servers[0], "ROLE").([]any)
		replicas := role[2].([]any)
		return len(replicas) == 1 && replicas[0].([]any)[2] == fmt.Sprint(role[1])
	})
	s.staff(2, orders{Lease: 5 * time.Second})
	during := s.load("during")
	s.progress(50)
	watched.KillMaster()
	after := s.load("after")
	s.progress(100)
	tasks := synced + during() + after()
	s.quiet()
	s.dismiss()
	report := ledger.Check(s.entries())
	t.Log(report)
	for _, id := range report.Lost {
		if !strings.HasPrefix(id, "during") {
			t.Errorf("%s is lost, which the replica had or the new master has acknowledged", id)
		}
	}
	report.Lost, report.Stale = nil, nil
	report.Assert(t, ledger.Expected{Tasks: tasks, Duplicates: tasks / 2})
	s.noneDead()
}

// The slot of a queue wanders through a cluster under load.
func TestASlotMovesUnderLoad(t *testing.T) {
	t.Parallel()
	const workers, moves, nodes = 2, 4, 3
	cluster := testredis.Cluster(t, nodes)
	place := Place{URL: "redis://" + cluster.Addrs()[0], Cluster: true}
	s := newSite(t, place, place)
	s.staff(workers, orders{Lease: 10 * time.Second})
	enough := s.load("chore")
	slot := cluster.Slot(streamKey)
	from := slot * nodes / 16384
	for range moves {
		s.progress(1 + s.random.IntN(100))
		to := (from + 1 + s.random.IntN(nodes-1)) % nodes
		cluster.MoveSlot(slot, from, to)
		from = to
	}
	s.progress(50)
	tasks := enough()
	s.quiet()
	s.dismiss()
	s.balance(ledger.Expected{Tasks: tasks, Duplicates: moves * workers * 8})
}
