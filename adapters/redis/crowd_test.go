package redis_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// table is a store in a namespace of its own, and a client that meddles with its keys.
type table struct {
	*redis.Store
	t     testing.TB
	raw   *goredis.Client
	keys  string // what the keys of the queue begin with
	clock *redis.Clock
	cfg   redis.Config
	url   string

	looks chan struct{} // of latecomers that have looked and do not wait yet
}

const tableQueue = "q"

func newTable(t testing.TB, query string) *table {
	cfg := redis.Config{Namespace: fmt.Sprintf("table-%d-%d", time.Now().UnixNano(), namespaces.Add(1))}
	b := &table{t: t, keys: cfg.Namespace + ":{" + tableQueue + "}:", clock: redis.NewClock(), cfg: cfg, url: testredis.URL(t) + query, looks: make(chan struct{}, 100)}
	options, err := goredis.ParseURL(b.url)
	if err != nil {
		t.Fatal(err)
	}
	b.raw = goredis.NewClient(options)
	t.Cleanup(func() { _ = b.raw.Close() })
	b.Store = b.peer()
	return b
}

// peer is another connection to the store.
func (b *table) peer() *redis.Store {
	s, err := redis.Open(context.Background(), b.url, b.cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = s.Close() })
	b.clock.Set(s)
	return s
}

// awaitBlocked returns when the server says that so many receivers wait.
func (b *table) awaitBlocked(n int) {
	b.t.Helper()
	awaitBlocked(b.t, n, func() (any, error) { return b.raw.Info(b.t.Context(), "clients").Result() })
}

func awaitBlocked(t testing.TB, n int, info func() (any, error)) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		said, err := info()
		if err != nil {
			t.Fatal(err)
		}
		_, after, _ := strings.Cut(fmt.Sprint(said), "blocked_clients:")
		count, _, _ := strings.Cut(after, "\r")
		if blocked, err := strconv.Atoi(count); err == nil && blocked >= n {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("got %s receivers that wait, want %d", count, n)
		}
	}
}

// do sends a command; of its words, ~name is a key of the queue.
func (b *table) do(words ...any) {
	b.t.Helper()
	for i, w := range words {
		if name, ok := w.(string); ok && strings.HasPrefix(name, "~") {
			words[i] = b.keys + name[1:]
		}
	}
	if err := b.raw.Do(context.Background(), words...).Err(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *table) publish(envs ...stem.Envelope) {
	b.t.Helper()
	if _, err := b.Publish(context.Background(), envs...); err != nil {
		b.t.Fatal(err)
	}
}

// receive receives for a session whatever is due, for so long at most.
func (b *table) receive(session string, most int, patience time.Duration) []stem.Delivery {
	b.t.Helper()
	ds, err := b.tryReceive(session, most, patience)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		b.t.Fatal(err)
	}
	return ds
}

func (b *table) tryReceive(session string, most int, patience time.Duration) ([]stem.Delivery, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return b.Receive(ctx, stem.ReceiveRequest{Session: sessionOf(session), Queues: []string{tableQueue}, Max: most})
}

// receiveAll receives n that are due.
func (b *table) receiveAll(session string, n int) (all []stem.Delivery) {
	b.t.Helper()
	for len(all) < n {
		ds := b.receive(session, n, 5*time.Second)
		if len(ds) == 0 {
			b.t.Fatalf("got %d, want %d", len(all), n)
		}
		all = append(all, ds...)
	}
	return all
}

func sessionOf(id string) stem.Session { return stem.Session{ID: id, Lease: time.Minute} }

func plainTask(id string, change ...func(*stem.Envelope)) stem.Envelope {
	e := stem.Envelope{ID: id, Task: "plain.task", Queue: tableQueue}
	for _, c := range change {
		c(&e)
	}
	return e
}

func plainTasks(n int) []stem.Envelope {
	envs := make([]stem.Envelope, n)
	for i := range envs {
		envs[i] = plainTask(fmt.Sprintf("id-%06d", i))
	}
	return envs
}

