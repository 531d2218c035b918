package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// A session that has just got a task that came alone waits without asking. Whatever happens meanwhile, it gets once, and at
// once, what it may have, and can settle it.
func TestAReceiverOfACalmQueueMissesNothing(t *testing.T) {
	for _, tt := range []struct {
		what  string
		event func(b *table, other stem.Delivery)
		want  string
	}{
		{"a task comes", func(b *table, _ stem.Delivery) { b.publish(plainTask("next")) }, "next"},
		{"several come at once", func(b *table, _ stem.Delivery) { b.publish(plainTask("next"), plainTask("more"), plainTask("last")) }, "next more last"},
		{"a task is given back", func(b *table, other stem.Delivery) {
			if err := b.Settle(b.t.Context(), stem.Settlement{Delivery: other, Verdict: stem.VerdictRelease}); err != nil {
				b.t.Error(err)
			}
		}, "other"},
		{"a task comes that is due soon", func(b *table, _ stem.Delivery) {
			b.publish(plainTask("next", func(e *stem.Envelope) { e.Delay = 30 * time.Millisecond }))
		}, "next"},
		{"a task of a priority that was not in use", func(b *table, _ stem.Delivery) {
			b.publish(plainTask("next", func(e *stem.Envelope) { e.Priority = 9 }))
		}, "next"},
		{"something is taken from the session", func(b *table, _ stem.Delivery) {
			b.do("hincrby", "~state", "T:calm", 1)
			b.publish(plainTask("next"))
		}, "next"},
		{"the group is destroyed", func(b *table, _ stem.Delivery) {
			b.do("xgroup", "destroy", "~0", "stem")
		}, "other"},
		{"the scripts are gone", func(b *table, _ stem.Delivery) {
			b.do("script", "flush")
			b.publish(plainTask("next"))
		}, "next"},
		{"the queue is paused for a while", func(b *table, _ stem.Delivery) {
			if err := b.PauseQueue(b.t.Context(), tableQueue, true); err != nil {
				b.t.Error(err)
			}
			b.publish(plainTask("next"))
			time.Sleep(200 * time.Millisecond)
			if counts, err := b.CountQueue(b.t.Context(), tableQueue); err != nil || counts.Running > 1 {
				b.t.Errorf("got %d on loan, %v, want only what was before", counts.Running, err)
			}
			if err := b.PauseQueue(b.t.Context(), tableQueue, false); err != nil {
				b.t.Error(err)
			}
		}, "next"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			b := newTable(t, "")
			b.publish(plainTask("other"))
			other := b.receiveAll("other", 1)[0]
			b.calmDown("calm", 10)
			got := make(chan []stem.Delivery, 1)
			go func() { got <- b.receive("calm", 10, 5*time.Second) }()
			b.awaitBlocked(1)
			start := time.Now()
			tt.event(b, other)
			ds, want := <-got, strings.Fields(tt.want)
			if took := time.Since(start); len(ds) == 0 || len(ds) > len(want) || took > time.Second {
				t.Fatalf("got %d deliveries after %v, want %s at once", len(ds), took, tt.want)
			}
			var ids []string
			for _, d := range append(ds, b.receive("calm", 10, 20*time.Millisecond)...) {
				if slices.Contains(ids, d.ID) {
					t.Errorf("got %s twice", d.ID)
				}
				ids = append(ids, d.ID)
			}
			if len(ids) < len(want) || !slices.Equal(ids[:len(want)], want) {
				t.Errorf("got %s, want %s", ids, want)
			}
			if err := b.Settle(t.Context(), stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictAck}); err != nil {
				t.Error(err)
			}
		})
	}
}

// calmDown lets a session wait until a task comes, of at most so many, and end it.
func (b *table) calmDown(session string, most int) {
	b.t.Helper()
	got := make(chan []stem.Delivery, 1)
	go func() { got <- b.receive(session, most, 5*time.Second) }()
	b.awaitBlocked(1)
	b.publish(plainTask("first"))
	ds := <-got
	if len(ds) != 1 {
		b.t.Fatalf("got %d deliveries, want one", len(ds))
	}
	if err := b.Settle(b.t.Context(), stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictAck}); err != nil {
		b.t.Fatal(err)
	}
}

