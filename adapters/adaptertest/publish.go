package adaptertest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
)

var publishPromises = []promise{
	{name: "a published envelope is received once", check: publishedIsReceived},
	{name: "a batch is answered and received in order", check: batchIsReceived},
	{name: "an envelope comes back as it was published", check: envelopeIsUntouched},
	{name: "a payload of one MiB comes back byte for byte", check: bigPayloadIsUntouched},
	{name: "queues of every allowed name are kept apart", check: queuesAreKeptApart},
	{name: "tasks of every allowed name are kept apart", check: tasksAreKeptApart},
	{name: "the longest durations are carried", check: longestDurations},
	{name: "the caller keeps the slice that it published", check: callerKeepsSlice},
	{name: "an empty batch is no error", check: emptyBatch},
	{name: "publishers may run at the same time", check: concurrentPublishers},
}

// "Publish stores envelopes and answers one Published for each."
func publishedIsReceived(x *exam) {
	x.publish(task("a"))
	d := x.takeOne(x.session())
	same(x, "id", d.ID, "a")
	same(x, "attempt", d.Attempt, 1)
	same(x, "interruptions, snoozes, releases", [3]int{d.Interruptions, d.Snoozes, d.Releases}, [3]int{})
	same(x, "marks", d.Marks, nil)
	x.nothing()
}

// "… one Published for each, in order."
func batchIsReceived(x *exam) {
	envs := tasks("batch", 100)
	x.publish(envs...)
	same(x, "received", ids(x.take(x.session(), 100)), named(envs))
	x.nothing()
}

// "An envelope never changes once published", whatever its bytes are.
func envelopeIsUntouched(x *exam) {
	want := fullEnvelope()
	x.publish(want)
	got := x.takeOne(x.session())
	x.sameEnvelope(got.Envelope, want)
}

// fullEnvelope has every field set, to values that are hard to carry.
func fullEnvelope() stem.Envelope {
	return stem.Envelope{
		ID: "full", Task: "exam.full", Queue: queue, Priority: 7,
		Payload:   everyByte(),
		Headers:   map[string]string{"plain": "value", hostile: hostile, "": "", "empty": ""},
		ExpiresIn: 3*time.Hour + time.Nanosecond, MaxRetries: 5, RetryFor: 48 * time.Hour,
		Backoff: stem.ExponentialBackoff(time.Second, time.Hour),
		Timeout: 1500 * time.Microsecond, SoftTimeout: 1250 * time.Microsecond, Visibility: 2 * time.Hour, KeepResult: 24 * time.Hour,
		DedupeKey: "key", DedupeWindow: 10 * time.Minute,
		Unique: &stem.Uniqueness{Key: "unique", Until: stem.UntilTime, For: time.Hour, OnConflict: stem.ConflictReplace}, Fingerprint: 1<<64 - 1,
		Root: "root", Parent: "parent", Ancestors: []string{"grandparent", "great-grandparent"}, ReplayOf: "replayed",
		Limit:            &stem.Limit{Rate: stem.Rate{Count: 1_000_000, Per: time.Second, Burst: 7}, Key: punctuation, Concurrency: 1_000_000},
		HeartbeatTimeout: time.Minute + time.Nanosecond,
		Links: []stem.Link{{When: stem.AfterFailure, Envelope: stem.Envelope{
			Task: "exam.next", Queue: queue, Payload: everyByte(), Headers: map[string]string{hostile: hostile},
			Links: []stem.Link{{When: stem.AfterSuccess, PassResult: true, Envelope: stem.Envelope{Task: "exam.last", Queue: queue}}},
		}}},
	}
}

// The default limit of clients is 1 MiB, so every store must carry that.
func bigPayloadIsUntouched(x *exam) {
	want := task("big", payload(megabyte()))
	x.publish(want)
	got := x.takeOne(x.session())
	x.sameEnvelope(got.Envelope, want)
}

// names are hard to tell apart, or like those that a store might make up.
var names = []string{
	"q", "q:", "q{", "{q}", "q}", "q:delayed", "q*", "Q", "q/1", "q\\", "q'", "0", "%71", "null",
	punctuation, strings.Repeat("~", stem.MaxIDLength), strings.Repeat("~", stem.MaxIDLength-1),
}

// Names are "1 to 200 printable ASCII bytes": none may collide with another,
// nor with a name that a store makes up.
func queuesAreKeptApart(x *exam) {
	for _, name := range names {
		x.publish(task(name, onQueue(name), called(name), deduped(name, time.Hour)))
	}
	for _, name := range names {
		ds := x.receive(stem.ReceiveRequest{Session: x.session(), Queues: []string{name}, Max: 10})
		same(x, "received", ids(ds), []string{name})
		same(x, "task", ds[0].Task, name)
		x.settle(ack(ds...)...)
	}
}

// The same holds within a queue for ids, task names and dedupe keys.
func tasksAreKeptApart(x *exam) {
	for _, name := range names {
		x.publish(task(name, called(name), deduped(name, time.Hour)))
	}
	for _, name := range names {
		same(x, "received", ids(x.receive(knowing(x.session(), name))), []string{name})
	}
}

// Validate allows every duration from 0 up, so a sum with the clock must not
// overflow: what lasts for ever is neither due nor over at once.
func longestDurations(x *exam) {
	const ever time.Duration = 1<<63 - 1
	lasting := task("lasting", expires(ever), visibility(ever), deduped("key", ever))
	lasting.Timeout, lasting.KeepResult, lasting.Backoff = ever, ever, stem.FixedBackoff(ever)
	x.publish(task("never", delay(ever)), lasting)
	d := x.takeOne(x.session())
	x.sameEnvelope(d.Envelope, lasting)
	same(x, "expired", d.Expired, false)
	same(x, "offered again", x.offer(task("again", deduped("key", ever)))[0],
		stem.Published{ID: "lasting", Duplicate: true})
	x.lapse()
	x.nothing()
}

// "The caller keeps the slice."
func callerKeepsSlice(x *exam) {
	envs := tasks("kept", 3)
	want := named(envs)
	ctx, cancel := x.bounded()
	defer cancel()
	if _, err := x.Broker.Publish(ctx, envs...); err != nil {
		x.Fatalf("publish: got error %v, want none", err)
	}
	clear(envs)
	same(x, "received", ids(x.take(x.session(), 3)), want)
}

// A method "handles every item that it can": of none, all.
func emptyBatch(x *exam) {
	x.publish()
	x.settle()
	same(x, "notices", x.extend(x.session()), nil)
	x.nothing()
}

// "All methods may be called concurrently." Each publisher's own order stands.
func concurrentPublishers(x *exam) {
	const publishers, each = 8, 25
	calls := make([]*call[[]stem.Published], 0, publishers)
	for p := range publishers {
		envs := tasks(fmt.Sprintf("p%d", p), each)
		calls = append(calls, x.publishing(envs))
	}
	for _, c := range calls {
		same(x, "answers", len(c.answer()), each)
	}
	got := ids(x.take(x.session(), publishers*each))
	for p := range publishers {
		prefix := fmt.Sprintf("p%d-", p)
		own := slices.DeleteFunc(slices.Clone(got), func(id string) bool { return !strings.HasPrefix(id, prefix) })
		same(x, "order of publisher "+prefix, own, named(tasks(fmt.Sprintf("p%d", p), each)))
	}
	x.nothing()
}
