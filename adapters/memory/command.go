package memory

import (
	"context"
	"slices"
	"strconv"

	"github.com/gostem/gostem/stem"
)

// talk is what operators say to workers, and what these reply.
type talk struct {
	commands line[stem.Command]
	replies  line[stem.Reply]
	said     chan struct{} // closed when there is something new; nil while nobody waits
}

// line is values in the order in which they came, each with its place and the end of its time.
type line[V any] struct {
	values []placed[V]
	last   int64
}

type placed[V any] struct {
	value V
	place int64
	until instant
}

// put adds a value, and forgets those whose time is over.
func (l *line[V]) put(value V, until, now instant) {
	l.values = slices.DeleteFunc(l.values, func(p placed[V]) bool { return p.until <= now })
	l.last++
	l.values = append(l.values, placed[V]{value, l.last, until})
}

// behind gives the values behind a place that are wanted and whose time is not over.
func (l *line[V]) behind(place int64, now instant, wanted func(V) bool) (values []V) {
	for _, p := range l.values {
		if p.place > place && p.until > now && wanted(p.value) {
			values = append(values, p.value)
		}
	}
	return values
}

// wake wakes all that wait. mu is held.
func (t *talk) wake() {
	if t.said != nil {
		close(t.said)
		t.said = nil
	}
}

// wait gives what is closed when there is something new. mu is held.
func (t *talk) wait() <-chan struct{} {
	if t.said == nil {
		t.said = make(chan struct{})
	}
	return t.said
}

// PostCommand keeps a command for its time. Nobody may change the lists in it.
func (s *Store) PostCommand(ctx context.Context, c stem.Command) error {
	if err := c.Validate(); err != nil {
		return err
	}
	now, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.talk.commands.put(c, now.plus(c.For), now)
	s.talk.wake()
	return nil
}

// AwaitCommands answers commands behind a place.
func (s *Store) AwaitCommands(ctx context.Context, after string) ([]stem.Command, string, error) {
	if after == "" {
		if _, err := s.begin(ctx); err != nil {
			return nil, "", err
		}
		defer s.mu.Unlock()
		return nil, strconv.FormatInt(s.talk.commands.last, 10), nil
	}
	return await(ctx, s, &s.talk.commands, after, func(stem.Command) bool { return true })
}

// Reply keeps a reply for its time. Nobody may change the lists in it.
func (s *Store) Reply(ctx context.Context, r stem.Reply) error {
	if err := r.Validate(); err != nil {
		return err
	}
	now, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	until := now.plus(r.For)
	r.For = 0
	s.talk.replies.put(r, until, now)
	s.talk.wake()
	return nil
}

// Replies answers what has been replied to a command behind a place.
func (s *Store) Replies(ctx context.Context, command, after string) ([]stem.Reply, string, error) {
	if after == "" {
		after = "0"
	}
	return await(ctx, s, &s.talk.replies, after, func(r stem.Reply) bool { return r.Command == command })
}

// await blocks until there is something behind a place.
func await[V any](ctx context.Context, s *Store, l *line[V], after string, wanted func(V) bool) ([]V, string, error) {
	place, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return nil, "", &stem.OptionError{Option: "place", Value: after, Want: "what an earlier call has answered as next, or nothing"}
	}
	for {
		now, err := s.begin(ctx)
		if err != nil {
			return nil, "", err
		}
		if values := l.behind(place, now, wanted); values != nil {
			defer s.mu.Unlock()
			return values, strconv.FormatInt(l.last, 10), nil
		}
		said := s.talk.wait()
		s.mu.Unlock()
		select {
		case <-said:
		case <-ctx.Done():
			return nil, "", ctx.Err()
		}
	}
}
