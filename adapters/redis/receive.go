package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gostem/gostem/stem"
)

// longestWait is how long a blocking read lasts at most. Also pauses are seen by then.
const longestWait = 5 * time.Second

// Receive lends due envelopes to a session, or waits for one.
//
// A turn asks each queue by a script, which takes what it lends and nothing else. Between turns a blocking read waits
// at the streams of all queues: an envelope that arrives goes to one of those who wait, and the next turn lends it.
func (c *core) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	if err := validate(&req); err != nil {
		return nil, err
	}
	if err := c.begin(); err != nil {
		return nil, err
	}
	defer c.calls.Done()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(c.closing, cancel)()
	r := receiver{core: c, req: &req, places: make([]seat, len(req.Queues))}
	for i, queue := range req.Queues {
		r.places[i].keys = c.keysOf(queue)
	}
	ds, err := r.receive(ctx)
	if err != nil {
		err = c.failed("receive", err)
	}
	return ds, err
}

func validate(req *stem.ReceiveRequest) error {
	switch {
	case len(req.Queues) == 0:
		return &stem.OptionError{Option: "queues of a receive", Value: "none", Want: "at least one"}
	case req.Max < 1:
		return &stem.OptionError{Option: "max of a receive", Value: fmt.Sprint(req.Max), Want: "1 or more"}
	case req.AgeAfter < 0:
		return &stem.OptionError{Option: "age of a receive", Value: req.AgeAfter.String(), Want: "0 or more"}
	default:
		return validateLease(req.Session)
	}
}

func validateLease(s stem.Session) error {
	if s.Lease <= 0 {
		return &stem.OptionError{Option: "lease of a session", Value: s.Lease.String(), Want: "more than 0"}
	}
	return nil
}

// receiver is one call of Receive.
type receiver struct {
	*core
	req    *stem.ReceiveRequest
	places []seat
}

// seat is a receiver at one of its queues.
type seat struct {
	keys   *queueKeys
	read   []string // what a blocking read has given it and nobody has lent yet, as "<priority or w> <id>"
	paused bool
	ensure bool // somebody has deleted a group or stream
}

// receive takes turns until one has brought something.
func (r *receiver) receive(ctx context.Context) ([]stem.Delivery, error) {
	turn := ctx
	for {
		ds, wait, err := r.turn(turn)
		if len(ds) > 0 || err != nil {
			return ds, err
		}
		if ctx.Err() != nil {
			return nil, r.ended(ctx)
		}
		if err := r.wait(ctx, wait); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			if !r.reads() {
				return nil, r.ended(ctx)
			}
			// What was read in the last moment is lent, or goes back.
			var cancel context.CancelFunc
			turn, cancel = context.WithTimeout(context.WithoutCancel(ctx), longestWait)
			defer cancel()
		}
	}
}

func (r *receiver) ended(ctx context.Context) error {
	if r.closing.Err() != nil {
		return stem.ErrClosed
	}
	return ctx.Err()
}

func (r *receiver) reads() bool {
	for i := range r.places {
		if len(r.places[i].read) > 0 {
			return true
		}
	}
	return false
}

// turn asks each queue once, and tells how long to wait if nothing came.
func (r *receiver) turn(ctx context.Context) (ds []stem.Delivery, wait time.Duration, err error) {
	wait = longestWait
	size := 0
	for i := range r.places {
		s := &r.places[i]
		most := r.req.Max - len(ds)
		mostBytes := 0
		if r.req.MaxBytes > 0 {
			mostBytes = r.req.MaxBytes - size
			if mostBytes <= 0 {
				most = 0
			}
		}
		if most == 0 && len(s.read) == 0 {
			continue
		}
		l, err := r.ask(ctx, s, most, mostBytes, len(ds) > 0)
		if err != nil {
			if len(ds) > 0 {
				return ds, 0, nil // the rest is another time's
			}
			return nil, 0, err
		}
		s.paused = l.paused
		wait = min(wait, l.wait)
		more, err := l.deliveries(r.req.Session.ID, s.keys.queue)
		if err == nil && l.revoked {
			err = r.judgeRevoked(ctx, s.keys, more, l.now)
		}
		if err != nil {
			if len(ds) > 0 {
				return ds, 0, nil
			}
			return nil, 0, err
		}
		for i := range more {
			size += len(more[i].Payload)
		}
		ds = append(ds, more...)
	}
	return ds, wait, nil
}

