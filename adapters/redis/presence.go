package redis

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
)

// Announce keeps what a worker says of itself, by one call of a script.
func (c *core) Announce(ctx context.Context, info stem.WorkerInfo) error {
	if err := info.Validate(); err != nil {
		return err
	}
	if err := c.begin(); err != nil {
		return err
	}
	defer c.calls.Done()
	now, err := c.about(ctx)
	if err != nil {
		return c.failed("announce", err)
	}
	call := announceScript.start(4, c.workerKeys())
	call.endKeys()
	call.add(now, info.ID, stem.AppendWorkerInfo(nil, &info), now+millis(info.For))
	_, err = c.run(ctx, &call)
	return c.failed("announce", err)
}

// Workers answers what is kept, by three commands in one round trip.
func (c *core) Workers(ctx context.Context) ([]stem.WorkerInfo, error) {
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	keys := c.workerKeys()
	pipe := c.client.Pipeline()
	clock := pipe.Time(ctx)
	ends := pipe.ZRangeWithScores(ctx, keys[1].(string), 0, -1)
	said := pipe.HGetAll(ctx, keys[0].(string))
	if _, err := pipe.Exec(ctx); err != nil {
		return nil, c.failed("workers", err)
	}
	now := float64(clock.Val().UnixMilli() + c.offset.Load())
	infos := make([]stem.WorkerInfo, 0, len(ends.Val()))
	for _, end := range ends.Val() {
		id, _ := end.Member.(string)
		if text, ok := said.Val()[id]; ok && end.Score > now {
			infos = append(infos, parseWorker(id, text))
		}
	}
	return infos, nil
}

// parseWorker reads what announce.lua keeps: when it was said, and what.
func parseWorker(id, text string) stem.WorkerInfo {
	seen, said, _ := strings.Cut(text, " ")
	info, err := stem.ParseWorkerInfo([]byte(said))
	if err != nil {
		info = stem.WorkerInfo{ID: id, Malformed: err}
	}
	ms, _ := strconv.ParseInt(seen, 10, 64)
	info.Seen = time.UnixMilli(ms).UTC()
	return info
}
