package redis_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/adapters/adaptertest"
	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// A single server keeps the whole contract, through a store that Open has connected.
func TestContract(t *testing.T) { adaptertest.Run(t, harness(single(t))) }

// Random programs give histories that the model allows.
func TestModel(t *testing.T) { adaptertest.RunModel(t, harness(single(t)), 300) }

// A cluster of three keeps the contract but for the step that saves and settles in one.
func TestContractOnACluster(t *testing.T) {
	nodes := testredis.Cluster(t, 3)
	connect := func(t testing.TB, cfg redis.Config) store {
		client := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: nodes.Addrs(), MaxRetries: -1})
		t.Cleanup(func() { _ = client.Close() })
		s, err := redis.NewCluster(context.Background(), client, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	adaptertest.Run(t, harness(connect))
	t.Run("Model", func(t *testing.T) { adaptertest.RunModel(t, harness(connect), 100) })
}

// A server that speaks TLS, and with clients of its own authority alone.
func TestContractOverTLS(t *testing.T) {
	server, set := testredis.TLS(t)
	adaptertest.Run(t, harness(func(t testing.TB, cfg redis.Config) store {
		return onClient(t, &goredis.Options{Addr: server.Addr(), TLSConfig: set.Client(), MaxRetries: -1}, cfg)
	}))
}

func onClient(t testing.TB, options *goredis.Options, cfg redis.Config) store {
	client := goredis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	s, err := redis.New(context.Background(), client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// store is what both kinds of store are.
type store interface {
	stem.Broker
	stem.Backend
	Close() error
}

// connector connects to a server.
type connector func(t testing.TB, cfg redis.Config) store

func single(t *testing.T) connector {
	url := testredis.URL(t)
	return func(t testing.TB, cfg redis.Config) store {
		s, err := redis.Open(context.Background(), url, cfg)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

var namespaces atomic.Int64

// harness opens stores each in a namespace of its own.
func harness(connect connector) adaptertest.Harness {
	return adaptertest.Harness{Open: func(t testing.TB) adaptertest.Stores {
		cfg := redis.Config{Namespace: fmt.Sprintf("test-%d-%d", time.Now().UnixNano(), namespaces.Add(1))}
		return stores(t, connect, cfg, redis.NewClock())
	}}
}

func stores(t testing.TB, connect connector, cfg redis.Config, clock *redis.Clock) adaptertest.Stores {
	s := connect(t, cfg)
	timed := clock.Set(s)
	t.Cleanup(func() { _ = s.Close() })
	return adaptertest.Stores{
		Broker: timed, Backend: timed, Close: s.Close,
		Advance: clock.Advance,
		Peer:    func(t testing.TB) adaptertest.Stores { return stores(t, connect, cfg, clock) },
	}
}
