package redis_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
)

func TestContract(t *testing.T) {
	adaptertest.Run(t, adaptertest.Harness{Open: open})
}

var namespaces atomic.Int64

// open gives a store of a namespace of its own.
func open(t testing.TB) adaptertest.Stores {
	return connect(t, fmt.Sprintf("test-%d-%d", time.Now().UnixNano(), namespaces.Add(1)), redis.NewClock())
}

func connect(t testing.TB, namespace string, clock *redis.Clock) adaptertest.Stores {
	store, err := redis.Open(context.Background(), testredis.URL(t), redis.Config{Namespace: namespace})
	if err != nil {
		t.Fatal(err)
	}
	clock.Set(store)
	t.Cleanup(func() { _ = store.Close() })
	return adaptertest.Stores{
		Broker: store, Backend: store, Close: store.Close,
		Advance: clock.Advance,
		Peer:    func(t testing.TB) adaptertest.Stores { return connect(t, namespace, clock) },
	}
}
