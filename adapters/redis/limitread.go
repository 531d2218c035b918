package redis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/stem/limit"
)

var _ limit.Reader = (*Store)(nil)

// ReadBuckets reads buckets in one round trip: a command for each, and one for the time.
func (c *core) ReadBuckets(ctx context.Context, buckets ...limit.Bucket) ([]limit.State, error) {
	for _, bucket := range buckets {
		if err := bucket.Validate(); err != nil {
			return nil, err
		}
	}
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	pipe := c.client.Pipeline()
	clock := pipe.Time(ctx)
	read := make([]*redis.StringCmd, len(buckets))
	for i, bucket := range buckets {
		key, _ := c.bucketKey(bucket)
		read[i] = pipe.Get(ctx, key)
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
		return nil, c.failed("read buckets", err)
	}
	now := clock.Val().UnixMicro() + c.offset.Load()*1000
	states := make([]limit.State, len(buckets))
	for i := range read {
		var next, penalty int64
		// What is no bucket, or none yet, is as good as none, as it is to bucket.lua.
		if n, _ := fmt.Sscanf(read[i].Val(), "%d %d", &next, &penalty); n == 2 {
			states[i] = limit.State{Next: until(next, now, time.Microsecond), Penalty: until(penalty, now, time.Microsecond)}
		}
	}
	return states, nil
}

// until gives how long it is from now until a time, both in a unit; 0 where it is over.
func until(at, now int64, unit time.Duration) time.Duration {
	return time.Duration(max(at-now, 0)) * unit
}

// ReadPlaces reads places in one round trip: a command for each task, and one for the time.
func (c *core) ReadPlaces(ctx context.Context, tasks ...string) ([][]limit.Holder, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	pipe := c.client.Pipeline()
	clock := pipe.Time(ctx)
	read := make([]*redis.MapStringStringCmd, len(tasks))
	for i, task := range tasks {
		read[i] = pipe.HGetAll(ctx, c.placesKey(task))
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, c.failed("read places", err)
	}
	now := clock.Val().UnixMilli() + c.offset.Load()
	holders := make([][]limit.Holder, len(tasks))
	for i := range read {
		for session, text := range read[i].Val() {
			h, lapses := limit.Holder{Session: session}, int64(0)
			if n, _ := fmt.Sscanf(text, "%d %d", &h.N, &lapses); n == 2 && lapses > now {
				h.Lapses = until(lapses, now, time.Millisecond)
				holders[i] = append(holders[i], h)
			}
		}
		slices.SortFunc(holders[i], func(a, b limit.Holder) int { return cmp.Compare(a.Session, b.Session) })
	}
	return holders, nil
}
