// Package adapters opens stores by URL, for programs that let their operator choose one. A program that
// knows its store imports that adapter alone, and need not link the others.
package adapters

import (
	"context"
	"fmt"
	"strings"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/stem"
)

// Stores are a broker and a result backend. The zero value is nothing, and may be closed.
type Stores struct {
	Broker  stem.Broker
	Backend stem.Backend
	close   func() error
}

// Close lets the connections go. It may be repeated.
func (s Stores) Close() error {
	if s.close == nil {
		return nil
	}
	return s.close()
}

// Open opens a store by its URL:
//
//	memory:                        the memory of this process, empty
//	redis://host:port/database     a Redis server
//	rediss://…                     the same with TLS
//	redis+cluster://host:port      a Redis Cluster, by one of its nodes; rediss+cluster:// with TLS
//	postgres://host:port/database  a PostgreSQL database, with ?sslmode=verify-full for TLS; its tables are made if they are missing
//
// All are opened with their defaults. Who needs more (another namespace, Sentinels, a client certificate) imports the adapter
// and brings its config, or its client. An error shows no password.
func Open(ctx context.Context, url string) (Stores, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	switch scheme {
	case "memory":
		if rest != "" {
			return Stores{}, fmt.Errorf("adapters: open: memory: is followed by something, want memory: alone")
		}
		return stores(new(memory.Store), nil)
	case "redis", "rediss":
		return stores(redis.Open(ctx, url, redis.Config{}))
	case "redis+cluster", "rediss+cluster":
		scheme, _, _ = strings.Cut(scheme, "+")
		return stores(redis.OpenCluster(ctx, scheme+":"+rest, redis.Config{}))
	case "postgres", "postgresql":
		return stores(postgres.Open(ctx, url, postgres.Config{}))
	case "redis+sentinel", "rediss+sentinel":
		return Stores{}, fmt.Errorf("adapters: open: %s: has no URL: make a client with redis.NewFailoverClient of go-redis and pass it to redis.New", scheme)
	default:
		return Stores{}, fmt.Errorf("adapters: open: the URL begins with none of memory:, redis://, rediss://, redis+cluster://, rediss+cluster:// and postgres://")
	}
}

// store is what every adapter opens.
type store interface {
	stem.Broker
	stem.Backend
	Close() error
}

func stores[S store](s S, err error) (Stores, error) {
	if err != nil {
		return Stores{}, err
	}
	return Stores{Broker: s, Backend: s, close: s.Close}, nil
}
