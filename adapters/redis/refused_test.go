package redis_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// Where the server refuses a blocking read, or the connection for one, that is an error, not a wait that is over at once; and when it
// refuses no more, receivers wait again.
func TestAWaitThatIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		what          string
		refuse, allow []any
	}{
		{"the password is another", []any{"config", "set", "requirepass", "b"}, []any{"config", "set", "requirepass", "a"}},
		{"the server has become a replica", []any{"replicaof", "127.0.0.1", "1"}, []any{"replicaof", "no", "one"}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			t.Parallel()
			server := testredis.Start(t, testredis.Config{})
			admin := goredis.NewClient(&goredis.Options{Addr: server.Addr(), PoolSize: 1}) // its one connection stays, whatever the password
			defer admin.Close()
			do := func(words ...any) any {
				t.Helper()
				said, err := admin.Do(t.Context(), words...).Result()
				if err != nil {
					t.Fatal(words, err)
				}
				return said
			}
			scripts := func() int { return sumIn(do("info", "commandstats"), scriptCalls) }
			do("config", "set", "requirepass", "a")
			store, err := redis.Open(t.Context(), "redis://:a@"+server.Addr(), redis.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			receive := func(patience time.Duration) (int, error) {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				ds, err := store.Receive(ctx, stem.ReceiveRequest{Session: sessionOf("s"), Queues: []string{"q"}, Max: 10})
				return len(ds), err
			}
			for i := range 2 { // the queue is calm afterwards
				got := make(chan int, 1)
				go func() {
					n, _ := receive(5 * time.Second)
					got <- n
				}()
				awaitBlocked(t, 1, func() (any, error) { return do("info", "clients"), nil })
				if _, err := store.Publish(t.Context(), stem.Envelope{ID: fmt.Sprint(i), Task: "t", Queue: "q"}); err != nil {
					t.Fatal(err)
				}
				if n := <-got; n != 1 {
					t.Fatalf("got %d deliveries, want one", n)
				}
			}

			do(tt.refuse...)
			if tt.refuse[0] == "config" {
				redis.DropWaiters(store) // who has a connection keeps it
			}
			if _, err := receive(250 * time.Millisecond); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want the refusal", err)
			}
			do(tt.allow...)
			before := scripts()
			if _, err := receive(250 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) || scripts()-before > 10 {
				t.Errorf("got %v and %d calls of scripts, want a wait", err, scripts()-before)
			}
		})
	}
}
