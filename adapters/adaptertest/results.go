package adaptertest

import (
	"fmt"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

var resultPromises = []promise{
	{name: "a saved record is loaded", check: savedIsLoaded},
	{name: "a record is loaded by another connection", check: loadedElsewhere},
	{name: "a batch is saved and loaded in the order of the ids", check: batchIsLoaded},
	{name: "an id without a record is named, and the others are answered", check: missingIsNamed},
	{name: "an id may be loaded twice in a batch", check: loadedTwice},
	{name: "every field of a record comes back", check: recordIsUntouched},
	{name: "a result of one MiB comes back byte for byte", check: bigResultIsUntouched},
	{name: "every allowed id is kept apart", check: idsAreKeptApart},
	{name: "a record is kept for its time, and not longer", check: keptForItsTime},
	{name: "a record that replaces another has its own time", check: replacementHasOwnTime},
	{name: "records of one batch have each their own time", check: timesInBatch},
	{name: "an empty batch of records is no error", check: emptyRecords},
	{name: "savers and loaders may run at the same time", check: concurrentSavers},
}

// "Save stores records"; "Load answers one record per id."
func savedIsLoaded(x *exam) {
	x.save(outcome("a", 1))
	x.stands(outcome("a", 1))
	_, err := x.tryLoad("b")
	x.partial(err, map[int]error{0: stem.ErrNoResult})
}

// A client reads what a worker wrote.
func loadedElsewhere(x *exam) {
	y := x.peer()
	x.save(outcome("a", 1))
	y.stands(outcome("a", 1))
	y.save(outcome("a", 2, in(stem.StateFailed)))
	x.stands(outcome("a", 2, in(stem.StateFailed)))
}

// "… one record per id, in order."
func batchIsLoaded(x *exam) {
	rs := records("a", 100)
	x.save(rs...)
	slices.Reverse(rs)
	x.stands(rs...)
}

// "For an id without a record the *PartialError says ErrNoResult"; a batch
// handles every item that it can.
func missingIsNamed(x *exam) {
	x.save(outcome("a", 1), outcome("b", 1))
	rs, err := x.tryLoad("none", "b", "neither", "a")
	x.partial(err, map[int]error{0: stem.ErrNoResult, 2: stem.ErrNoResult})
	x.sameRecord(rs[1], outcome("b", 1))
	x.sameRecord(rs[3], outcome("a", 1))
}

// Ids come from many callers that share a batch.
func loadedTwice(x *exam) {
	x.save(outcome("a", 1), outcome("b", 1))
	x.stands(outcome("a", 1), outcome("b", 1), outcome("a", 1))
}

// A record comes back as it was saved, whatever its bytes are.
func recordIsUntouched(x *exam) {
	full := stem.Result{
		ID: "full", Task: "exam.full", Queue: punctuation, State: stem.StateSucceeded, Payload: everyByte(),
		Failure:  &stem.Failure{Kind: stem.FailurePanic, Message: rough, Stack: "goroutine 1 [running]:\n\t" + rough},
		Progress: &stem.ProgressReport{Percent: 12.5, Message: rough, Data: map[string]string{rough: rough, "": ""}, At: time.UnixMilli(1<<40 + 2).UTC()},
		Delivery: 1<<53 - 1, Attempt: 2, Interruptions: 3, Snoozes: 4, Releases: 5, Worker: rough,
		History: []stem.AttemptRecord{
			{Attempt: 1, At: time.UnixMilli(1<<40 + 1).UTC(), Worker: rough, Kind: stem.FailurePanic, Message: rough, StackDigest: "0"},
			{Attempt: 2},
		},
		Waited: time.Hour + time.Nanosecond, Ran: 1<<63 - 1, Keep: time.Hour,
	}
	failed := outcome("failed", 1, in(stem.StateFailed))
	failed.Failure = &stem.Failure{Kind: stem.FailureError}
	running := outcome("running", 1, in(stem.StateRunning))
	running.Progress = &stem.ProgressReport{}
	x.save(full, failed, running)
	x.stands(full, failed, running)
}

// The default limit of results is 1 MiB, so every store must carry that.
func bigResultIsUntouched(x *exam) {
	r := outcome("big", 1)
	r.Payload = megabyte()
	x.save(r, outcome("small", 1))
	x.stands(outcome("small", 1), r)
}

// Ids are "1 to 200 printable ASCII bytes": none may collide with another, nor
// with a name that a store makes up.
func idsAreKeptApart(x *exam) {
	var rs []stem.Result
	for _, id := range names {
		rs = append(rs, outcome(id, 1))
	}
	x.save(rs...)
	x.stands(rs...)
}

// "… each for its Keep from now by the store's clock."
func keptForItsTime(x *exam) {
	x.save(outcome("a", 1, keep(time.Hour)))
	x.Advance(time.Hour - time.Minute)
	x.stands(outcome("a", 1))
	x.Advance(time.Minute + tick)
	x.absent("a")
	x.peer().absent("a")
}

// The time counts from the save that wrote what stands.
func replacementHasOwnTime(x *exam) {
	x.save(outcome("longer", 1, in(stem.StateRunning), keep(time.Hour)))
	x.save(outcome("shorter", 1, in(stem.StateRunning), keep(24*time.Hour)))
	x.Advance(time.Hour / 2)
	x.save(outcome("longer", 1, keep(2*time.Hour)), outcome("shorter", 1, keep(time.Hour)))
	x.Advance(time.Hour + tick)
	x.stands(outcome("longer", 1))
	x.absent("shorter")
}

// A batch has no time of its own, and the longest must not overflow.
func timesInBatch(x *exam) {
	x.save(outcome("minutes", 1, keep(10*time.Minute)), outcome("ever", 1, keep(1<<63-1)), outcome("hours", 1, keep(2*time.Hour)))
	x.Advance(time.Hour)
	x.absent("minutes")
	x.stands(outcome("ever", 1), outcome("hours", 1))
	x.Advance(2 * time.Hour)
	x.absent("hours")
	x.stands(outcome("ever", 1))
}

// A method "handles every item that it can": of none, all.
func emptyRecords(x *exam) {
	x.save()
	if _, err := x.tryLoad(); err != nil {
		x.Errorf("load: got error %v, want none", err)
	}
}

// "Both methods may be called concurrently."
func concurrentSavers(x *exam) {
	const savers, each = 8, 25
	var calls []*call[none]
	for i := range savers {
		rs := records(fmt.Sprintf("saver-%d", i), each)
		calls = append(calls, x.saving(rs...), x.loading(rs[0].ID))
	}
	for _, c := range calls {
		c.answer()
	}
	for i := range savers {
		x.stands(records(fmt.Sprintf("saver-%d", i), each)...)
	}
}
