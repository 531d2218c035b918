// Package adapters opens stores by URL, for programs that let their operator choose one: Open opens the store of a URL, and
// FromEnv reads all that an operator may set. A program that knows its store imports that adapter alone, and need not link the others.
package adapters

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/adapters/redis"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// Stores are a broker, a result backend and what else lies in stores. The zero value is nothing, and may be closed.
type Stores struct {
	Broker  stem.Broker
	Backend stem.Backend
	// Revocations and Limits are where revocations lie, and what limits know of turns and places.
	Revocations stem.RevocationStore
	Limits      limit.Store
	close       func() error
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
// All are opened with their defaults. Who needs more (another namespace, a client certificate) sets variables, for FromEnv,
// or imports the adapter and brings its config, or its client. An error shows no password.
func Open(ctx context.Context, url string) (Stores, error) {
	s, err := open(ctx, url, &Config{}, slog.Default())
	if err != nil {
		return Stores{}, err
	}
	return Stores{Broker: s, Backend: s, Revocations: s, Limits: s, close: s.Close}, nil
}

// store is what every adapter opens.
type store interface {
	stem.Broker
	stem.Backend
	stem.RevocationStore
	limit.Store
	Close() error
}

// open opens the store of a URL, as a config says.
func open(ctx context.Context, url string, cfg *Config, log *slog.Logger) (store, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	switch scheme {
	case "memory":
		if rest != "" {
			return nil, fmt.Errorf("adapters: open: memory: is followed by something, want memory: alone")
		}
		return new(memory.Store), nil
	case "redis", "rediss", "redis+cluster", "rediss+cluster":
		secure, err := cfg.tls.config(url)
		if err != nil {
			return nil, fmt.Errorf("adapters: open: %w", err)
		}
		return openRedis(ctx, url, redis.Config{Namespace: cfg.namespace, TLS: secure, Logger: log})
	case "postgres", "postgresql":
		return opened(postgres.Open(ctx, cfg.tls.parameters(url), postgres.Config{Schema: cfg.namespace, NoMigration: cfg.LookOnly, Logger: log}))
	case "redis+sentinel", "rediss+sentinel":
		return nil, fmt.Errorf("adapters: open: %s: has no URL: make a client with redis.NewFailoverClient of go-redis and pass it to redis.New", scheme)
	default:
		return nil, fmt.Errorf("adapters: open: the URL begins with none of memory:, redis://, rediss://, redis+cluster://, rediss+cluster:// and postgres://")
	}
}

func openRedis(ctx context.Context, url string, cfg redis.Config) (store, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	if single, cluster := strings.CutSuffix(scheme, "+cluster"); cluster {
		return opened(redis.OpenCluster(ctx, single+":"+rest, cfg))
	}
	return opened(redis.Open(ctx, url, cfg))
}

// opened keeps a nil of an adapter's type from being a store.
func opened[S store](s S, err error) (store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// OpenError says which store could not be opened. It shows no password.
type OpenError struct {
	// Variable is the one with its URL, and URL what that may be shown of.
	Variable, URL string
	// After is how long it was tried.
	After time.Duration
	Err   error
}

// Error names the store, and how long it was tried.
func (e *OpenError) Error() string {
	return fmt.Sprintf("%s %s, tried for %v: %v", e.Variable, e.URL, e.After.Round(time.Millisecond), e.Err)
}

// Unwrap gives what the adapter says.
func (e *OpenError) Unwrap() error { return e.Err }

// opener opens each URL once.
type opener struct {
	cfg    *Config
	log    *slog.Logger
	opened map[string]store
	order  []store
	failed bool
}

// open has the store of a URL taken. After the first that cannot be opened no other is tried.
func (o *opener) open(ctx context.Context, variable, url string, take func(store)) error {
	if s, ok := o.opened[url]; ok {
		take(s)
		return nil
	}
	if o.failed {
		return nil
	}
	before := time.Now()
	s, err := open(ctx, url, o.cfg, o.log)
	if err != nil {
		o.failed = true
		return &OpenError{variable, MaskURL(url), time.Since(before), err}
	}
	o.opened[url], o.order = s, append(o.order, s)
	take(s)
	return nil
}

// close closes what is open, the last first.
func (o *opener) close() (err error) {
	for i := len(o.order) - 1; i >= 0; i-- {
		if e := o.order[i].Close(); err == nil {
			err = e
		}
	}
	return err
}
