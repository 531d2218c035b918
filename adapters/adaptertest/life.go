package adaptertest

import (
	"fmt"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
)

// What the store knows about an envelope's life, beside the envelope.
var lifePromises = []promise{
	{name: "an envelope that is too late is lent and marked", check: expiredIsMarked},
	{name: "expiry counts from the publication, not from when it was due", check: expiryCountsFromPublication},
	{name: "a delivery tells how long its task may still start", check: startWithin},
	{name: "a delivery tells how long ago its envelope was published", check: ageCountsFromPublication},
	{name: "marks come back with the next delivery", check: marksComeBack},
	{name: "marks of eight KiB come back whole", check: bigMarksComeBack},
	{name: "marks replace earlier ones", check: marksAreReplaced},
	{name: "a release keeps the marks that stand, or brings its own", check: marksSurviveRelease},
	{name: "marks survive an interruption", check: marksSurviveInterruption},
	{name: "interruptions add up over takeovers", check: interruptionsAddUp},
	{name: "a verdict starts the count of interruptions anew", check: verdictStartsAnew},
	{name: "a release keeps the count of interruptions", check: releaseKeepsInterruptions},
	{name: "a refused settlement takes its interruption back", check: refusalTakesBack},
	{name: "a refused settlement takes back no other interruption", check: refusalTakesBackItsOwn},
	{name: "what a leaving session leaves behind was not interrupted", check: leavingInterruptsNothing},
	{name: "a session that stays after all is not leaving", check: leavingIsTakenBack},
}

// "ExpiresIn is how long after its publication the task may still start"; "the
// store lends such envelopes like others."
func expiredIsMarked(x *exam) {
	x.publish(task("late", expires(time.Hour)), task("in-time", expires(3*time.Hour)), task("for-ever"))
	x.Advance(time.Hour - time.Minute)
	early := x.takeOne(x.session())
	same(x, "expired before the hour", early.Expired, false)
	x.settle(end(early, stem.VerdictRelease))
	x.Advance(time.Minute + tick)
	expired := map[string]bool{}
	for _, d := range x.take(x.session(), 3) {
		expired[d.ID] = d.Expired
	}
	same(x, "expired", expired, map[string]bool{"late": true, "in-time": false, "for-ever": false})
}

// "… how long after its publication": a delay does not move it.
func expiryCountsFromPublication(x *exam) {
	x.publish(task("a", delay(2*time.Hour), expires(time.Hour)), task("b", delay(time.Hour), expires(3*time.Hour)))
	x.Advance(2 * time.Hour)
	expired := map[string]bool{}
	for _, d := range x.take(x.session(), 2) {
		expired[d.ID] = d.Expired
	}
	same(x, "expired", expired, map[string]bool{"a": true, "b": false})
}

// "StartWithin is what was left of the envelope's ExpiresIn when it was lent; 0
// where it never expires."
func startWithin(x *exam) {
	x.publish(task("hours", expires(3*time.Hour), delay(time.Hour)), task("for-ever"))
	x.Advance(time.Hour)
	left := map[string]time.Duration{}
	for _, d := range x.take(x.session(), 2) {
		left[d.ID] = d.StartWithin
	}
	same(x, "for ever", left["for-ever"], 0)
	if left["hours"] > 2*time.Hour || left["hours"] < 2*time.Hour-time.Minute {
		x.Errorf("left of three hours after one: got %v, want two but for the time of the calls", left["hours"])
	}
}

// "Age is how long ago the envelope was published when it was lent", whatever has
// become of it since: a delay is in it, and a retry or a takeover does not start it anew.
func ageCountsFromPublication(x *exam) {
	x.publish(task("a", delay(time.Hour)))
	x.Advance(time.Hour)
	aged := func(want time.Duration) stem.Delivery {
		x.Helper()
		d := x.takeOne(x.session())
		if d.Age < want || d.Age > want+time.Minute {
			x.Errorf("age at delivery %d: got %v, want %v and the time of the calls", d.Number, d.Age, want)
		}
		return d
	}
	first := aged(time.Hour)
	x.settle(stem.Settlement{Delivery: first, Verdict: stem.VerdictRetry, Delay: 2 * time.Hour})
	x.Advance(2 * time.Hour)
	aged(3 * time.Hour)
	x.Advance(time.Hour)
	x.settle(end(aged(4*time.Hour), stem.VerdictRelease))
	aged(4 * time.Hour)
}

// marked gives the settlement of a delivery that leaves marks.
func marked(d stem.Delivery, v stem.Verdict, marks map[string]string) stem.Settlement {
	s := end(d, v)
	s.Marks = marks
	return s
}

// "Marks come back with the envelope's next delivery."
func marksComeBack(x *exam) {
	for _, v := range []stem.Verdict{stem.VerdictRetry, stem.VerdictSnooze, stem.VerdictRelease} {
		x.publish(task(v.String()))
		marks := map[string]string{"verdict": v.String(), "empty": "", rough: rough}
		x.settle(marked(x.takeOne(x.session()), v, marks))
		d := x.takeOne(x.session())
		same(x, "marks", d.Marks, marks)
		x.settle(ack(d)...)
	}
}

// "At most MaxMarks bytes": so many, in one text or in many.
func bigMarksComeBack(x *exam) {
	many := map[string]string{}
	for i := range 64 {
		key := fmt.Sprintf("key-%03d", i)
		many[key] = strings.Repeat("é", (stem.MaxMarks/64-len(key))/2)
	}
	one := map[string]string{"a": strings.Repeat("\n", stem.MaxMarks-1)}
	for _, marks := range []map[string]string{many, one} {
		x.publish(task("a"))
		x.settle(marked(x.takeOne(x.session()), stem.VerdictRetry, marks))
		d := x.takeOne(x.session())
		same(x, "marks", d.Marks, marks)
		x.settle(ack(d)...)
	}
}

