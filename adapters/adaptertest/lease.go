package adaptertest

import "github.com/gostem/gostem/stem"

var leasePromises = []promise{
	{name: "an expired lease is delivered again and counted", check: lapsedIsTakenOver},
	{name: "a blocked receive is woken by the lapse of another session", check: wokenByLapse},
	{name: "a lapse is found by another connection", check: lapseFoundElsewhere},
	{name: "a live session is never robbed", check: liveIsNotRobbed},
	{name: "an extended session keeps what it holds", check: extendKeeps},
	{name: "one extension keeps all that a session holds", check: extendKeepsAll},
	{name: "an extension counts from now", check: extendCountsFromNow},
	{name: "only the session that lapsed is robbed", check: onlyLapsedIsRobbed},
	{name: "a lapsed session that nobody robbed may settle", check: lapsedMaySettle},
	{name: "a lapsed session that nobody robbed may come back", check: lapsedMayComeBack},
	{name: "a receive opens its session again after a lapse", check: receiveOpensAgain},
	{name: "notices name the lost deliveries", check: noticesNameLost},
	{name: "notices name what somebody else has settled", check: noticesNameSettledElsewhere},
	{name: "a longer visibility is respected", check: visibilityIsRespected},
	{name: "visibility counts from when its worker was last heard of", check: visibilityFromLastHeard},
	{name: "a shorter visibility than the lease changes nothing", check: shortVisibility},
}

// "Deliveries of lapsed sessions are taken over here, and counted as
// interruptions": the number goes up and the attempt stays.
func lapsedIsTakenOver(x *exam) {
	x.publish(task("a"))
	first := x.takeOne(x.session())
	x.lapse()
	d := x.takeOne(x.session())
	same(x, "id", d.ID, "a")
	x.rises(first, d)
	same(x, "attempt", d.Attempt, 1)
	same(x, "interruptions", d.Interruptions, 1)
	same(x, "snoozes, releases", [2]int{d.Snoozes, d.Releases}, [2]int{})
	x.nothing()
}

// "It is woken by … the lapse of another session."
func wokenByLapse(x *exam) {
	x.publish(task("a"))
	x.takeOne(x.session())
	x.Advance(lease / 2)
	c := x.receiving(ask(x.session()))
	c.blocks()
	x.Advance(lease/2 + tick)
	same(x, "received", ids(c.answer()), []string{"a"})
}

// The worker that died can tell nobody.
func lapseFoundElsewhere(x *exam) {
	y := x.peer()
	x.publish(tasks("a", 3)...)
	x.take(x.session(), 3)
	x.lapse()
	same(x, "received", len(y.take(y.session(), 3)), 3)
}

// A session that is not lapsed keeps its deliveries.
func liveIsNotRobbed(x *exam) {
	x.publish(tasks("a", 3)...)
	ds := x.take(x.session(), 3)
	x.Advance(lease / 2)
	x.nothing()
	x.settle(ack(ds...)...)
}

// "Extend renews the session's lease."
func extendKeeps(x *exam) {
	x.publish(task("a"))
	s := x.session()
	d := x.takeOne(s)
	for range 4 {
		x.Advance(lease * 3 / 4)
		same(x, "notices", x.extend(s, d), nil)
		x.nothing()
	}
	x.settle(ack(d)...)
}

// "One write, however many deliveries the session holds", and whichever queue
// they came from; held is only what the caller wants to hear about.
func extendKeepsAll(x *exam) {
	x.publish(tasks("here", 20)...)
	x.publish(tasks("there", 20, onQueue("other"))...)
	req := stem.ReceiveRequest{Session: x.session(), Queues: []string{queue, "other"}, Max: 40}
	ds := x.collect(req, 40)
	x.Advance(lease * 3 / 4)
	x.extend(req.Session)
	x.Advance(lease * 3 / 4)
	x.nothingFor(stem.ReceiveRequest{Session: x.session(), Queues: req.Queues, Max: 40})
	x.settle(ack(ds...)...)
}

// "… for s.Lease from now": extensions do not add up.
func extendCountsFromNow(x *exam) {
	x.publish(task("a"))
	s := x.session()
	x.takeOne(s)
	for range 3 {
		x.extend(s)
	}
	x.lapse()
	same(x, "interruptions", x.takeOne(x.session()).Interruptions, 1)
}

