package postgres

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync"
	"time"
)

// The channels of a store are the database's, so their names tell the schema apart.
const (
	workChannel    = "work"    // the payload is the queue to which something has come
	resultChannel  = "result"  // there are outcomes, and somebody waits for some
	commandChannel = "command" // there are commands to workers
)

func channelName(schema, channel string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(schema)) // it never fails
	return fmt.Sprintf("stem_%016x_%s", h.Sum64(), channel)
}

const (
	// notifyEvery is how long after an announcement the next one follows at the earliest: NOTIFY holds a lock
	// of the whole database over its commit.
	notifyEvery = 2 * time.Millisecond
	// notifyMany is the same where more than manyAtOnce were to follow: then receivers have work.
	notifyMany = 10 * time.Millisecond
	manyAtOnce = 5
)

// unflushed lets a statement's own commit wait for no disk: an announcement has nothing to keep.
const unflushed = "set_config('synchronous_commit', 'off', true)"

// notifier announces what has been committed, on its own connections and after the fact: a NOTIFY in the transaction that
// stores an envelope makes all such transactions of the database wait for each other. Announcements of one kind are
// gathered while one is under way and for a moment after; the last is always made.
type notifier struct {
	store *Store
	mu    sync.Mutex
	lines map[announcement]*notifying
}

type announcement struct{ channel, payload string }

// notifying is a goroutine that announces, while there is something to announce.
type notifying struct{ again int }

// notify announces soon.
func (n *notifier) notify(channel, payload string) {
	a := announcement{channel, payload}
	n.mu.Lock()
	defer n.mu.Unlock()
	if line := n.lines[a]; line != nil {
		line.again++
		return
	}
	if n.lines == nil {
		n.lines = make(map[announcement]*notifying)
	}
	line := new(notifying)
	n.lines[a] = line
	n.store.calls.Add(1) // who calls is one of them, or the listener, which Close waits for
	go n.run(a, line)
}

func (n *notifier) run(a announcement, line *notifying) {
	defer n.store.calls.Done()
	for {
		n.send(a)
		n.rest(notifyEvery)
		if n.pending(line) > manyAtOnce {
			n.rest(notifyMany - notifyEvery)
		}
		if n.done(a, line) {
			return
		}
	}
}

func (n *notifier) send(a announcement) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	// An announcement that fails is made up for by polls.
	_ = n.store.on.exec(ctx, "SELECT "+unflushed+", pg_notify($1::text, $2::text)", channelName(n.store.cfg.Schema, a.channel), a.payload)
}

func (n *notifier) rest(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-n.store.closing.Done():
	}
}

func (n *notifier) pending(line *notifying) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return line.again
}

// done ends the goroutine if nothing has come since.
func (n *notifier) done(a announcement, line *notifying) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if line.again > 0 {
		line.again = 0
		return false
	}
	delete(n.lines, a)
	return true
}
