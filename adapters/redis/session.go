package redis

import (
	"context"
	"maps"
	"sync"
	"time"
)

// sessions knows from which queues each session has received through this store, to renew it on all of them.
type sessions struct {
	mu sync.Mutex
	by map[string]map[string]bool
}

// note notes that a session receives from a queue, here and, the first time, in the server, for other connections.
func (s *sessions) note(ctx context.Context, c *core, session, queue string) error {
	s.mu.Lock()
	known := s.by[session][queue]
	s.mu.Unlock()
	if known {
		return nil
	}
	key := c.sessionKey(session)
	if err := c.keep(ctx, key, keepSession, queue, true); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = make(map[string]map[string]bool)
	}
	if s.by[session] == nil {
		s.by[session] = make(map[string]bool)
	}
	s.by[session][queue] = true
	return nil
}

// queues gives those that a session has received from, the caller's to change.
func (s *sessions) queues(ctx context.Context, c *core, session string) (map[string]bool, error) {
	s.mu.Lock()
	known := maps.Clone(s.by[session])
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	members, err := c.client.SMembers(ctx, c.sessionKey(session)).Result()
	known = make(map[string]bool)
	for _, queue := range members {
		known[queue] = true
	}
	return known, err
}

// keepSession is how long it is remembered from which queues a session has received.
const keepSession = 7 * 24 * time.Hour

// keep stores what a worker needs before it can receive: a text, or a member of a set.
func (c *core) keep(ctx context.Context, key string, keep time.Duration, value string, set bool) error {
	call := keepScript.start(4, []any{key})
	call.endKeys()
	call.add(int(keep.Seconds()), value, flag(set))
	_, err := c.run(ctx, &call)
	return err
}
