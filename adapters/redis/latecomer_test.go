package redis_test

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/stem"
)

// A worker has looked, found nothing and is about to wait. In this moment another one sets a task aside that only the
// first can run, and finds nobody who waits to tell.
func TestWhoIsAboutToWaitHearsOfWhatWasSetAside(t *testing.T) {
	b := newTable(t, "")
	late := b.latecomer(500 * time.Millisecond)
	receive := func(store *redis.Store, task string) <-chan time.Time {
		lent := make(chan time.Time, 1)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		t.Cleanup(cancel)
		go func() {
			_, _ = store.Receive(ctx, stem.ReceiveRequest{
				Session: sessionOf(task), Queues: []string{tableQueue}, Max: 1, Tasks: stem.NewTaskSet(stem.TaskSpec{Name: task}),
			})
			lent <- time.Now()
		}()
		return lent
	}
	_ = receive(b.Store, "others")
	b.awaitBlocked(1)
	lent := receive(late, "plain.task")
	b.awaitLook()
	b.publish(plainTask("a"))
	published := time.Now()
	if took := (<-lent).Sub(published); took > 2*time.Second {
		t.Errorf("got the task after %v, want at once", took)
	}
}

// A receiver is told that something is due earlier than all who wait know, and gets other work at the same moment. It passes
// on what it was told: else an idle one would sleep beside a task that is due.
func TestWhoGetsWorkPassesOnWhatItWasToldOfTheTime(t *testing.T) {
	for _, from := range []string{tableQueue, "another"} {
		t.Run("work of "+from, func(t *testing.T) {
			b := newTable(t, "")
			receive := func(store *redis.Store, session string, queues ...string) <-chan []stem.Delivery {
				lent := make(chan []stem.Delivery, 1)
				ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
				t.Cleanup(cancel)
				go func() {
					ds, _ := store.Receive(ctx, stem.ReceiveRequest{Session: sessionOf(session), Queues: queues, Max: 10})
					lent <- ds
				}()
				return lent
			}
			idle := receive(b.latecomer(time.Second), "idle", tableQueue)
			busy := receive(b.latecomer(500*time.Millisecond), "busy", "another", tableQueue)
			b.awaitLook()
			b.awaitLook()
			b.publish(plainTask("later", func(e *stem.Envelope) { e.Delay = 1200 * time.Millisecond }))
			b.publish(plainTask("now", func(e *stem.Envelope) { e.Queue = from }))
			published := time.Now()
			if ds := <-busy; len(ds) != 1 || ds[0].ID != "now" {
				t.Fatalf("got %d deliveries, want the one that is due", len(ds))
			}
			if ds := <-idle; len(ds) != 1 || time.Since(published) > 4*time.Second {
				t.Errorf("got %d deliveries after %v, want the delayed task when it was due", len(ds), time.Since(published))
			}
		})
	}
}

// A receiver has looked, found a task that is not due yet and is about to wait. In this moment the clock of the tests moves.
func TestWhoIsAboutToWaitHearsThatTheClockHasMoved(t *testing.T) {
	b := newTable(t, "")
	late := b.clock.Set(b.latecomer(500 * time.Millisecond))
	b.publish(plainTask("later", func(e *stem.Envelope) { e.Delay = time.Hour }))
	b.do("xtrim", "~wake", "maxlen", 0) // the token, which would have it look once more
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	lent := make(chan []stem.Delivery, 1)
	go func() {
		ds, _ := late.Receive(ctx, stem.ReceiveRequest{Session: sessionOf("late"), Queues: []string{tableQueue}, Max: 1})
		lent <- ds
	}()
	b.awaitLook()
	b.clock.Advance(time.Hour)
	if ds := <-lent; len(ds) != 1 {
		t.Errorf("got %d deliveries, want the task that has become due", len(ds))
	}
}

// latecomer connects to the store and needs so long from looking for tasks to waiting for them.
func (b *table) latecomer(late time.Duration) *redis.Store {
	options, err := goredis.ParseURL(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	options.MaxRetries = -1
	options.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		return &lateConn{conn, late, b.looks}, err
	}
	client := goredis.NewClient(options)
	b.t.Cleanup(func() { _ = client.Close() })
	s, err := redis.New(context.Background(), client, b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = s.Close() })
	b.clock.Set(s)
	return s
}

// awaitLook returns when one more latecomer has looked and is about to wait.
func (b *table) awaitLook() {
	b.t.Helper()
	select {
	case <-b.looks:
	case <-time.After(10 * time.Second):
		b.t.Fatal("nobody has looked for tasks in 10 s")
	}
}

// lateConn sends blocking reads late.
type lateConn struct {
	net.Conn
	late  time.Duration
	looks chan<- struct{}
}

func (c *lateConn) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte("\r\nblock\r\n")) {
		select {
		case c.looks <- struct{}{}:
		default:
		}
		time.Sleep(c.late)
	}
	return c.Conn.Write(b)
}
