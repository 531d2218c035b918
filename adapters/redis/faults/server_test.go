//go:build unix

package faults_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/faultsite"
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
			server := testredis.Start(t, testredis.Config{AppendOnly: true, AppendFsync: fsync})
			s := newSite(t, server.URL())
			s.Under(ledger.Expected{}, func() {
				for range 3 {
					s.Progress(1 + s.Random.IntN(100))
					betweenSyncs(t, s, server)
					server.Kill()
					server.Restart()
				}
				s.Progress(50)
			})
		})
	}
}

// betweenSyncs waits until the server does not sync its file. While it does so, everysec keeps for up to 2 s in the memory of the process what
// it has acknowledged (flushAppendOnlyFile of Redis), and that is lost with the process: the page cache never saw it.
func betweenSyncs(t *testing.T, s *faultsite.Site, server *testredis.Server) {
	t.Helper()
	s.Until("no sync is under way", faultsite.Patience, func() bool {
		info, err := server.Do("INFO", "persistence")
		return err == nil && strings.Contains(info.(string), "aof_pending_bio_fsync:0\r\n") && strings.Contains(info.(string), "aof_buffer_length:0\r\n")
	})
}

func TestAServerIsAwayAndNobodySpins(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{AppendOnly: true, AppendFsync: "always"})
	newSite(t, server.URL()).Away(server.Kill, server.Restart)
}

// Scripts are taken from the server under load, again and again, and nobody notices.
func TestScriptsAreFlushedUnderLoad(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, server.URL())
	s.Under(ledger.Expected{}, func() {
		for range 30 {
			s.Progress(1 + s.Random.IntN(20))
			must(t, server, "SCRIPT", "FLUSH")
		}
	})
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
	s := newSite(t, server.URL())
	s.Under(ledger.Expected{Duplicates: times * workers * faultsite.InHand}, func() {
		for range times {
			s.Progress(1 + s.Random.IntN(50))
			must(t, server, "XGROUP", "DESTROY", streamKey, "stem")
		}
		s.Progress(50)
	})
}

// A stream is deleted under load. What was in it is lost, but for what was in hand and came to its end; what is enqueued after that
// runs, and nothing goes round in circles.
func TestAStreamIsDeletedUnderLoad(t *testing.T) {
	t.Parallel()
	const workers = 2
	server := testredis.Start(t, testredis.Config{})
	s := newSite(t, server.URL())
	const before = 2000 // twice what both workers fetch ahead
	for i := range before {
		if err := s.Enqueue(t.Context(), faultsite.Chore, fmt.Sprint("before-", i), "20ms"); err != nil {
			t.Fatal(err)
		}
	}
	s.Staff(workers, faultsite.Orders{Lease: 10 * time.Second})
	s.Progress(20)
	must(t, server, "DEL", streamKey)
	enough := s.Load("after")
	s.Progress(200)
	tasks := enough()
	s.Quiet()
	s.Dismiss()
	all, after := s.Entries(), []ledger.Entry(nil)
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
	s.NoneDead()
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
