package adaptertest

import (
	"time"

	"github.com/gostem/gostem/stem"
)

var pauses = brokerHas[stem.QueuePauser]("stem.QueuePauser")

// pausesAndCounts is a broker whose counts tell of pauses.
var pausesAndCounts = capability{"stem.QueuePauser and stem.QueueCounter", func(s Stores) bool { return pauses.in(s) && counts.in(s) }}

var pausePromises = []promise{
	{name: "nothing is lent from a paused queue", check: pausedLendsNothing, needs: pauses},
	{name: "a receive that blocks lends nothing from a queue paused since", check: pausedWhileBlocked, needs: pauses},
	{name: "a pause is about one queue", check: pausedAlone, needs: pauses},
	{name: "to resume wakes every receiver that blocks", check: resumeWakes, needs: pauses},
	{name: "a resumed queue lends what it would have lent", check: resumedAsBefore, needs: pauses},
	{name: "an unused queue is paused before anything is published", check: pausedBeforehand, needs: pauses},
	{name: "a pause and a resume may be repeated", check: pauseRepeated, needs: pauses},
	{name: "deliveries on loan from a paused queue are extended and settled", check: pausedSettles, needs: pauses},
	{name: "delays end in a paused queue and their envelopes wait", check: pausedRipens, needs: pauses},
	{name: "lapsed deliveries of a paused queue are not taken over", check: pausedTakesNothingOver, needs: pauses},
	{name: "lost answers of a paused queue are recovered when it is resumed", check: pausedRecoversNothing, needs: pauses},
	{name: "a pause counts for every connection and outlives its own", check: pausedElsewhere, needs: pauses},
	{name: "the counts tell of a pause, and count on", check: pausedIsCounted, needs: pausesAndCounts},
	{name: "after close pause answers ErrClosed", check: pauseIsClosed, needs: pauses},
}

// settled is how long receivers that wait may overlook a pause.
const settled = 5*time.Second + tick

func (x *exam) tryPause(queue string, paused bool) error {
	ctx, cancel := x.bounded()
	defer cancel()
	pauser, _ := stem.As[stem.QueuePauser](x.Broker)
	return pauser.PauseQueue(ctx, queue, paused)
}

func (x *exam) pause(queue string) {
	x.Helper()
	if err := x.tryPause(queue, true); err != nil {
		x.Fatalf("pause %s: got error %v, want none", queue, err)
	}
}

func (x *exam) resume(queue string) {
	x.Helper()
	if err := x.tryPause(queue, false); err != nil {
		x.Fatalf("resume %s: got error %v, want none", queue, err)
	}
}

// "Nothing is lent from a paused queue", whether it was there before or comes then.
func pausedLendsNothing(x *exam) {
	x.publish(tasks("before", 3)...)
	x.pause(queue)
	x.publish(tasks("after", 2, priority(9))...)
	x.nothing()
}

// "Those that wait at that time lend nothing any more within 5 s."
func pausedWhileBlocked(x *exam) {
	c := x.receiving(ask(x.session()))
	c.blocks()
	x.pause(queue)
	x.Advance(settled)
	x.publish(task("a"))
	c.blocks()
	x.resume(queue)
	same(x, "received", ids(c.answer()), []string{"a"})
}

// Other queues of the same receiver go on.
func pausedAlone(x *exam) {
	x.publish(task("here"), task("there", onQueue("other")))
	x.pause(queue)
	both := stem.ReceiveRequest{Session: x.session(), Queues: []string{queue, "other"}, Max: 10}
	same(x, "received", ids(x.receive(both)), []string{"there"})
	c := x.receiving(both)
	c.blocks()
	x.publish(task("there-too", onQueue("other")))
	same(x, "received", ids(c.answer()), []string{"there-too"})
}

// "To resume a queue wakes those that wait."
func resumeWakes(x *exam) {
	x.pause(queue)
	const receivers = 4
	var calls []*call[[]stem.Delivery]
	for range receivers {
		req := ask(x.session())
		req.Max = 1
		calls = append(calls, x.receiving(req))
	}
	x.publish(tasks("a", receivers)...)
	calls[receivers-1].blocks()
	x.peer().resume(queue)
	seen := map[string]bool{}
	for _, c := range calls {
		for _, d := range c.answer() {
			seen[d.ID] = true
		}
	}
	same(x, "envelopes lent", len(seen), receivers)
}

