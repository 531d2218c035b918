package redis

import (
	"context"
	"sync"
	"time"
)

// vigils are the queues whose time is watched by sessions of this process: of those who wait at a queue one sleeps until
// something becomes due, and the others rely on it. Who gets work keeps its watch, since it soon looks again as a rule, and
// that costs no command. Where it does not, it resigns, and one of those who wait takes over.
type vigils struct {
	mu sync.Mutex
	by map[string]*vigil // by session
}

// vigil is what one session watches.
type vigil struct {
	queues map[*queueKeys]*look
	timer  *time.Timer // to see whether it has looked; nil while it need not
}

// look says when a session has last looked at a queue that it watches, and how many of its calls wait there.
type look struct {
	at    time.Time
	waits int
}

// longestAbsence is how long a session may watch a queue without looking at it.
const longestAbsence = 250 * time.Millisecond

// looked notes that a session has asked a queue, and whether it watches it.
func (vs *vigils) looked(session string, keys *queueKeys, watches bool) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v := vs.by[session]
	switch {
	case v != nil && v.queues[keys] != nil && watches:
		v.queues[keys].at = time.Now()
	case watches:
		if v == nil {
			v = &vigil{queues: make(map[*queueKeys]*look)}
			if vs.by == nil {
				vs.by = make(map[string]*vigil)
			}
			vs.by[session] = v
		}
		v.queues[keys] = &look{at: time.Now()}
	case v != nil:
		vs.forget(session, v, keys)
	}
}

// saw notes that a session has looked at a queue, and that nothing has changed.
func (vs *vigils) saw(session string, keys *queueKeys) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if v := vs.by[session]; v != nil && v.queues[keys] != nil {
		v.queues[keys].at = time.Now()
	}
}

// forget takes a queue out of those that a session watches. mu is held.
func (vs *vigils) forget(session string, v *vigil, keys *queueKeys) {
	delete(v.queues, keys)
	if len(v.queues) > 0 {
		return
	}
	delete(vs.by, session)
	if v.timer != nil {
		v.timer.Stop()
	}
}

// wait notes that a session waits at its queues, until the function that it gives is called.
func (vs *vigils) wait(session string, places []seat) (end func()) {
	vs.mu.Lock()
	defer vs.mu.Unlock()
	v := vs.by[session]
	if v == nil {
		return func() {}
	}
	var looks []*look
	for i := range places {
		if l := v.queues[places[i].keys]; l != nil {
			l.waits++
			looks = append(looks, l)
		}
	}
	return func() {
		vs.mu.Lock()
		defer vs.mu.Unlock()
		for _, l := range looks {
			l.waits--
			l.at = time.Now()
		}
	}
}

// mind sees to it that a session whose call has ended resigns where it does not look again soon.
func (c *core) mind(session string) {
	c.vigils.mu.Lock()
	defer c.vigils.mu.Unlock()
	if v := c.vigils.by[session]; v != nil && v.timer == nil {
		v.timer = time.AfterFunc(longestAbsence, func() { c.see(session, v) })
	}
}

// see has a session resign from the queues that it has not looked at.
func (c *core) see(session string, v *vigil) {
	if c.begin() != nil {
		return // Close sees to it
	}
	defer c.calls.Done()
	c.resign(session, c.overdue(session, v))
}

// overdue gives the queues at which a session has not looked for too long, and which it watches no more. The others are
// seen after later.
func (c *core) overdue(session string, v *vigil) (late []*queueKeys) {
	vs := &c.vigils
	vs.mu.Lock()
	defer vs.mu.Unlock()
	if vs.by[session] != v {
		return nil
	}
	v.timer = nil
	var next time.Duration
	for keys, l := range v.queues {
		left := longestAbsence - time.Since(l.at)
		switch {
		case l.waits > 0: // the end of that call sees to it
		case left <= 0:
			late = append(late, keys)
			vs.forget(session, v, keys)
		case next == 0 || left < next:
			next = left
		}
	}
	if next > 0 {
		v.timer = time.AfterFunc(next, func() { c.see(session, v) })
	}
	return late
}

// resignAll has all sessions resign, since the store closes.
func (c *core) resignAll() {
	c.vigils.mu.Lock()
	all := c.vigils.by
	c.vigils.by = nil
	c.vigils.mu.Unlock()
	for session, v := range all {
		if v.timer != nil {
			v.timer.Stop()
		}
		var queues []*queueKeys
		for keys := range v.queues {
			queues = append(queues, keys)
		}
		c.resign(session, queues)
	}
}

// resign has somebody else watch the time of queues. Where that fails, those who wait look a second after the time that they
// know, and every ten at any rate.
func (c *core) resign(session string, queues []*queueKeys) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	for _, keys := range queues {
		call := resignScript.start(1, keys.publish[:2])
		call.endKeys()
		call.add(session)
		if _, err := c.run(ctx, &call); err != nil {
			return
		}
	}
}
