package redis_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/stem"
)

// One of those who wait at a queue watches its time for all. When that one has other things to do, another takes over.
func TestSomebodyWatchesTheTimeOfAQueue(t *testing.T) {
	const delay = 1500 * time.Millisecond
	later := plainTask("later", func(e *stem.Envelope) { e.Delay = delay })
	receive := func(t *testing.T, store *redis.Store, session string, queues ...string) <-chan []stem.Delivery {
		lent := make(chan []stem.Delivery, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		t.Cleanup(cancel)
		go func() {
			ds, _ := store.Receive(ctx, stem.ReceiveRequest{Session: sessionOf(session), Queues: queues, Max: 1})
			lent <- ds
		}()
		return lent
	}
	inTime := func(t *testing.T, idle <-chan []stem.Delivery, published time.Time) {
		t.Helper()
		if ds := <-idle; len(ds) != 1 || time.Since(published) > delay+time.Second {
			t.Errorf("got %d deliveries after %v, want the delayed task when it was due", len(ds), time.Since(published))
		}
	}

	t.Run("it is busy with another queue", func(t *testing.T) {
		t.Parallel()
		b := newTable(t, "")
		busy := receive(t, b.peer(), "busy", "another", tableQueue)
		b.awaitWatch("busy", time.Hour)
		idle := receive(t, b.latecomer(500*time.Millisecond), "idle", tableQueue)
		b.awaitLook()
		b.publish(later)
		published := time.Now()
		b.awaitWatch("busy", delay) // it has heard of it
		b.publish(plainTask("now", func(e *stem.Envelope) { e.Queue = "another" }))
		if ds := <-busy; len(ds) != 1 || ds[0].ID != "now" {
			t.Fatalf("got %d deliveries, want the one that is due", len(ds))
		}
		inTime(t, idle, published)
	})

	t.Run("it has got two tasks in quick succession", func(t *testing.T) {
		t.Parallel()
		b := newTable(t, "")
		store := b.peer()
		busy := receive(t, store, "busy", tableQueue)
		b.awaitWatch("busy", time.Hour)
		idle := receive(t, b.latecomer(500*time.Millisecond), "idle", tableQueue)
		b.awaitLook()
		b.publish(plainTask("one"))
		<-busy
		busy = receive(t, store, "busy", tableQueue)
		b.awaitWatch("busy", time.Hour)
		b.publish(later)
		published := time.Now()
		b.awaitWatch("busy", delay) // it has heard of it
		b.publish(plainTask("two"))
		<-busy
		inTime(t, idle, published)
	})

	t.Run("it stops", func(t *testing.T) {
		t.Parallel()
		b := newTable(t, "")
		store := b.peer()
		busy := receive(t, store, "busy", tableQueue)
		b.awaitWatch("busy", time.Hour)
		idle := receive(t, b.latecomer(500*time.Millisecond), "idle", tableQueue)
		b.awaitLook()
		b.publish(later)
		published := time.Now()
		b.awaitWatch("busy", delay) // it has heard of it
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		<-busy
		inTime(t, idle, published)
	})
}

// awaitWatch returns when a session watches the time of the queue, and knows of something that is due within a time.
func (b *table) awaitWatch(session string, within time.Duration) {
	b.t.Helper()
	watch := ""
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		watch = b.raw.HGet(b.t.Context(), b.keys+"state", "watch").Val()
		watcher, till, _ := strings.Cut(watch, " ")
		if at, err := strconv.ParseInt(till, 10, 64); err == nil && watcher == session && time.Until(time.UnixMilli(at)) <= within {
			return
		}
	}
	b.t.Fatalf("got the watch %q, want that of session %s over the next %v", watch, session, within)
}
