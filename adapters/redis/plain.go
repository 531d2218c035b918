package redis

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/gostem/gostem/stem"
)

// mayReadPlainly reports whether a plain command may read what nobody has had yet. On a cluster it may not: the
// cluster's client would send it again when its connection breaks.
func (r *receiver) mayReadPlainly(s *seat, want portion) bool {
	return r.cluster == nil && !r.waited && s.keys.plain.Load() && len(s.read) == 0 && !s.ensure &&
		want.most > 0 && want.mostBytes == 0 && r.req.AgeAfter == 0 && !want.recover
}

// readPlainly has the script lend what is not in the stream of priority 0 or has been there before, and reads that
// stream, in one round trip. What is read and cannot be lent so stays at the seat, for the script to deal with.
func (r *receiver) readPlainly(ctx context.Context, s *seat, most int) ([]stem.Delivery, error) {
	if err := r.sessions.note(ctx, r.core, r.req.Session.ID, s.keys.queue); err != nil {
		return nil, err
	}
	ctx = patient(ctx)
	call := r.request(s, portion{most: most}, true)
	script := call.command(ctx)
	read := redis.NewCmd(ctx, "xreadgroup", "group", group, r.req.Session.ID, "count", most, "streams", s.keys.boxed[0], ">")
	pipe := r.client.Pipeline()
	_ = pipe.Process(ctx, script)
	_ = pipe.Process(ctx, read)
	_, err := pipe.Exec(ctx)
	sent := script.Err() != nil || script.Val() != nil // else the driver was refused while it connected
	if err != nil && !errors.Is(err, redis.Nil) && (!isReply(err) || !sent) {
		return nil, err
	}
	fresh, err := parseRead(read)
	if err != nil {
		s.ensure = true
	}
	reply, err := script.Result()
	l := lent{}
	if err == nil && reply != "TASKS" {
		l, err = parseLent(reply)
	}
	if err != nil && !isReply(err) {
		return nil, err
	}
	s.opened = s.opened || l.opened
	if err != nil || reply == "TASKS" || (l.paused || l.ordered) && len(l.entries) == 0 {
		// Not so simple after all.
		s.keys.plain.Store(false)
		s.leave(fresh)
		return nil, nil
	}
	r.heard(l.now)
	loans := l.loans()
	for i := range fresh {
		if len(loans) == most || !r.knows(fresh[i].schema) {
			s.leave(fresh[i : i+1])
		} else {
			loans = append(loans, fresh[i])
		}
	}
	return r.lend(ctx, s, &l, loans)
}

// leave leaves what was read for the script to deal with.
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
