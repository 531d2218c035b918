package adaptertest

import (
	"context"
	"errors"
	"time"

	"github.com/gostem/gostem/stem"
)

var watches = backendHas[stem.ResultWatcher]("stem.ResultWatcher")

var watchPromises = []promise{
	{name: "await answers at once what is already there", check: awaitAnswersAtOnce, needs: watches},
	{name: "await is woken by the outcome", check: awaitIsWoken, needs: watches},
	{name: "await is woken by the outcome that another connection saves", check: awaitIsWokenFromElsewhere, needs: watches},
	{name: "await is not woken by news", check: awaitIgnoresNews, needs: watches},
	{name: "await is not woken by the outcome of another task", check: awaitIgnoresOthers, needs: watches},
	{name: "await answers its context's error when that ends", check: awaitEnds, needs: watches},
	{name: "many may await one result", check: manyAwait, needs: watches},
	{name: "await answers for an expired record as load does", check: awaitExpired, needs: watches},
	{name: "await is woken by an outcome saved with its settlement", check: awaitIsWokenBySettlement, needs: watches},
	{name: "close ends an await that blocks", check: closeEndsAwait, needs: watches},
}

// awaiting starts to wait for a result.
func (x *exam) awaiting(id string) *call[stem.Result] {
	watcher, _ := stem.As[stem.ResultWatcher](x.Backend)
	return start(x, func(ctx context.Context) (stem.Result, error) { return watcher.Await(ctx, id) })
}

// "Await blocks until the record of id is terminal", so it need not block here.
func awaitAnswersAtOnce(x *exam) {
	for _, state := range []stem.State{stem.StateSucceeded, stem.StateFailed, stem.StateCancelled} {
		r := outcome(string(state), 1, in(state))
		x.save(r)
		x.sameRecord(x.awaiting(r.ID).answer(), r)
	}
}

// "Await blocks until the record of id is terminal and answers it."
func awaitIsWoken(x *exam) {
	c := x.awaiting("a")
	c.blocks()
	x.save(outcome("a", 1))
	x.sameRecord(c.answer(), outcome("a", 1))
}

// "… in many processes."
func awaitIsWokenFromElsewhere(x *exam) {
	c := x.awaiting("a")
	c.blocks()
	x.peer().save(outcome("a", 1))
	x.sameRecord(c.answer(), outcome("a", 1))
}

// A record that is not terminal is not what Await waits for.
func awaitIgnoresNews(x *exam) {
	x.save(outcome("a", 1, in(stem.StateRunning)))
	c := x.awaiting("a")
	c.blocks()
	x.save(outcome("a", 1, in(stem.StateRetrying)))
	x.save(outcome("a", 2, in(stem.StateRunning)))
	c.blocks()
	x.save(outcome("a", 2))
	x.sameRecord(c.answer(), outcome("a", 2))
}

// Each waits for its own.
func awaitIgnoresOthers(x *exam) {
	a, b := x.awaiting("a"), x.awaiting("b")
	a.blocks()
	x.save(outcome("b", 1))
	x.sameRecord(b.answer(), outcome("b", 1))
	a.blocks()
	x.save(outcome("a", 1))
	x.sameRecord(a.answer(), outcome("a", 1))
}

// "… or ctx.Err()."
func awaitEnds(x *exam) {
	c := x.awaiting("a")
	c.blocks()
	c.cancel()
	if _, err := c.end(); !errors.Is(err, context.Canceled) {
		x.Errorf("await: got error %v, want %v", err, context.Canceled)
	}
	x.save(outcome("a", 1))
	x.stands(outcome("a", 1))
}

// "Many may wait": for one result and for many, and none is forgotten.
func manyAwait(x *exam) {
	var calls []*call[stem.Result]
	for i := range 50 {
		watcher := x
		if i%2 == 1 {
			watcher = x.peer()
		}
		calls = append(calls, watcher.awaiting("a"), watcher.awaiting(records("r", 50)[i].ID))
	}
	calls[len(calls)-1].blocks()
	x.save(append(records("r", 50), outcome("a", 1))...)
	for i := 0; i < len(calls); i += 2 {
		x.sameRecord(calls[i].answer(), outcome("a", 1))
		x.sameRecord(calls[i+1].answer(), records("r", 50)[i/2])
	}
}

// "… or ErrResultExpired as Load does"; where Load no longer knows, Await waits.
func awaitExpired(x *exam) {
	x.save(outcome("a", 1, keep(time.Hour)))
	x.Advance(time.Hour + tick)
	_, err := x.tryLoad("a")
	c := x.awaiting("a")
	if !errors.Is(err, stem.ErrResultExpired) {
		c.blocks()
		return
	}
	if _, err := c.end(); !errors.Is(err, stem.ErrResultExpired) {
		x.Errorf("await: got error %v, want %v", err, stem.ErrResultExpired)
	}
}

// Whichever way an outcome is written, those who wait for it are told.
func awaitIsWokenBySettlement(x *exam) {
	if x.Broker == nil || !savesAndSettles.in(x.Stores) {
		return // nothing but Save writes outcomes
	}
	x.publish(task("a"))
	d := x.takeOne(x.session())
	c := x.awaiting("a")
	c.blocks()
	x.saveAndSettle(with(of(d), d, stem.VerdictAck))
	x.sameRecord(c.answer(), of(d))
}

// An await that blocks while the store is closed would block for ever.
func closeEndsAwait(x *exam) {
	c := x.awaiting("a")
	c.blocks()
	x.close()
	_, err := c.end()
	x.closed("await", err)
}
