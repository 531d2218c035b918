package redis

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
)

// longestWait is how long a blocking read lasts at most. What it is not woken for is found then.
const longestWait = 10 * time.Second

// Receive lends due envelopes to a session, a thousand at once at most, or waits for one.
//
// A turn asks each queue by a script, which takes what it lends and nothing else. Between turns a blocking read waits
// at the streams of all queues: an envelope that arrives goes to one of those who wait, and the next turn lends it.
func (c *core) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	if err := req.Validate(); err != nil {
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
	req.Max = min(req.Max, mostAtOnce)
	r := receiver{core: c, req: &req, places: make([]seat, len(req.Queues)), left: maps.Clone(req.AtMost)}
	for i, queue := range req.Queues {
		r.places[i].keys = c.keysOf(queue)
	}
	defer c.mind(req.Session.ID)
	ds, err := r.receive(ctx)
	if err != nil {
		err = c.failed("receive", err)
	}
	return ds, err
}

// receiver is one call of Receive.
type receiver struct {
	*core
	req    *stem.ReceiveRequest
	places []seat
	waited bool           // the streams have told it what is new
	left   map[string]int // how many may still be lent of tasks that have a bound
}

// seat is a receiver at one of its queues.
type seat struct {
	keys   *queueKeys
	read   []string   // what a blocking read has given it and nobody has lent yet, as "<priority or w> <id>"
	fresh  []loan     // the same, of what need not be looked up: it is of priority 0
	behind *plainRead // what came behind a blocking read in its round trip
	paused bool
	ensure bool  // somebody has deleted a group or stream
	opened bool  // the session was not open here
	epoch  epoch // of the session here, as the store said last
}

// turnTimeout bounds a turn. A turn does not end with the context of the call: what it has taken must arrive.
const turnTimeout = 10 * time.Second

// receive takes turns until one has brought something.
func (r *receiver) receive(ctx context.Context) ([]stem.Delivery, error) {
	wait := r.calm(ctx)
	for {
		if wait > 0 {
			if err := r.wait(ctx, wait); err != nil {
				return nil, err
			}
			if ctx.Err() != nil && !r.reads() {
				return nil, r.ended(ctx)
			}
			// What was read in the last moment is lent, or goes back.
			r.waited = true
		}
		ds, longest, err := r.oneTurn(ctx)
		if len(ds) > 0 {
			r.noteCalm(len(ds))
			return ds, nil
		}
		if err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return nil, r.ended(ctx)
		}
		wait = longest
	}
}

func (r *receiver) oneTurn(ctx context.Context) ([]stem.Delivery, time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), turnTimeout)
	defer cancel()
	ds, wait, err := r.turn(ctx)
	if reopen := r.reopen(ctx); err == nil {
		err = reopen
	}
	return ds, wait, err
}

func (r *receiver) ended(ctx context.Context) error {
	if r.closing.Err() != nil {
		return stem.ErrClosed
	}
	return ctx.Err()
}

func (r *receiver) reads() bool {
	for i := range r.places {
		if r.places[i].reads() {
			return true
		}
	}
	return false
}

// reads reports whether anything has been read that must have its turn.
func (s *seat) reads() bool {
	return len(s.read)+len(s.fresh) > 0 || s.behind != nil && s.behind.brought()
}

