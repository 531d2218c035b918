package redis

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/stem"
)

// mayReadPlainly reports whether a plain command may read what nobody has had yet. On a cluster it may not: the
// cluster's client would send it again when its connection breaks. Who has waited and been given nothing must ask what is due. And
// it knows no bytes: what it reads must fit, as far as the last envelopes tell.
func (r *receiver) mayReadPlainly(s *seat, want portion, now int64) bool {
	return r.cluster == nil && (!r.waited || len(s.fresh) > 0) && s.keys.plain.Load() && now < s.keys.next.Load() && len(s.read) == 0 && !s.ensure &&
		want.most > 0 && (want.mostBytes == 0 || int64(want.mostBytes/want.most) >= s.keys.heaviest.Load()) && r.req.AgeAfter == 0 && !want.recover
}

// mostPlain is how many are read plainly at once: the long script must not take long where it has to deal with them.
const mostPlain = 500

// readPlainly has a short script see to it that the session may have what a blocking read has given it and what is in the stream of
// priority 0, and reads that stream, in one round trip. What is read and cannot be lent so stays at the seat, for the
// long script to deal with.
func (r *receiver) readPlainly(ctx context.Context, s *seat, want portion, now int64) ([]stem.Delivery, error) {
	if err := r.sessions.note(ctx, r.core, r.req.Session.ID, s.keys.queue); err != nil {
		return nil, err
	}
	most := min(want.most, mostPlain)
	ctx = patient(ctx)
	call := plainScript.start(5, s.keys.publish[:1])
	call.endKeys()
	call.add(now, r.req.Session.ID, flag(len(s.fresh) > 0), s.epoch.takeovers, s.epoch.era)
	script := call.command(ctx)
	if !r.plainKnown.Load() {
		script = call.text(ctx)
	}
	pipe := r.client.Pipeline()
	_ = pipe.Process(ctx, script)
	read := redis.NewCmd(ctx, "xreadgroup", "group", group, r.req.Session.ID, "count", most-len(s.fresh), "streams", s.keys.boxed[0], ">")
	if most > len(s.fresh) {
		_ = pipe.Process(ctx, read)
	}
	_, err := pipe.Exec(ctx)
	sent := script.Err() != nil || script.Val() != nil // else the driver was refused while it connected
	if err != nil && !errors.Is(err, redis.Nil) && (!isReply(err) || !sent) {
		return nil, err
	}
	more, err := parseRead(read)
	if err != nil {
		s.ensure = true
	}
	given := append(s.fresh, more...)
	s.fresh = nil
	l, simple, err := r.parsePlain(script)
	if err != nil {
		return nil, err
	}
	if !simple || s.ensure {
		s.leave(given)
		return nil, nil
	}
	l.now, s.epoch = now, l.epoch
	r.vigils.saw(r.req.Session.ID, s.keys)
	s.keys.next.Store(l.next)
	loans := given[:0]
	for i := range given {
		if len(loans) == most || !r.knows(given[i].schema) || !want.holds(&given[i]) || !r.count(given[i].schema) {
			s.leave(given[i : i+1])
		} else {
			loans = append(loans, given[i])
		}
	}
	return r.lend(ctx, s, &l, loans)
}

// parsePlain reads what plain.lua answers, and whether all was as simple as it must be.
func (c *core) parsePlain(script *redis.Cmd) (l lent, simple bool, err error) {
	reply, err := script.Result()
	// Where the server does not know the script, the text is sent with the next call: what has just been read would be older than the
	// epoch that it tells now.
	c.plainKnown.Store(!redis.HasErrorPrefix(err, "NOSCRIPT"))
	if err != nil {
		return l, false, nil // it is for the long script to say what is wrong
	}
	list, ok := reply.([]any)
	if !ok || len(list) != 5 {
		return l, false, nil
	}
	number, _ := list[0].(string)
	l.epoch.takeovers, _ = list[1].(string)
	l.epoch.era, _ = list[2].(string)
	revoked, _ := list[3].(int64)
	l.revoked = revoked == 1
	next, _ := list[4].(string)
	if l.number, err = strconv.ParseInt(number, 10, 64); err == nil {
		l.next, err = strconv.ParseInt(next, 10, 64)
	}
	return l, true, err
}

// leave leaves what was read for the long script to deal with.
func (s *seat) leave(loans []loan) {
	for i := range loans {
		s.read = append(s.read, "0 "+loans[i].id)
	}
}

// knows reports whether the receiver can run what an entry says of its task and schema.
func (r *receiver) knows(schema string) bool {
	if r.req.Tasks == nil || schema == "" {
		return true
	}
	t := parseSchema(schema)
	return r.req.Tasks.Has(t.Task, t.Fingerprint)
}
