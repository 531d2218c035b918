package adaptertest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/gostem/gostem/stem"
)

// at gives the connection of a session: the second one has the peer.
func (p *program) at(session string) *exam {
	if session == "s1" {
		return p.peer()
	}
	return p.exam
}

func (p *program) advance(t *rapid.T) { p.wait(pickSteps.Draw(t, "steps")) }

func (p *program) wait(steps int) {
	d := time.Duration(steps) * step
	p.history.add("the clock moves by %v", d)
	p.Advance(d)
	p.model.now += d
}

func (p *program) publishSome(t *rapid.T) {
	envs := make([]stem.Envelope, pickCount.Draw(t, "envelopes"))
	for i := range envs {
		envs[i] = p.envelope(t)
	}
	p.publishes(envs)
}

func (p *program) publishes(envs []stem.Envelope) {
	for i, got := range p.offer(envs...) {
		p.history.add("publish %v: %+v", shown(envs[i]), got)
		p.model.publishes(envs[i], got)
	}
}

// followOne ends a delivery as a worker does whose task is followed by others: it publishes these, whose ids are made of
// their cause, and acknowledges. Sometimes it dies in between; whoever has the task then publishes them again.
func (p *program) followOne(t *rapid.T) {
	if len(p.model.loans) == 0 {
		t.Skip("nothing was lent")
	}
	l := p.loan(t)
	var links []stem.Envelope
	for i := range pickLinks.Draw(t, "links") {
		id := fmt.Sprintf("%s/ok/%d", l.ID, i)
		e := task(id, onQueue(l.Queue), deduped(id, 1000*time.Hour), childOf(&l.of.env))
		links = append(links, e)
	}
	p.publishes(links)
	if pickYes.Draw(t, "lives") {
		p.settles([]*loan{l}, []stem.Settlement{{Delivery: l.Delivery, Verdict: stem.VerdictAck}}, false)
	}
}

// childOf gives an envelope the lineage of a child.
func childOf(parent *stem.Envelope) func(*stem.Envelope) {
	return func(e *stem.Envelope) {
		e.Parent, e.Root = parent.ID, cmp.Or(parent.Root, parent.ID)
		if parent.Parent != parent.Root {
			e.Ancestors = append([]string{parent.Parent}, parent.Ancestors[:min(len(parent.Ancestors), stem.MaxAncestors-1)]...)
		}
	}
}

// envelope draws a new one, or one that is published again after it was done.
func (p *program) envelope(t *rapid.T) stem.Envelope {
	if gone := p.model.gone; len(gone) > 0 && pickRarely.Draw(t, "again") {
		i := rapid.IntRange(0, len(gone)-1).Draw(t, "which")
		e := gone[i]
		p.model.gone = slices.Delete(gone, i, i+1)
		e.Unique = nil // an old settlement of this id, repeated, may be taken for one of its new life
		return e
	}
	p.ids++
	e := task(fmt.Sprintf("t%d", p.ids), onQueue(pickQueue.Draw(t, "queue")), called(pickTask.Draw(t, "task")), inSchema(pickSchema.Draw(t, "schema")))
	e.Priority = pickPriority.Draw(t, "priority")
	e.Payload = blob(make([]byte, pickSize.Draw(t, "size")-5))
	e.Delay = pickTimeOrNone.Draw(t, "delay")
	e.ExpiresIn = pickTimeOrNone.Draw(t, "expiry")
	e.Visibility = pickTimeOrNone.Draw(t, "visibility")
	if pickRarely.Draw(t, "deduped") {
		e.DedupeKey, e.DedupeWindow = "key", pickTime.Draw(t, "window")
	}
	if lives := p.model.lives; p.can(revokes) && len(lives) > 0 && pickYes.Draw(t, "child") {
		childOf(&lives[rapid.IntRange(0, len(lives)-1).Draw(t, "parent")].env)(&e)
	}
	if p.can(keepsUnique) && pickYes.Draw(t, "unique") {
		p.makeUnique(t, &e)
	}
	return e
}

