//go:build unix

package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// A server that writes an append-only file is killed under load and comes back before the leases are over. What it had
// acknowledged is there again, and nothing is done twice.
func TestAServerIsKilledAndNothingAcknowledgedIsLost(t *testing.T) {
	t.Parallel()
	for _, fsync := range []string{"everysec", "always"} {
		t.Run(fsync, func(t *testing.T) {
			t.Parallel()
			const kills, workers = 3, 2
			server := testredis.Start(t, testredis.Config{AppendOnly: true, AppendFsync: fsync})
			s := newSite(t, at(server.URL()), at(server.URL()))
			s.staff(workers, orders{Lease: 10 * time.Second})
			enough := s.load("chore")
			for range kills {
				s.progress(1 + s.random.IntN(100))
				s.betweenSyncs(server)
				server.Kill()
				server.Restart()
			}
			s.progress(50)
			tasks := enough()
			s.quiet()
			s.dismiss()
			s.balance(ledger.Expected{Tasks: tasks})
		})
	}
}

// betweenSyncs waits until the server does not sync its file. While it does so, everysec keeps for up to 2 s in the memory of the process what
// it has acknowledged (flushAppendOnlyFile of Redis), and that is lost with the process: the page cache never saw it.
func (s *site) betweenSyncs(server *testredis.Server) {
	s.t.Helper()
	s.until("no sync is under way", patience, func() bool {
		info, err := server.Do("INFO", "persistence")
		return err == nil && strings.Contains(info.(string), "aof_pending_bio_fsync:0\r\n") && strings.Contains(info.(string), "aof_buffer_length:0\r\n")
	})
}

// A server is away for longer than the leases. Workers wait for it without spinning, and go on by themselves when it is back; an outage makes
// nothing look like poison.
func TestAServerIsAwayAndNobodySpins(t *testing.T) {
	t.Parallel()
	const workers = 2
	server := testredis.Start(t, testredis.Config{AppendOnly: true, AppendFsync: "always"})
	s := newSite(t, at(server.URL()), at(server.URL()))
	s.staff(workers, orders{Lease: 2 * time.Second})
	enough := s.load("before")
	s.progress(100)
	tasks := enough()
	server.Kill()
	before := cpu(t, s.crew[0].Worker)
	yield(outage())
	used := cpu(t, s.crew[0].Worker) - before
	t.Logf("away for %v: a worker took %v of the CPU", outage(), used)
	if most := outage() / 20; used > most {
		t.Errorf("a worker took %v of the CPU while the server was away for %v, want at most %v", used, outage(), most)
	}
	server.Restart()
	enough = s.load("after")
	s.progress(50)
	tasks += enough()
	s.quiet()
	s.dismiss()
	s.balance(ledger.Expected{Tasks: tasks, Duplicates: workers * 8})
}

// outage is how long a server is away, or workers are overloaded, where that is what a test is about: STEM_TEST_OUTAGE, or 5 s.
func outage() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("STEM_TEST_OUTAGE")); err == nil {
		return d
	}
	return 5 * time.Second
}

// Scripts are taken from the server under load, again and again, and nobody notices.
func TestScriptsAreFlushedUnderLoad(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, at(server.URL()), at(server.URL()))
	s.staff(2, orders{Lease: 10 * time.Second})
	enough := s.load("chore")
	for range 30 {
		s.progress(1 + s.random.IntN(20))
		must(t, server, "SCRIPT", "FLUSH")
	}
	tasks := enough()
	s.quiet()
	s.dismiss()
	s.balance(ledger.Expected{Tasks: tasks})
}

func must(t *testing.T, server *testredis.Server, args ...string) any {
	t.Helper()
	reply, err := server.Do(args...)
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return reply
}

const streamKey = "stem:{default}:0"

