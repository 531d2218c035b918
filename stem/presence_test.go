package stem_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

func (r *rig) workers() []stem.WorkerInfo {
	r.t.Helper()
	synctest.Wait()
	infos, err := r.client.Workers(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	return infos
}

func TestAWorkerSaysWhatItIsAndDoes(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		block := r.task("block", func(ctx context.Context, _ string) (string, error) { <-ctx.Done(); return "", ctx.Err() })
		typed := stem.Define(stem.TaskSpec{Name: "typed", Aliases: []string{"old"}, Schema: stem.Schema{Fingerprint: 7, Older: []uint64{5}}}, text, text)
		if err := stem.Handle(&r.registry, typed, greet); err != nil {
			t.Fatal(err)
		}
		r.work(stem.WorkerConfig{Name: "w", Queues: []string{"critical", "default"}, Slots: 2, HeartbeatInterval: 4 * time.Second})
		first := r.enqueue(block, "", stem.WithID("first"))
		time.Sleep(time.Second)
		r.enqueue(block, "", stem.WithID("second"))
		r.enqueue(block, "", stem.WithID("waits"))
		time.Sleep(7 * time.Second) // what waits goes back later
		got := r.workers()
		if len(got) != 1 {
			t.Fatalf("got %d workers, want 1", len(got))
		}
		w := got[0]
		host, _ := os.Hostname()
		if w.Name != "w" || w.Host != host || w.PID != os.Getpid() || w.ID == "" || w.Stopped || w.For != 0 {
			t.Errorf("got %+v, want w of this process", w)
		}
		if fmt.Sprint(w.Queues, w.Slots, w.InHand, w.RunningCount) != "[critical default] 2 3 2" {
			t.Errorf("got queues %v, %d slots, %d in hand, %d running; want [critical default], 2, 3, 2", w.Queues, w.Slots, w.InHand, w.RunningCount)
		}
		if len(w.Running) != 2 || w.Running[0].ID != first.ID() || w.Running[0].For != w.Up || w.Running[1].ID != "second" || w.Running[1].For != w.Up-time.Second {
			t.Errorf("after %v: got running %v, want first and second, a second later", w.Up, w.Running)
		}
		if tasks := fmt.Sprint(w.Tasks); tasks != "[block old (args of schema 0000000000000005) old (args of schema 0000000000000007) typed (args of schema 0000000000000005) typed (args of schema 0000000000000007)]" || w.TaskCount != 5 {
			t.Errorf("got %d tasks %v, want block, and typed under two names with two schemas", w.TaskCount, tasks)
		}
		if late := time.Since(w.Seen); late < 0 || late > 4*time.Second || w.Up > 8*time.Second || !w.Started().Equal(w.Seen.Add(-w.Up)) {
			t.Errorf("got it seen %v ago after %v, want at most 4s ago", late, w.Up)
		}
	})
}

// The first interval is shortened at random, so that workers that begin together spread.
func TestAWorkerAnnouncesItselfAsOftenAsItIsTold(t *testing.T) {
	for _, tt := range []struct {
		interval time.Duration
		least    int64 // in an hour
		most     int64
	}{{0, 361, 362}, {time.Minute, 61, 62}, {-1, 0, 0}} {
		synctest.Test(t, func(t *testing.T) {
			store := &present{}
			r := newRig(t, func(s *memory.Store) stem.Broker { store.Store = s; return store }, stem.ClientConfig{})
			r.task("hello", greet)
			r.work(stem.WorkerConfig{HeartbeatInterval: tt.interval})
			time.Sleep(time.Hour)
			synctest.Wait()
			if got := store.announced.Load(); got < tt.least || got > tt.most {
				t.Errorf("interval %v: got %d announcements in an hour, want %d to %d", tt.interval, got, tt.least, tt.most)
			}
		})
	}
}

// present is a store whose presence fails when the test says so.
type present struct {
	*memory.Store
	announced atomic.Int64
	away      atomic.Bool // announcements fail
	hangs     atomic.Bool // they block until their context ends
}

func (p *present) Announce(ctx context.Context, info stem.WorkerInfo) error {
	p.announced.Add(1)
	if p.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	if p.away.Load() {
		return errAway
	}
	return p.Store.Announce(ctx, info)
}

func TestAWorkerThatStopsLeavesWordForAMinute(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.task("hello", greet)
		stop := r.work(stem.WorkerConfig{Name: "w"})
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		got := r.workers()
		if len(got) != 1 || !got[0].Stopped || got[0].Up != time.Minute || got[0].InHand != 0 {
			t.Errorf("got %+v, want w stopped after a minute", got)
		}
		time.Sleep(time.Minute + time.Second)
		if got := r.workers(); len(got) != 0 {
			t.Errorf("a minute later: got %+v, want none", got)
		}
	})
}

