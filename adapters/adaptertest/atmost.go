package adaptertest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

// A worker keeps to limits on how many of a task run at once by what it lets a receive lend.
var atMostPromises = []promise{
	{name: "no more of a task is lent than the receive allows", check: atMostIsKept},
	{name: "nothing is lent of a task of which no more may be", check: atMostNone},
	{name: "a task of which no more may be lent does not hold up others", check: atMostHoldsUpNothing},
	{name: "what a receive may not lend keeps its order and priority", check: atMostKeepsOrder},
	{name: "what was left out by a bound comes before what is published later", check: atMostIsNotOvertaken},
	{name: "a bound is for all of one task and for no other", check: atMostIsForOneTask},
	{name: "to be left out by a bound is no receive", check: atMostIsNotCounted},
	{name: "a receive that blocks is not ended by what it may not lend", check: atMostWakesNobody},
	{name: "a blocked receiver gets what another may not be lent", check: atMostWakesOther},
	{name: "what comes back is lent only where a bound allows it", check: atMostAfterRetry},
	{name: "lapsed deliveries are taken over only where a bound allows it", check: atMostAfterLapse},
	{name: "lost answers are recovered only where a bound allows it", check: atMostRecovers},
	{name: "a bound below nothing is refused by name", check: atMostBelowNothing},
}

// bounded gives a request that may be lent so many of a task.
func bounded(s stem.Session, name string, most int) stem.ReceiveRequest {
	req := ask(s)
	req.AtMost = map[string]int{name: most}
	return req
}

// "AtMost bounds how many of a task this receive lends." The next one may lend as many.
func atMostIsKept(x *exam) {
	x.publish(tasks("a", 5, called("bounded"))...)
	x.publish(tasks("b", 2, called("plain"))...)
	s := x.session()
	first := x.collect(bounded(s, "bounded", 2), 2)
	for len(ids(first)) < 4 { // until the plain ones have come, too
		more := x.receive(bounded(s, "bounded", 0))
		first = append(first, more...)
	}
	var got []string
	for _, d := range first {
		if d.Task == "bounded" {
			got = append(got, d.ID)
		}
	}
	same(x, "received of the task", got, []string{"a-000", "a-001"})
	x.nothingFor(bounded(s, "bounded", 0))
	rest := x.collect(bounded(s, "bounded", 2), 3) // by two receives at least: lawful sees to it
	same(x, "received of the task later", ids(rest), []string{"a-002", "a-003", "a-004"})
	x.nothing()
}

// "A task of which no more may be lent, … at once": 0 is none.
func atMostNone(x *exam) {
	x.publish(tasks("a", 3, called("bounded"))...)
	x.nothingFor(bounded(x.session(), "bounded", 0))
	x.publish(task("b"))
	same(x, "received", ids(x.receive(bounded(x.session(), "bounded", 0))), []string{"b"})
	x.nothingFor(bounded(x.session(), "bounded", 0))
	same(x, "received without the bound", ids(x.take(x.session(), 3)), []string{"a-000", "a-001", "a-002"})
}

// "Others are lent in its stead", however many stand before them.
func atMostHoldsUpNothing(x *exam) {
	x.publish(tasks("bounded", 500, called("bounded"), priority(9))...)
	x.publish(tasks("plain", 10, called("plain"))...)
	none, few := bounded(x.session(), "bounded", 0), bounded(x.session(), "bounded", 3)
	same(x, "received where none may be lent", ids(x.collect(none, 5)), named(tasks("plain", 5)))
	got := x.receive(few)
	for len(got) < 8 {
		few.AtMost["bounded"] = max(3-len(got), 0)
		got = append(got, x.receive(few)...)
	}
	want := append(named(tasks("bounded", 3)), named(tasks("plain", 10))[5:]...)
	same(x, "received where three may be lent", ids(got), want)
	few.AtMost = nil
	same(x, "received without a bound", len(x.collect(few, 497)), 497)
}

// "What a receiver takes back of them later keeps its order."
func atMostKeepsOrder(x *exam) {
	early := tasks("early", 5, called("bounded"))
	x.publish(early...)
	none := bounded(x.session(), "bounded", 0)
	x.nothingFor(none)
	late := tasks("late", 5, called("bounded"))
	x.publish(late...)
	x.publish(task("mid", called("bounded"), priority(5)), task("high", called("bounded"), priority(9)))
	x.nothingFor(none)
	var got []string
	for i := range 12 {
		req := bounded(x.session(), "bounded", 1)
		if i < 6 { // who knows certain tasks may look for them elsewhere than who knows all
			req.Tasks = stem.NewTaskSet(stem.TaskSpec{Name: "bounded"})
		}
		got = append(got, ids(x.receive(req))...)
	}
	same(x, "received one by one", got, slices.Concat([]string{"high", "mid"}, named(early), named(late)))
	x.nothing()
}

// A task at its limit all the time must not leave those behind that were set aside first.
func atMostIsNotOvertaken(x *exam) {
	x.publish(tasks("early", 4, called("bounded"))...)
	x.nothingFor(bounded(x.session(), "bounded", 0))
	var got []string
	for i := range 8 {
		if i < 4 {
			x.publish(task(fmt.Sprint("late-", i), called("bounded")))
		}
		got = append(got, ids(x.receive(bounded(x.session(), "bounded", 1)))...)
	}
	same(x, "received one by one", got, []string{"early-000", "early-001", "early-002", "early-003", "late-0", "late-1", "late-2", "late-3"})
}