// ask calls the script for one queue.
func (r *receiver) ask(ctx context.Context, s *seat, most, mostBytes int, full bool) (lent, error) {
	known := knowledge{}
	if r.req.Tasks != nil {
		known = r.knowledges.of(r.req.Tasks)
	}
	if _, before := r.ensured.LoadOrStore(s.keys.queue, true); !before {
		s.ensure = true
	}
	for {
		l, stored, err := r.askOnce(ctx, s, most, mostBytes, full, known)
		if err != nil || stored {
			if err == nil {
				s.read, s.ensure = s.read[:0], false
				if l.gone > 0 {
					r.cfg.Logger.WarnContext(ctx, "stem: entries were gone from their stream: somebody has deleted or trimmed them; their tasks will not run",
						"queue", s.keys.queue, "entries", l.gone)
				}
			}
			return l, err
		}
		// The server does not have the set of tasks, or not any more. It keeps it for a day.
		if err := r.keep(ctx, s.keys.prefix+"tasks:"+known.digest, 24*time.Hour, known.text, false); err != nil {
			return lent{}, err
		}
	}
}

func (r *receiver) askOnce(ctx context.Context, s *seat, most, mostBytes int, full bool, known knowledge) (l lent, stored bool, err error) {
	session := &r.req.Session
	if err := r.sessions.note(ctx, r.core, session.ID, s.keys.queue); err != nil {
		return lent{}, false, err
	}
	call := receiveScript.start(16+len(s.read)+len(r.req.Held), s.keys.all)
	if r.req.Tasks != nil {
		call.key(s.keys.prefix + "tasks:" + known.digest)
	}
	call.endKeys()
	call.add(r.offset.Load(), session.ID, millis(session.Lease), flag(session.Leaving), most, mostBytes, millis(r.req.AgeAfter),
		flag(r.req.Tasks == nil), flag(!full), longestWait.Milliseconds(), flag(s.ensure), len(s.read), flag(r.req.Recover))
	for _, read := range s.read {
		call.add(read)
	}
	if r.req.Recover {
		for i := range r.req.Held {
			if held, ok := r.req.Held[i].Receipt.(*receipt); ok && r.req.Held[i].Queue == s.keys.queue {
				call.add(address(held.priority, held.id))
			}
		}
	}
	reply, err := r.run(ctx, &call)
	if err != nil {
		return lent{}, false, err
	}
	if reply == "TASKS" {
		return lent{}, false, nil
	}
	l, err = parseLent(reply)
	return l, true, err
}

// keep stores what a worker needs before it can receive: a text, or a member of a set.
func (c *core) keep(ctx context.Context, key string, keep time.Duration, value string, set bool) error {
	call := keepScript.start(4, []any{key})
	call.endKeys()
	call.add(int(keep.Seconds()), value, flag(set))
	_, err := c.run(ctx, &call)
	return err
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// sessions knows from which queues each session has received through this store, to renew it on all of them.
type sessions struct {
	mu sync.Mutex
	by map[string]map[string]bool
}

// note notes that a session receives from a queue, here and, the first time, in the server, for other connections.
func (s *sessions) note(ctx context.Context, c *core, session, queue string) error {
	s.mu.Lock()
	known := s.by[session][queue]
	s.mu.Unlock()
	if known {
		return nil
	}
	key := c.sessionKey(session)
	if err := c.keep(ctx, key, keepSession, queue, true); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = make(map[string]map[string]bool)
	}
	if s.by[session] == nil {
		s.by[session] = make(map[string]bool)
	}
	s.by[session][queue] = true
	return nil
}
