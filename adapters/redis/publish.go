package redis

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/stem"
)

// Publish stores envelopes: those that only have to be appended to a stream by a plain command each, in one
// pipeline, others by one call of a script for each queue.
func (c *core) Publish(ctx context.Context, envs ...stem.Envelope) ([]stem.Published, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	published := make([]stem.Published, len(envs))
	for i := range envs {
		published[i].ID = envs[i].ID
	}
	if len(envs) == 0 {
		return published, nil
	}
	if c.arePlain(envs) {
		return published, c.append(ctx, envs)
	}
	if queue := envs[0].Queue; allOn(queue, envs) {
		err := c.failed("publish", c.publish(ctx, queue, envs, nil, published))
		if errors.Is(err, stem.ErrBackpressure) {
			err = partial(refused(nil, len(envs), nil, err))
		}
		return published, err
	}
	var failed []stem.ItemError
	for queue, indices := range byQueue(envs) {
		err := c.failed("publish", c.publish(ctx, queue, envs, indices, published))
		switch {
		case errors.Is(err, stem.ErrBackpressure):
			failed = refused(failed, len(indices), indices, err)
		case err != nil:
			failed = unknown(failed, indices, err)
		}
	}
	return published, partial(failed)
}

// refused names n items, or those that the indices name, of which it is known that they were not stored.
func refused(items []stem.ItemError, n int, indices []int, err error) []stem.ItemError {
	for i := range n {
		if indices != nil {
			i = indices[i]
		}
		items = append(items, stem.ItemError{Index: i, Err: err})
	}
	return items
}

// arePlain reports whether envelopes only have to be appended to the streams of priority 0, by Redis' own clock. For other
// priorities the script sees to it that receivers look at them. On a cluster it is the script that is sent once (see once).
func (c *core) arePlain(envs []stem.Envelope) bool {
	if c.cluster != nil {
		return false
	}
	for i := range envs {
		e := &envs[i]
		if e.Priority != 0 || e.Delay > 0 || e.Unique != nil || e.DedupeKey != "" && e.DedupeWindow > 0 {
			return false
		}
	}
	return c.offset.Load() == 0
}

// append appends each envelope to its stream.
func (c *core) append(ctx context.Context, envs []stem.Envelope) error {
	ctx = patient(ctx)
	if len(envs) == 1 {
		keys := c.keysOf(envs[0].Queue)
		cmd := c.appending(ctx, keys, &envs[0], make([]any, 0, 7))
		err := c.client.Process(ctx, cmd)
		if err == nil {
			c.name(ctx, keys)
		}
		return partial(c.appended(nil, 0, err))
	}
	args := make([]any, 0, 7*len(envs))
	cmds := make([]*redis.StringCmd, len(envs))
	pipe := c.client.Pipeline()
	var queues []*queueKeys
	for i := range envs {
		keys := c.keysOf(envs[i].Queue)
		if n := len(queues); n == 0 || queues[n-1] != keys {
			queues = append(queues, keys)
		}
		cmds[i] = c.appending(ctx, keys, &envs[i], args[7*i:7*i:7*(i+1)])
		_ = pipe.Process(ctx, cmds[i]) // it is sent by Exec
	}
	_, unsent := pipe.Exec(ctx)
	for _, keys := range queues {
		if unsent == nil {
			c.name(ctx, keys)
		}
	}
	var failed []stem.ItemError
	for i, cmd := range cmds {
		err := cmd.Err()
		if err == nil && cmd.Val() == "" {
			err = unsent // the driver does not tell the commands where it finds no connection
		}
		failed = c.appended(failed, i, err)
	}
	return partial(failed)
}

// appending gives the command that appends an envelope; args has room for its arguments.
func (c *core) appending(ctx context.Context, keys *queueKeys, e *stem.Envelope, args []any) *redis.StringCmd {
	args = append(args, "xadd", keys.boxed[0], "*", "e", c.encode(e))
	if e.Visibility > 0 {
		args = append(args, "v", millis(e.Visibility))
	}
	return redis.NewStringCmd(ctx, args...)
}

// appended names an envelope that was not appended, or of which nobody knows.
func (c *core) appended(failed []stem.ItemError, i int, err error) []stem.ItemError {
	if err == nil {
		return failed
	}
	known := isReply(err)
	if err = c.failed("publish", err); known || errors.Is(err, stem.ErrClosed) {
		return append(failed, stem.ItemError{Index: i, Err: err})
	}
	return unknown(failed, []int{i}, err)
}

