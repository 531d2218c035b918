package redis

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gostem/gostem/stem/ops"
)

// nameEvery is how often a process says which queues it uses: so their names come back where they are lost.
const nameEvery = time.Minute

// name notes the name of a queue, for those who list them, unless that was done a moment ago. It is one
// SADD. Where it fails it is tried again a minute later: nothing else shall fail with it, nor wait for long.
func (c *core) name(ctx context.Context, keys *queueKeys) {
	now, last := time.Since(c.started).Milliseconds()+1, keys.named.Load()
	if last > 0 && now-last < nameEvery.Milliseconds() || !keys.named.CompareAndSwap(last, now) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	_ = c.client.SAdd(ctx, c.namesKey(), keys.queue).Err()
}

// Queues answers the names that were noted, 1,000 with each command, and those of the queues that workers serve.
func (c *core) Queues(ctx context.Context) ([]string, error) {
	workers, err := c.Workers(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	names := make(map[string]bool)
	for i := range workers {
		for _, queue := range workers[i].Queues {
			names[queue] = true
		}
	}
	for cursor := uint64(0); ; {
		var some []string
		some, cursor, err = c.client.SScan(ctx, c.namesKey(), cursor, "", 1000).Result()
		if err != nil {
			return nil, c.failed("queues", err)
		}
		for _, queue := range some {
			names[queue] = true
		}
		if cursor == 0 {
			break
		}
	}
	return slices.Sorted(maps.Keys(names)), nil
}

const (
	// mostGauged is at how many that wait for their time GaugeQueue looks, to tell those that retry, and mostParts in how
	// many calls: of large ones it looks at fewer.
	mostGauged = 10_000
	mostParts  = 20
)

// GaugeQueue measures a queue, by calls of a script that look each at 1,000 that wait for their time, or at 1 MiB of them.
func (c *core) GaugeQueue(ctx context.Context, queue string) (ops.Gauge, error) {
	if err := c.begin(); err != nil {
		return ops.Gauge{}, err
	}
	defer c.calls.Done()
	var gauge ops.Gauge
	looked, next := 0, ""
	for part := 0; part == 0 || next != "" && looked < mostGauged && part < mostParts; part++ {
		call := gaugeScript.start(2, c.keysOf(queue).all)
		call.endKeys()
		call.add(c.offset.Load(), next)
		reply, err := c.run(ctx, &call)
		if err != nil {
			return ops.Gauge{}, c.failed("gauge", err)
		}
		list, ok := reply.([]any)
		if !ok || len(list) != 4 {
			return ops.Gauge{}, c.failed("gauge", errReply)
		}
		oldest, _ := list[0].(string)
		some, _ := list[1].(int64)
		retrying, _ := list[2].(int64)
		next, _ = list[3].(string)
		if part == 0 {
			gauge.Oldest = since(0, timeIn(oldest, 0))
		}
		looked, gauge.Retrying = looked+int(some), gauge.Retrying+int(retrying)
	}
	return gauge, nil
}
