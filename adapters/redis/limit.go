package redis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
)

// bucketKey gives the key of a bucket. Its first two words are a hash tag, so those of one task share one, whatever their limit
// keys, and one call can have turns in all of them.
func (c *core) bucketKey(bucket limit.Bucket) (key, tagged string) {
	words, end := string(bucket), len(bucket)
	if first := strings.IndexByte(words, ' '); first >= 0 {
		if second := strings.IndexByte(words[first+1:], ' '); second >= 0 {
			end = first + 1 + second
		}
	}
	tagged = c.cfg.Namespace + ":limit:{" + tag.Replace(words[:end]) + "}"
	return tagged + words[end:], tagged
}

func (c *core) placesKey(task string) string {
	return c.cfg.Namespace + ":places:{" + tag.Replace(task) + "}"
}

// part is what of a call goes to one place: all of it on a single server, else what shares a hash tag.
type part struct {
	keys    []any
	at      map[string]int // the index of each key in KEYS
	indices []int
}

// parts divides a call by the keys of its items.
func (c *core) parts(n int, keyOf func(i int) (key, tagged string)) []*part {
	var parts []*part
	byTag := make(map[string]*part)
	for i := range n {
		key, tagged := keyOf(i)
		if c.cluster == nil {
			tagged = ""
		}
		p := byTag[tagged]
		if p == nil {
			p = &part{at: make(map[string]int)}
			byTag[tagged], parts = p, append(parts, p)
		}
		if _, known := p.at[key]; !known {
			p.keys = append(p.keys, key)
			p.at[key] = len(p.keys)
		}
		p.indices = append(p.indices, i)
	}
	return parts
}

// TakeTurns takes turns by one call of a script, on a cluster by one for each task or queue.
func (c *core) TakeTurns(ctx context.Context, turns ...limit.Turn) ([]time.Duration, error) {
	for i := range turns {
		if err := turns[i].Validate(); err != nil {
			return nil, err
		}
	}
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	waits := make([]time.Duration, len(turns))
	groups := limit.Alike(turns)
	keyOf := func(g int) (key, tagged string) { return c.bucketKey(turns[groups[g][0]].Bucket) }
	for _, p := range c.parts(len(groups), keyOf) {
		call := turnsScript.start(2+len(p.indices), p.keys)
		call.endKeys()
		call.add(c.offset.Load(), limit.LongestWait.Microseconds())
		var asked []int
		for _, g := range p.indices {
			t := &turns[groups[g][0]]
			key, _ := keyOf(g)
			call.add(fmt.Sprint(len(groups[g]), " ", p.at[key], " ", t.Interval.Microseconds(), " ", t.Tolerance.Microseconds(), " ", flag(t.Reserved)))
			asked = append(asked, groups[g]...)
		}
		reply, err := c.run(ctx, &call)
		if err != nil {
			return nil, c.failed("take turns", err)
		}
		if reply == int64(0) {
			continue // nobody has to wait
		}
		list, err := numbers(reply, len(asked))
		if err != nil {
			return nil, c.failed("take turns", err)
		}
		for j, i := range asked {
			waits[i] = time.Duration(list[j]) * time.Microsecond
		}
	}
	return waits, nil
}

// Penalize lets nobody have a turn in a bucket for a time.
func (c *core) Penalize(ctx context.Context, bucket limit.Bucket, d time.Duration) error {
	if err := bucket.Validate(); err != nil {
		return err
	}
	if err := c.begin(); err != nil {
		return err
	}
	defer c.calls.Done()
	key, _ := c.bucketKey(bucket)
	call := penaltyScript.start(2, []any{key})
	call.endKeys()
	call.add(c.offset.Load(), min(max(d, 0), limit.LongestWait).Microseconds())
	_, err := c.run(ctx, &call)
	return c.failed("penalize", err)
}

// HoldPlaces holds places by one call of a script, on a cluster by one for each task.
func (c *core) HoldPlaces(ctx context.Context, s stem.Session, holds ...stem.Hold) ([]stem.Held, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	for i := range holds {
		if err := holds[i].Validate(); err != nil {
			return nil, err
		}
	}
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	held := make([]stem.Held, len(holds))
	for _, p := range c.parts(len(holds), func(i int) (string, string) { return c.placesKey(holds[i].Task), holds[i].Task }) {
		var keys []any
		for _, i := range p.indices {
			keys = append(keys, c.placesKey(holds[i].Task))
		}
		call := placesScript.start(3+2*len(keys), keys)
		call.endKeys()
		call.add(c.offset.Load(), s.ID, millis(s.Lease))
		for _, i := range p.indices {
			call.add(holds[i].Limit, holds[i].N)
		}
		reply, err := c.run(ctx, &call)
		if err != nil {
			return nil, c.failed("hold places", err)
		}
		list, err := numbers(reply, 2*len(keys))
		if err != nil {
			return nil, c.failed("hold places", err)
		}
		for j, i := range p.indices {
			held[i] = stem.Held{N: int(list[2*j]), Free: int(list[2*j+1])}
		}
	}
	return held, nil
}

// numbers reads an answer that is a list of so many numbers.
func numbers(reply any, n int) ([]int64, error) {
	list, ok := reply.([]any)
	if !ok || len(list) != n {
		return nil, errReply
	}
	all := make([]int64, len(list))
	for i, one := range list {
		if all[i], ok = one.(int64); !ok {
			return nil, errReply
		}
	}
	return all, nil
}