// encode gives what is published: a line for the scripts that tells task and schema, and the envelope.
func (c *core) encode(e *stem.Envelope) []byte {
	schema := c.schemas.of(e.Task, e.Fingerprint)
	b := make([]byte, 0, 160+len(schema)+len(e.Payload))
	b = append(b, schema...)
	b = append(b, '\n')
	return stem.AppendEnvelope(b, e)
}

func allOn(queue string, envs []stem.Envelope) bool {
	for i := range envs {
		if envs[i].Queue != queue {
			return false
		}
	}
	return true
}

func byQueue(envs []stem.Envelope) map[string][]int {
	indices := make(map[string][]int)
	for i := range envs {
		indices[envs[i].Queue] = append(indices[envs[i].Queue], i)
	}
	return indices
}

// publish stores those envelopes that the indices name, or all; they are of one queue.
func (c *core) publish(ctx context.Context, queue string, envs []stem.Envelope, indices []int, published []stem.Published) error {
	n := len(envs)
	if indices != nil {
		n = len(indices)
	}
	at := func(i int) int {
		if indices != nil {
			return indices[i]
		}
		return i
	}
	keys := c.keysOf(queue)
	call := publishScript.start(1+6*n, keys.publish)
	var streams [stem.MaxPriority + 1]int // their indices in KEYS
	dedupe := make(map[string]int)
	var unique map[string]int
	for i := range n {
		e := &envs[at(i)]
		if streams[e.Priority] == 0 {
			streams[e.Priority] = call.key(keys.boxed[e.Priority])
		}
		if e.DedupeKey != "" && e.DedupeWindow > 0 && dedupe[e.DedupeKey] == 0 {
			dedupe[e.DedupeKey] = call.key(keys.dedupe(e.DedupeKey))
		}
		if e.Unique != nil && unique[e.Unique.Key] == 0 {
			if unique == nil {
				unique = make(map[string]int)
			}
			unique[e.Unique.Key] = call.key(keys.unique(e.Unique.Key))
		}
	}
	call.endKeys()
	call.add(c.offset.Load())
	for i := range n {
		e := &envs[at(i)]
		head := heads[e.Priority]
		id := ""
		key := 0
		if e.DedupeWindow > 0 {
			key = dedupe[e.DedupeKey]
		}
		switch {
		case e.Unique != nil:
			head, id = headOf(e, streams[e.Priority], key, unique[e.Unique.Key]), aboutHold(e)
		case e.Delay > 0 || e.Visibility > 0 || key > 0 || streams[e.Priority] != firstStream:
			head, id = headOf(e, streams[e.Priority], key, 0), e.ID
		}
		call.add(head, id, c.encode(e))
	}
	reply, err := c.run(ctx, &call)
	if err != nil {
		return err
	}
	c.name(ctx, keys)
	others, _ := reply.([]any)
	for i := 0; i+2 < len(others); i += 3 {
		index, _ := others[i].(int64)
		id, _ := others[i+1].(string)
		p := &published[at(int(index))]
		switch others[i+2] {
		case "r":
			p.Replaces = id
		default:
			*p = stem.Published{ID: id, Duplicate: true, Conflict: others[i+2] == "c"}
		}
	}
	return nil
}

// firstStream is where the keys of streams begin in publish.lua.
const firstStream = 5

// heads are those of plain envelopes, by priority, where their stream is the first.
var heads = func() (all [stem.MaxPriority + 1]any) {
	for p := range all {
		all[p] = headOf(&stem.Envelope{Priority: p}, firstStream, 0, 0)
	}
	return all
}()

func headOf(e *stem.Envelope, stream, key, unique int) string {
	b := make([]byte, 0, 48)
	b = strconv.AppendInt(b, int64(e.Priority), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, int64(stream), 10)
	b = append(b, ' ')
	if e.Visibility > 0 {
		b = strconv.AppendInt(b, millis(e.Visibility), 10)
	} else {
		b = append(b, '-')
	}
	for _, v := range []int64{millis(e.Delay), int64(key), millis(window(e, key)), int64(unique)} {
		b = append(b, ' ')
		b = strconv.AppendInt(b, v, 10)
	}
	return string(b)
}

// window gives the dedupe window of an envelope that has a dedupe key.
func window(e *stem.Envelope, key int) time.Duration {
	if key == 0 {
		return 0
	}
	return e.DedupeWindow
}
