package adaptertest

import (
	"errors"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

var settlePromises = []promise{
	{name: "ack removes the envelope", check: ackRemoves},
	{name: "retry adds an attempt and waits its delay", check: retryAddsAttempt},
	{name: "snooze costs no attempt and waits its delay", check: snoozeCostsNone},
	{name: "a dead letter is taken out of the queue", check: deadLetterIsTakenOut},
	{name: "release keeps the attempt and comes back at once", check: releaseKeepsAttempt},
	{name: "released envelopes come back in their old place", check: releaseKeepsPlace},
	{name: "release waits its delay", check: releaseWaits},
	{name: "a blocked receiver is woken by what comes back at once", check: wokenByRelease},
	{name: "a batch is settled each by its own verdict", check: mixedBatch},
	{name: "a delivery may be settled by another connection", check: settledFromElsewhere},
	{name: "counters add up over a long life", check: countersAddUp},
	{name: "the delivery number never goes back, also when an id is published again", check: numberOutlivesEnvelope},
	{name: "delivery numbers follow the store's clock", check: numberFollowsClock},
	{name: "an envelope that came back is as it was published", check: unchangedAfterRetry},
	{name: "a settlement that is repeated does nothing more", check: repeatedSettlement},
	{name: "a delivery that stands twice in a batch is settled once", check: twiceInBatch},
	{name: "a second, different settlement is refused", check: secondVerdictRefused},
	{name: "a verdict that is none is refused alone", check: noVerdictRefused},
}

// verdicts are all there are.
var verdicts = []stem.Verdict{
	stem.VerdictAck, stem.VerdictRetry, stem.VerdictSnooze, stem.VerdictDeadLetter, stem.VerdictRelease,
}

// "VerdictAck: … the envelope goes."
func ackRemoves(x *exam) {
	x.publish(tasks("a", 2)...)
	x.settle(ack(x.take(x.session(), 2)...)...)
	x.nothing()
	x.lapse()
	x.nothing()
}

// "VerdictRetry: due again after Delay, with one attempt more."
func retryAddsAttempt(x *exam) {
	x.publish(task("a"))
	first := x.takeOne(x.session())
	x.settle(stem.Settlement{Delivery: first, Verdict: stem.VerdictRetry, Delay: time.Hour})
	d := x.comesAfterAnHour()
	same(x, "attempt", d.Attempt, 2)
	x.rises(first, d)
	same(x, "interruptions, snoozes, releases", [3]int{d.Interruptions, d.Snoozes, d.Releases}, [3]int{})
	x.settle(end(d, stem.VerdictRetry))
	same(x, "attempt after another one", x.takeOne(x.session()).Attempt, 3)
}

// "VerdictSnooze: due again after Delay; it costs no attempt."
func snoozeCostsNone(x *exam) {
	x.publish(task("a"))
	first := x.takeOne(x.session())
	x.settle(stem.Settlement{Delivery: first, Verdict: stem.VerdictSnooze, Delay: time.Hour})
	d := x.comesAfterAnHour()
	same(x, "attempt", d.Attempt, 1)
	x.rises(first, d)
	same(x, "interruptions, snoozes, releases", [3]int{d.Interruptions, d.Snoozes, d.Releases}, [3]int{0, 1, 0})
}

// comesAfterAnHour expects the only envelope to be due in an hour and not before.
func (x *exam) comesAfterAnHour() stem.Delivery {
	x.Helper()
	x.nothing()
	x.Advance(time.Hour - time.Minute)
	x.nothing()
	x.Advance(time.Minute)
	return x.takeOne(x.session())
}

// "VerdictDeadLetter: set aside": nobody receives it again.
func deadLetterIsTakenOut(x *exam) {
	x.publish(tasks("a", 2)...)
	ds := x.take(x.session(), 2)
	x.settle(end(ds[0], stem.VerdictDeadLetter),
		stem.Settlement{Delivery: ds[1], Verdict: stem.VerdictDeadLetter, Reason: rough, Delay: time.Hour})
	x.nothing()
	x.Advance(24 * time.Hour)
	x.nothing()
}

// "VerdictRelease: given back unfinished, due again after Delay": it costs
// neither an attempt nor an interruption.
func releaseKeepsAttempt(x *exam) {
	x.publish(task("a"))
	first := x.takeOne(x.session())
	x.settle(end(first, stem.VerdictRelease))
	d := x.takeOne(x.session())
	same(x, "attempt", d.Attempt, 1)
	x.rises(first, d)
	same(x, "interruptions, snoozes, releases", [3]int{d.Interruptions, d.Snoozes, d.Releases}, [3]int{0, 0, 1})
}

// "… in its old place among its equals where Delay is 0."
func releaseKeepsPlace(x *exam) {
	envs := tasks("a", 5)
	x.publish(envs...)
	ds := x.take(x.session(), 3)
	x.settle(end(ds[2], stem.VerdictRelease))
	x.settle(end(ds[0], stem.VerdictRelease), end(ds[1], stem.VerdictRelease))
	x.publish(task("later"))
	same(x, "received", ids(x.take(x.session(), 6)), append(named(envs), "later"))
}

// A release with a delay is due when that is over.
func releaseWaits(x *exam) {
	x.publish(task("a"))
	x.settle(stem.Settlement{Delivery: x.takeOne(x.session()), Verdict: stem.VerdictRelease, Delay: time.Hour})
	same(x, "releases", x.comesAfterAnHour().Releases, 1)
}

// What a settlement makes due wakes receivers as a publish does.
func wokenByRelease(x *exam) {
	for _, verdict := range []stem.Verdict{stem.VerdictRetry, stem.VerdictSnooze, stem.VerdictRelease} {
		id := verdict.String()
		x.publish(task(id))
		d := x.takeOne(x.session())
		c := x.receiving(ask(x.session()))
		c.blocks()
		x.settle(end(d, verdict))
		same(x, "received after "+id, ids(c.answer()), []string{id})
	}
}

// "Each settlement" stands for itself, whatever the others of its batch say.
func mixedBatch(x *exam) {
	x.publish(tasks("a", 5)...)
	ds := x.take(x.session(), 5)
	var batch []stem.Settlement
	for i, v := range verdicts {
		batch = append(batch, end(ds[i], v))
	}
	x.settle(batch...)
	got := map[string][4]int{}
	for _, d := range x.take(x.session(), 3) {
		got[d.ID] = [4]int{d.Attempt, d.Interruptions, d.Snoozes, d.Releases}
	}
	same(x, "attempt, interruptions, snoozes, releases", got, map[string][4]int{
		"a-001": {2, 0, 0, 0}, "a-002": {1, 0, 1, 0}, "a-004": {1, 0, 0, 1},
	})
	x.nothing()
}

// A delivery belongs to its session, not to a connection.
func settledFromElsewhere(x *exam) {
	x.publish(tasks("a", 2)...)
	ds := x.take(x.session(), 2)
	y := x.peer()
	y.settle(end(ds[0], stem.VerdictRelease), end(ds[1], stem.VerdictAck))
	same(x, "received", ids(y.take(y.session(), 1)), []string{"a-000"})
	x.nothing()
}

// "Number … rises with every receive of the id", and each verdict is counted
// apart.
func countersAddUp(x *exam) {
	x.publish(task("a"))
	s := x.session()
	d := x.takeOne(s)
	attempts, snoozes, releases := 1, 0, 0
	for i := range 12 {
		v := verdicts[1:][i%4]
		switch v {
		case stem.VerdictRetry:
			attempts++
		case stem.VerdictSnooze:
			snoozes++
		default:
			v = stem.VerdictRelease
			releases++
		}
		x.settle(end(d, v))
		next := x.takeOne(s)
		x.rises(d, next)
		d = next
		same(x, fmt.Sprintf("attempt, snoozes, releases after %d settlements", i+1),
			[3]int{d.Attempt, d.Snoozes, d.Releases}, [3]int{attempts, snoozes, releases})
	}
}

// "It … never goes back, also when the id is published again", for the record
// of its earlier life stands in the way of a lower one.
func numberOutlivesEnvelope(x *exam) {
	s := x.session()
	x.publish(task("a"))
	last := x.takeOne(s)
	for _, v := range []stem.Verdict{stem.VerdictAck, stem.VerdictDeadLetter, stem.VerdictAck} {
		x.settle(end(last, stem.VerdictRetry))
		last = x.takeOne(s)
		x.settle(end(last, v))
		x.publish(task("a"))
		next := x.peer().takeOne(x.session())
		x.rises(last, next)
		same(x, "attempt of the new life", next.Attempt, 1)
		last = next
	}
}

// "Adapters lend max(the last number + 1, the clock's Unix milliseconds << 11)",
// so that numbers rise whichever store comes to lend the id; "exact in a double".
func numberFollowsClock(x *exam) {
	number := func(id string) int64 {
		x.publish(task(id))
		return x.takeOne(x.session()).Number
	}
	first := number("a")
	x.Advance(time.Hour)
	second := number("b")
	// A second is left for what a store's clock and its last number may round.
	if least := first + (time.Hour-time.Second).Milliseconds()<<11; second < least {
		x.Errorf("number an hour after number %d: got %d, want at least %d", first, second, least)
	}
	for _, n := range []int64{first, second} {
		since := time.UnixMilli(n >> 11).UTC()
		if since.Year() < 2000 || n >= 1<<53 {
			x.Errorf("number %d: got the time %v, want one after 2000 and the number below 2^53", n, since)
		}
	}
}

// "An envelope never changes once published": what does change lies beside it.
func unchangedAfterRetry(x *exam) {
	want := fullEnvelope()
	x.publish(want)
	for _, v := range []stem.Verdict{stem.VerdictRetry, stem.VerdictSnooze, stem.VerdictRelease} {
		x.settle(end(x.takeOne(x.session()), v))
	}
	x.sameEnvelope(x.takeOne(x.session()).Envelope, want)
}

// "A settlement that is repeated answers nil where the store can tell …, else
// ErrLeaseLost": it neither un-does nor doubles.
func repeatedSettlement(x *exam) {
	for _, v := range verdicts {
		x.publish(task(v.String()))
		d := x.takeOne(x.session())
		s := end(d, v)
		x.settle(s)
		x.nilOrLost("repeated "+v.String(), x.trySettle(s), 0)
		x.nilOrLost("repeated "+v.String()+" from elsewhere", x.peer().trySettle(s), 0)
		if v == stem.VerdictAck || v == stem.VerdictDeadLetter {
			x.nothing()
			continue
		}
		again := x.takeOne(x.session())
		x.rises(d, again)
		same(x, v.String()+": attempt + snoozes + releases", again.Attempt+again.Snoozes+again.Releases, 2)
		x.nothing()
		x.settle(ack(again)...)
	}
}

// A batch is no reason to settle twice.
func twiceInBatch(x *exam) {
	x.publish(tasks("a", 2)...)
	ds := x.take(x.session(), 2)
	err := x.trySettle(end(ds[0], stem.VerdictRetry), end(ds[1], stem.VerdictAck), end(ds[0], stem.VerdictRetry))
	for i := range 2 {
		if item := stem.ItemErr(err, i); item != nil {
			x.Errorf("settlement %d: got error %v, want none", i, item)
		}
	}
	x.nilOrLost("the second of the same delivery", err, 2)
	same(x, "attempt", x.takeOne(x.session()).Attempt, 2)
	x.nothing()
}

// "It is refused with ErrLeaseLost when the envelope … has been settled."
func secondVerdictRefused(x *exam) {
	for _, first := range verdicts {
		x.publish(task(first.String()))
		d := x.takeOne(x.session())
		x.settle(end(d, first))
		for _, second := range verdicts {
			if second != first {
				x.lost(x.trySettle(end(d, second)), 0)
			}
		}
		if first == stem.VerdictAck || first == stem.VerdictDeadLetter {
			x.nothing()
		} else {
			x.settle(ack(x.takeOne(x.session()))...)
		}
	}
}

// "Adapters … refuse those alone that it refuses": their deliveries stay on loan.
func noVerdictRefused(x *exam) {
	x.publish(tasks("a", 3)...)
	s := x.session()
	ds := x.take(s, 3)
	err := x.trySettle(end(ds[0], 0), end(ds[1], stem.VerdictAck), end(ds[2], stem.VerdictRelease+1))
	for i, refused := range []bool{true, false, true} {
		var option *stem.OptionError
		if item := stem.ItemErr(err, i); errors.As(item, &option) != refused || !refused && item != nil {
			x.Errorf("settlement %d: got error %v, want an *OptionError: %v", i, item, refused)
		}
	}
	x.nothing()
	x.settle(ack(ds[0], ds[2])...)
}
