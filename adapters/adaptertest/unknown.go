package adaptertest

import (
	"fmt"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

var unknownPromises = []promise{
	{name: "an envelope of an unknown task is not lent", check: unknownIsNotLent},
	{name: "an envelope set aside comes to a receiver that knows it, in order", check: unknownKeepsOrder},
	{name: "an envelope set aside has its priority", check: unknownHasPriority},
	{name: "setting aside is no receive", check: unknownIsNotCounted},
	{name: "a blocked receiver gets what another does not know", check: unknownWakesKnower},
	{name: "a blocked receiver that comes to know of nothing blocks on", check: unknownWakesNobody},
	{name: "unknown tasks do not hold up known ones", check: unknownHoldsUpNothing},
	{name: "a receiver without a task set knows every task", check: nilKnowsAll},
	{name: "a delayed envelope of an unknown task waits for its delay and a receiver", check: unknownDelayed},
	{name: "an envelope that comes back is lent only to those who know it", check: unknownAfterRetry},
	{name: "lapsed deliveries are taken over only by those who know them", check: unknownAfterLapse},
}

// knowing gives the request of a session that can run only the named tasks.
func knowing(s stem.Session, names ...string) stem.ReceiveRequest {
	specs := make([]stem.TaskSpec, len(names))
	for i, name := range names {
		specs[i] = reads(name)
	}
	req := ask(s)
	req.Tasks = stem.NewTaskSet(specs...)
	return req
}

// "Envelopes that the request does not know, by their task …, are not lent."
func unknownIsNotLent(x *exam) {
	x.publish(task("a", called("unknown")), task("b", called("known")), task("c", called("unknown")))
	req := knowing(x.session(), "known")
	same(x, "received", ids(x.collect(req, 1)), []string{"b"})
	x.nothingFor(req)
	x.nothingFor(knowing(x.session())) // an empty set knows none
}

// "The store sets them aside, in order, until a receiver comes that knows them."
func unknownKeepsOrder(x *exam) {
	early, late := tasks("early", 5, called("unknown")), tasks("late", 5, called("unknown"))
	ignorant := knowing(x.session(), "known")
	x.publish(early...)
	x.nothingFor(ignorant)
	x.publish(late...)
	x.nothingFor(ignorant)
	got := x.collect(knowing(x.session(), "unknown", "known"), 10)
	same(x, "received", ids(got), append(named(early), named(late)...))
	x.nothing()
}

// "Within a queue higher priorities come first" among those set aside too.
func unknownHasPriority(x *exam) {
	x.publish(task("low", called("unknown")), task("high", called("unknown"), priority(9)))
	x.nothingFor(knowing(x.session(), "known"))
	same(x, "received", ids(x.collect(knowing(x.session(), "unknown"), 2)), []string{"high", "low"})
}

// It "stays queued for a worker that does" know it, as if nobody had asked.
func unknownIsNotCounted(x *exam) {
	want := task("a", called("unknown"))
	x.publish(want)
	for range 3 {
		x.nothingFor(knowing(x.session(), "known"))
	}
	d := x.collect(knowing(x.session(), "unknown"), 1)[0]
	x.sameEnvelope(d.Envelope, want)
	same(x, "attempt", d.Attempt, 1)
	same(x, "interruptions, snoozes, releases", [3]int{d.Interruptions, d.Snoozes, d.Releases}, [3]int{})
}

// Whoever is woken first must not swallow the wake-up of the other.
func unknownWakesKnower(x *exam) {
	for i := range 4 {
		ignorant := x.receiving(knowing(x.session(), "known"))
		knower := x.receiving(knowing(x.session(), "unknown"))
		if i%2 == 1 {
			ignorant.blocks()
		}
		knower.blocks()
		id := fmt.Sprint(i)
		x.publish(task(id, called("unknown")))
		same(x, "received", ids(knower.answer()), []string{id})
		ignorant.blocks()
		ignorant.cancel()
		_, _ = ignorant.end()
	}
}

// "It blocks until there is at least one" that it may lend.
func unknownWakesNobody(x *exam) {
	c := x.receiving(knowing(x.session(), "known"))
	c.blocks()
	x.publish(tasks("a", 20, called("unknown"))...)
	c.blocks()
	x.publish(task("b", called("known")))
	same(x, "received", ids(c.answer()), []string{"b"})
}

// A worker that lacks a task keeps working on the others, however many stand
// before them.
func unknownHoldsUpNothing(x *exam) {
	x.publish(tasks("unknown", 500, called("unknown"), priority(9))...)
	x.publish(tasks("known", 10, called("known"))...)
	got := x.collect(knowing(x.session(), "known"), 10)
	same(x, "received", ids(got), named(tasks("known", 10)))
	same(x, "received by one that knows them", len(x.collect(knowing(x.session(), "unknown"), 500)), 500)
}

// "Tasks are those that the receiver can run; nil means all."
func nilKnowsAll(x *exam) {
	x.publish(task("a", called("one")), task("b", called("two")))
	x.nothingFor(knowing(x.session(), "three"))
	x.publish(task("c", called("two")))
	got := ids(x.take(x.session(), 3))
	slices.Sort(got) // the order of different tasks is not kept over setting aside
	same(x, "received", got, []string{"a", "b", "c"})
}

// Not to be known and not to be due are different things.
func unknownDelayed(x *exam) {
	x.publish(task("a", called("unknown"), delay(time.Hour)))
	x.nothingFor(knowing(x.session(), "unknown"))
	x.Advance(time.Hour)
	x.nothingFor(knowing(x.session(), "known"))
	same(x, "received", ids(x.collect(knowing(x.session(), "unknown"), 1)), []string{"a"})
}

// A retry is queued like any other envelope.
func unknownAfterRetry(x *exam) {
	for _, v := range []stem.Verdict{stem.VerdictRetry, stem.VerdictSnooze, stem.VerdictRelease} {
		x.publish(task(v.String(), called("unknown")))
		first := x.takeOne(x.session())
		x.settle(end(first, v))
		x.nothingFor(knowing(x.session(), "known"))
		d := x.collect(knowing(x.session(), "unknown"), 1)[0]
		x.rises(first, d)
		x.settle(ack(d)...)
	}
}

// "Envelopes that the request does not know are not lent", nor taken
// over; the interruption is counted once all the same.
func unknownAfterLapse(x *exam) {
	x.publish(task("a", called("unknown")))
	x.takeOne(x.session())
	x.lapse()
	x.nothingFor(knowing(x.session(), "known"))
	x.nothingFor(knowing(x.session(), "known"))
	d := x.collect(knowing(x.session(), "unknown"), 1)[0]
	same(x, "attempt, interruptions", [2]int{d.Attempt, d.Interruptions}, [2]int{1, 1})
}