// makeUnique draws what an envelope says of its uniqueness.
func (p *program) makeUnique(t *rapid.T, e *stem.Envelope) {
	u := stem.Uniqueness{Key: pickKey.Draw(t, "key"), Until: pickUntil.Draw(t, "until"), OnConflict: pickConflict.Draw(t, "conflict")}
	if u.For = pickTimeOrNone.Draw(t, "bound"); u.Until == stem.UntilTime {
		u.For = pickLongTime.Draw(t, "for")
	}
	e.Unique = &u
	if l := p.model.replaces(e); l != nil && l.waitsAgain(p.model.now) {
		u.OnConflict = stem.ConflictExisting
	}
}

// startSome tells of starts, of deliveries that are held and whose start matters.
func (p *program) startSome(t *rapid.T) {
	var held []*loan
	for _, l := range p.recent() {
		if l.of.held == l && l.TellsStart() {
			held = append(held, l)
		}
	}
	if len(held) == 0 {
		t.Skip("nothing is to start")
	}
	i := rapid.IntRange(0, len(held)-1).Draw(t, "from")
	held = held[i:min(i+2, len(held))]
	ds := make([]stem.Delivery, len(held))
	for i, l := range held {
		ds[i] = l.Delivery
	}
	p.history.add("%s start", ids(ds))
	notices := p.started(ds...)
	p.history.answer(notices)
	named := p.model.named(notices, len(held))
	for i, l := range held {
		n, told := named[i]
		p.model.starts(l, n, told)
	}
}

func (p *program) receiveSome(t *rapid.T) {
	n := pickSession.Draw(t, "session")
	req := stem.ReceiveRequest{
		Session:  stem.Session{ID: fmt.Sprintf("s%d", n), Lease: leases[n]},
		Queues:   pickQueues.Draw(t, "queues"),
		Tasks:    pickTasks.Draw(t, "tasks"),
		Max:      pickCount.Draw(t, "max"),
		MaxBytes: pickMaxBytes.Draw(t, "max bytes"),
		AgeAfter: pickAge.Draw(t, "age"),
		AtMost:   pickAtMost.Draw(t, "at most"),
	}
	if s := p.model.sessions[req.Session.ID]; s != nil && s.leaving {
		return // who leaves receives nothing
	}
	if req.Recover = pickRarely.Draw(t, "recover"); req.Recover {
		for _, l := range p.loansOf(req.Session.ID) {
			if pickYes.Draw(t, "held") {
				req.Held = append(req.Held, l.Delivery)
			}
		}
	}
	if pickRarely.Draw(t, "in vain") {
		p.receivesInVain(req)
	} else {
		p.receives(req)
	}
}

// receives receives, and rings the bell where it would wait.
func (p *program) receives(req stem.ReceiveRequest) []stem.Delivery {
	if !p.model.finds(&req) {
		p.ids++
		p.publishes([]stem.Envelope{task(fmt.Sprintf("t%d", p.ids), onQueue(bell), called(bell))})
	}
	p.history.add("%v", request(req))
	ds := p.at(req.Session.ID).receive(req)
	p.history.answer(ids(ds))
	p.model.receives(&req, ds)
	return ds
}

// receivesInVain receives with a context that has ended.
func (p *program) receivesInVain(req stem.ReceiveRequest) {
	ctx, cancel := context.WithCancel(p.Context())
	cancel()
	p.history.add("in vain %v", request(req))
	ds, err := p.at(req.Session.ID).Broker.Receive(ctx, req)
	p.history.answer(ids(ds))
	if len(ds) > 0 {
		p.lawful(req, ds)
		p.model.receives(&req, ds)
		return
	}
	p.model.holds(errors.Is(err, context.Canceled), "a receive answers the error of its context", err, context.Canceled)
	if s := p.model.sessions[req.Session.ID]; s != nil {
		s.heard = p.model.now
	}
}

