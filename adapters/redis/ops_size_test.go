package redis_test

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// TestNoListKeepsAServerBusyForLong lists a million ready tasks, many in every other state, and envelopes of 1 MiB. What each call
// costs the server is told by the time of its processor: others may have it meanwhile.
func TestNoListKeepsAServerBusyForLong(t *testing.T) {
	server := testredis.Start(t, testredis.Config{})
	store, err := redis.Open(t.Context(), server.URL(), redis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	fillAll(t, store)
	client := goredis.NewClient(&goredis.Options{Addr: server.Addr()})
	defer client.Close()
	if err := client.ConfigSet(t.Context(), "slowlog-log-slower-than", "500000").Err(); err != nil {
		t.Fatal(err)
	}
	client.Do(t.Context(), "slowlog", "reset")
	for queue, states := range map[string][]ops.State{
		"ready": ops.States, "delayed": {ops.Delayed, ops.Retrying}, "lent": {ops.Running, ops.Unknown}, "unknown": {ops.Unknown, ops.Running},
		"large": {ops.Ready}, "large-delayed": {ops.Delayed},
	} {
		for _, state := range states {
			q := ops.TaskQuery{Queue: queue, State: state, Limit: ops.MaxPage}
			expectShort(t, client, "list "+queue+" "+string(state), func() { pagesOf(t, store, q) })
			q.ID = "nobody's"
			expectShort(t, client, "look through "+queue+" "+string(state), func() { pagesOf(t, store, q) })
		}
		expectShort(t, client, "gauge "+queue, func() {
			if _, err := store.GaugeQueue(t.Context(), queue); err != nil {
				t.Error(err)
			}
		})
	}
	for _, queue := range []string{"delayed", "large-delayed"} {
		tasks := pagesOf(t, store, ops.TaskQuery{Queue: queue, State: ops.Delayed, Limit: ops.MaxPage})
		expectShort(t, client, "hasten "+queue, func() {
			if err := store.HastenTasks(t.Context(), tasks...); err != nil {
				t.Error(err)
			}
		})
	}
	if n := client.Do(t.Context(), "slowlog", "len").Val(); n != int64(0) {
		t.Errorf("got %d calls of more than half a second, want none, however busy the machine is", n)
	}
}

// fillAll publishes what is listed.
func fillAll(t *testing.T, store *redis.Store) {
	t.Helper()
	later := func(e *stem.Envelope) { e.Delay = time.Hour }
	large := func(e *stem.Envelope) { e.Payload = make([]byte, 1<<20) }
	fill(t, store, "ready", 1_000_000)
	fill(t, store, "delayed", 20_000, later)
	fill(t, store, "lent", 20_000)
	lendAll(t, store, "lent", 20_000, nil)
	fill(t, store, "unknown", 20_000, func(e *stem.Envelope) { e.Task = "strange" })
	fill(t, store, "unknown", 1)
	lendAll(t, store, "unknown", 1, stem.NewTaskSet(stem.TaskSpec{Name: "plain.task"}))
	fill(t, store, "large", 30, large)
	fill(t, store, "large-delayed", 30, large, later)
}

// expectShort expects that the calls of scripts took no more than 50 ms of the server's processor, on the average.
func expectShort(t *testing.T, client *goredis.Client, what string, act func()) {
	t.Helper()
	before := spentBy(t, client)
	act()
	after := spentBy(t, client)
	calls := after.calls - before.calls
	if calls == 0 {
		t.Fatalf("%s: got no call", what)
	}
	each := (after.time - before.time) / time.Duration(calls)
	t.Logf("%s: %d calls, %v each", what, calls, each)
	if each > 50*time.Millisecond {
		t.Errorf("%s: got %v of the server for each of %d calls, want at most 50 ms", what, each, calls)
	}
}

// fill publishes so many tasks.
func fill(t *testing.T, store *redis.Store, queue string, n int, changes ...func(*stem.Envelope)) {
	t.Helper()
	for i := 0; i < n; {
		var envs []stem.Envelope
		for size := 0; i < n && len(envs) < 1000 && size < 10<<20; i++ {
			e := plainTask(fmt.Sprint(queue, "-", i), changes...)
			e.Queue = queue
			envs, size = append(envs, e), size+len(e.Payload)
		}
		if _, err := store.Publish(t.Context(), envs...); err != nil {
			t.Fatal(err)
		}
	}
}

// lendAll takes so many tasks on loan.
func lendAll(t *testing.T, store *redis.Store, queue string, n int, known *stem.TaskSet) {
	t.Helper()
	for n > 0 {
		ds, err := store.Receive(t.Context(), stem.ReceiveRequest{
			Session: stem.Session{ID: "borrower", Lease: time.Hour}, Queues: []string{queue}, Max: 1000, Tasks: known,
		})
		if err != nil {
			t.Fatal(err)
		}
		n -= len(ds)
	}
}

// pagesOf gives the tasks of the first 30 pages.
func pagesOf(t *testing.T, store *redis.Store, q ops.TaskQuery) (tasks []ops.Task) {
	t.Helper()
	for range 30 {
		page, err := store.ListTasks(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, page.Tasks...)
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	return tasks
}

type spent struct {
	calls int
	time  time.Duration
}

// spentBy tells how many calls of scripts a server has seen, and how long its one thread that serves them has computed.
func spentBy(t *testing.T, client *goredis.Client) (sum spent) {
	t.Helper()
	info, err := client.Info(t.Context(), "commandstats", "cpu").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`cmdstat_eval(?:sha)?:calls=(\d+)`).FindAllStringSubmatch(info, -1) {
		calls, _ := strconv.Atoi(m[1])
		sum.calls += calls
	}
	for _, m := range regexp.MustCompile(`used_cpu_(?:user|sys)_main_thread:([.\d]+)`).FindAllStringSubmatch(info, -1) {
		seconds, _ := strconv.ParseFloat(m[1], 64)
		sum.time += time.Duration(seconds * float64(time.Second))
	}
	return sum
}
