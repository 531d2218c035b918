package redis_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// eater is a connection that loses the next answer, and itself, when it is told to.
type eater struct {
	net.Conn
	next *atomic.Bool
}

func (e eater) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	if err == nil && e.next.CompareAndSwap(true, false) {
		_ = e.Close()
		return 0, io.EOF
	}
	return n, err
}

func TestNothingCountsAsStoredThatCouldNotBeSent(t *testing.T) {
	server := testredis.Start(t, testredis.Config{})
	store, err := redis.Open(t.Context(), server.URL(), redis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	server.Kill()
	for n := 1; n <= 3; n++ {
		envs := make([]stem.Envelope, n)
		for i := range envs {
			envs[i] = stem.Envelope{ID: fmt.Sprint(i), Task: "demo.hello", Queue: "mail"}
		}
		_, err := store.Publish(t.Context(), envs...)
		for i := range envs {
			if stem.ItemErr(err, i) == nil {
				t.Errorf("%d envelopes to a server that is away: number %d counts as stored", n, i)
			}
		}
	}
}

func TestWhatWasDoneIsNotRepeatedOnACluster(t *testing.T) {
	t.Parallel()
	nodes := testredis.Cluster(t, 3)
	var eat atomic.Bool
	client := goredis.NewClusterClient(&goredis.ClusterOptions{
		Addrs: nodes.Addrs(), ContextTimeoutEnabled: true,
		Dialer: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return eater{conn, &eat}, err
		},
	})
	defer client.Close()
	store, err := redis.NewCluster(t.Context(), client, redis.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	publish := func(id string) error {
		_, err := store.Publish(t.Context(), stem.Envelope{ID: id, Task: "demo.hello", Queue: "mail"})
		return err
	}
	wantReady := func(want int) {
		t.Helper()
		counts, err := store.CountQueue(t.Context(), "mail")
		if err != nil || counts.Ready != want {
			t.Errorf("got %+v, %v, want %d ready", counts, err, want)
		}
	}

	if err := publish("a"); err != nil {
		t.Fatal(err)
	}
	eat.Store(true)
	if err := publish("b"); err == nil {
		t.Error("got no error from a publish whose answer was lost")
	}
	wantReady(2)

	slot := nodes.Slot("stem:{mail}:0")
	from := slot * len(nodes.Servers) / 16384
	nodes.MoveSlot(slot, from, (from+1)%len(nodes.Servers))
	if err := publish("c"); err != nil {
		t.Errorf("after the queue has moved to another node: %v", err)
	}
	wantReady(3)
}
