package redis

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/gostem/gostem/stem"
)

// Extend renews a session: one call of a script for each queue that it has received from.
func (c *core) Extend(ctx context.Context, s stem.Session, held ...stem.Delivery) ([]stem.Notice, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	queues, err := c.sessions.queues(ctx, c, s.ID)
	if err != nil {
		return nil, c.failed("extend", err)
	}
	for i := range held {
		queues[held[i].Queue] = true
	}
	var notices []stem.Notice
	for queue := range queues {
		var indices []int
		for i := range held {
			if held[i].Queue == queue {
				indices = append(indices, i)
			}
		}
		notices, err = c.extend(ctx, &s, c.keysOf(queue), held, indices, notices)
		if err != nil {
			return nil, c.failed("extend", err)
		}
	}
	slices.SortFunc(notices, func(a, b stem.Notice) int { return a.Index - b.Index })
	return notices, nil
}

// extend renews a session on one queue, and adds the notices for what it holds there.
func (c *core) extend(ctx context.Context, s *stem.Session, keys *queueKeys, held []stem.Delivery, indices []int, notices []stem.Notice) ([]stem.Notice, error) {
	told, err := c.renew(ctx, s, keys, nil)
	if err != nil {
		return nil, err
	}
	var doubtful, sound []int
	for _, i := range indices {
		r, ok := held[i].Receipt.(*receipt)
		switch {
		case !ok || held[i].Session != s.ID:
			notices = append(notices, stem.Notice{Index: i, Cause: stem.ErrLeaseLost})
		case r.epoch() == told.epoch:
			sound = append(sound, i)
		default:
			doubtful = append(doubtful, i)
		}
	}
	if len(doubtful) > 0 {
		asked := make([]any, len(doubtful))
		for j, i := range doubtful {
			r := held[i].Receipt.(*receipt)
			asked[j] = fmt.Sprint(r.priority, " ", r.id, " ", held[i].Number, " ", flag(r.life))
		}
		told, err = c.renew(ctx, s, keys, asked)
		if err != nil {
			return nil, err
		}
		for j, i := range doubtful {
			if told.holds[j] {
				sound = append(sound, i)
			} else {
				notices = append(notices, stem.Notice{Index: i, Cause: stem.ErrLeaseLost})
			}
		}
	}
	if !told.revoked || len(sound) == 0 {
		return notices, nil
	}
	ds := make([]stem.Delivery, len(sound))
	for j, i := range sound {
		ds[j].Envelope = held[i].Envelope
	}
	if err := c.judgeRevoked(ctx, keys, ds, told.now); err != nil {
		return nil, err
	}
	for j, i := range sound {
		if ds[j].Revoked {
			notices = append(notices, stem.Notice{Index: i, Cause: stem.ErrRevoked, Reason: ds[j].Reason})
		}
	}
	return notices, nil
}

// renewal is what extend.lua answers.
type renewal struct {
	epoch   epoch
	now     int64
	revoked bool   // something is revoked on the queue
	holds   []bool // for each that was asked about
}

func (c *core) renew(ctx context.Context, s *stem.Session, keys *queueKeys, asked []any) (renewal, error) {
	call := extendScript.start(4+len(asked), keys.all)
	call.endKeys()
	call.add(c.offset.Load(), s.ID, millis(s.Lease), flag(s.Leaving))
	call.add(asked...)
	reply, err := c.run(ctx, &call)
	if err != nil {
		return renewal{}, err
	}
	list, ok := reply.([]any)
	if !ok || len(list) != 4+len(asked) {
		return renewal{}, errReply
	}
	var told renewal
	told.epoch.takeovers, _ = list[0].(string)
	told.epoch.era, _ = list[1].(string)
	now, _ := list[2].(string)
	if told.now, err = strconv.ParseInt(now, 10, 64); err != nil {
		return renewal{}, errReply
	}
	c.heard(told.now)
	revoked, _ := list[3].(int64)
	told.revoked = revoked == 1
	told.holds = make([]bool, len(asked))
	for i := range asked {
		told.holds[i] = list[4+i] == int64(1)
	}
	return told, nil
}
