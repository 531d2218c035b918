package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// pingEvery is how long the connection that listens may be silent before it is asked whether it lives.
	pingEvery = 15 * time.Second
	// firstPause and longestPause are how long to wait before the connection is made anew.
	firstPause, longestPause = 100 * time.Millisecond, 10 * time.Second
)

// listener hears announcements on a connection of its own. While it is down, polls tell.
type listener struct {
	store  *Store
	target *pgx.ConnConfig
	alive  atomic.Bool
	done   sync.WaitGroup
}

func listen(s *Store, target *pgx.ConnConfig) *listener {
	l := &listener{store: s, target: target}
	l.done.Go(l.run)
	return l
}

// up reports whether announcements are heard.
func (l *listener) up() bool { return l != nil && l.alive.Load() }

func (l *listener) wait() { l.done.Wait() }

func (l *listener) run() {
	pause := firstPause
	for l.store.closing.Err() == nil {
		begun := time.Now()
		_ = l.hear(l.store.closing)
		l.alive.Store(false)
		if time.Since(begun) > longestPause {
			pause = firstPause
		}
		timer := time.NewTimer(pause/2 + rand.N(pause/2))
		select {
		case <-timer.C:
		case <-l.store.closing.Done():
		}
		timer.Stop()
		pause = min(2*pause, longestPause)
	}
}

// hear listens until the connection breaks or ctx ends.
func (l *listener) hear(ctx context.Context) error {
	begin, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := dial(begin, l.target)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	work, results := channelName(l.store.cfg.Schema, workChannel), channelName(l.store.cfg.Schema, resultChannel)
	commands := channelName(l.store.cfg.Schema, commandChannel)
	for _, channel := range []string{work, results, commands} {
		if _, err := conn.Exec(begin, "LISTEN "+quote(channel)); err != nil {
			return err
		}
	}
	l.alive.Store(true)
	l.store.waiting.wakeAll() // what was announced before has not been heard
	l.store.watch.lookAtAll()
	l.store.commands.ring()
	for {
		wait, cancel := context.WithTimeout(ctx, pingEvery)
		n, err := conn.WaitForNotification(wait)
		cancel()
		switch {
		case err == nil && n.Channel == work:
			l.store.waiting.wake(strings.Clone(n.Payload))
		case err == nil && n.Channel == results:
			l.store.watch.lookAtAll()
		case err == nil && n.Channel == commands:
			l.store.commands.ring()
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			if err := l.ping(ctx, conn); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

// ping asks whether the server is still there: a connection that a network has forgotten says nothing at all.
func (l *listener) ping(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return conn.Ping(ctx)
}
