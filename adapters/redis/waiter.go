package redis

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// waiter is a connection for blocking reads. It is none of those of the client's pool: however many wait, they leave
// these to the others.
type waiter struct {
	client *redis.Client // of the node
	own    *redis.Client // of the one connection
	conn   *redis.Conn
	id     int64
	done   atomic.Bool
	// stubborn tells that the server does not let us end a read.
	stubborn bool
}

// unblock has the server end the read, which may not have reached it yet. Where that does not help, the server has forgotten the
// connection, or does not answer: then it is closed. What is on its way is lost with it, and found by a receive that recovers.
func (w *waiter) unblock() {
	pause := time.Millisecond
	for deadline := time.Now().Add(overdue); !w.done.Load(); pause = min(2*pause, 100*time.Millisecond) {
		if time.Now().After(deadline) {
			w.drop()
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		n, err := w.client.ClientUnblock(ctx, w.id).Result()
		cancel()
		if n == 1 {
			return
		}
		if err != nil && isReply(err) {
			w.stubborn = true
			return // it ends by itself
		}
		timer := time.NewTimer(pause)
		<-timer.C
	}
}

func (w *waiter) drop() {
	_ = w.conn.Close()
	_ = w.own.Close()
}

// single gives a client that has one connection, with the options of another.
func single(client *redis.Client) *redis.Client {
	o := *client.Options()
	o.PoolSize, o.MinIdleConns, o.MaxActiveConns = 1, 0, 0
	// Of options that have been used 0 says none, where it says the default in new ones.
	o.MaxRetries = -1
	// How long an answer may take is told with each call: a pipeline that begins with a blocking read would have the
	// time of a short command.
	o.ReadTimeout, o.ContextTimeoutEnabled = -1, true
	if o.WriteTimeout == 0 {
		o.WriteTimeout = -1
	}
	return redis.NewClient(&o)
}

// waiters are the connections for blocking reads that are free.
type waiters struct {
	mu   sync.Mutex
	free []*waiter
	shut bool
}

// get gives a connection to the node on which a key lies.
func (ws *waiters) get(ctx context.Context, c *core, key string) (*waiter, error) {
	client, err := c.nodeOf(ctx, key)
	if err != nil {
		return nil, err
	}
	ws.mu.Lock()
	for i, w := range ws.free {
		if w.client == client {
			ws.free = append(ws.free[:i], ws.free[i+1:]...)
			ws.mu.Unlock()
			w.done.Store(false)
			return w, nil
		}
	}
	ws.mu.Unlock()
	own := single(client)
	w := &waiter{client: client, own: own, conn: own.Conn(), stubborn: c.stubborn}
	patience := turnTimeout
	if o := client.Options(); o.ReadTimeout > 0 { // to connect and be answered takes no longer than the user lets it
		patience = min(patience, o.DialTimeout+o.ReadTimeout)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if w.id, err = w.conn.ClientID(ctx).Result(); err != nil {
		if !isReply(err) {
			w.drop()
			return nil, err
		}
		w.stubborn = true
	}
	return w, nil
}

func (ws *waiters) put(w *waiter) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.shut || len(ws.free) >= 16 {
		w.drop()
		return
	}
	ws.free = append(ws.free, w)
}

func (ws *waiters) close() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.shut = true
	for _, w := range ws.free {
		w.drop()
	}
	ws.free = nil
}

// nodeOf gives the client of the node on which a key lies.
func (c *core) nodeOf(ctx context.Context, key string) (*redis.Client, error) {
	if c.cluster != nil {
		return c.cluster.MasterForKey(ctx, key)
	}
	return c.client.(*redis.Client), nil
}
