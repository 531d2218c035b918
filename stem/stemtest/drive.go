package stemtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

// Drain lets tasks run until none is left that is due, also those that they enqueue. Time passes
// only as far as handlers take it; what becomes due meanwhile runs too. Delayed tasks stay, retries and
// snoozes among them: DrainAll waits for these.
//
// What never ends, by number of runs (see Config.MaxRuns) or because a handler does not return within a day, ends the test by name.
func (rt *Runtime) Drain() {
	rt.t.Helper()
	rt.mustWork("Drain", goal{})
}

// DrainAll lets time pass and tasks run until nothing is left that ever would: also retries, snoozes and
// delayed tasks. Tasks that are not registered, and those of paused queues, stay.
func (rt *Runtime) DrainAll() {
	rt.t.Helper()
	rt.mustWork("DrainAll", goal{travels: true})
}

// Advance lets d pass, and what is due meanwhile run, each at its time. Handlers may be at
// work at its end: they stand still until time passes again.
func (rt *Runtime) Advance(d time.Duration) {
	rt.t.Helper()
	rt.mustWork("Advance", goal{travels: true, until: time.Now().Add(d)})
}

// AdvanceTo is Advance up to a time. One that has passed ends the test: there is no way back.
func (rt *Runtime) AdvanceTo(at time.Time) {
	rt.t.Helper()
	if d := time.Until(at); d < 0 {
		rt.t.Fatalf("stemtest: AdvanceTo: %v has passed %v ago", at, -d)
	}
	rt.mustWork("AdvanceTo", goal{travels: true, until: at})
}

func (rt *Runtime) mustWork(what string, g goal) {
	rt.t.Helper()
	if err := rt.work(rt.ctx, g); err != nil {
		rt.t.Fatalf("stemtest: %s: %v\n%s", what, err, rt.Story())
	}
}

// goal says what time passes for.
type goal struct {
	travels bool        // on to when the next task is due, if nothing is
	until   time.Time   // if it is not zero: stop there, and not before
	enough  func() bool // if it is not nil: stop then
}

func (g *goal) reached() bool {
	return g.enough != nil && g.enough() || !g.until.IsZero() && !time.Now().Before(g.until)
}

// patience is how long nothing may happen while a task is due or runs.
const patience = 24 * time.Hour

// work lets tasks run until the goal is reached, or nothing is left that it could wait for.
func (rt *Runtime) work(ctx context.Context, g goal) error {
	select {
	case rt.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-rt.turn }()
	defer rt.rest()
	rt.schedule.begin()
	for {
		done, err := rt.step(ctx, &g)
		if done || err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// step lets everything happen that takes no time, and then time pass until something else may. It
// tells whether there is nothing left to wait for.
func (rt *Runtime) step(ctx context.Context, g *goal) (done bool, err error) {
	synctest.Wait()
	if err := rt.schedule.beyond(rt.cfg.MaxRuns); err != nil {
		return false, err
	}
	busy := rt.busy()
	if busy {
		if opened, err := rt.open(); opened || err != nil {
			return false, err
		}
	}
	if g.reached() {
		return true, nil
	}
	if busy {
		return false, rt.bide(ctx, g.until)
	}
	next := rt.next(g)
	if next.IsZero() {
		return true, nil
	}
	rt.rest() // nobody's lease needs to be renewed through a month in which nothing happens
	rt.sleep(ctx, next)
	return false, nil
}

// next gives until when to sleep where nothing is due; zero if there is nothing to wait for.
func (rt *Runtime) next(g *goal) time.Time {
	if due, ok := rt.schedule.next(); ok && g.travels && (g.until.IsZero() || due.Before(g.until)) {
		return due
	}
	return g.until
}

// busy tells whether a task runs, or is due where a worker would take it.
func (rt *Runtime) busy() bool {
	for _, name := range rt.queues() {
		queue := rt.count(name)
		if queue.Running > 0 || queue.Ready > 0 && !queue.Paused && rt.serves(name) {
			return true
		}
	}
	return false
}

func (rt *Runtime) count(queue string) stem.QueueCounts {
	counts, err := rt.store.CountQueue(context.Background(), queue)
	if err != nil && !errors.Is(err, stem.ErrClosed) {
		panic(err) // it counts what is in memory
	}
	return counts
}

// serves tells whether the worker serves a queue: every one, unless the test says which.
func (rt *Runtime) serves(queue string) bool {
	if rt.servesAll() {
		return true
	}
	_, weighted := rt.cfg.Worker.QueueWeights[queue]
	return weighted || slices.Contains(rt.cfg.Worker.Queues, queue)
}

func (rt *Runtime) servesAll() bool {
	return len(rt.cfg.Worker.Queues) == 0 && len(rt.cfg.Worker.QueueWeights) == 0
}

// bide lets time pass until something happens, at most until then.
func (rt *Runtime) bide(ctx context.Context, until time.Time) error {
	end := time.Now().Add(patience)
	if !until.IsZero() && until.Before(end) {
		rt.sleep(ctx, until)
		return nil
	}
	if rt.sleep(ctx, end) {
		return nil
	}
	return fmt.Errorf("nothing has happened for %v, and this does not end: %s", patience, strings.Join(rt.unfinished(), ", "))
}

// sleep lets time pass until then, until something happens or the end of ctx. It tells whether
// it ended early.
func (rt *Runtime) sleep(ctx context.Context, until time.Time) (early bool) {
	select {
	case <-rt.schedule.happened:
		return true // while we looked
	default:
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-rt.schedule.happened:
		return true
	case <-ctx.Done():
		return true
	case <-timer.C:
		return false
	}
}

// unfinished names the tasks that run, or how many wait where.
func (rt *Runtime) unfinished() (what []string) {
	for _, p := range rt.processes {
		what = append(what, p.running()...)
	}
	for _, name := range rt.queues() {
		queue := rt.count(name)
		if n := queue.Ready + queue.Delayed; n > 0 {
			what = append(what, fmt.Sprintf("%d wait on queue %s", n, name))
		}
		if queue.Paused {
			what = append(what, fmt.Sprintf("queue %s is paused", name))
		}
		for schema, n := range queue.Unknown {
			what = append(what, fmt.Sprintf("%d of task %s are not registered (see Runtime.Register)", n, schema.Task))
		}
	}
	slices.Sort(what)
	return what
}

// await is what a job of the test waits with: it lets time pass.
func (rt *Runtime) await(ctx context.Context, id string) (stem.Result, error) {
	var record stem.Result
	var err error
	ended := func() bool {
		var records []stem.Result
		if records, err = rt.store.Load(context.Background(), id); err == nil {
			record = records[0]
		}
		err = stem.ItemErr(err, 0)
		return err == nil && record.State.Terminal() || errors.Is(err, stem.ErrResultExpired)
	}
	g := goal{travels: true, enough: ended}
	g.until, _ = ctx.Deadline()
	if err := rt.work(ctx, g); err != nil {
		return stem.Result{}, err
	}
	switch {
	case ended():
		return record, err
	case !g.until.IsZero() && !time.Now().Before(g.until):
		<-ctx.Done()
		return stem.Result{}, ctx.Err()
	default:
		return stem.Result{}, fmt.Errorf("%w: nothing is left that would run: %s", stem.ErrNoResult, cmp.Or(strings.Join(rt.unfinished(), ", "), "the store has no such task"))
	}
}
