//go:build unix

package faults_test

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// A server whose memory is full refuses enqueues and nothing else: workers drain it, and that makes room.
func TestAFullServerIsDrainedAndTakesMore(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{Policy: "noeviction"})
	s := newSite(t, at(server.URL()), at(server.URL()))
	used := number(t, server, "memory", "used_memory")
	must(t, server, "CONFIG", "SET", "maxmemory", fmt.Sprint(used+(4<<20)))
	// What fills it must be gone when it is done, and leave room for the results of those that follow.
	bulk := stem.Header("bulk", strings.Repeat("x", 4<<10))
	tasks, err := 0, error(nil)
	for ; err == nil && tasks < 10_000; tasks++ {
		id := fmt.Sprint("full-", tasks)
		if _, err = chore.Via(s.client).Enqueue(t.Context(), "1ms", stem.WithID(id), stem.IgnoreResult(), bulk); err == nil {
			err = s.book.Append(ledger.Entry{Kind: ledger.Enqueued, ID: id})
		}
	}
	if !errors.Is(err, stem.ErrBackpressure) {
		t.Fatalf("after %d tasks: got %v, want %v", tasks, err, stem.ErrBackpressure)
	}
	tasks--
	enough := s.load("more") // refused until there is room
	s.staff(1, orders{Lease: 10 * time.Second})
	s.progress(tasks + 50)
	tasks += enough()
	s.quiet()
	s.dismiss()
	s.balance(ledger.Expected{Tasks: tasks})
}

// number gives a number of INFO, 0 where it is not told.
func number(t *testing.T, server *testredis.Server, section, name string) int {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `:(?:count=|calls=)?(\d+)`).FindStringSubmatch(must(t, server, "INFO", section).(string))
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A master that is made a replica refuses writes, and says so; when it is a master again, workers go on by themselves.
func TestAServerIsAReplicaForAWhile(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, at(server.URL()), at(server.URL()))
	s.staff(2, orders{Lease: 10 * time.Second})
	enough := s.load("chore")
	s.progress(50)
	must(t, server, "REPLICAOF", "127.0.0.1", "1") // nobody is there
	if _, err := chore.Via(s.client).Enqueue(t.Context(), "1ms"); err == nil || !strings.Contains(err.Error(), "READONLY") {
		t.Errorf("an enqueue: got %v, want an error that says READONLY", err)
	}
	s.until("clients and workers have been refused many times", patience, func() bool {
		return number(t, server, "errorstats", "errorstat_READONLY") > 100
	})
	must(t, server, "REPLICAOF", "NO", "ONE")
	s.progress(50)
	tasks := enough()
	s.quiet()
	s.dismiss()
	s.balance(ledger.Expected{Tasks: tasks})
}
