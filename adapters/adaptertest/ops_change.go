package adaptertest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

var (
	listsAndChanges = capability{"ops.TaskLister and ops.TaskChanger", func(s Stores) bool {
		_, changes := stem.As[ops.TaskChanger](s.Broker)
		return changes && listsTasks.in(s)
	}}
	changesUnique = capability{"ops.TaskChanger or no stem.UniqueKeeper", func(s Stores) bool { return listsAndChanges.in(s) && keepsUnique.in(s) }}
)

var changePromises = []promise{
	{name: "a delayed task that is hastened is lent at once, also to who waits", check: hastenedIsLent, needs: listsAndChanges},
	{name: "a retry that is hastened is as it was", check: hastenedIsAsItWas, needs: listsAndChanges},
	{name: "what is not delayed any more is not hastened", check: hastenedTooLate, needs: listsAndChanges},
	{name: "a task that waits is deleted in any state", check: deletedInAnyState, needs: listsAndChanges},
	{name: "a deleted task leaves the others in their order", check: deletedAmongOthers, needs: listsAndChanges},
	{name: "a deleted task may be published again", check: deletedIsPublished, needs: listsAndChanges},
	{name: "a deleted task lets its unique key go", check: deletedLetsGo, needs: changesUnique},
	{name: "a task on loan is not deleted", check: loanIsNotDeleted, needs: listsAndChanges},
	{name: "a task that has run since it was listed is not deleted", check: deletedTooLate, needs: listsAndChanges},
	{name: "a task is deleted or lent, never both", check: deletedOrLent, needs: listsAndChanges},
	{name: "what is gone is named, and the rest of the batch is done", check: changedInPart, needs: listsAndChanges},
	{name: "places that no list has given are gone", check: changedNowhere, needs: listsAndChanges},
	{name: "after close changes answer ErrClosed", check: changesAreClosed, needs: listsAndChanges},
}

func (x *exam) tryHasten(tasks ...ops.Task) error {
	ctx, cancel := x.bounded()
	defer cancel()
	changer, _ := stem.As[ops.TaskChanger](x.Broker)
	return changer.HastenTasks(ctx, tasks...)
}

func (x *exam) tryDelete(tasks ...ops.Task) error {
	ctx, cancel := x.bounded()
	defer cancel()
	changer, _ := stem.As[ops.TaskChanger](x.Broker)
	return changer.DeleteTasks(ctx, tasks...)
}

func (x *exam) hasten(tasks ...ops.Task) {
	x.Helper()
	if err := x.tryHasten(tasks...); err != nil {
		x.Fatalf("hasten: got error %v, want none", err)
	}
}

func (x *exam) delete(tasks ...ops.Task) {
	x.Helper()
	if err := x.tryDelete(tasks...); err != nil {
		x.Fatalf("delete: got error %v, want none", err)
	}
}

// namesGone expects that the items at the indices are named with ErrGone.
func (x *exam) namesGone(err error, indices ...int) {
	x.Helper()
	want := make(map[int]error, len(indices))
	for _, i := range indices {
		want[i] = ops.ErrGone
	}
	x.partial(err, want)
}

// "HastenTasks makes delayed and retrying tasks due now."
func hastenedIsLent(x *exam) {
	x.publish(task("a", delay(3*time.Hour)), task("b", delay(time.Hour)))
	x.Advance(tick)
	x.hasten(x.listedAs("a", ops.Delayed))
	x.listedAs("a", ops.Ready)
	d := x.takeOne(x.session())
	same(x, "received", d.ID, "a")
	if d.Waited > time.Minute {
		x.Errorf("it had waited: got %v, want the time of the calls", d.Waited)
	}
	c := x.receiving(ask(x.session()))
	c.blocks()
	x.peer().hasten(x.peer().listedAs("b", ops.Delayed))
	same(x, "received by who waited", ids(c.answer()), []string{"b"})
}

// "Nothing else of them changes."
func hastenedIsAsItWas(x *exam) {
	x.publish(task("a", expires(24*time.Hour)), task("b"))
	s := x.session()
	ds := x.take(s, 2)
	marks := map[string]string{"key": "value"}
	x.settle(stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictRetry, Delay: time.Hour, Marks: marks})
	x.settle(stem.Settlement{Delivery: ds[1], Verdict: stem.VerdictSnooze, Delay: time.Hour})
	x.hasten(x.listedAs("a", ops.Retrying), x.listedAs("b", ops.Delayed))
	for _, d := range x.take(s, 2) {
		switch d.ID {
		case "a":
			x.rises(ds[0], d)
			same(x, "attempt", d.Attempt, 2)
			same(x, "marks", d.Marks, marks)
			if d.StartWithin < 23*time.Hour {
				x.Errorf("time to start: got %v, want nearly a day", d.StartWithin)
			}
		case "b":
			x.rises(ds[1], d)
			same(x, "snoozes", d.Snoozes, 1)
			same(x, "attempt of one that was snoozed", d.Attempt, 1)
		}
	}
	x.nothing()
}

