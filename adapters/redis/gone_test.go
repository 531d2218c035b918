package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// Calls of all kinds are under way when the store is closed, or the server dies: all end soon, and with an error that tells it.
func TestCallsEndWhenTheStoreOrTheServerDoes(t *testing.T) {
	for _, tt := range []struct {
		what string
		end  func(*testredis.Server, *redis.Store)
		fits func(error) bool
	}{
		{"the store is closed", func(_ *testredis.Server, s *redis.Store) { _ = s.Close() }, func(err error) bool { return errors.Is(err, stem.ErrClosed) }},
		{"the server dies", func(server *testredis.Server, _ *redis.Store) { server.Kill() }, func(err error) bool {
			var network net.Error
			return errors.As(err, &network) || errors.Is(err, syscall.ECONNREFUSED) || strings.Contains(err.Error(), "EOF")
		}},
	} {
		t.Run(tt.what, func(t *testing.T) {
			server := testredis.Start(t, testredis.Config{})
			store, err := redis.Open(t.Context(), server.URL(), redis.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			var calls sync.WaitGroup
			for i := range 5 {
				session := stem.Session{ID: fmt.Sprint(i), Lease: time.Minute}
				for name, call := range map[string]func(ctx context.Context, n int) error{
					"receive": func(ctx context.Context, n int) error {
						_, err := store.Receive(ctx, stem.ReceiveRequest{Session: session, Queues: []string{"q"}, Max: 1})
						return err
					},
					"receive nothing": func(ctx context.Context, n int) error {
						_, err := store.Receive(ctx, stem.ReceiveRequest{Session: session, Queues: []string{"empty"}, Max: 1})
						return err
					},
					"publish": func(ctx context.Context, n int) error {
						_, err := store.Publish(ctx, stem.Envelope{ID: fmt.Sprint(i, "-", n), Task: "t", Queue: "q"})
						return stem.ItemErr(err, 0)
					},
					"extend": func(ctx context.Context, n int) error {
						_, err := store.Extend(ctx, session)
						return err
					},
					"save": func(ctx context.Context, n int) error {
						return stem.ItemErr(store.Save(ctx, stem.Result{ID: fmt.Sprint(i, "-", n), State: stem.StateRunning, Keep: time.Minute}), 0)
					},
					"await": func(ctx context.Context, n int) error {
						_, err := store.Await(ctx, "never")
						return err
					},
				} {
					calls.Go(func() {
						for n := 0; ; n++ {
							ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
							err := call(ctx, n)
							cancel()
							if err != nil {
								if !tt.fits(err) {
									t.Errorf("%s: got %v", name, err)
								}
								return
							}
						}
					})
				}
			}
			time.Sleep(300 * time.Millisecond)
			ended := time.Now()
			tt.end(server, store)
			calls.Wait()
			if took := time.Since(ended); took > 5*time.Second {
				t.Errorf("got the last call's end after %v, want soon", took)
			}
		})
	}
}
