package adaptertest

import (
	"github.com/gostem/gostem/stem"
)

var fencePromises = []promise{
	{name: "ack of a lost delivery is refused", check: lostIsRefused(stem.VerdictAck)},
	{name: "retry of a lost delivery is refused", check: lostIsRefused(stem.VerdictRetry)},
	{name: "snooze of a lost delivery is refused", check: lostIsRefused(stem.VerdictSnooze)},
	{name: "a dead letter of a lost delivery is refused", check: lostIsRefused(stem.VerdictDeadLetter)},
	{name: "release of a lost delivery is refused", check: lostIsRefused(stem.VerdictRelease)},
	{name: "an old delivery is refused though its session holds the envelope again", check: oldIsRefused},
	{name: "a delivery is lost after its successor has settled it", check: lostAfterSuccessor},
	{name: "coming back does not win back what was taken over", check: comingBackWinsNothing},
	{name: "a lost delivery in a batch is named, and the others are settled", check: lostInBatch},
}

// "Each settlement is atomic and fenced: it is refused with ErrLeaseLost when
// the envelope has been lent again since", and the new holder does not notice.
func lostIsRefused(v stem.Verdict) func(x *exam) {
	return func(x *exam) {
		x.publish(task("a"))
		old := x.takeOne(x.session())
		x.lapse()
		current := x.takeOne(x.session())
		x.lost(x.trySettle(end(old, v)), 0)
		x.lost(x.peer().trySettle(end(old, v)), 0)
		x.nothing()
		x.settle(end(current, stem.VerdictRetry))
		d := x.takeOne(x.session())
		same(x, "attempt, snoozes, releases", [3]int{d.Attempt, d.Snoozes, d.Releases}, [3]int{2, 0, 0})
	}
}

// "… lent again since, to anyone": the fence is the delivery, not its session.
func oldIsRefused(x *exam) {
	x.publish(task("a"))
	s := x.session()
	old := x.takeOne(s)
	x.lapse()
	x.settle(end(x.takeOne(x.session()), stem.VerdictRelease))
	current := x.takeOne(s)
	for _, v := range verdicts {
		x.lost(x.trySettle(end(old, v)), 0)
	}
	same(x, "notices", indexed(x.extend(s, current, old)), map[int]error{1: stem.ErrLeaseLost})
	x.settle(ack(current)...)
	x.lapse()
	x.nothing()
}

// "… or has been settled."
func lostAfterSuccessor(x *exam) {
	x.publish(task("a"))
	old := x.takeOne(x.session())
	x.lapse()
	x.settle(ack(x.takeOne(x.session()))...)
	for _, v := range verdicts {
		x.lost(x.trySettle(end(old, v)), 0)
	}
	x.nothing()
}

// An extension opens the session; what has passed to someone else stays there.
func comingBackWinsNothing(x *exam) {
	x.publish(task("a"))
	s := x.session()
	old := x.takeOne(s)
	x.lapse()
	current := x.takeOne(x.session())
	x.extend(s, old)
	x.lost(x.trySettle(end(old, stem.VerdictAck)), 0)
	x.settle(ack(current)...)
}

// "A method that gets a batch handles every item that it can; those that it
// could not are named by a *PartialError."
func lostInBatch(x *exam) {
	x.publish(task("robbed"))
	s := x.session()
	robbed := x.takeOne(s)
	x.lapse()
	x.takeOne(x.session())
	x.publish(tasks("kept", 4)...)
	kept := x.take(s, 4)
	x.lost(x.trySettle(
		end(kept[0], stem.VerdictAck), end(robbed, stem.VerdictAck), end(kept[1], stem.VerdictRetry),
		end(robbed, stem.VerdictRetry), end(kept[2], stem.VerdictDeadLetter), end(kept[3], stem.VerdictAck),
	), 1, 3)
	d := x.takeOne(x.session())
	same(x, "received", d.ID, "kept-001")
	same(x, "attempt", d.Attempt, 2)
	x.nothing()
}