// loansOf gives the loans of a session.
func (p *program) loansOf(session string) []*loan {
	var own []*loan
	for _, l := range p.model.loans {
		if l.Session == session {
			own = append(own, l)
		}
	}
	return own
}

// loan draws one, more often one that is held.
func (p *program) loan(t *rapid.T) *loan {
	held := slices.DeleteFunc(slices.Clone(p.model.loans), func(l *loan) bool { return l.of.held != l })
	if len(held) == 0 || pickRarely.Draw(t, "any loan") {
		held = p.recent()
	}
	return held[rapid.IntRange(0, len(held)-1).Draw(t, "loan")]
}

// recent gives the last ten loans of each envelope: stores may know of no more.
func (p *program) recent() []*loan {
	seen := map[*life]int{}
	var recent []*loan
	for _, l := range slices.Backward(p.model.loans) {
		if seen[l.of]++; seen[l.of] <= 10 {
			recent = append(recent, l)
		}
	}
	return recent
}

func (p *program) extendOne(t *rapid.T) {
	n := pickSession.Draw(t, "session")
	s := stem.Session{ID: fmt.Sprintf("s%d", n), Lease: leases[n], Leaving: pickRarely.Draw(t, "leaving")}
	held := slices.DeleteFunc(p.loansOf(s.ID), func(*loan) bool { return !pickYes.Draw(t, "held") })
	notices := p.at(s.ID).extend(s, deliveries(held)...)
	p.history.add("%s extends, leaving %v, holding %v: %v", s.ID, s.Leaving, ids(deliveries(held)), notices)
	p.model.extends(s, held, notices)
}

func deliveries(ls []*loan) []stem.Delivery {
	ds := make([]stem.Delivery, len(ls))
	for i, l := range ls {
		ds[i] = l.Delivery
	}
	return ds
}

func (p *program) settleSome(t *rapid.T) {
	if len(p.model.loans) == 0 {
		t.Skip("nothing was lent")
	}
	save := p.can(savesAndSettles) && p.Backend != nil && pickYes.Draw(t, "save")
	var ls []*loan
	var ss []stem.Settlement
	for range pickCount.Draw(t, "settlements") {
		l := p.loan(t)
		s := stem.Settlement{Delivery: l.Delivery, Verdict: pickVerdict.Draw(t, "verdict"), Delay: pickTimeOrNone.Draw(t, "delay")}
		p.serial++
		s.Reason = fmt.Sprintf("reason %d", p.serial)
		s.Cancelled = pickYes.Draw(t, "cancelled")
		if pickYes.Draw(t, "marks") {
			s.Marks = map[string]string{"mark": fmt.Sprint(p.serial)}
		}
		if pickYes.Draw(t, "result") {
			r := p.record(t, l.ID, l.Number)
			s.Result = &r
		}
		ls, ss = append(ls, l), append(ss, s)
	}
	p.settles(ls, ss, save)
}

// settles settles by SaveAndSettle or by Settle.
func (p *program) settles(ls []*loan, ss []stem.Settlement, save bool) {
	settle := p.trySettle
	if save {
		settle = p.trySaveAndSettle
	}
	err := settle(slices.Clone(ss)...)
	p.partly(err)
	for i, s := range ss {
		p.history.add("%s settles %s by %v in %v, marks %v, result %v (saved: %v): %v",
			ls[i].Session, ls[i].ID, s.Verdict, s.Delay, s.Marks, s.Result != nil, save, stem.ItemErr(err, i))
		p.model.settles(ls[i], s, save, stem.ItemErr(err, i))
	}
}

// partly expects the error of a batch to be about items of it, if there is one.
func (p *program) partly(err error) {
	var partial *stem.PartialError
	p.model.holds(err == nil || errors.As(err, &partial), "a batch fails item by item", err, "a *PartialError")
}

