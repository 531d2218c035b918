//go:build unix

package faults_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/faultsite"
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
	place := "sentinels:" + strings.Join(watched.SentinelAddrs(), ",")
	s := newSite(t, place)
	for i := range synced {
		if err := s.Enqueue(t.Context(), faultsite.Chore, fmt.Sprint("synced-", i), "20ms"); err != nil {
			t.Fatal(err)
		}
	}
	s.Until("the replica has all", faultsite.Patience, func() bool {
		role := must(t, watched.Servers[0], "ROLE").([]any)
		replicas := role[2].([]any)
		return len(replicas) == 1 && replicas[0].([]any)[2] == fmt.Sprint(role[1])
	})
	s.Staff(2, faultsite.Orders{Lease: 5 * time.Second})
	during := s.Load("during")
	s.Progress(50)
	watched.KillMaster()
	after := s.Load("after")
	s.Progress(100)
	tasks := synced + during() + after()
	s.Quiet()
	s.Dismiss()
	report := ledger.Check(s.Entries())
	t.Log(report)
	for _, id := range report.Lost {
		if !strings.HasPrefix(id, "during") {
			t.Errorf("%s is lost, which the replica had or the new master has acknowledged", id)
		}
	}
	report.Lost, report.Stale = nil, nil
	report.Assert(t, ledger.Expected{Tasks: tasks, Duplicates: tasks / 2})
	s.NoneDead()
}

// The slot of a queue wanders through a cluster under load.
func TestASlotMovesUnderLoad(t *testing.T) {
	t.Parallel()
	const workers, moves, nodes = 2, 4, 3
	cluster := testredis.Cluster(t, nodes)
	place := "cluster:redis://" + cluster.Addrs()[0]
	s := newSite(t, place)
	s.Staff(workers, faultsite.Orders{Lease: 10 * time.Second})
	enough := s.Load("chore")
	slot := cluster.Slot(streamKey)
	from := slot * nodes / 16384
	for range moves {
		s.Progress(1 + s.Random.IntN(100))
		to := (from + 1 + s.Random.IntN(nodes-1)) % nodes
		cluster.MoveSlot(slot, from, to)
		from = to
	}
	s.Progress(50)
	tasks := enough()
	s.Quiet()
	s.Dismiss()
	s.Balance(ledger.Expected{Tasks: tasks, Duplicates: moves * workers * faultsite.InHand})
}
