package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/stem"
)

// Save stores records: one call of a script, or on a cluster one for each hash that the records go to.
func (c *core) Save(ctx context.Context, rs ...stem.Result) error {
	if err := c.begin(); err != nil {
		return err
	}
	defer c.calls.Done()
	if len(rs) == 0 {
		return nil
	}
	if c.cluster == nil {
		all := make([]int, len(rs))
		for i := range all {
			all[i] = i
		}
		refused, err := c.save(ctx, rs, all)
		if err != nil {
			return c.failed("save results", err)
		}
		return partial(leaseLost(nil, refused))
	}
	var failed []stem.ItemError
	calls := make(map[string][]int)
	for i := range rs {
		bucket := c.bucket(rs[i].ID)
		calls[bucket] = append(calls[bucket], i)
	}
	for _, indices := range calls {
		refused, err := c.save(ctx, rs, indices)
		if err != nil {
			failed = unknown(failed, indices, c.failed("save results", err))
		}
		failed = leaseLost(failed, refused)
	}
	return partial(failed)
}

// save saves those that the indices name, and answers which of the indices were refused.
func (c *core) save(ctx context.Context, rs []stem.Result, indices []int) (refused []int, err error) {
	call := saveScript.start(2+6*len(indices), nil)
	keys := make(map[string]int)
	for _, i := range indices {
		if bucket := c.bucket(rs[i].ID); keys[bucket] == 0 {
			keys[bucket] = call.key(bucket)
		}
	}
	call.endKeys()
	call.add(c.offset.Load(), c.channel())
	for _, i := range indices {
		call.add(recordArgs(keys[c.bucket(rs[i].ID)], &rs[i])...)
	}
	reply, err := c.run(ctx, &call)
	if err != nil {
		return nil, err
	}
	places, err := parseIndices(reply)
	for _, place := range places {
		refused = append(refused, indices[place-1])
	}
	return refused, err
}

func leaseLost(failed []stem.ItemError, indices []int) []stem.ItemError {
	for _, i := range indices {
		failed = append(failed, stem.ItemError{Index: i, Err: stem.ErrLeaseLost})
	}
	return failed
}

// recordArgs gives a record as the scripts take it.
func recordArgs(bucket int, r *stem.Result) []any {
	return []any{bucket, r.ID, r.Delivery, flag(r.State.Terminal()), max(millis(r.Keep), 1), stem.AppendResult(make([]byte, 0, 96+len(r.Payload)), r)}
}

// Load answers records. One that has expired may be told from one that was never there until its hash goes.
func (c *core) Load(ctx context.Context, ids ...string) ([]stem.Result, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	rs, err := c.load(ctx, ids)
	return rs, err
}

func (c *core) load(ctx context.Context, ids []string) ([]stem.Result, error) {
	rs := make([]stem.Result, len(ids))
	if len(ids) == 0 {
		return rs, nil
	}
	pipe := c.client.Pipeline()
	clock := pipe.Time(ctx)
	buckets := make(map[string][]int)
	for i, id := range ids {
		bucket := c.bucket(id)
		buckets[bucket] = append(buckets[bucket], i)
	}
	answers := make(map[string]*redis.SliceCmd, len(buckets))
	for bucket, indices := range buckets {
		fields := make([]string, len(indices))
		for j, i := range indices {
			fields[j] = ids[i]
		}
		answers[bucket] = pipe.HMGet(ctx, bucket, fields...)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, c.failed("load results", err)
	}
	now := clock.Val().UnixMilli() + c.offset.Load()
	var failed []stem.ItemError
	for bucket, indices := range buckets {
		for j, value := range answers[bucket].Val() {
			i := indices[j]
			var err error
			if rs[i], err = parseRecord(value, now); err != nil {
				failed = append(failed, stem.ItemError{Index: i, Err: err})
			}
		}
	}
	return rs, partial(failed)
}

var errRecord = errors.New("redis: what is stored is no record of a result")

// parseRecord reads "<kept until> <delivery number> <1 if it is final> <record>".
func parseRecord(value any, now int64) (stem.Result, error) {
	text, ok := value.(string)
	if !ok {
		return stem.Result{}, stem.ErrNoResult
	}
	till, rest, _ := strings.Cut(text, " ")
	_, rest, _ = strings.Cut(rest, " ")
	_, record, ok := strings.Cut(rest, " ")
	end, err := strconv.ParseInt(till, 10, 64)
	if !ok || err != nil {
		return stem.Result{}, errRecord
	}
	if end <= now {
		return stem.Result{}, stem.ErrResultExpired
	}
	r, err := stem.ParseResult([]byte(record))
	if err != nil {
		return stem.Result{}, fmt.Errorf("%w: %w", errRecord, err)
	}
	return r, nil
}