// "They replace earlier ones": all of them, also by none.
func marksAreReplaced(x *exam) {
	x.publish(task("a"))
	s := x.session()
	x.settle(marked(x.takeOne(s), stem.VerdictRetry, map[string]string{"a": "1", "b": "1"}))
	x.settle(marked(x.takeOne(s), stem.VerdictSnooze, map[string]string{"b": "2"}))
	d := x.takeOne(s)
	same(x, "marks", d.Marks, map[string]string{"b": "2"})
	x.settle(end(d, stem.VerdictRetry))
	same(x, "marks after a retry without", x.takeOne(s).Marks, nil)
}

// "A release keeps those that stand where it brings none."
func marksSurviveRelease(x *exam) {
	x.publish(task("a"))
	s := x.session()
	x.settle(marked(x.takeOne(s), stem.VerdictRetry, map[string]string{"a": "1"}))
	x.settle(end(x.takeOne(s), stem.VerdictRelease))
	d := x.takeOne(s)
	same(x, "marks after a release without", d.Marks, map[string]string{"a": "1"})
	x.settle(marked(d, stem.VerdictRelease, map[string]string{"b": "2"}))
	same(x, "marks after a release with some", x.takeOne(s).Marks, map[string]string{"b": "2"})
}

// "Marks are what the last settlement left": a crash leaves none of its own.
func marksSurviveInterruption(x *exam) {
	x.publish(task("a"))
	x.settle(marked(x.takeOne(x.session()), stem.VerdictRetry, map[string]string{"a": "1"}))
	x.takeOne(x.session())
	x.lapse()
	same(x, "marks", x.takeOne(x.session()).Marks, map[string]string{"a": "1"})
}

// interrupt lets n sessions in a row take the only envelope and lapse, and
// gives the delivery that comes after them.
func (x *exam) interrupt(n int) stem.Delivery {
	x.Helper()
	for range n {
		x.takeOne(x.session())
		x.lapse()
	}
	return x.takeOne(x.session())
}

// "Interruptions counts the runs cut short by a crash or a lost lease."
func interruptionsAddUp(x *exam) {
	x.publish(task("a"))
	d := x.interrupt(4)
	same(x, "interruptions", d.Interruptions, 4)
	same(x, "attempt", d.Attempt, 1)
}

// "… since the last run that ended with a verdict other than release."
func verdictStartsAnew(x *exam) {
	for _, v := range []stem.Verdict{stem.VerdictRetry, stem.VerdictSnooze} {
		x.publish(task(v.String()))
		x.settle(end(x.interrupt(2), v))
		d := x.interrupt(1)
		same(x, "interruptions after "+v.String(), d.Interruptions, 1)
		x.settle(ack(d)...)
	}
}

// "Every one but VerdictRelease starts the count of interruptions anew": a
// poisonous task must not clean itself by a shutdown.
func releaseKeepsInterruptions(x *exam) {
	x.publish(task("a"))
	x.settle(end(x.interrupt(2), stem.VerdictRelease))
	same(x, "interruptions after a release", x.interrupt(1).Interruptions, 3)
}

// "A settlement that is refused … takes back the interruption that was counted when
// the delivery was taken over", whatever its verdict and whichever connection it comes by.
func refusalTakesBack(x *exam) {
	for _, v := range verdicts {
		x.publish(task(v.String()))
		slow := x.takeOne(x.session())
		x.lapse()
		d := x.takeOne(x.session())
		same(x, "interruptions before "+v.String(), d.Interruptions, 1)
		x.lost(x.peer().trySettle(end(slow, v)), 0)
		x.settle(end(d, stem.VerdictRelease))
		d = x.takeOne(x.session())
		same(x, "interruptions after "+v.String(), d.Interruptions, 0)
		x.settle(ack(d)...)
	}
}

// The interruption of that delivery and of no other, and once, however often it is said.
func refusalTakesBackItsOwn(x *exam) {
	x.publish(task("a"))
	x.takeOne(x.session()) // one that has crashed
	x.lapse()
	slow := x.takeOne(x.session())
	x.lapse()
	d := x.interrupt(1)
	same(x, "interruptions", d.Interruptions, 3)
	for range 3 {
		x.lost(x.trySettle(end(slow, stem.VerdictAck)), 0)
	}
	x.settle(end(d, stem.VerdictRelease))
	d = x.takeOne(x.session())
	same(x, "interruptions after three refusals of one", d.Interruptions, 2)
	x.settle(end(d, stem.VerdictRetry))
	same(x, "interruptions in the row after it", x.interrupt(2).Interruptions, 2)
}

// "What is taken over from such a session is not counted as an interruption", and
// it is a takeover otherwise like any other.
func leavingInterruptsNothing(x *exam) {
	x.publish(tasks("a", 2)...)
	s := x.session()
	left := x.take(s, 2)
	s.Leaving = true
	x.extend(s, left...)
	x.nothing()
	x.lapse()
	for i, d := range x.take(x.session(), 2) {
		x.rises(left[i], d)
		same(x, "attempt, interruptions", [2]int{d.Attempt, d.Interruptions}, [2]int{1, 0})
	}
	x.lost(x.trySettle(ack(left...)...), 0, 1)
}

// "An Extend without it takes it back."
func leavingIsTakenBack(x *exam) {
	x.publish(task("a"))
	s := x.session()
	x.takeOne(s)
	s.Leaving = true
	x.extend(s)
	s.Leaving = false
	x.extend(s)
	x.lapse()
	same(x, "interruptions", x.takeOne(x.session()).Interruptions, 1)
}
