package adaptertest

import (
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

var listsDeadLetters = brokerHas[stem.DeadLetterLister]("stem.DeadLetterLister")

var deadLetterPromises = []promise{
	{name: "a dead letter says what happened", check: deadLetterSays, needs: listsDeadLetters},
	{name: "a dead letter holds the original envelope", check: deadLetterHoldsEnvelope, needs: listsDeadLetters},
	{name: "dead letters are shown newest first, and no more than asked for", check: deadLettersNewestFirst, needs: listsDeadLetters},
	{name: "dead letters are listed by queue", check: deadLettersByQueue, needs: listsDeadLetters},
	{name: "a dead letter of a lost delivery is not listed", check: lostIsNoDeadLetter, needs: listsDeadLetters},
	{name: "a repeated dead letter is listed once", check: deadLetterOnce, needs: listsDeadLetters},
	{name: "a dead letter tells the store's time", check: deadLetterTime, needs: listsDeadLetters},
}

// deadLetters lists a queue's dead letters.
func (x *exam) deadLetters(queue string, limit int) []stem.DeadLetter {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	lister, _ := stem.As[stem.DeadLetterLister](x.Broker)
	letters, err := lister.DeadLetters(ctx, queue, limit)
	if err != nil {
		x.Fatalf("dead letters of %s: got error %v, want none", queue, err)
	}
	return letters
}

// bury publishes an envelope and dead-letters it with a reason.
func (x *exam) bury(e stem.Envelope, reason string) {
	x.Helper()
	x.publish(e)
	req := stem.ReceiveRequest{Session: x.session(), Queues: []string{e.Queue}, Max: 1}
	x.settle(stem.Settlement{Delivery: x.receive(req)[0], Verdict: stem.VerdictDeadLetter, Reason: reason})
}

// letterIDs gives the ids of dead letters, in order.
func letterIDs(letters []stem.DeadLetter) []string {
	out := make([]string, len(letters))
	for i, l := range letters {
		out[i] = l.ID
	}
	return out
}

// "DeadLetter is an envelope set aside", with the reason and the numbers of the
// delivery that was dead-lettered.
func deadLetterSays(x *exam) {
	x.publish(task("a"))
	s := x.session()
	x.settle(end(x.takeOne(s), stem.VerdictRetry))
	x.settle(end(x.takeOne(s), stem.VerdictRelease))
	last := x.takeOne(s)
	marks := map[string]string{"key": rough}
	x.settle(stem.Settlement{Delivery: last, Verdict: stem.VerdictDeadLetter, Reason: rough, Marks: marks})
	letters := x.peer().deadLetters(queue, 10)
	same(x, "dead letters", letterIDs(letters), []string{"a"})
	got := letters[0]
	got.At, got.Envelope = time.Time{}, nil
	same(x, "dead letter", got,
		stem.DeadLetter{ID: "a", Task: "exam.task", Queue: queue, Reason: rough, Attempt: 2, Delivery: last.Number, Marks: marks})
}

// "Envelope is the original bytes (see ParseEnvelope)."
func deadLetterHoldsEnvelope(x *exam) {
	want := fullEnvelope()
	x.bury(want, "the exam")
	letters := x.deadLetters(queue, 10)
	same(x, "dead letters", letterIDs(letters), []string{want.ID})
	got, err := stem.ParseEnvelope(letters[0].Envelope)
	if err != nil {
		x.Fatalf("parse the dead letter's envelope: got error %v, want none", err)
	}
	x.sameEnvelope(&got, want)
}

// "DeadLetters answers at most limit", and "shows dead letters, newest first".
func deadLettersNewestFirst(x *exam) {
	envs := tasks("a", 5)
	for _, e := range envs {
		x.bury(e, "the exam")
		x.Advance(tick)
	}
	want := named(envs)
	slices.Reverse(want)
	same(x, "all", letterIDs(x.deadLetters(queue, 100)), want)
	same(x, "the last three", letterIDs(x.deadLetters(queue, 3)), want[:3])
}

// "… of a queue": of that one, and of none that nobody has heard of.
func deadLettersByQueue(x *exam) {
	x.bury(task("a", onQueue("one")), "the exam")
	x.bury(task("b", onQueue("two")), "the exam")
	same(x, "of one", letterIDs(x.deadLetters("one", 10)), []string{"a"})
	same(x, "of two", letterIDs(x.deadLetters("two", 10)), []string{"b"})
	same(x, "of an unknown queue", letterIDs(x.deadLetters("three", 10)), nil)
}

// A refused settlement leaves no trace.
func lostIsNoDeadLetter(x *exam) {
	x.publish(task("a"))
	old := x.takeOne(x.session())
	x.lapse()
	current := x.takeOne(x.session())
	x.lost(x.trySettle(end(old, stem.VerdictDeadLetter)), 0)
	same(x, "dead letters", letterIDs(x.deadLetters(queue, 10)), nil)
	x.settle(ack(current)...)
	x.lost(x.trySettle(end(old, stem.VerdictDeadLetter)), 0)
	same(x, "dead letters", letterIDs(x.deadLetters(queue, 10)), nil)
}

// A settlement that is repeated does not double.
func deadLetterOnce(x *exam) {
	x.publish(task("a"))
	d := x.takeOne(x.session())
	x.settle(end(d, stem.VerdictDeadLetter))
	x.nilOrLost("repeated", x.trySettle(end(d, stem.VerdictDeadLetter)), 0)
	same(x, "dead letters", letterIDs(x.deadLetters(queue, 10)), []string{"a"})
}

// "At is when, by the store's clock."
func deadLetterTime(x *exam) {
	x.bury(task("a"), "the exam")
	x.Advance(24 * time.Hour)
	x.bury(task("b"), "the exam")
	letters := x.deadLetters(queue, 10)
	same(x, "dead letters", letterIDs(letters), []string{"b", "a"})
	if apart := letters[0].At.Sub(letters[1].At); apart < 24*time.Hour || apart > 25*time.Hour {
		x.Errorf("time between the dead letters: got %v, want a day", apart)
	}
}