// A worker that leaves a handler behind has not ended cleanly: what it held is still on its lease.
func TestAWorkerThatLeavesAHandlerBehindLeavesNoWord(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		end := make(chan struct{})
		defer close(end)
		hang := r.task("hang", func(context.Context, string) (string, error) { <-end; return "", nil })
		stop := r.work(stem.WorkerConfig{Grace: 5 * time.Second})
		r.enqueue(hang, "")
		synctest.Wait()
		if err := stop(); err == nil {
			t.Fatal("got no error, want one that names the handler")
		}
		if got := r.workers(); len(got) != 1 || got[0].Stopped {
			t.Errorf("got %+v, want it there and not stopped", got)
		}
		time.Sleep(31 * time.Second)
		if got := r.workers(); len(got) != 0 {
			t.Errorf("three heartbeats later: got %+v, want none", got)
		}
	})
}

func TestTwoWorkersOfOneNameAreTwo(t *testing.T) {
	inBubble(t, func(t *testing.T, r *rig) {
		r.task("hello", greet)
		r.work(stem.WorkerConfig{Name: "b"})
		stop := r.work(stem.WorkerConfig{Name: "a", Slots: 1})
		time.Sleep(time.Second) // ids of one millisecond have no order
		_ = stop()
		r.work(stem.WorkerConfig{Name: "a", Slots: 2})
		var got []string
		for _, w := range r.workers() {
			got = append(got, fmt.Sprintf("%s %d %v", w.Name, w.Slots, w.Stopped))
		}
		if want := []string{"a 1 true", "a 2 false"}; len(got) != 3 || !slices.Equal(got[:2], want) || !strings.HasPrefix(got[2], "b ") {
			t.Errorf("got %v, want %v and b", got, want)
		}
	})
}

// Presence is for people: where it fails, tasks run as if it were not there, and Run ends as soon.
func TestAFailingPresenceHurtsNoWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &present{}
		r := newRig(t, func(s *memory.Store) stem.Broker { store.Store = s; return store }, stem.ClientConfig{})
		hello := r.task("hello", greet)
		store.away.Store(true)
		stop := r.work(stem.WorkerConfig{})
		time.Sleep(time.Hour)
		begin := time.Now()
		if got, err := r.wait(r.enqueue(hello, "Stem")); got != "Hello Stem" || err != nil || time.Since(begin) > 0 {
			t.Errorf("got %q, %v after %v, want Hello Stem at once", got, err, time.Since(begin))
		}
		if tries := store.announced.Load(); tries < 3600/5 || tries > 2*3600/5 {
			t.Errorf("got %d announcements tried in an hour, want one every 2.5 to 5 s", tries)
		}
		store.away.Store(false)
		time.Sleep(10 * time.Second)
		failed, recovered := eventsOf[stem.StoreFailed](r), eventsOf[stem.StoreRecovered](r)
		if len(failed) == 0 || failed[0].Operation != "presence" || !errors.Is(failed[0].Err, errAway) || len(recovered) != 1 || recovered[0].Operation != "presence" {
			t.Errorf("got %d failures and recoveries %v, want some and one of the presence", len(failed), recovered)
		}
		if len(r.workers()) != 1 {
			t.Error("got no worker when the store was back, want one")
		}
		store.hangs.Store(true)
		time.Sleep(15 * time.Second)
		begin = time.Now()
		if _, err := r.wait(r.enqueue(hello, "Stem")); err != nil || time.Since(begin) > 0 {
			t.Errorf("beside an announcement that hangs: got %v after %v, want a result at once", err, time.Since(begin))
		}
		if err := stop(); err != nil || time.Since(begin) > time.Second {
			t.Errorf("stop: got %v after %v, want none within a second", err, time.Since(begin))
		}
	})
}

// plainBroker is a broker without capabilities.
type plainBroker struct{ stem.Broker }

func TestABrokerThatListsNoWorkersSaysSo(t *testing.T) {
	client, err := stem.NewClient(plainBroker{new(memory.Store)}, stem.ClientConfig{Logger: slog.New(slog.NewTextHandler(new(bytes.Buffer), nil))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Workers(t.Context()); err == nil || !strings.Contains(err.Error(), "plainBroker is no stem.PresenceLister") {
		t.Errorf("got error %v, want one that names adapter and capability", err)
	}
	if _, err := (*stem.Client)(nil).Workers(t.Context()); !errors.Is(err, stem.ErrNoClient) {
		t.Errorf("without a client: got error %v, want %v", err, stem.ErrNoClient)
	}
}