// The group of a stream is destroyed under load: all that the stream has runs, and only what was in hand is done twice.
func TestAGroupIsDestroyedUnderLoad(t *testing.T) {
	t.Parallel()
	const workers, times = 2, 4
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, at(server.URL()), at(server.URL()))
	s.staff(workers, orders{Lease: 10 * time.Second})
	enough := s.load("chore")
	for range times {
		s.progress(1 + s.random.IntN(50))
		must(t, server, "XGROUP", "DESTROY", streamKey, "stem")
	}
	s.progress(50)
	tasks := enough()
	s.quiet()
	s.dismiss()
	s.balance(ledger.Expected{Tasks: tasks, Duplicates: times * workers * 16})
}

// A stream is deleted under load. What was in it is lost, but for what was in hand and came to its end; what is enqueued after that
// runs, and nothing goes round in circles.
func TestAStreamIsDeletedUnderLoad(t *testing.T) {
	t.Parallel()
	const workers = 2
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, at(server.URL()), at(server.URL()))
	const before = 400
	for i := range before {
		if err := s.enqueue(t.Context(), chore, fmt.Sprint("before-", i), "20ms"); err != nil {
			t.Fatal(err)
		}
	}
	s.staff(workers, orders{Lease: 10 * time.Second})
	s.progress(20)
	must(t, server, "DEL", streamKey)
	enough := s.load("after")
	s.progress(200)
	tasks := enough()
	s.quiet()
	s.dismiss()
	all, after := s.entries(), []ledger.Entry(nil)
	for _, e := range all {
		if strings.HasPrefix(e.ID, "after") {
			after = append(after, e)
		}
	}
	report := ledger.Check(after)
	lost := len(ledger.Check(all).Lost)
	t.Logf("%d of %d tasks were lost with their stream; after that: %v", lost, before, report)
	report.Assert(t, ledger.Expected{Tasks: tasks})
	if lost == 0 || lost == before {
		t.Errorf("%d of %d tasks were lost with the stream, want some: otherwise it was deleted in no work", lost, before)
	}
	s.noneDead()
}

// Entries that somebody deletes out of a stream while they stand in line are told once, with their number, and forgotten.
func TestEntriesThatAreGoneAreToldOnce(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{})
	var said said
	store, err := redis.Open(t.Context(), server.URL(), redis.Config{Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	const all, deleted = 20, 5
	envs := make([]stem.Envelope, all)
	for i := range envs {
		envs[i] = stem.Envelope{ID: fmt.Sprint("chore-", i), Task: "fault.chore", Queue: "default"}
	}
	if _, err := store.Publish(t.Context(), envs...); err != nil {
		t.Fatal(err)
	}
	receive := func(session string) []stem.Delivery {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		ds, err := store.Receive(ctx, stem.ReceiveRequest{Session: stem.Session{ID: session, Lease: time.Minute}, Queues: []string{"default"}, Max: all})
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		return ds
	}
	for _, d := range receive("first") {
		if err := store.Settle(t.Context(), stem.Settlement{Delivery: d, Verdict: stem.VerdictRelease}); err != nil {
			t.Fatal(err)
		}
	}
	entries := must(t, server, "XRANGE", streamKey, "-", "+", "COUNT", fmt.Sprint(deleted)).([]any)
	for _, e := range entries {
		must(t, server, "XDEL", streamKey, e.([]any)[0].(string))
	}
	ds := receive("second")
	for range 3 {
		if more := receive("third"); len(more) > 0 {
			t.Errorf("got %d deliveries more, want none", len(more))
		}
	}
	if len(ds) != all-deleted {
		t.Errorf("got %d deliveries, want the %d that are there", len(ds), all-deleted)
	}
	if got := said.count("entries were gone"); got != 1 || said.count(fmt.Sprint("entries=", deleted)) != 1 {
		t.Errorf("told %d times, want once, of %d entries; it said\n%s", got, deleted, said.text())
	}
}

// said is a log.
type said struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.Write(b)
}

func (s *said) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all.String()
}

func (s *said) count(what string) int { return strings.Count(s.text(), what) }