// Who is stopped while it waits, and has read nothing, asks for nothing more: what it would take is what it wanted before, and it may
// have been stopped since it wants less.
func TestAStopTakesNothingAlong(t *testing.T) {
	b := newTable(t, "")
	b.calmDown("s", 1) // the next read has a plain one behind it
	b.publish(plainTask("later", func(e *stem.Envelope) { e.Delay = time.Hour }))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ds, err := b.Receive(ctx, stem.ReceiveRequest{Session: sessionOf("s"), Queues: []string{tableQueue}, Max: 1})
		if len(ds) > 0 {
			t.Errorf("got %s after the stop, want nothing", ds[0].ID)
		}
		ended <- err
	}()
	b.awaitBlocked(1)
	b.clock.Advance(2 * time.Hour)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// A task that comes alone costs a call of a script to be lent, and one to be settled; and three round trips: to be published, to be
// lent by the answer that wakes who waits, to be settled.
func TestATaskThatComesAloneCostsTwoScriptsAndThreeTrips(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{})
	store, err := redis.Open(t.Context(), server.URL(), redis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	come, stop := comeAlone(t, store)
	defer stop()
	come(-1)
	const n = 100
	calls, reads := callsOf(t, server), readsOf(t, server)
	for i := range n {
		come(i)
	}
	// Now and then the receiver asks for what is due.
	calls, reads = callsOf(t, server)-calls, readsOf(t, server)-reads
	if calls > 2*n+n/2 || reads > 3*n+n/2 {
		t.Errorf("got %d calls and %d reads for %d tasks, want two and three for each, and a few", calls, reads, n)
	} else {
		t.Logf("%d calls, %d reads", calls, reads)
	}
}

// comeAlone has a session receive, and gives what publishes a task and returns when it is settled, and what ends both.
func comeAlone(t *testing.T, store *redis.Store) (come func(i int), stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var receiver sync.WaitGroup
	ended := make(chan struct{})
	receiver.Go(func() {
		for ctx.Err() == nil {
			ds, _ := store.Receive(ctx, stem.ReceiveRequest{Session: sessionOf("s"), Queues: []string{"q"}, Max: 10})
			for _, d := range ds {
				_ = store.Settle(context.WithoutCancel(ctx), stem.Settlement{Delivery: d, Verdict: stem.VerdictAck})
				ended <- struct{}{}
			}
		}
	})
	come = func(i int) {
		time.Sleep(5 * time.Millisecond) // the receiver waits again
		if _, err := store.Publish(t.Context(), stem.Envelope{ID: fmt.Sprint(i), Task: "t", Queue: "q"}); err != nil {
			t.Fatal(err)
		}
		<-ended
	}
	return come, func() { cancel(); receiver.Wait() }
}

// readsOf counts how often a server has read from its connections.
func readsOf(t *testing.T, server *testredis.Server) int {
	t.Helper()
	return told(t, server, "stats", `total_reads_processed:(\d+)`)
}

// A blocking read lasts as long as it must, however short the time is that the user's client gives an answer.
func TestABlockingReadHasItsOwnTime(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t, testredis.Config{})
	const impatience = 50 * time.Millisecond
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr(), MaxRetries: -1, ReadTimeout: impatience})
	defer client.Close()
	store, err := redis.New(t.Context(), client, redis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	receive := func() []stem.Delivery {
		ds, err := store.Receive(t.Context(), stem.ReceiveRequest{Session: sessionOf("s"), Queues: []string{"q"}, Max: 10})
		if err != nil {
			t.Error(err)
		}
		return ds
	}
	for i := range 3 { // the second and third wait with a read behind
		got := make(chan []stem.Delivery, 1)
		go func() { got <- receive() }()
		time.Sleep(4 * impatience) // the driver reads that clock
		if _, err := store.Publish(t.Context(), stem.Envelope{ID: fmt.Sprint(i), Task: "t", Queue: "q"}); err != nil {
			t.Fatal(err)
		}
		if ds := <-got; len(ds) != 1 {
			t.Fatalf("got %d deliveries, want one", len(ds))
		}
	}
}