// A pause leaves places and priorities as they are, and those set aside where they are.
func resumedAsBefore(x *exam) {
	x.publish(tasks("low", 2)...)
	x.publish(task("strange", called("strange")))
	x.publish(tasks("high", 2, priority(9))...)
	x.collect(knowing(x.session(), "nothing-of-this", "exam.task"), 1)
	x.pause(queue)
	x.publish(task("last"))
	x.Advance(time.Hour)
	x.resume(queue)
	// The first of the high ones is taken over: its session has lapsed.
	got := ids(x.collect(knowing(x.session(), "strange", "exam.task"), 6))
	same(x, "received", got, []string{"high-000", "high-001", "low-000", "low-001", "strange", "last"})
}

// "The queue need not exist."
func pausedBeforehand(x *exam) {
	x.pause("new")
	x.publish(task("a", onQueue("new")))
	req := stem.ReceiveRequest{Session: x.session(), Queues: []string{"new"}, Max: 1}
	x.nothingFor(req)
	x.resume("new")
	same(x, "received", ids(x.receive(req)), []string{"a"})
}

// "The call may be repeated": pauses are not counted.
func pauseRepeated(x *exam) {
	x.resume(queue)
	x.publish(task("a"))
	x.pause(queue)
	x.pause(queue)
	x.nothing()
	x.resume(queue)
	same(x, "received", ids(x.take(x.session(), 1)), []string{"a"})
	x.resume(queue)
	x.publish(task("b"))
	same(x, "received", ids(x.take(x.session(), 1)), []string{"b"})
}

// "What is on loan is extended and settled", by any verdict.
func pausedSettles(x *exam) {
	s := x.session()
	x.publish(tasks("a", 5)...)
	ds := x.take(s, 5)
	x.pause(queue)
	same(x, "notices", len(x.extend(s, ds...)), 0)
	for i, v := range []stem.Verdict{stem.VerdictAck, stem.VerdictRetry, stem.VerdictSnooze, stem.VerdictDeadLetter, stem.VerdictRelease} {
		x.settle(end(ds[i], v))
	}
	x.nothing()
	x.resume(queue)
	came := map[string]bool{}
	for _, d := range x.take(x.session(), 3) {
		came[d.ID] = true
	}
	same(x, "received", came, map[string]bool{"a-001": true, "a-002": true, "a-004": true})
	x.nothing()
}

// "Envelopes … become due", and their waiting counts from then.
func pausedRipens(x *exam) {
	x.pause(queue)
	x.publish(task("later", delay(time.Hour)))
	c := x.receiving(ask(x.session()))
	x.Advance(2 * time.Hour)
	c.blocks()
	x.resume(queue)
	d := c.answer()[0]
	same(x, "received", d.ID, "later")
	if d.Waited < time.Hour || d.Waited > time.Hour+time.Minute {
		x.Errorf("it had waited: got %v, want 1h and the time of the calls", d.Waited)
	}
}

// "Nothing that a lapsed session has left behind."
func pausedTakesNothingOver(x *exam) {
	x.publish(task("a"))
	x.takeOne(x.session())
	x.pause(queue)
	x.lapse()
	x.nothing()
	x.resume(queue)
	d := x.takeOne(x.session())
	same(x, "interruptions", d.Interruptions, 1)
}

// "… nothing that a Receive looks for with Recover."
func pausedRecoversNothing(x *exam) {
	s := x.session()
	x.publish(task("a"))
	x.takeOne(s)
	x.pause(queue)
	req := ask(s)
	req.Recover = true
	x.nothingFor(req)
	x.resume(queue)
	same(x, "received", ids(x.receive(req)), []string{"a"})
}

// "… for all connections and also if they end."
func pausedElsewhere(x *exam) {
	y := x.peer()
	x.publish(task("a"))
	x.pause(queue)
	y.nothing()
	if y == x {
		return // there is only one
	}
	x.close()
	y.nothing()
	y.resume(queue)
	same(y, "received", ids(y.take(y.session(), 1)), []string{"a"})
}

// "Paused tells that nothing is lent."
func pausedIsCounted(x *exam) {
	x.publish(tasks("a", 3)...)
	x.publish(tasks("later", 2, delay(time.Hour))...)
	x.takeOne(x.session())
	x.pause(queue)
	x.pause("nobody-uses-it")
	x.counted(queue, stem.QueueCounts{Ready: 2, Delayed: 2, Running: 1, Paused: true})
	x.counted("nobody-uses-it", stem.QueueCounts{Paused: true})
	x.resume(queue)
	x.counted(queue, stem.QueueCounts{Ready: 2, Delayed: 2, Running: 1})
}

// "After Close of the adapter every method answers ErrClosed."
func pauseIsClosed(x *exam) {
	x.close()
	x.closed("pause", x.tryPause(queue, true))
}
