//go:build unix

package faults_test

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// A server whose memory is full refuses enqueues and nothing else: workers drain it, and that makes room.
func TestAFullServerIsDrainedAndTakesMore(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{Policy: "noeviction"})
	s := newSite(t, server.URL())
	used := number(t, server, "memory", "used_memory")
	must(t, server, "CONFIG", "SET", "maxmemory", fmt.Sprint(used+(4<<20)))
	// What fills it must be gone when it is done, and leave room for the results of those that follow.
	bulk := stem.Header("bulk", strings.Repeat("x", 4<<10))
	tasks, err := 0, error(nil)
	for ; err == nil && tasks < 10_000; tasks++ {
		id := fmt.Sprint("full-", tasks)
		if _, err = faultsite.Chore.Via(s.Client).Enqueue(t.Context(), "1ms", stem.WithID(id), stem.IgnoreResult(), bulk); err == nil {
			err = s.Book.Append(ledger.Entry{Kind: ledger.Enqueued, ID: id})
		}
	}
	if !errors.Is(err, stem.ErrBackpressure) {
		t.Fatalf("after %d tasks: got %v, want %v", tasks, err, stem.ErrBackpressure)
	}
	tasks--
	enough := s.Load("more") // refused until there is room
	s.Staff(1, faultsite.Orders{Lease: 10 * time.Second})
	s.Progress(tasks + 50)
	tasks += enough()
	s.Quiet()
	s.Dismiss()
	s.Balance(ledger.Expected{Tasks: tasks})
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

// A server takes no more connections: a worker has one by which it is lent tasks and none by which to wait for them. It backs off, and says
// that the server answers again when that is so, not between two refusals.
func TestAServerTakesNoMoreConnections(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{Args: []string{"--maxclients", "16"}})
	s := newSite(t, server.URL())
	var told faultsite.Told
	worker, err := stem.NewWorker(s.Client, s.Registry(), stem.WorkerConfig{Slots: 4, Observer: &told})
	if err != nil {
		t.Fatal(err)
	}
	leave := crowd(t, server)
	done := make(chan error, 1)
	go func() { done <- worker.Run(t.Context()) }()
	began := time.Now()
	const tasks = 40
	for i := range tasks {
		if err := s.Enqueue(t.Context(), faultsite.Chore, fmt.Sprint("chore-", i), "1ms"); err != nil {
			t.Fatal(err)
		}
		faultsite.Yield(20 * time.Millisecond)
	}
	s.Quiet()
	took, failed, recovered := time.Since(began), told.Failed.Load(), told.Recovered.Load()
	if most := 10 + int64(took/(400*time.Millisecond)); failed < 3 || failed > most || recovered != 0 {
		t.Errorf("got %d failures and %d recoveries in %v without room, want %d at most and none", failed, recovered, took, most)
	}
	leave()
	if err := s.Enqueue(t.Context(), faultsite.Chore, "last", "1ms"); err != nil {
		t.Fatal(err)
	}
	s.Until("the worker says that the server answers again", faultsite.Patience, func() bool { return told.Recovered.Load() == 1 })
	worker.Stop(stem.StopWarm)
	if err := <-done; err != nil || told.Recovered.Load() != 1 {
		t.Errorf("the worker ended with %v after %d recoveries, want none and 1", err, told.Recovered.Load())
	}
	s.Balance(ledger.Expected{Tasks: tasks + 1})
}

// crowd takes all connections that a server of few has left, until the answer is called.
func crowd(t *testing.T, server *testredis.Server) (leave func()) {
	t.Helper()
	var all []net.Conn
	leave = sync.OnceFunc(func() {
		for _, c := range all {
			c.Close()
		}
	})
	t.Cleanup(leave)
	for range 32 {
		c, err := net.Dial("tcp", server.Addr())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return leave
}

// A master that is made a replica refuses writes, and says so; when it is a master again, workers go on by themselves.
func TestAServerIsAReplicaForAWhile(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, server.URL())
	s.Staff(2, faultsite.Orders{Lease: 10 * time.Second})
	enough := s.Load("chore")
	s.Progress(50)
	must(t, server, "REPLICAOF", "127.0.0.1", "1") // nobody is there
	if _, err := faultsite.Chore.Via(s.Client).Enqueue(t.Context(), "1ms"); err == nil || !strings.Contains(err.Error(), "READONLY") {
		t.Errorf("an enqueue: got %v, want an error that says READONLY", err)
	}
	s.Until("clients and workers have been refused many times", faultsite.Patience, func() bool {
		return number(t, server, "errorstats", "errorstat_READONLY") > 100
	})
	must(t, server, "REPLICAOF", "NO", "ONE")
	s.Progress(50)
	tasks := enough()
	s.Quiet()
	s.Dismiss()
	s.Balance(ledger.Expected{Tasks: tasks})
}
