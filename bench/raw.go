package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	stream  = "raw:stream"
	delayed = "raw:delayed"
	group   = "raw"
	fetched = 256 // entries a read
)

// rawSystem is a hand-written loop over a stream, with nothing of a framework: XADD one at a time, XREADGROUP
// COUNT 256, acknowledgements gathered in one pipeline. It fences nothing and stores no results.
type rawSystem struct {
	client *redis.Client
	settle func(ctx context.Context, done []entry) error
}

type entry struct {
	id string
	n  int32
}

func newRaw(addr string, t *trips) *rawSystem {
	r := &rawSystem{client: redis.NewClient(&redis.Options{Addr: addr})}
	r.client.AddHook(t)
	r.settle = r.acknowledge
	return r
}

func (r *rawSystem) Enqueue(ctx context.Context, n int32) error {
	return r.client.XAdd(ctx, added(n)).Err()
}

func added(n int32) *redis.XAddArgs {
	return &redis.XAddArgs{Stream: stream, Values: []any{"p", payload(n)}}
}

func (r *rawSystem) EnqueueMany(ctx context.Context, from, to int32, due time.Time) error {
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for n := from; n < to; n++ {
			if due.IsZero() {
				p.XAdd(ctx, added(n))
			} else {
				p.ZAdd(ctx, delayed, redis.Z{Score: float64(due.UnixMilli()), Member: payload(n)})
			}
		}
		return nil
	})
	return err
}

func (r *rawSystem) Work(ctx context.Context, _ []string, slots int, ran func(int32)) error {
	err := r.client.XGroupCreateMkStream(ctx, stream, group, "0").Err()
	if err != nil && !redis.HasErrorPrefix(err, "BUSYGROUP") {
		return err
	}
	go r.move(ctx)
	return loop[entry]{r.fetch, r.settle}.work(ctx, slots, func(e entry) { ran(e.n) })
}

func (r *rawSystem) fetch(ctx context.Context, tasks chan<- entry) error {
	args := &redis.XReadGroupArgs{Group: group, Consumer: "c", Streams: []string{stream, ">"}, Count: fetched, Block: time.Second}
	for {
		read, err := r.client.XReadGroup(ctx, args).Result()
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, redis.Nil):
			continue
		case err != nil:
			return err
		}
		for _, m := range read[0].Messages {
			p, _ := m.Values["p"].(string)
			tasks <- entry{m.ID, number([]byte(p))}
		}
	}
}

// due moves what is due into the stream. KEYS: delayed, stream. ARGV: now in ms.
var due = redis.NewScript(`
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 500)
for _, p in ipairs(due) do redis.call('XADD', KEYS[2], '*', 'p', p) end
if due[1] then redis.call('ZREM', KEYS[1], unpack(due)) end
return #due`)

// move looks every 5 ms for tasks that are due.
func (r *rawSystem) move(ctx context.Context) {
	for ctx.Err() == nil {
		moved, _ := due.Run(ctx, r.client, []string{delayed, stream}, time.Now().UnixMilli()).Int()
		if moved == 0 {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func (r *rawSystem) acknowledge(ctx context.Context, done []entry) error {
	_, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		ids := make([]string, len(done))
		for i, e := range done {
			ids[i] = e.id
		}
		p.XAck(ctx, stream, group, ids...)
		p.XDel(ctx, stream, ids...)
		return nil
	})
	return err
}

func (r *rawSystem) Left(ctx context.Context) (int64, error) {
	entries, err := r.client.XLen(ctx, stream).Result()
	if err != nil {
		return 0, err
	}
	later, err := r.client.ZCard(ctx, delayed).Result()
	return entries + later, err
}

// fencedSystem is rawSystem with what Stem promises: a script settles only while nobody has taken over from the
// consumer (its steal counter says so), and stores a result for each task, by one HSET for each batch and 64 ms.
// Enqueues are gathered. It is the limit of Stem's design.
type fencedSystem struct {
	*rawSystem
	enqueues *gather[int32]
	waits    sync.Pool
}

const steals = "raw:steals:c"

func newFenced(ctx context.Context, addr string, t *trips) (*fencedSystem, error) {
	f := &fencedSystem{rawSystem: newRaw(addr, t)}
	f.rawSystem.settle = f.settleFenced
	f.waits.New = func() any { return make(chan error, 1) }
	f.enqueues = newGather(1000, func(ns []int32) error {
		_, err := f.client.Pipelined(context.Background(), func(p redis.Pipeliner) error {
			for _, n := range ns {
				p.XAdd(context.Background(), added(n))
			}
			return nil
		})
		return err
	})
	return f, f.client.SetNX(ctx, steals, 1, 0).Err()
}

func (f *fencedSystem) Enqueue(_ context.Context, n int32) error {
	done := f.waits.Get().(chan error)
	defer f.waits.Put(done)
	f.enqueues.in <- parcel[int32]{n, done}
	return <-done
}

// fence settles entries while the consumer's steal counter is what it was before they were fetched.
// KEYS: steal counter, stream, hash of the results. ARGV: the counter's value, group, then the entries' ids, then
// ids and results for the hash. It answers how many were settled.
var fence = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local ids, results, n = {}, {}, (#ARGV - 2) / 3
for i = 1, n do ids[i] = ARGV[2 + i] end
for i = 1, 2 * n do results[i] = ARGV[2 + n + i] end
local acked = redis.call('XACK', KEYS[2], ARGV[2], unpack(ids))
redis.call('XDEL', KEYS[2], unpack(ids))
redis.call('HSET', KEYS[3], unpack(results))
redis.call('EXPIRE', KEYS[3], 86400)
return acked`)

func (f *fencedSystem) settleFenced(ctx context.Context, done []entry) error {
	for len(done) > 0 {
		bucket, n := bucketOf(done[0].id), 1
		for n < len(done) && bucketOf(done[n].id) == bucket {
			n++
		}
		args := make([]any, 2, 2+3*n)
		args[0], args[1] = 1, group
		for _, e := range done[:n] {
			args = append(args, e.id)
		}
		for _, e := range done[:n] {
			args = append(args, e.id, e.n)
		}
		acked, err := fence.Run(ctx, f.client, []string{steals, stream, "raw:results:" + bucket}, args...).Int()
		if err != nil {
			return err
		}
		if acked != n {
			return fmt.Errorf("%d of %d were settled", acked, n)
		}
		done = done[n:]
	}
	return nil
}

// bucketOf names the hash for results of entries of the same 64 ms.
func bucketOf(id string) string {
	ms, _ := strconv.ParseInt(id[:13], 10, 64)
	return strconv.FormatInt(ms>>6, 36)
}