// reopen opens the session on the other queues that it has received from, if it had to be opened on one: it has lapsed
// on all of them, and what nobody has taken there stays its own.
func (r *receiver) reopen(ctx context.Context) error {
	opened := false
	asked := make(map[string]bool, len(r.places))
	for i := range r.places {
		s := &r.places[i]
		opened = opened || s.opened
		asked[s.keys.queue] = s.opened
		s.opened = false
	}
	if !opened {
		return nil
	}
	queues, err := r.sessions.queues(ctx, r.core, r.req.Session.ID)
	if err != nil {
		return err
	}
	for queue := range queues {
		if !asked[queue] {
			if _, err := r.renew(ctx, &r.req.Session, r.keysOf(queue), nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// turn asks each queue once, and tells how long to wait if nothing came.
func (r *receiver) turn(ctx context.Context) (ds []stem.Delivery, wait time.Duration, err error) {
	wait = longestWait
	size, full := 0, false
	rounds := 2 * len(r.places)
	if !r.req.Recover {
		rounds = len(r.places)
	}
	for i := range rounds {
		s := &r.places[i%len(r.places)]
		// What the session holds and does not know of comes first, from all queues.
		want := portion{most: r.req.Max - len(ds), others: len(ds) > 0, recover: rounds-i > len(r.places)}
		if r.req.MaxBytes > 0 {
			if want.mostBytes = r.req.MaxBytes - size; want.mostBytes <= 0 {
				full = true
			}
		}
		if full { // later queues wait for this one
			want.most = 0
		}
		if want.most == 0 && !s.reads() {
			continue
		}
		more, longest, stopped, err := r.take(ctx, s, want)
		ds, full = append(ds, more...), full || stopped
		if err != nil {
			if len(ds) > 0 {
				return ds, 0, nil // what has been lent must arrive; the error will come again
			}
			return nil, 0, err
		}
		wait = min(wait, longest)
		for i := range more {
			size += len(more[i].Payload)
		}
	}
	return ds, wait, nil
}

// portion is what a receiver may still take from a queue.
type portion struct {
	most, mostBytes int
	used            int  // of the bytes
	others          bool // it has got something from another queue, so it will not wait
	recover         bool // what the session holds and does not know of, and nothing else
}

// all is what a receiver may take from its first queue.
func (r *receiver) all() portion { return portion{most: r.req.Max, mostBytes: r.req.MaxBytes} }

// less gives what is left of the portion behind deliveries.
func (p portion) less(ds []stem.Delivery) portion {
	p.most -= len(ds)
	for i := range ds {
		if p.mostBytes > 0 {
			if p.mostBytes -= len(ds[i].Payload); p.mostBytes <= 0 {
				p.most, p.mostBytes = 0, 0
			}
		}
	}
	p.others = p.others || len(ds) > 0
	return p
}

// holds reports whether an entry, and all before it, are within the bytes. An envelope weighs a little more than its payload.
func (p *portion) holds(l *loan) bool {
	if p.mostBytes == 0 {
		return true
	}
	p.used += len(l.envelope)
	return p.used <= p.mostBytes
}

// take takes what one queue has. Where there is nothing but what nobody has had yet, a plain command reads it: that
// costs the server half.
func (r *receiver) take(ctx context.Context, s *seat, want portion) (ds []stem.Delivery, wait time.Duration, full bool, err error) {
	now, err := r.about(ctx)
	if err != nil {
		return nil, 0, false, err
	}
	// Who has waited and been given nothing must ask what is due.
	if s.behind != nil || (!r.waited || len(s.fresh) > 0) && r.mayReadPlainly(s, want, now) {
		ds, err = r.readPlainly(ctx, s, want)
		want = want.less(ds)
		if err != nil || len(ds) > 0 && len(s.read) == 0 {
			return ds, 0, false, err
		}
	}
	l, err := r.ask(ctx, s, want)
	if err != nil {
		return ds, 0, false, err
	}
	loans := l.loans()
	for i := range loans {
		r.count(loans[i].schema)
	}
	more, err := r.lend(ctx, s, &l, loans)
	return append(ds, more...), l.wait, l.full, err
}

// lend makes deliveries, and looks whether they are revoked.
func (r *receiver) lend(ctx context.Context, s *seat, l *lent, loans []loan) ([]stem.Delivery, error) {
	if l.gone > 0 {
		r.cfg.Logger.WarnContext(ctx, "stem: entries were gone from their stream: somebody has deleted or trimmed them; their tasks will not run",
			"queue", s.keys.queue, "entries", l.gone)
	}
	s.keys.weigh(loans)
	ds := l.deliveries(r.req.Session.ID, s.keys.queue, loans)
	if !l.revoked {
		return ds, nil
	}
	if err := r.judgeRevoked(ctx, s.keys, ds, l.now); err != nil {
		return nil, err // the session will recover them
	}
	return ds, nil
}

// ask calls the script for one queue.
func (r *receiver) ask(ctx context.Context, s *seat, want portion) (lent, error) {
	if err := r.sessions.note(ctx, r.core, r.req.Session.ID, s.keys.queue); err != nil {
		return lent{}, err
	}
	if _, before := r.ensured.LoadOrStore(s.keys.queue, true); !before {
		s.ensure = true
	}
	s.leave(s.fresh)
	s.fresh = nil
	for {
		call := r.request(s, want)
		reply, err := r.run(ctx, &call)
		if err != nil {
			return lent{}, err
		}
		if reply == "TASKS" {
			// The server does not have the set of tasks, or not any more. It keeps it for a day.
			known := r.knowledges.of(r.req.Tasks)
			if err := r.keep(ctx, s.keys.tasks(known), 24*time.Hour, known.text, false); err != nil {
				return lent{}, err
			}
			continue
		}
		s.read, s.ensure = s.read[:0], false
		l, err := parseLent(reply)
		if err == nil {
			r.heard(l.now)
			s.paused, s.opened = l.paused, s.opened || l.opened
			if l.opened { // for the first time, or since the server has lost it
				s.keys.named.Store(0)
				r.name(ctx, s.keys)
			}
			s.epoch = l.epoch
			r.vigils.looked(r.req.Session.ID, s.keys, l.watches)
			s.keys.next.Store(l.next)
			s.keys.plain.Store(!l.paused && !l.mixed)
		}
		return l, err
	}
}

// request makes a call of the script.
func (r *receiver) request(s *seat, want portion) call {
	session := &r.req.Session
	call := receiveScript.start(17+len(r.left)+len(s.read)+len(r.req.Held), s.keys.all)
	if r.req.Tasks != nil {
		call.key(s.keys.tasks(r.knowledges.of(r.req.Tasks)))
	}
	call.endKeys()
	call.add(r.offset.Load(), session.ID, millis(session.Lease), flag(session.Leaving), want.most, want.mostBytes, millis(r.req.AgeAfter),
		flag(r.req.Tasks == nil), flag(!want.others), longestWait.Milliseconds(), flag(s.ensure), len(s.read), flag(want.recover), len(r.left))
	for task, n := range r.left {
		call.add(task + " " + strconv.Itoa(n))
	}
	for _, read := range s.read {
		call.add(read)
	}
	if want.recover {
		for i := range r.req.Held {
			if held, ok := r.req.Held[i].Receipt.(*receipt); ok && r.req.Held[i].Queue == s.keys.queue {
				number := "-"
				if held.life {
					number = strconv.FormatInt(r.req.Held[i].Number, 10)
				}
				call.add(address(held.priority, held.id) + " " + number)
			}
		}
	}
	return call
}

// count notes that an entry is lent, and reports whether it may be.
func (r *receiver) count(schema string) bool {
	if len(r.left) == 0 {
		return true
	}
	task, _, _ := strings.Cut(schema, " ")
	n, bounded := r.left[task]
	if bounded && n > 0 {
		r.left[task]--
	}
	return !bounded || n > 0
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
