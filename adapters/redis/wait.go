package redis

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// wait blocks until something has come to one of the queues, or a time has passed, or ctx ends. It may have read
// entries also then: they are at the seats, and must have their turn.
func (r *receiver) wait(ctx context.Context, most time.Duration) error {
	if r.cluster == nil {
		seats := make([]*seat, len(r.places))
		for i := range r.places {
			seats[i] = &r.places[i]
		}
		return r.waitAt(ctx, most, seats)
	}
	return r.waitEverywhere(ctx, most)
}

// waitEverywhere waits at each queue by a connection of its own, since queues may lie on different nodes, until one
// of them has something.
func (r *receiver) waitEverywhere(ctx context.Context, most time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(r.places))
	var all sync.WaitGroup
	for i := range r.places {
		all.Go(func() {
			defer cancel()
			errs[i] = r.waitAt(ctx, most, []*seat{&r.places[i]})
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// waitAt waits at queues that lie on one node. Each stream has its place in a blocking read, since it is woken by
// what arrives there. At a paused queue it waits for a token only.
func (r *receiver) waitAt(ctx context.Context, most time.Duration, seats []*seat) error {
	args := &redis.XReadGroupArgs{Group: group, Consumer: r.req.Session.ID, Count: 1, Block: max(most, time.Millisecond)}
	at := make(map[string]*seat)
	for _, s := range seats {
		at[s.keys.wake] = s
		args.Streams = append(args.Streams, s.keys.wake)
		if s.paused {
			continue
		}
		for p := len(s.keys.streams) - 1; p >= 0; p-- {
			at[s.keys.streams[p]] = s
			args.Streams = append(args.Streams, s.keys.streams[p])
		}
	}
	for range len(args.Streams) {
		args.Streams = append(args.Streams, ">")
	}
	streams, err := r.blockingRead(ctx, seats[0].keys.wake, args)
	switch {
	case err == nil:
	case errors.Is(err, redis.Nil):
		return nil
	case redis.HasErrorPrefix(err, "NOGROUP"), redis.HasErrorPrefix(err, "UNBLOCKED"):
		for _, s := range seats {
			s.ensure = true
		}
		return nil
	default:
		return err
	}
	for _, stream := range streams {
		s := at[stream.Stream]
		from := stream.Stream[strings.LastIndexByte(stream.Stream, ':')+1:]
		if from == "wake" {
			from = "w"
		}
		for _, m := range stream.Messages {
			if from != "0" {
				s.read = append(s.read, from+" "+m.ID)
				continue
			}
			one := loan{id: m.ID}
			for name, value := range m.Values {
				one.set(name, value)
			}
			s.fresh = append(s.fresh, one)
		}
	}
	return nil
}

// blockingRead reads from groups. When ctx ends it has the server end the read: to close the connection could lose
// what is on its way.
func (c *core) blockingRead(ctx context.Context, key string, args *redis.XReadGroupArgs) ([]redis.XStream, error) {
	w, err := c.waiters.get(ctx, c, key)
	if err != nil {
		if ctx.Err() != nil {
			return nil, redis.Nil
		}
		return nil, err
	}
	if w.stubborn {
		args.Block = min(args.Block, 250*time.Millisecond)
	}
	// A connection that is dead without our knowing brings no answer at all.
	ctx, cancel := context.WithTimeout(ctx, args.Block+overdue)
	defer cancel()
	unblocked := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(unblocked)
		w.unblock()
	})
	streams, err := w.conn.XReadGroup(context.WithoutCancel(ctx), args).Result()
	w.done.Store(true)
	if !stop() {
		<-unblocked
	}
	if err != nil && !errors.Is(err, redis.Nil) && !isReply(err) {
		w.drop()
	} else {
		c.waiters.put(w)
	}
	return streams, err
}

// overdue is how long the end of a blocking read may take, be it by itself or because the server was told.
const overdue = 2 * time.Second

// isReply tells an error that the server gave from one of the connection.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

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
	if o.ReadTimeout == 0 {
		o.ReadTimeout = -1
	}
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
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), turnTimeout)
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
