package adaptertest

import (
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

var dedupePromises = []promise{
	{name: "a duplicate within the window is not stored, and told the id that stands", check: duplicateIsTold},
	{name: "a batch may hold an envelope and its duplicate", check: duplicateInBatch},
	{name: "a publish with a dedupe key may be repeated", check: publishRepeated},
	{name: "a duplicate is one although the first is done", check: duplicateOfDone},
	{name: "a duplicate is one while the first runs and between its attempts", check: duplicateOfUnfinished},
	{name: "a duplicate changes nothing about the first", check: duplicateChangesNothing},
	{name: "the window is over after its time", check: windowEnds},
	{name: "a duplicate does not prolong the window", check: duplicateDoesNotProlong},
	{name: "deduplication is per queue and per key", check: dedupePerQueueAndKey},
	{name: "without key or window nothing is a duplicate", check: noDedupe},
	{name: "of duplicates published at the same time one is stored", check: concurrentDuplicates},
}

// window is the dedupe window of the suite.
const window = 10 * time.Minute

// "An envelope whose dedupe key was published on its queue within the window is
// not stored: its Published names the id that stands."
func duplicateIsTold(x *exam) {
	x.publish(task("first", deduped("key", window)))
	x.Advance(window - time.Minute)
	same(x, "the second", x.peer().offer(task("second", deduped("key", window))),
		[]stem.Published{{ID: "first", Duplicate: true}})
	same(x, "received", ids(x.take(x.session(), 1)), []string{"first"})
	x.nothing()
}

// A batch is as good as several calls.
func duplicateInBatch(x *exam) {
	got := x.offer(
		task("first", deduped("key", window)), task("other"),
		task("second", deduped("key", window)), task("third", deduped("third", window)),
	)
	same(x, "published", got, []stem.Published{
		{ID: "first"}, {ID: "other"}, {ID: "first", Duplicate: true}, {ID: "third"},
	})
	same(x, "received", ids(x.take(x.session(), 3)), []string{"first", "other", "third"})
	x.nothing()
}

// "Repeating a call is therefore safe for envelopes with a dedupe key."
func publishRepeated(x *exam) {
	e := task("only", deduped("key", window))
	x.publish(e)
	same(x, "repeated", x.offer(e), []stem.Published{{ID: "only", Duplicate: true}})
	same(x, "received", ids(x.take(x.session(), 1)), []string{"only"})
	x.nothing()
}

// The window has its own life: it does not end with the task.
func duplicateOfDone(x *exam) {
	for _, v := range []stem.Verdict{stem.VerdictAck, stem.VerdictDeadLetter} {
		id := v.String()
		x.publish(task(id, deduped(id, window)))
		x.settle(end(x.takeOne(x.session()), v))
		same(x, "the second after "+id, x.offer(task("second", deduped(id, window))),
			[]stem.Published{{ID: id, Duplicate: true}})
	}
	x.nothing()
}

// Wherever the first is on its way, it is there.
func duplicateOfUnfinished(x *exam) {
	x.publish(task("first", deduped("key", window)))
	s := x.session()
	again := func(when string) {
		x.Helper()
		same(x, "the second "+when, x.offer(task("second", deduped("key", window))), []stem.Published{{ID: "first", Duplicate: true}})
	}
	for _, v := range []stem.Verdict{stem.VerdictRelease, stem.VerdictSnooze, stem.VerdictRetry} {
		d := x.takeOne(s)
		again("while it runs")
		x.settle(stem.Settlement{Delivery: d, Verdict: v, Delay: tick})
		again("after a " + v.String())
		x.Advance(2 * tick)
	}
	x.takeOne(s)
	x.lapse()
	again("after its session has lapsed")
	same(x, "received", ids(x.take(x.session(), 1)), []string{"first"})
	x.nothing()
}

// "… is not stored": neither its payload nor what it says of priority and delay.
func duplicateChangesNothing(x *exam) {
	x.publish(task("first", deduped("key", window), delay(window/2)))
	x.offer(task("second", deduped("key", window), priority(9), called("other"), payload(everyByte())))
	x.nothing()
	x.Advance(window/2 + tick)
	d := x.takeOne(x.session())
	same(x, "received", *d.Envelope, task("first", deduped("key", window), delay(window/2)))
	x.nothing()
}

// "… within the window (counted from the first one's publication)", so from no
// later event: not from when it was due, nor from its end.
func windowEnds(x *exam) {
	x.publish(task("first", deduped("key", window), delay(window/2)))
	x.Advance(window + tick)
	x.publish(task("second", deduped("key", window)))
	same(x, "the third", x.offer(task("third", deduped("key", window))),
		[]stem.Published{{ID: "second", Duplicate: true}})
	same(x, "received", len(x.take(x.session(), 2)), 2)
	x.nothing()
}

// "… counted from the first one's publication": a refused one is not stored,
// so it does not count.
func duplicateDoesNotProlong(x *exam) {
	x.publish(task("first", deduped("key", window)))
	x.Advance(window / 2)
	x.offer(task("refused", deduped("key", window)))
	x.Advance(window/2 + tick)
	x.publish(task("second", deduped("key", window)))
}

// A queue "is also the scope of deduplication".
func dedupePerQueueAndKey(x *exam) {
	x.publish(
		task("a", deduped("key", window)),
		task("b", deduped("key", window), onQueue("other")),
		task("c", deduped("Key", window)),
		task("d", deduped("key2", window)),
	)
	same(x, "on the other queue", x.offer(task("e", deduped("key", window), onQueue("other"))),
		[]stem.Published{{ID: "b", Duplicate: true}})
}

// "An empty key or window means no deduplication."
func noDedupe(x *exam) {
	x.publish(task("a", deduped("", window)), task("b", deduped("", window)))
	x.publish(task("c", deduped("key", 0)), task("d", deduped("key", 0)))
	same(x, "received", ids(x.take(x.session(), 4)), []string{"a", "b", "c", "d"})
}

// Whoever comes first wins, and all the others are told about it.
func concurrentDuplicates(x *exam) {
	const publishers = 8
	var calls []*call[[]stem.Published]
	for i := range publishers {
		calls = append(calls, x.publishing(tasks(fmt.Sprintf("p%d", i), 1, deduped("key", window))))
	}
	var stored []string
	standing := map[string]bool{}
	for _, c := range calls {
		p := c.answer()[0]
		standing[p.ID] = true
		if !p.Duplicate {
			stored = append(stored, p.ID)
		}
	}
	same(x, "ids that stand", len(standing), 1)
	same(x, "received", ids(x.take(x.session(), 1)), stored)
	x.nothing()
}
