package postgres

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/gostem/gostem/stem"
)

const (
	// hearAgain is how often one who waits for commands looks for itself: where they are announced, since an announcement
	// can be lost, and where nobody hears of any.
	hearAgain     = 30 * time.Second
	hearUnaided   = 5 * time.Second
	repliesSoon   = 10 * time.Millisecond
	repliesAtMost = 250 * time.Millisecond
	// mostHeard is how much is read at once.
	mostHeard = 50
)

// bell wakes all who wait for commands.
type bell struct {
	mu   sync.Mutex
	rung chan struct{} // closed when it rings; nil while nobody waits
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}

// next gives what is closed when it rings next.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

// PostCommand keeps a command for its time, and announces it, by one statement.
func (s *Store) PostCommand(ctx context.Context, c stem.Command) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	err := s.on.exec(ctx, s.sql.post, s.offset.Load(), micros(c.For), stem.AppendCommand(nil, &c), channelName(s.cfg.Schema, commandChannel))
	s.commands.ring()
	return s.failed("post command", err)
}

// Reply keeps a reply for its time, by one statement.
func (s *Store) Reply(ctx context.Context, r stem.Reply) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if err := s.begin(); err != nil {
		return err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	return s.failed("reply", s.on.exec(ctx, s.sql.reply, s.offset.Load(), r.Command, micros(r.For), stem.AppendReply(nil, &r)))
}

// AwaitCommands looks for commands behind a number, when some are announced and now and then.
func (s *Store) AwaitCommands(ctx context.Context, after string) ([]stem.Command, string, error) {
	if err := s.begin(); err != nil {
		return nil, "", err
	}
	defer s.calls.Done()
	if after == "" {
		next, err := s.lastCommand(ctx)
		return nil, next, s.failed("await commands", err)
	}
	pause := func() time.Duration {
		if s.listener.up() {
			return hearAgain
		}
		return hearUnaided
	}
	var commands []stem.Command
	next, err := s.hear(ctx, after, pause, func(said []byte) {
		c, err := stem.ParseCommand(said)
		if err != nil {
			c = stem.Command{Malformed: err}
		}
		commands = append(commands, c)
	}, s.sql.commands)
	return commands, next, err
}

// Replies looks for replies behind a number, soon at first: somebody waits for them, and not for long.
func (s *Store) Replies(ctx context.Context, command, after string) ([]stem.Reply, string, error) {
	if err := s.begin(); err != nil {
		return nil, "", err
	}
	defer s.calls.Done()
	if after == "" {
		after = "0"
	}
	wait := repliesSoon
	pause := func() time.Duration {
		wait = min(wait*3/2, repliesAtMost)
		return wait
	}
	var replies []stem.Reply
	next, err := s.hear(ctx, after, pause, func(said []byte) {
		r, err := stem.ParseReply(said)
		if err != nil {
			r = stem.Reply{Malformed: err}
		}
		replies = append(replies, r)
	}, s.sql.replies, command)
	return replies, next, err
}

// lastCommand gives the number of the last command that there is.
func (s *Store) lastCommand(ctx context.Context) (string, error) {
	ctx, cancel := bound(ctx)
	defer cancel()
	var last int64
	err := s.on.query(ctx, func(scan func(...any) error) error { return scan(&last) }, s.sql.lastCommand)
	return strconv.FormatInt(last, 10), err
}

// hear asks a statement for what is behind a number until there is something.
func (s *Store) hear(ctx context.Context, after string, pause func() time.Duration, take func(said []byte), sql string, args ...any) (string, error) {
	place, err := strconv.ParseInt(after, 10, 64)
	if err != nil {
		return "", &stem.OptionError{Option: "place", Value: strconv.Quote(after), Want: "what an earlier call has answered as next, or nothing"}
	}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for heard := 0; ; {
		rung := s.commands.next() // first: what is announced while it looks is not missed
		call, cancel := bound(ctx)
		err := s.on.query(call, func(scan func(...any) error) error {
			var said []byte
			if err := scan(&place, &said); err != nil {
				return err
			}
			heard++
			take(said)
			return nil
		}, sql, append([]any{s.offset.Load(), place}, args...)...)
		cancel()
		switch {
		case s.closing.Err() != nil:
			return "", stem.ErrClosed
		case ctx.Err() != nil && heard == 0:
			return "", ctx.Err()
		case err != nil:
			return "", s.failed("await commands", err)
		case heard > 0:
			return strconv.FormatInt(place, 10), nil
		}
		timer.Reset(pause())
		select {
		case <-rung:
		case <-timer.C:
		case <-ctx.Done():
			return "", ctx.Err()
		case <-s.closing.Done():
			return "", stem.ErrClosed
		}
	}
}