// However much is asked for at once, no script deals with more than a thousand: others wait for it meanwhile.
func TestALargeBatchIsLentSettledAndLentAgain(t *testing.T) {
	const n, most = 5_000, 1_000
	b := newTable(t, "")
	b.publish(plainTasks(n)...)
	ds := b.receiveAll("a", n)
	ss := make([]stem.Settlement, n)
	for i := range ss {
		ss[i] = stem.Settlement{Delivery: ds[i], Verdict: []stem.Verdict{stem.VerdictRelease, stem.VerdictRetry}[i%2]}
	}
	if err := b.Settle(t.Context(), ss...); err != nil {
		t.Fatal(err)
	}
	if first := b.receive("a", n, 5*time.Second); len(first) != most {
		t.Errorf("got %d at once, want %d", len(first), most)
	}
	ds = b.receiveAll("a", n-most)
	if notices, err := b.Extend(t.Context(), sessionOf("a"), ds...); err != nil || len(notices) > 0 {
		t.Errorf("got %d notices, %v, want none", len(notices), err)
	}
	req := stem.ReceiveRequest{Session: sessionOf("a"), Queues: []string{tableQueue}, Max: n, Recover: true, Held: ds}
	if ds, err := b.Receive(t.Context(), req); err != nil || len(ds) != most {
		t.Errorf("got %d recovered, %v, want the first %d", len(ds), err, most)
	}
}

// A receiver that dies with the token in its hands leaves the next one able to wake who waits.
func TestATokenThatIsLostIsReplaced(t *testing.T) {
	b := newTable(t, "")
	b.receive("a", 1, 10*time.Millisecond) // makes the groups
	long := time.Now().Add(-time.Hour).UnixMilli()
	b.do("xadd", "~wake", fmt.Sprint(long, "-0"), "k", "work", "x", "")
	b.do("xreadgroup", "group", "stem", "dead", "streams", "~wake", ">")
	lent := make(chan time.Time)
	go func() {
		b.receive("a", 1, 10*time.Second)
		lent <- time.Now()
	}()
	b.awaitBlocked(1)
	due := time.Now().Add(100 * time.Millisecond)
	b.publish(plainTask("delayed", func(e *stem.Envelope) { e.Delay = 100 * time.Millisecond }))
	if late := (<-lent).Sub(due); late > 2*time.Second {
		t.Errorf("got a delayed task %v late, want at once", late)
	}
}

func TestReceiversThatWaitLeaveTheConnectionsToOthers(t *testing.T) {
	b := newTable(t, "?pool_size=1")
	var receivers sync.WaitGroup
	defer receivers.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for i := range 4 {
		receivers.Go(func() {
			req := stem.ReceiveRequest{Session: sessionOf(fmt.Sprint(i)), Queues: []string{tableQueue}, Max: 1}
			if ds, err := b.Receive(ctx, req); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, %v", ds, err)
			}
		})
	}
	b.awaitBlocked(4)
	b.publish(plainTask("a"))
	cancel()
	receivers.Wait() // their connections wait for the next
	b.publish(plainTask("b"))
}

// A worker's last blocking read outlives its session, and the answer finds nobody.
func TestWhatALateReadHasTakenIsLentAgain(t *testing.T) {
	b := newTable(t, "")
	b.receive("dead", 1, 10*time.Millisecond)
	b.clock.Advance(61 * time.Second)
	b.receive("alive", 1, 10*time.Millisecond) // sees that the session has lapsed
	b.publish(plainTask("a"))
	b.do("xreadgroup", "group", "stem", "dead", "streams", "~0", ">")
	b.clock.Advance(61 * time.Second)
	if ds := b.receive("alive", 1, time.Second); len(ds) != 1 {
		t.Errorf("got %v, want the task", ds)
	}
	b.clock.Advance(61 * time.Second)
	b.receive("alive", 1, 10*time.Millisecond)
	consumers, err := b.raw.XInfoConsumers(t.Context(), b.keys+"0", "stem").Result()
	if err != nil || len(consumers) != 1 || consumers[0].Name != "alive" {
		t.Errorf("got the consumers %v, %v, want the one that lives", consumers, err)
	}
}