// "A task that has changed its place or state since is named … with ErrGone and left as it is."
func hastenedTooLate(x *exam) {
	x.publish(task("a", delay(time.Hour)), task("b", delay(time.Hour)))
	a, b := x.listedAs("a", ops.Delayed), x.listedAs("b", ops.Delayed)
	x.hasten(a)
	x.namesGone(x.tryHasten(a), 0)
	ready := x.listedAs("a", ops.Ready)
	x.namesGone(x.tryHasten(ready), 0)
	d := x.takeOne(x.session())
	x.namesGone(x.tryHasten(a), 0)
	x.settle(stem.Settlement{Delivery: d, Verdict: stem.VerdictSnooze, Delay: 2 * time.Hour})
	x.Advance(time.Hour + tick)
	same(x, "received", ids(x.take(x.session(), 1)), []string{"b"})
	x.namesGone(x.tryHasten(b), 0)
	x.listedAs("a", ops.Delayed)
}

// "DeleteTasks deletes tasks that wait, in any state but Running."
func deletedInAnyState(x *exam) {
	x.publish(task("unknown", called("strange")))
	x.nothingFor(knowing(x.session(), "exam.task"))
	x.publish(task("retrying"), task("released"))
	ds := x.collect(knowing(x.session(), "exam.task"), 2)
	x.settle(stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictRetry, Delay: time.Hour}, end(ds[1], stem.VerdictRelease))
	x.publish(task("ready"), task("delayed", delay(time.Hour)), task("due", delay(time.Minute)))
	x.Advance(time.Minute + tick)
	for _, waits := range []struct {
		id    string
		state ops.State
	}{
		{"ready", ops.Ready}, {"released", ops.Ready}, {"due", ops.Ready},
		{"delayed", ops.Delayed}, {"retrying", ops.Retrying}, {"unknown", ops.Unknown},
	} {
		x.delete(x.listedAs(waits.id, waits.state))
		x.listedAs(waits.id, "")
	}
	if counts.in(x.Stores) {
		x.counted(queue, stem.QueueCounts{})
	}
	x.Advance(2 * time.Hour)
	x.nothing()
}

// The head of the line, one in the middle and its end go; the others keep their places.
func deletedAmongOthers(x *exam) {
	x.publish(tasks("a", 8)...)
	waiting := x.lists(ops.Ready, named(tasks("a", 8))...)
	x.delete(waiting[0], waiting[3], waiting[4], waiting[7])
	x.publish(task("last"))
	rest := []string{"a-001", "a-002", "a-005", "a-006", "last"}
	x.lists(ops.Ready, rest...)
	if counts.in(x.Stores) {
		x.counted(queue, stem.QueueCounts{Ready: 5})
	}
	s := x.session()
	ds := x.take(s, 5)
	same(x, "received", ids(ds), rest)
	x.settle(ack(ds...)...)
	x.nothing()
}

// A deleted task is forgotten: another one may have its id.
func deletedIsPublished(x *exam) {
	for range 3 {
		x.publish(task("a"))
		x.delete(x.listedAs("a", ops.Ready))
		x.publish(task("a", delay(time.Hour)))
		x.delete(x.listedAs("a", ops.Delayed))
	}
	x.publish(task("a"))
	d := x.takeOne(x.session())
	same(x, "attempt", d.Attempt, 1)
	x.settle(ack(d)...)
	x.nothing()
}

// "Their unique keys are let go, as if they had been cancelled."
func deletedLetsGo(x *exam) {
	for _, options := range [][]func(*stem.Envelope){
		{single}, {single, delay(time.Hour)}, {unique("key", stem.UntilStarted, 0)}, {unique("key", stem.UntilTime, time.Hour)}, {latest},
	} {
		x.publish(task("a", options...))
		x.held("a", "while it waits")
		x.delete(x.listed(ops.TaskQuery{Queue: queue, State: ops.Ready, Limit: 10})...)
		x.delete(x.listed(all(ops.Delayed))...)
		x.publish(task("b", single))
		x.settle(ack(x.takeOne(x.session()))...)
	}
}