// A bound is "by the name that the envelopes have", whatever their args and queues; "a task that is not
// in it has no such bound".
func atMostIsForOneTask(x *exam) {
	x.publish(
		task("a", called("bounded"), inSchema(older)), task("b", called("bounded"), inSchema(newer)),
		task("c", called("bounded"), onQueue("other")), task("d", called("bounded.too")), task("e", called("bounde")),
	)
	req := bounded(x.session(), "bounded", 1)
	req.Queues = []string{queue, "other"}
	got := map[string]bool{}
	for range 4 {
		if len(got) == 3 {
			break
		}
		for _, d := range x.receive(req) {
			got[d.ID] = true
			if d.Task == "bounded" {
				req.AtMost["bounded"]--
			}
		}
	}
	same(x, "received", got, map[string]bool{"a": true, "d": true, "e": true})
	x.nothingFor(req)
	req.AtMost["bounded"] = 2
	same(x, "received later", ids(x.collect(req, 2)), []string{"b", "c"})
}

// It is "set aside", as if nobody had asked.
func atMostIsNotCounted(x *exam) {
	want := task("a", called("bounded"))
	x.publish(want)
	for range 3 {
		x.nothingFor(bounded(x.session(), "bounded", 0))
	}
	d := x.receive(bounded(x.session(), "bounded", 1))[0]
	x.sameEnvelope(d.Envelope, want)
	same(x, "attempt", d.Attempt, 1)
	same(x, "interruptions, snoozes, releases", [3]int{d.Interruptions, d.Snoozes, d.Releases}, [3]int{})
}

// "A receive that waits is not ended by them", and is by others.
func atMostWakesNobody(x *exam) {
	c := x.receiving(bounded(x.session(), "bounded", 0))
	c.blocks()
	x.publish(tasks("a", 20, called("bounded"))...)
	c.blocks()
	x.publish(task("b"))
	same(x, "received", ids(c.answer()), []string{"b"})
}

// Whoever is woken first must not swallow the wake-up of the other.
func atMostWakesOther(x *exam) {
	for i := range 4 {
		full := x.receiving(bounded(x.session(), "bounded", 0))
		free := x.receiving(bounded(x.session(), "bounded", 1))
		if i%2 == 1 {
			full.blocks()
		}
		free.blocks()
		id := fmt.Sprint(i)
		x.publish(task(id, called("bounded")))
		same(x, "received", ids(free.answer()), []string{id})
		full.blocks()
		full.cancel()
		_, _ = full.end()
	}
}

// A retry is queued like any other envelope, and so is what was delayed.
func atMostAfterRetry(x *exam) {
	for _, v := range []stem.Verdict{stem.VerdictRetry, stem.VerdictSnooze, stem.VerdictRelease} {
		x.publish(task(v.String(), called("bounded"), delay(time.Hour)))
		x.Advance(time.Hour)
		x.nothingFor(bounded(x.session(), "bounded", 0))
		first := x.takeOne(x.session())
		x.settle(end(first, v))
		x.nothingFor(bounded(x.session(), "bounded", 0))
		d := x.receive(bounded(x.session(), "bounded", 1))[0]
		x.rises(first, d)
		x.settle(ack(d)...)
	}
}

// What a lapsed session leaves behind is lent like anything else.
func atMostAfterLapse(x *exam) {
	x.publish(tasks("a", 3, called("bounded"))...)
	x.take(x.session(), 3)
	x.lapse()
	x.nothingFor(bounded(x.session(), "bounded", 0))
	got := x.receive(bounded(x.session(), "bounded", 1))
	for range 2 {
		got = append(got, x.receive(bounded(x.session(), "bounded", 1))...)
	}
	same(x, "received one by one", len(got), 3)
	for _, d := range got {
		same(x, "interruptions of "+d.ID, d.Interruptions, 1)
	}
}

// "What is lent again for Recover counts, too."
func atMostRecovers(x *exam) {
	x.publish(tasks("lost", 3, called("bounded"))...)
	s := x.session()
	x.take(s, 3) // and suppose that the answer never arrived
	req := bounded(s, "bounded", 0)
	req.Recover = true
	x.nothingFor(req)
	for n := range 3 {
		req.AtMost["bounded"] = 1
		got := x.receive(req)
		same(x, "recovered at once", len(got), 1)
		same(x, "recovered before", n, len(req.Held))
		req.Held = append(req.Held, got...)
	}
	x.nothingFor(req)
	x.settle(ack(req.Held...)...)
	x.nothing()
}

func atMostBelowNothing(x *exam) {
	ctx, cancel := x.bounded()
	defer cancel()
	_, err := x.Broker.Receive(ctx, bounded(x.session(), "bounded", -1))
	var option *stem.OptionError
	if !errors.As(err, &option) || option.Value != "-1" {
		x.Errorf("receive: got error %v, want an *OptionError that names -1", err)
	}
}
