package redis_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// Ten workers wait. What comes costs calls for those who take it, not for each that waits.
func TestWhatWorkersThatWaitCostIsBounded(t *testing.T) {
	const n = 200
	envelope := func(i int, task string, delay time.Duration) stem.Envelope {
		return stem.Envelope{ID: fmt.Sprint(i), Task: task, Queue: "q", Delay: delay}
	}
	for _, tt := range []struct {
		what    string
		paused  bool
		publish func(i int) stem.Envelope
		most    int // calls of scripts
	}{
		{"nothing comes", false, nil, 30},
		{"the queue is paused", true, func(i int) stem.Envelope { return envelope(i, "known", 0) }, 30},
		{"tasks that nobody knows", false, func(i int) stem.Envelope { return envelope(i, "unknown", 0) }, 4 * n},
		{"tasks that come with a delay", false, func(i int) stem.Envelope { return envelope(i, "known", 20*time.Millisecond) }, 10 * n},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			server := testredis.Start(t, testredis.Config{})
			store, err := redis.Open(t.Context(), server.URL(), redis.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			if err := store.PauseQueue(t.Context(), "q", tt.paused); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			var workers sync.WaitGroup
			defer workers.Wait()
			defer stop()
			for i := range 10 {
				workers.Go(func() { waitAndAck(ctx, store, fmt.Sprint("worker-", i)) })
			}
			awaitBlocked(t, 10, func() (any, error) { return server.Do("INFO", "clients") })
			before := callsOf(t, server)
			for i := range n {
				if tt.publish != nil {
					if _, err := store.Publish(t.Context(), tt.publish(i)); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(5 * time.Millisecond)
			}
			if got := callsOf(t, server) - before; got > tt.most {
				t.Errorf("got %d calls, want at most %d", got, tt.most)
			} else {
				t.Logf("%d calls", got)
			}
		})
	}
}

func waitAndAck(ctx context.Context, store *redis.Store, session string) {
	known := stem.NewTaskSet(stem.TaskSpec{Name: "known"})
	for ctx.Err() == nil {
		ds, _ := store.Receive(ctx, stem.ReceiveRequest{Session: sessionOf(session), Queues: []string{"q"}, Max: 1, Tasks: known})
		for _, d := range ds {
			_ = store.Settle(context.WithoutCancel(ctx), stem.Settlement{Delivery: d, Verdict: stem.VerdictAck})
		}
	}
}

const scriptCalls = `cmdstat_eval(?:sha)?:calls=(\d+)`

// callsOf counts the calls of scripts that a server has seen.
func callsOf(t *testing.T, server *testredis.Server) int {
	t.Helper()
	return told(t, server, "commandstats", scriptCalls)
}

// told gives the sum of the numbers that a pattern finds in a section of what a server tells of itself.
func told(t *testing.T, server *testredis.Server, section, pattern string) int {
	t.Helper()
	info, err := server.Do("info", section)
	if err != nil {
		t.Fatal(err)
	}
	return sumIn(info, pattern)
}

func sumIn(info any, pattern string) (sum int) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(info.(string), -1) {
		n, _ := strconv.Atoi(m[1])
		sum += n
	}
	return sum
}