// Sessions lapse one by one.
func onlyLapsedIsRobbed(x *exam) {
	x.publish(tasks("a", 2)...)
	dead, live := x.session(), x.session()
	x.takeOne(dead)
	kept := x.takeOne(live)
	x.Advance(lease * 3 / 4)
	x.extend(live)
	x.Advance(lease / 2)
	same(x, "received", ids(x.take(x.session(), 1)), []string{"a-000"})
	x.nothing()
	x.settle(ack(kept)...)
}

// "A lapsed session may settle what nobody has taken over."
func lapsedMaySettle(x *exam) {
	x.publish(tasks("a", 2)...)
	ds := x.take(x.session(), 2)
	x.lapse()
	x.settle(end(ds[0], stem.VerdictAck), end(ds[1], stem.VerdictRetry))
	d := x.takeOne(x.session())
	same(x, "id", d.ID, "a-001")
	same(x, "attempt, interruptions", [2]int{d.Attempt, d.Interruptions}, [2]int{2, 0})
	x.nothing()
}

// "It opens the session again where it had lapsed: deliveries that nobody has
// taken over are its own as before."
func lapsedMayComeBack(x *exam) {
	x.publish(tasks("a", 2)...)
	s := x.session()
	ds := x.take(s, 2)
	x.lapse()
	same(x, "notices", x.extend(s, ds...), nil)
	x.nothing()
	x.settle(ack(ds...)...)
	x.lapse()
	x.nothing()
}

// "The session is opened where it is not open, also after a lapse": what a
// receive lends has a whole lease before it, however long the receive blocked.
func receiveOpensAgain(x *exam) {
	c := x.receiving(ask(x.session()))
	c.blocks()
	x.lapse()
	x.publish(task("a"))
	ds := c.answer()
	x.nothing()
	x.settle(ack(ds...)...)
}

// "The notices name those among held that it has lost."
func noticesNameLost(x *exam) {
	x.publish(task("robbed"))
	s := x.session()
	robbed := x.takeOne(s)
	x.lapse()
	x.takeOne(x.session())
	x.publish(tasks("kept", 2)...)
	kept := x.take(s, 2)
	same(x, "notices", indexed(x.extend(s, kept[0], robbed, kept[1])), map[int]error{1: stem.ErrLeaseLost})
	x.settle(ack(kept...)...)
}

// What is lost stays lost when the new holder is done with it: the old one still runs.
func noticesNameSettledElsewhere(x *exam) {
	x.publish(tasks("robbed", 2)...)
	s := x.session()
	robbed := x.take(s, 2)
	x.lapse()
	ds := x.take(x.session(), 2)
	x.settle(end(ds[0], stem.VerdictAck), end(ds[1], stem.VerdictDeadLetter))
	same(x, "notices", indexed(x.extend(s, robbed...)), map[int]error{0: stem.ErrLeaseLost, 1: stem.ErrLeaseLost})
}

// indexed gives the causes of notices by index.
func indexed(ns []stem.Notice) map[int]error {
	causes := make(map[int]error, len(ns))
	for _, n := range ns {
		causes[n.Index] = n.Cause
	}
	return causes
}

// "Visibility is how long after its worker was last heard of the task may run
// elsewhere, where that is longer than the lease."
func visibilityIsRespected(x *exam) {
	x.publish(task("plain"), task("patient", visibility(10*lease)))
	x.take(x.session(), 2)
	x.lapse()
	same(x, "received after the lease", ids(x.take(x.session(), 1)), []string{"plain"})
	x.Advance(8 * lease)
	x.settle(ack(x.takeOne(x.session()))...) // plain, whose second holder has lapsed too
	x.nothing()
	x.Advance(2 * lease)
	d := x.takeOne(x.session())
	same(x, "received after the visibility", d.ID, "patient")
	same(x, "interruptions", d.Interruptions, 1)
}

// A worker is heard of when it extends its session.
func visibilityFromLastHeard(x *exam) {
	x.publish(task("patient", visibility(5*lease)))
	s := x.session()
	d := x.takeOne(s)
	for range 8 {
		x.Advance(lease / 2)
		x.extend(s, d)
	}
	x.Advance(4 * lease) // 8 leases after the receive, 4 after the last extension
	x.nothing()
	x.Advance(lease + tick)
	same(x, "interruptions", x.takeOne(x.session()).Interruptions, 1)
}

// A task may ask for a longer time than its session has, never for a shorter one.
func shortVisibility(x *exam) {
	x.publish(task("hasty", visibility(lease/10)))
	x.takeOne(x.session())
	x.Advance(lease / 2)
	x.nothing()
	x.Advance(lease)
	same(x, "interruptions", x.takeOne(x.session()).Interruptions, 1)
}
