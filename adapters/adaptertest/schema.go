package adaptertest

import (
	"fmt"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

// What a receiver knows is a task and the schemas of its args. The names of the
// envelopes here are known to all; it is the schema that is not.
var schemaPromises = []promise{
	{name: "an envelope of an unknown schema is not lent", check: schemaIsNotLent},
	{name: "an older schema that is read is lent like the newest", check: olderIsLent},
	{name: "an envelope without a schema is lent to whoever has the task", check: noSchemaFitsAll},
	{name: "a receiver without a schema of a task is lent all of it", check: anySchemaIsLent},
	{name: "a receiver without a task set reads every schema", check: nilReadsAll},
	{name: "a schema read under one name is not read under another", check: schemaBelongsToTask},
	{name: "schemas that differ in one bit differ", check: everyBitCounts},
	{name: "the schemas of a task wait in one line", check: schemasShareALine},
	{name: "an envelope set aside for its schema comes to a receiver that reads it, in order", check: schemaKeepsOrder},
	{name: "an envelope set aside for its schema has its priority", check: schemaHasPriority},
	{name: "setting aside for a schema is no receive", check: schemaIsNotCounted},
	{name: "a blocked receiver gets what another does not read", check: schemaWakesReader},
	{name: "a blocked receiver that comes to read nothing blocks on", check: schemaWakesNobody},
	{name: "unknown schemas do not hold up known ones", check: schemaHoldsUpNothing},
	{name: "many schemas set aside are told apart", check: manySchemas},
	{name: "a delayed envelope of an unknown schema waits for its delay and a receiver", check: schemaDelayed},
	{name: "an envelope that comes back is lent only to those who read it", check: schemaAfterRetry},
	{name: "lapsed deliveries are taken over only by those who read them", check: schemaAfterLapse},
}

// Fingerprints as builds would have them: they use all of 64 bits.
const (
	newer   uint64 = 0xfedcba9876543210
	current uint64 = 0x8000000000000001
	older   uint64 = 0xc0ffee
)

func inSchema(fingerprint uint64) func(*stem.Envelope) {
	return func(e *stem.Envelope) { e.Fingerprint = fingerprint }
}

// reads gives what is said of a task whose receiver reads the schemas, the newest
// last; none for one that tells no schema.
func reads(name string, schemas ...uint64) stem.TaskSpec {
	spec := stem.TaskSpec{Name: name}
	if n := len(schemas); n > 0 {
		spec.Schema = stem.Schema{Fingerprint: schemas[n-1], Older: schemas[:n-1]}
	}
	return spec
}

// reading gives the request of a session that has the one task of the fixtures
// and reads the schemas.
func (x *exam) reading(schemas ...uint64) stem.ReceiveRequest {
	req := ask(x.session())
	req.Tasks = stem.NewTaskSet(reads("exam.task", schemas...))
	return req
}

// "Envelopes that the request does not know, by their task and the schema of their
// args, are not lent."
func schemaIsNotLent(x *exam) {
	x.publish(task("a", inSchema(newer)), task("b", inSchema(current)), task("c", inSchema(newer)))
	req := x.reading(current)
	same(x, "received", ids(x.collect(req, 1)), []string{"b"})
	x.nothingFor(req)
}

// "Older are the fingerprints of earlier args that this build reads as well": of
// whatever size, since they are names and no numbers.
func olderIsLent(x *exam) {
	x.publish(task("a", inSchema(older)), task("b", inSchema(newer)), task("c", inSchema(current)))
	same(x, "received", ids(x.collect(x.reading(older, newer, current), 3)), []string{"a", "b", "c"})
}

// "0 means unknown: such an envelope fits every worker" that has the task.
func noSchemaFitsAll(x *exam) {
	x.publish(task("a"), task("b", inSchema(newer)), task("c", called("unknown")))
	req := x.reading(current)
	same(x, "received", ids(x.collect(req, 1)), []string{"a"})
	x.nothingFor(req)
}

// "… and such a worker takes every envelope of the task": what was set aside
// before, too.
func anySchemaIsLent(x *exam) {
	x.publish(task("a", inSchema(newer)), task("b", inSchema(older)), task("c"))
	same(x, "received", ids(x.collect(x.reading(older), 2)), []string{"b", "c"})
	x.publish(task("d", inSchema(current)), task("e", called("unknown"), inSchema(current)))
	got := ids(x.collect(x.reading(), 2))
	slices.Sort(got) // the order of different schemas is not kept over setting aside
	same(x, "received", got, []string{"a", "d"})
	x.nothingFor(x.reading())
}

// "Tasks are those that the receiver can run; nil means all."
func nilReadsAll(x *exam) {
	x.publish(task("a", inSchema(newer)), task("b", inSchema(older)))
	x.nothingFor(x.reading(current))
	got := ids(x.take(x.session(), 2))
	slices.Sort(got)
	same(x, "received", got, []string{"a", "b"})
}

// A fingerprint says nothing without the name of its task.
func schemaBelongsToTask(x *exam) {
	x.publish(task("a", called("one"), inSchema(newer)), task("b", called("two"), inSchema(older)),
		task("c", called("three"), inSchema(current)), task("d", called("one"), inSchema(older)))
	req := ask(x.session())
	req.Tasks = stem.NewTaskSet(reads("one", older), reads("two", newer), reads("three"))
	same(x, "received", ids(x.collect(req, 2)), []string{"c", "d"})
	x.nothingFor(req)
}

// Fingerprints are 64 bits: a store that keeps them as doubles or without the
// highest bit takes one for another.
func everyBitCounts(x *exam) {
	for bit := range 64 {
		x.publish(task(fmt.Sprint(bit), inSchema(newer^1<<bit)))
	}
	x.publish(task("same", inSchema(newer)))
	same(x, "received", ids(x.collect(x.reading(newer), 1)), []string{"same"})
	x.nothingFor(x.reading(newer))
}

// "First in, first out", whoever enqueued: old and new clients at once.
func schemasShareALine(x *exam) {
	var envs []stem.Envelope
	for i, fingerprint := range []uint64{newer, older, 0, newer, older, 0, older, newer} {
		envs = append(envs, task(fmt.Sprint(i), inSchema(fingerprint)))
	}
	x.publish(envs...)
	same(x, "received", ids(x.collect(x.reading(older, newer), len(envs))), named(envs))
}

// "The store sets them aside under both, in order, until a receiver comes that
// knows them."
func schemaKeepsOrder(x *exam) {
	early, late := tasks("early", 5, inSchema(newer)), tasks("late", 5, inSchema(newer))
	ignorant := x.reading(older)
	x.publish(early...)
	x.nothingFor(ignorant)
	x.publish(late...)
	x.nothingFor(ignorant)
	same(x, "received", ids(x.collect(x.reading(older, newer), 10)), append(named(early), named(late)...))
	x.nothing()
}

// "Within a queue higher priorities come first" among those set aside too.
func schemaHasPriority(x *exam) {
	x.publish(task("low", inSchema(newer)), task("high", inSchema(newer), priority(9)))
	x.nothingFor(x.reading(older))
	same(x, "received", ids(x.collect(x.reading(newer), 2)), []string{"high", "low"})
}

// It waits for a worker that reads it, as if nobody had asked.
func schemaIsNotCounted(x *exam) {
	want := task("a", inSchema(newer))
	x.publish(want)
	for range 3 {
		x.nothingFor(x.reading(older))
	}
	d := x.collect(x.reading(newer), 1)[0]
	x.sameEnvelope(d.Envelope, want)
	same(x, "attempt", d.Attempt, 1)
	same(x, "interruptions, snoozes, releases", [3]int{d.Interruptions, d.Snoozes, d.Releases}, [3]int{})
}

// Workers of two builds wait side by side while a deploy rolls.
func schemaWakesReader(x *exam) {
	for i := range 4 {
		ignorant := x.receiving(x.reading(older))
		reader := x.receiving(x.reading(older, newer))
		if i%2 == 1 {
			ignorant.blocks()
		}
		reader.blocks()
		id := fmt.Sprint(i)
		x.publish(task(id, inSchema(newer)))
		same(x, "received", ids(reader.answer()), []string{id})
		ignorant.blocks()
		ignorant.cancel()
		_, _ = ignorant.end()
	}
}

// "It blocks until there is at least one" that it may lend.
func schemaWakesNobody(x *exam) {
	c := x.receiving(x.reading(older))
	c.blocks()
	x.publish(tasks("a", 20, inSchema(newer))...)
	c.blocks()
	x.publish(task("b", inSchema(older)))
	same(x, "received", ids(c.answer()), []string{"b"})
}

// An old worker keeps working on what it reads, however much of the new stands
// before that.
func schemaHoldsUpNothing(x *exam) {
	x.publish(tasks("new", 500, inSchema(newer), priority(9))...)
	x.publish(tasks("old", 10, inSchema(older))...)
	same(x, "received", ids(x.collect(x.reading(older), 10)), named(tasks("old", 10)))
	same(x, "received by one that reads them", len(x.collect(x.reading(newer), 500)), 500)
}

// Whoever writes a schema of his own for each envelope takes room, and no more.
func manySchemas(x *exam) {
	const n = 300
	for i := range uint64(n) {
		x.publish(task(fmt.Sprint(i), inSchema(newer+i)))
	}
	x.publish(task("plain"))
	x.nothingFor(knowing(x.session(), "another"))
	got := ids(x.collect(x.reading(newer+7, newer+70, newer+299), 4))
	slices.Sort(got)
	same(x, "received", got, []string{"299", "7", "70", "plain"})
	same(x, "received by one that tells no schema", len(x.collect(x.reading(), n-3)), n-3)
}

// Not to be known and not to be due are different things.
func schemaDelayed(x *exam) {
	x.publish(task("a", inSchema(newer), delay(time.Hour)))
	x.nothingFor(x.reading(newer))
	x.Advance(time.Hour)
	x.nothingFor(x.reading(older))
	same(x, "received", ids(x.collect(x.reading(newer), 1)), []string{"a"})
}

// What comes back during a rollback waits like what is published.
func schemaAfterRetry(x *exam) {
	for _, v := range []stem.Verdict{stem.VerdictRetry, stem.VerdictSnooze, stem.VerdictRelease} {
		x.publish(task(v.String(), inSchema(newer)))
		first := x.collect(x.reading(newer), 1)[0]
		x.settle(end(first, v))
		x.nothingFor(x.reading(older))
		d := x.collect(x.reading(newer), 1)[0]
		x.rises(first, d)
		x.settle(ack(d)...)
	}
}

// A worker of the new build that dies leaves nothing to one of the old; the
// interruption is counted once all the same.
func schemaAfterLapse(x *exam) {
	x.publish(task("a", inSchema(newer)))
	x.collect(x.reading(newer), 1)
	x.lapse()
	x.nothingFor(x.reading(older))
	x.nothingFor(x.reading(older))
	d := x.collect(x.reading(newer), 1)[0]
	same(x, "attempt, interruptions", [2]int{d.Attempt, d.Interruptions}, [2]int{1, 1})
}
