package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/codec"
)

// DeadLetters answers at most limit dead letters of a queue, the newest first.
func (c *core) DeadLetters(ctx context.Context, queue string, limit int) ([]stem.DeadLetter, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	if limit < 1 {
		return nil, nil
	}
	keys := c.keysOf(queue)
	burials, err := c.client.ZRevRangeWithScores(ctx, keys.burials, 0, int64(limit-1)).Result()
	if err != nil || len(burials) == 0 {
		return nil, c.failed("dead letters", err)
	}
	fields := make([]string, 0, 2*len(burials))
	for _, b := range burials {
		key, _ := b.Member.(string)
		fields = append(fields, key, key+" e")
	}
	values, err := c.client.HMGet(ctx, keys.dead, fields...).Result()
	if err != nil {
		return nil, c.failed("dead letters", err)
	}
	letters := make([]stem.DeadLetter, 0, len(burials))
	for i, b := range burials {
		about, ok := values[2*i].(string)
		if !ok {
			continue // it has gone meanwhile, to make room
		}
		published, _ := values[2*i+1].(string)
		letter := letterOf(queue, about, published)
		letter.At = time.UnixMilli(int64(b.Score)).UTC()
		letters = append(letters, letter)
	}
	return letters, nil
}

func parseBurial(burial string, l *stem.DeadLetter) error {
	r := codec.NewReader([]byte(burial))
	if n := r.EnterArray(); !r.Failed() && n != 6 {
		r.Fail(errors.New("want six fields"))
	}
	l.ID, l.Task, l.Reason, l.Attempt, l.Delivery = r.Str(), r.Str(), r.Str(), r.Int(), r.Int64()
	l.Marks = readMarks(&r)
	r.Leave()
	if err := r.Finish(); err != nil {
		return fmt.Errorf("redis: what is known about a dead letter: %w", err)
	}
	return nil
}

// CountQueue answers the counts of a queue, by one call of a script.
func (c *core) CountQueue(ctx context.Context, queue string) (stem.QueueCounts, error) {
	if err := c.begin(); err != nil {
		return stem.QueueCounts{}, err
	}
	defer c.calls.Done()
	call := countScript.start(1, c.keysOf(queue).all)
	call.endKeys()
	call.add(c.offset.Load())
	reply, err := c.run(ctx, &call)
	if err != nil {
		return stem.QueueCounts{}, c.failed("count", err)
	}
	list, ok := reply.([]any)
	if !ok || len(list) < 5 {
		return stem.QueueCounts{}, c.failed("count", errReply)
	}
	var n [5]int
	for i := range n {
		v, _ := list[i].(int64)
		n[i] = max(int(v), 0)
	}
	counts := stem.QueueCounts{Ready: n[0], Delayed: n[1], Running: n[2], Dead: n[3], Paused: n[4] == 1}
	for i := 5; i+1 < len(list); i += 2 {
		schema, _ := list[i].(string)
		text, _ := list[i+1].(string)
		if count, _ := strconv.Atoi(text); count > 0 {
			if counts.Unknown == nil {
				counts.Unknown = make(map[stem.TaskSchema]int)
			}
			counts.Unknown[parseSchema(schema)] += count
		}
	}
	return counts, nil
}

// PauseQueue pauses a queue, or resumes it.
func (c *core) PauseQueue(ctx context.Context, queue string, paused bool) error {
	if err := c.begin(); err != nil {
		return err
	}
	defer c.calls.Done()
	call := pauseScript.start(1, c.keysOf(queue).all)
	call.endKeys()
	call.add(flag(paused))
	_, err := c.run(ctx, &call)
	if err == nil {
		c.name(ctx, c.keysOf(queue))
	}
	return c.failed("pause", err)
}

// Revoke stores revocations: one call of a script for each queue among them.
func (c *core) Revoke(ctx context.Context, rs ...stem.Revocation) error {
	if err := c.begin(); err != nil {
		return err
	}
	defer c.calls.Done()
	var failed []stem.ItemError
	byQueue := make(map[string][]int)
	for i := range rs {
		if rs[i].For <= 0 {
			err := &stem.OptionError{Option: "time of a revocation", Value: rs[i].For.String(), Want: "more than 0"}
			failed = append(failed, stem.ItemError{Index: i, Err: err})
			continue
		}
		byQueue[rs[i].Queue] = append(byQueue[rs[i].Queue], i)
	}
	for queue, indices := range byQueue {
		call := revokeScript.start(1+3*len(indices), c.keysOf(queue).all)
		call.endKeys()
		call.add(c.offset.Load())
		for _, i := range indices {
			name := ofTask + rs[i].ID
			if rs[i].Family {
				name = ofFamily + rs[i].ID
			}
			call.add(name, millis(rs[i].For), rs[i].Reason)
		}
		if _, err := c.run(ctx, &call); err != nil {
			err = c.failed("revoke", err)
			if len(byQueue) == 1 && len(failed) == 0 {
				return err
			}
			failed = unknown(failed, indices, err)
		}
	}
	return partial(failed)
}

// The names of revocations in their hash begin with these.
const (
	ofTask   = "i:"
	ofFamily = "f:"
)

// Revoked answers a notice for each delivery that is revoked.
func (c *core) Revoked(ctx context.Context, ds ...stem.Delivery) ([]stem.Notice, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	if len(ds) == 0 {
		return nil, nil
	}
	now, err := c.now(ctx)
	if err != nil {
		return nil, c.failed("revoked", err)
	}
	byQueue := make(map[string][]int)
	for i := range ds {
		byQueue[ds[i].Queue] = append(byQueue[ds[i].Queue], i)
	}
	judged := make([]stem.Delivery, len(ds))
	for queue, indices := range byQueue {
		some := make([]stem.Delivery, len(indices))
		for j, i := range indices {
			some[j].Envelope = ds[i].Envelope
		}
		if err := c.judgeRevoked(ctx, c.keysOf(queue), some, now); err != nil {
			return nil, c.failed("revoked", err)
		}
		for j, i := range indices {
			judged[i] = some[j]
		}
	}
	var notices []stem.Notice
	for i := range judged {
		if judged[i].Revoked {
			notices = append(notices, stem.Notice{Index: i, Cause: stem.ErrRevoked, Reason: judged[i].Reason})
		}
	}
	return notices, nil
}

// judgeRevoked marks those deliveries of a queue that are revoked. It looks all of them up at once.
func (c *core) judgeRevoked(ctx context.Context, keys *queueKeys, ds []stem.Delivery, now int64) error {
	var names []string
	ends := make([]int, len(ds)) // where the names of each delivery end
	for i := range ds {
		names = append(names, ofTask+ds[i].ID)
		for id := range ds[i].Lineage {
			names = append(names, ofFamily+id)
		}
		ends[i] = len(names)
	}
	if len(names) == 0 {
		return nil
	}
	values, err := c.client.HMGet(ctx, keys.revoked, names...).Result()
	if err != nil {
		return err
	}
	at := 0
	for i := range ds {
		for ; at < ends[i]; at++ {
			text, ok := values[at].(string)
			if !ok || ds[i].Revoked {
				continue
			}
			till, reason, _ := strings.Cut(text, " ")
			if end, err := strconv.ParseInt(till, 10, 64); err == nil && end > now {
				ds[i].Revoked, ds[i].Reason = true, reason
			}
		}
	}
	return nil
}