// "… and so is one that is on loan."
func loanIsNotDeleted(x *exam) {
	x.publish(tasks("a", 2)...)
	s := x.session()
	ds := x.take(s, 2)
	x.namesGone(x.tryDelete(x.lists(ops.Running, "a-000", "a-001")...), 0, 1)
	same(x, "notices", len(x.extend(s, ds...)), 0)
	x.settle(ack(ds...)...)
}

// "A task that has changed its place or state since …": also one that is back at its place.
func deletedTooLate(x *exam) {
	x.publish(tasks("a", 2)...)
	waiting := x.lists(ops.Ready, "a-000", "a-001")
	s := x.session()
	ds := x.take(s, 2)
	x.namesGone(x.tryDelete(waiting...), 0, 1)
	x.settle(end(ds[0], stem.VerdictRelease))
	x.namesGone(x.tryDelete(waiting...), 0, 1)
	x.settle(ack(ds[1])...)
	x.namesGone(x.tryDelete(waiting...), 0, 1)
	same(x, "received", ids(x.take(s, 1)), []string{"a-000"})
}

// "No running task is deleted": who deletes and who receives at the same time agree on who was first.
func deletedOrLent(x *exam) {
	const many = 40
	for range 5 {
		x.publish(tasks("a", many)...)
		waiting := x.lists(ops.Ready, named(tasks("a", many))...)
		slices.Reverse(waiting)
		deleting := start(x.peer(), func(ctx context.Context) ([]string, error) { return deleteEach(ctx, x.peer().Broker, waiting) })
		s := x.session()
		var lent []string
		for {
			ctx, cancel := context.WithTimeout(x.Context(), quiet)
			req := ask(s)
			req.Max = 3
			ds, _ := x.Broker.Receive(ctx, req)
			cancel()
			if len(ds) == 0 {
				break
			}
			x.settle(ack(ds...)...)
			lent = append(lent, ids(ds)...)
		}
		same(x, "deleted and lent", sorted(slices.Concat(deleting.answer(), lent)), named(tasks("a", many)))
		x.nothing()
	}
}

// deleteEach deletes tasks one by one, and gives the ids of those that were.
func deleteEach(ctx context.Context, broker stem.Broker, tasks []ops.Task) (deleted []string, err error) {
	changer, _ := stem.As[ops.TaskChanger](broker)
	for _, t := range tasks {
		switch err := stem.ItemErr(changer.DeleteTasks(ctx, t), 0); {
		case err == nil:
			deleted = append(deleted, t.ID)
		case !errors.Is(err, ops.ErrGone):
			return nil, err
		}
	}
	return deleted, nil
}

// "A task that has changed … is named by a *stem.PartialError … and left as it is."
func changedInPart(x *exam) {
	x.publish(tasks("a", 3)...)
	x.publish(tasks("later", 3, delay(time.Hour))...)
	waiting := x.lists(ops.Ready, "a-000", "a-001", "a-002")
	later := x.lists(ops.Delayed, "later-000", "later-001", "later-002")
	x.delete(waiting[1], later[1])
	x.namesGone(x.tryDelete(waiting[0], waiting[1], later[1]), 1, 2)
	x.namesGone(x.tryHasten(later[0], later[1]), 1)
	x.namesGone(x.tryDelete(later[2], later[2]), 1)
	same(x, "received", sorted(ids(x.take(x.session(), 2))), []string{"a-002", "later-000"})
	x.Advance(2 * time.Hour)
	same(x, "taken over", sorted(ids(x.take(x.session(), 2))), []string{"a-002", "later-000"})
	same(x, "deleted of no task", x.tryDelete(), nil)
}

// Places are the adapter's own: what a caller makes up is nowhere.
func changedNowhere(x *exam) {
	x.publish(task("a"), task("b", delay(time.Hour)))
	for _, state := range ops.States {
		for _, place := range append([]string{"", rough, hostile}, strange...) {
			made := ops.Task{Envelope: &stem.Envelope{ID: "a", Task: "exam.task", Queue: queue}, State: state, Place: place}
			x.namesGone(x.tryDelete(made), 0)
			x.namesGone(x.tryHasten(made), 0)
		}
	}
	x.listedAs("a", ops.Ready)
	x.listedAs("b", ops.Delayed)
}

// "All methods … answer stem.ErrClosed after Close of the adapter."
func changesAreClosed(x *exam) {
	x.publish(task("a"), task("b", delay(time.Hour)))
	a, b := x.listedAs("a", ops.Ready), x.listedAs("b", ops.Delayed)
	x.close()
	x.closed("hasten", x.tryHasten(b))
	x.closed("delete", x.tryDelete(a))
}
