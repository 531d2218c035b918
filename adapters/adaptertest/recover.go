package adaptertest

import "github.com/gostem/gostem/stem"

// A worker whose receive broke off on its way asks for what it may have lost.
var recoverPromises = []promise{
	{name: "recover lends again what an answer lost took along", check: recoverLendsAgain},
	{name: "recover leaves alone what the session says it holds", check: recoverLeavesHeld},
	{name: "recover leaves alone what other sessions hold", check: recoverLeavesOthers},
	{name: "recover leaves alone what the request does not know", check: recoverLeavesUnknown},
	{name: "recover lends once what it had to wait for", check: recoverWaits},
	{name: "without recover a session is not lent twice what it holds", check: noRecover},
	{name: "what was recovered fences the delivery before it", check: recoveredFences},
}

// "They are lent again with a new delivery number, and no counter but that moves."
func recoverLendsAgain(x *exam) {
	x.publish(tasks("lost", 3)...)
	s := x.session()
	lost := map[string]stem.Delivery{}
	for _, d := range x.take(s, 3) { // and suppose that the answer never arrived
		lost[d.ID] = d
	}
	req := ask(s)
	req.Recover = true
	for len(req.Held) < 3 {
		for _, d := range x.receive(req) {
			x.rises(lost[d.ID], d)
			same(x, "attempt", d.Attempt, 1)
			same(x, "interruptions, snoozes, releases", [3]int{d.Interruptions, d.Snoozes, d.Releases}, [3]int{})
			req.Held = append(req.Held, d)
		}
	}
	x.nothingFor(req)
	x.settle(ack(req.Held...)...)
	x.nothing()
}

// "… deliveries that the session holds and that are not among Held", from the
// queues of the request and before anything new.
func recoverLeavesHeld(x *exam) {
	x.publish(tasks("a", 3)...)
	s := x.session()
	held := x.take(s, 3)
	x.publish(task("new"))
	req := ask(s)
	req.Recover, req.Held = true, []stem.Delivery{held[0], held[2]}
	req.Max = 1
	d := x.receive(req)[0]
	same(x, "received first", d.ID, "a-001")
	req.Held = append(req.Held, d)
	same(x, "received next", x.receive(req)[0].ID, "new")
	x.settle(ack(held[0], d, held[2])...)
}

// "Envelopes that the request does not know, by their task and the schema of their
// args, are not lent", whichever way.
func recoverLeavesUnknown(x *exam) {
	x.publish(task("a", inSchema(newer)), task("b", called("other"), inSchema(older)), task("c", inSchema(older)))
	s := x.session()
	x.take(s, 3) // and suppose that the answer never arrived
	req := ask(s)
	req.Recover, req.Tasks = true, stem.NewTaskSet(reads("exam.task", older))
	d := x.receive(req)
	same(x, "received", ids(d), []string{"c"})
	req.Held = d
	x.nothingFor(req)
}

// Recover is about a session's own deliveries.
func recoverLeavesOthers(x *exam) {
	x.publish(task("a"))
	d := x.takeOne(x.session())
	req := ask(x.session())
	req.Recover = true
	x.nothingFor(req)
	x.settle(ack(d)...)
}

// What comes while a receive waits was not lost, though the session holds it then and the request
// did not name it.
func recoverWaits(x *exam) {
	req := ask(x.session())
	req.Recover = true
	c := x.receiving(req)
	c.blocks()
	x.publish(task("a"))
	ds := c.answer()
	same(x, "received", ids(ds), []string{"a"})
	x.settle(ack(ds...)...)
	x.nothing()
}

// A session that does not ask keeps what it holds, also from itself.
func noRecover(x *exam) {
	x.publish(task("a"))
	s := x.session()
	d := x.takeOne(s)
	x.nothingFor(ask(s))
	x.settle(ack(d)...)
}

// "It is refused with ErrLeaseLost when the envelope has been lent again since,
// to anyone": the answer that was lost may arrive after all.
func recoveredFences(x *exam) {
	x.publish(task("a"))
	s := x.session()
	old := x.takeOne(s)
	req := ask(s)
	req.Recover = true
	current := x.collect(req, 1)[0]
	for _, v := range verdicts {
		x.lost(x.trySettle(end(old, v)), 0)
	}
	x.settle(ack(current)...)
	x.nothing()
}
