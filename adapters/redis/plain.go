package redis

import (
	"context"
	"errors"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/stem"
)

// mayReadPlainly reports whether a plain command may read what nobody has had yet. On a cluster it may not: the
// cluster's client would send it again when its connection breaks. And it knows no bytes: what it reads must fit, as far as the
// last envelopes tell.
func (r *receiver) mayReadPlainly(s *seat, want portion, now int64) bool {
	return r.cluster == nil && s.keys.plain.Load() && now < s.keys.next.Load() && len(s.read) == 0 && !s.ensure &&
		want.most > 0 && (want.mostBytes == 0 || int64(want.mostBytes/want.most) >= s.keys.heaviest.Load()) && r.req.AgeAfter == 0 && !want.recover
}

// mostPlain is how many are read plainly at once: the long script must not take long where it has to deal with them.
const mostPlain = 500

// plainRead is a call of plain.lua, and the read of the stream of priority 0 behind it.
type plainRead struct {
	script, read *redis.Cmd
}

// answered reports whether the server has answered. Where it has not, and the error is one of its own, the driver was refused while
// it connected.
func (p *plainRead) answered() bool { return p.script.Err() != nil || p.script.Val() != nil }

// brought reports whether anything was read.
func (p *plainRead) brought() bool { return p.read.Val() != nil }

// readPlainly has a short script see to it that the session may have what a blocking read has given it and what is in the stream of
// priority 0, and reads that stream, in one round trip, or in that of the blocking read. What is read and cannot be lent so stays at the
// seat, for the long script to deal with.
func (r *receiver) readPlainly(ctx context.Context, s *seat, want portion) ([]stem.Delivery, error) {
	most := min(want.most, mostPlain)
	p := s.behind
	s.behind = nil
	if p == nil {
		if err := r.sessions.note(ctx, r.core, r.req.Session.ID, s.keys.queue); err != nil {
			return nil, err
		}
		ctx := patient(ctx)
		pipe := r.client.Pipeline()
		p = r.plainly(ctx, pipe, s, most-len(s.fresh), len(s.fresh) > 0)
		_, err := pipe.Exec(ctx)
		if err != nil && !errors.Is(err, redis.Nil) && (!isReply(err) || !p.answered()) {
			return nil, err
		}
	}
	more, err := parseRead(p.read)
	if err != nil {
		s.ensure = true
	}
	given := append(s.fresh, more...)
	s.fresh = nil
	l, simple, err := r.parsePlain(p.script)
	if err != nil {
		return nil, err
	}
	if !simple || s.ensure || len(s.read) > 0 {
		s.leave(given)
		return nil, nil
	}
	r.heard(l.now)
	s.epoch = l.epoch
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

// mayReadBehind reports whether a blocking read may be followed by a plain one in the same round trip, so that a task that comes while
// a receiver waits at its only queue is lent by the answer that wakes it.
func (r *receiver) mayReadBehind() bool {
	s := &r.places[0]
	if len(r.places) > 1 || r.req.Recover || s.paused || s.epoch == (epoch{}) || !r.plainKnown.Load() {
		return false
	}
	now, heard := r.reckoned()
	return heard && r.mayReadPlainly(s, r.all(), now)
}

// plainly puts into a pipeline what reads plainly: up to so many entries, and what a blocking read has given the session.
func (r *receiver) plainly(ctx context.Context, pipe redis.Pipeliner, s *seat, most int, given bool) *plainRead {
	call := plainScript.start(5, s.keys.publish[:1])
	call.endKeys()
	call.add(r.offset.Load(), r.req.Session.ID, flag(given), s.epoch.takeovers, s.epoch.era)
	p := &plainRead{script: call.command(ctx)}
	if !r.plainKnown.Load() {
		p.script = call.text(ctx)
	}
	_ = pipe.Process(ctx, p.script)
	p.read = redis.NewCmd(ctx, "xreadgroup", "group", group, r.req.Session.ID, "count", most, "streams", s.keys.boxed[0], ">")
	if most > 0 {
		_ = pipe.Process(ctx, p.read)
	}
	return p
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
	if !ok || len(list) != 6 {
		return l, false, nil
	}
	now, _ := list[0].(string)
	number, _ := list[1].(string)
	l.epoch.takeovers, _ = list[2].(string)
	l.epoch.era, _ = list[3].(string)
	revoked, _ := list[4].(int64)
	l.revoked = revoked == 1
	next, _ := list[5].(string)
	var errs [3]error
	l.now, errs[0] = strconv.ParseInt(now, 10, 64)
	l.number, errs[1] = strconv.ParseInt(number, 10, 64)
	l.next, errs[2] = strconv.ParseInt(next, 10, 64)
	return l, true, errors.Join(errs[:]...)
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
