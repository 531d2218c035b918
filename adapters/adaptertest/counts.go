package adaptertest

import (
	"time"

	"github.com/gostem/gostem/stem"
)

var counts = brokerHas[stem.QueueCounter]("stem.QueueCounter")

var countPromises = []promise{
	{name: "the counts of an unknown queue are 0", check: unknownQueueIsEmpty, needs: counts},
	{name: "every envelope of a queue is counted in its place", check: countedInPlace, needs: counts},
	{name: "a delay that is over counts as ready", check: dueIsReady, needs: counts},
	{name: "envelopes set aside are counted by task", check: setAsideIsCounted, needs: counts},
	{name: "envelopes set aside are counted by schema", check: setAsideBySchema, needs: counts},
	{name: "what is settled moves between the counts", check: settledMoves, needs: counts},
	{name: "queues are counted apart", check: queuesCountedApart, needs: counts},
}

// counted expects the counts of a queue.
func (x *exam) counted(queue string, want stem.QueueCounts) {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	counter, _ := stem.As[stem.QueueCounter](x.Broker)
	got, err := counter.CountQueue(ctx, queue)
	if err != nil {
		x.Fatalf("count %s: got error %v, want none", queue, err)
	}
	same(x, "counts of "+queue, got, want)
}

// "Those of an unknown one are 0."
func unknownQueueIsEmpty(x *exam) {
	x.counted("nobody-knows-it", stem.QueueCounts{})
}

// "QueueCounts says how many envelopes of a queue are where."
func countedInPlace(x *exam) {
	x.publish(tasks("delayed", 3, delay(time.Hour))...)
	x.publish(tasks("ready", 4, priority(5))...)
	x.publish(tasks("ready-too", 2)...)
	x.peer().counted(queue, stem.QueueCounts{Ready: 6, Delayed: 3})
	x.take(x.session(), 2)
	x.counted(queue, stem.QueueCounts{Ready: 4, Delayed: 3, Running: 2})
	x.take(x.session(), 4)
	x.counted(queue, stem.QueueCounts{Delayed: 3, Running: 6})
}

// "Ready are due", "delayed become due later": by the clock, whether or not a
// receiver has come by.
func dueIsReady(x *exam) {
	x.publish(tasks("a", 3, delay(time.Hour))...)
	x.publish(tasks("b", 2, delay(2*time.Hour))...)
	x.Advance(time.Hour + tick)
	x.counted(queue, stem.QueueCounts{Ready: 3, Delayed: 2})
}

// "Unknown are set aside until a worker comes that can run them, by task …"
func setAsideIsCounted(x *exam) {
	x.publish(tasks("a", 3, called("one"))...)
	x.publish(tasks("b", 2, called("two"))...)
	x.nothingFor(knowing(x.session(), "three"))
	x.counted(queue, stem.QueueCounts{Unknown: map[stem.TaskSchema]int{{Task: "one"}: 3, {Task: "two"}: 2}})
	x.collect(knowing(x.session(), "one"), 3)
	x.counted(queue, stem.QueueCounts{Running: 3, Unknown: map[stem.TaskSchema]int{{Task: "two"}: 2}})
}

// "… by task and schema of their args", over all priorities. What is known is not
// among them.
func setAsideBySchema(x *exam) {
	x.publish(tasks("new", 3, inSchema(newer))...)
	x.publish(tasks("urgent", 2, inSchema(newer), priority(9))...)
	x.publish(tasks("old", 4, inSchema(older))...)
	x.publish(tasks("plain", 1)...)
	x.publish(tasks("foreign", 1, called("foreign"), inSchema(newer))...)
	x.collect(x.reading(current), 1)
	x.nothingFor(x.reading(current))
	unknown := map[stem.TaskSchema]int{
		{Task: "exam.task", Fingerprint: newer}: 5, {Task: "exam.task", Fingerprint: older}: 4, {Task: "foreign", Fingerprint: newer}: 1,
	}
	x.counted(queue, stem.QueueCounts{Running: 1, Unknown: unknown})
	x.collect(x.reading(older), 4)
	delete(unknown, stem.TaskSchema{Task: "exam.task", Fingerprint: older})
	x.counted(queue, stem.QueueCounts{Running: 5, Unknown: unknown})
}

// Nothing is counted twice, and what is done not at all.
func settledMoves(x *exam) {
	x.publish(tasks("a", 6)...)
	ds := x.take(x.session(), 6)
	x.settle(end(ds[0], stem.VerdictAck), end(ds[1], stem.VerdictDeadLetter), end(ds[2], stem.VerdictRelease),
		stem.Settlement{Delivery: ds[3], Verdict: stem.VerdictRetry, Delay: time.Hour},
		stem.Settlement{Delivery: ds[4], Verdict: stem.VerdictSnooze, Delay: time.Hour})
	x.counted(queue, stem.QueueCounts{Ready: 1, Delayed: 2, Running: 1, Dead: 1})
	x.lapse()
	x.take(x.session(), 2)
	x.counted(queue, stem.QueueCounts{Delayed: 2, Running: 2, Dead: 1})
}

// The counts of one queue say nothing about another.
func queuesCountedApart(x *exam) {
	x.publish(tasks("a", 2, onQueue("one"))...)
	x.publish(tasks("b", 3, onQueue("two"))...)
	x.counted("one", stem.QueueCounts{Ready: 2})
	x.counted("two", stem.QueueCounts{Ready: 3})
}
