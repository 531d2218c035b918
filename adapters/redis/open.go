package redis

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Open connects to the server of a URL, redis://[user:password@]host[:port][/database] or rediss:// for TLS, with what
// go-redis reads from its query. The store closes the connection with itself.
func Open(ctx context.Context, url string, cfg Config) (*Store, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, fmt.Errorf("redis: open: %w", err)
	}
	options.MaxRetries = -1 // what has been done must not be done twice
	options.ContextTimeoutEnabled = true
	s, err := New(ctx, redis.NewClient(options), cfg)
	if err != nil {
		return nil, err
	}
	s.owned = true
	return s, nil
}

// New makes a store on a client of the user's.
func New(ctx context.Context, client *redis.Client, cfg Config) (*Store, error) {
	c, err := newCore(client, cfg)
	if err != nil {
		return nil, err
	}
	return &Store{c}, nil
}

// NewCluster makes a store on a client of a cluster.
func NewCluster(ctx context.Context, client *redis.ClusterClient, cfg Config) (*ClusterStore, error) {
	c, err := newCore(client, cfg)
	if err != nil {
		return nil, err
	}
	return &ClusterStore{c}, nil
}
