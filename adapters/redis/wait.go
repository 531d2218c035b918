package redis

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// wait blocks until something has come to one of the queues, or a time has passed, or ctx ends. It may have read
// entries also then: they are at the seats, and must have their turn.
func (r *receiver) wait(ctx context.Context, most time.Duration) error {
	defer r.vigils.wait(r.req.Session.ID, r.places)()
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
	streams, err := r.blockingRead(ctx, seats[0].keys.wake, args.Block, func(ctx context.Context, conn *redis.Conn, block time.Duration) ([]redis.XStream, error) {
		args.Block = block
		if !r.mayReadBehind() {
			return conn.XReadGroup(ctx, args).Result()
		}
		pipe := conn.Pipeline()
		cmd := pipe.XReadGroup(ctx, args)
		behind := r.plainly(ctx, pipe, seats[0], min(r.req.Max, mostPlain)-1, true)
		if _, err := pipe.Exec(ctx); err != nil && (!isReply(err) || !behind.answered()) {
			return nil, err // what has been read is found by a receive that recovers
		}
		seats[0].behind = behind
		return cmd.Result()
	})
	switch {
	case err == nil:
	case errors.Is(err, redis.Nil):
		return nil
	case isEnd(err):
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

// blockingRead reads from streams. When ctx ends it has the server end the read: to close the connection could lose
// what is on its way.
func (c *core) blockingRead(ctx context.Context, key string, block time.Duration,
	read func(ctx context.Context, conn *redis.Conn, block time.Duration) ([]redis.XStream, error)) ([]redis.XStream, error) {
	w, err := c.waiters.get(ctx, c, key)
	if err != nil {
		if ctx.Err() != nil {
			return nil, redis.Nil
		}
		return nil, err
	}
	if w.stubborn {
		block = min(block, 250*time.Millisecond)
	}
	// A connection that is dead without our knowing brings no answer at all.
	ctx, cancel := context.WithTimeout(ctx, block+overdue)
	defer cancel()
	unblocked := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(unblocked)
		w.unblock()
	})
	reading, over := context.WithTimeout(context.WithoutCancel(ctx), block+2*overdue)
	defer over()
	streams, err := read(patient(reading), w.conn, block)
	w.done.Store(true)
	if !stop() {
		<-unblocked
	}
	if err == nil || errors.Is(err, redis.Nil) || isEnd(err) {
		c.waiters.put(w)
	} else {
		w.drop() // also for a refusal: the driver may have let the connection go, and would refuse each read from then on
	}
	return streams, err
}

// overdue is how long the end of a blocking read may take, be it by itself or because the server was told.
const overdue = 2 * time.Second

// isEnd tells whether a blocking read has ended since its stream or group is gone.
func isEnd(err error) bool {
	return redis.HasErrorPrefix(err, "NOGROUP") || redis.HasErrorPrefix(err, "UNBLOCKED")
}

// isReply tells an error that the server gave from one of the connection.
func isReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}