// record draws what a delivery has to say of its task.
func (p *program) record(t *rapid.T, id string, number int64) stem.Result {
	p.serial++
	r := outcome(id, number, in(pickState.Draw(t, "state")), keep(pickTime.Draw(t, "keep")))
	r.Worker = fmt.Sprintf("worker %d", p.serial)
	return r
}

func (p *program) saveSome(t *rapid.T) {
	var rs []stem.Result
	for range pickCount.Draw(t, "records") {
		if len(p.model.loans) > 0 && pickYes.Draw(t, "of a loan") {
			l := p.loan(t)
			rs = append(rs, p.record(t, l.ID, l.Number))
		} else {
			rs = append(rs, p.record(t, "foreign", pickNumber.Draw(t, "number")))
		}
	}
	if pickRarely.Draw(t, "twice") {
		rs = append(rs, rs[0])
	}
	err := p.trySave(slices.Clone(rs)...)
	p.partly(err)
	for i, r := range rs {
		p.history.add("save %s, %s, kept for %v: %v", r.ID, r.State, r.Keep, stem.ItemErr(err, i))
		want := p.model.save(r)
		p.model.holds(errors.Is(stem.ItemErr(err, i), want), "a record is fenced", stem.ItemErr(err, i), want)
	}
}

func (p *program) loadSome(t *rapid.T) {
	names := []string{"foreign", "unheard-of"}
	for range pickCount.Draw(t, "ids") {
		names = append(names, fmt.Sprintf("t%d", rapid.IntRange(1, p.ids+1).Draw(t, "id")))
	}
	p.loads(names)
}

func (p *program) loads(names []string) {
	rs, err := p.peer().tryLoad(names...)
	p.partly(err)
	for i, name := range names {
		p.history.add("load %s: %s, %v", name, rs[i].State, stem.ItemErr(err, i))
		p.model.loads(name, rs[i], stem.ItemErr(err, i))
	}
}

func (p *program) pauseOne(t *rapid.T) {
	p.pauses(pickQueue.Draw(t, "queue"), pickRarely.Draw(t, "paused"))
}

func (p *program) pauses(queue string, paused bool) {
	p.history.add("pause %s: %v", queue, paused)
	if err := p.tryPause(queue, paused); err != nil {
		p.model.breach("a queue can be paused", err, nil)
	}
	p.model.paused[queue] = paused
}

func (p *program) revokeOne(t *rapid.T) {
	p.serial++
	r := stem.Revocation{
		Queue: pickQueue.Draw(t, "queue"), ID: fmt.Sprintf("t%d", rapid.IntRange(1, p.ids+2).Draw(t, "id")),
		Family: pickYes.Draw(t, "family"), For: pickTime.Draw(t, "for"), Reason: fmt.Sprintf("reason %d", p.serial),
	}
	p.history.add("revoke %+v", r)
	p.revoke(r)
	p.model.revokes(r)
}

func (p *program) countOne(t *rapid.T) { p.counts(pickQueue.Draw(t, "queue")) }

func (p *program) counts(queue string) {
	ctx, cancel := p.bounded()
	defer cancel()
	counter, _ := stem.As[stem.QueueCounter](p.Broker)
	got, err := counter.CountQueue(ctx, queue)
	p.history.add("count %s: %+v, %v", queue, got, err)
	p.model.holds(err == nil, "a queue can be counted", err, nil)
	p.model.counts(queue, got)
}

func (p *program) listDead(t *rapid.T) {
	p.lists(pickQueue.Draw(t, "queue"), pickCount.Draw(t, "limit"))
}

func (p *program) lists(queue string, limit int) {
	letters := p.peer().deadLetters(queue, limit)
	p.history.add("dead letters of %s, %d at most: %v", queue, limit, letterIDs(letters))
	p.model.lists(queue, limit, letters)
}
