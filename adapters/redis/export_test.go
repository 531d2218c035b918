package redis

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// Clock moves the clocks of stores that are connected to one server.
type Clock struct {
	mu     sync.Mutex
	stores []*core
	offset time.Duration
}

// NewClock gives a clock that is as the server's.
func NewClock() *Clock { return new(Clock) }

// Set lets a store follow the clock.
func (k *Clock) Set(store any) {
	var s *core
	switch store := store.(type) {
	case *Store:
		s = store.core
	case *ClusterStore:
		s = store.core
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s.offset.Store(k.offset.Milliseconds())
	k.stores = append(k.stores, s)
}

// Advance moves the clock, and lets all that wait look at it.
func (k *Clock) Advance(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.offset += d
	for _, c := range k.stores {
		c.offset.Store(k.offset.Milliseconds())
	}
	for _, c := range k.stores {
		c.unblockAll()
	}
}

// unblockAll ends all blocking reads on the server.
func (c *core) unblockAll() {
	ctx := context.Background()
	if c.cluster != nil {
		_ = c.cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
			unblockAll(ctx, node)
			return nil
		})
		return
	}
	unblockAll(ctx, c.client.(*redis.Client))
}

func unblockAll(ctx context.Context, client *redis.Client) {
	list, err := client.ClientList(ctx).Result()
	if err != nil {
		return // it is closed
	}
	for _, line := range strings.Split(list, "\n") {
		id, blocked := int64(0), false
		for _, field := range strings.Fields(line) {
			name, value, _ := strings.Cut(field, "=")
			switch name {
			case "id":
				id, _ = strconv.ParseInt(value, 10, 64)
			case "flags":
				blocked = strings.Contains(value, "b")
			}
		}
		if blocked {
			client.ClientUnblock(ctx, id)
		}
	}
}
