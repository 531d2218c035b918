package adaptertest

import (
	"errors"
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

var (
	keepsUnique            = brokerHas[stem.UniqueKeeper]("stem.UniqueKeeper")
	keepsUniqueAndRevokes  = capability{"stem.UniqueKeeper or no stem.Revoker", func(s Stores) bool { return keepsUnique.in(s) && revokes.in(s) }}
	keepsUniqueAndSaves    = capability{"stem.UniqueKeeper or no stem.SavingSettler", func(s Stores) bool { return keepsUnique.in(s) && savesAndSettles.in(s) }}
	keepsUniqueAndTransact = capability{"stem.UniqueKeeper, or no Begin in its harness", func(s Stores) bool { return keepsUnique.in(s) && transacts.in(s) }}
)

var uniquePromises = []promise{
	{name: "an envelope whose unique key is held is not stored, and told who holds it", check: conflictIsTold, needs: keepsUnique},
	{name: "a batch may hold an envelope and one with the same unique key", check: conflictInBatch, needs: keepsUnique},
	{name: "unique keys of every allowed form are kept apart, and per queue", check: uniqueKeysDiffer, needs: keepsUnique},
	{name: "of envelopes with one unique key published at the same time one is stored", check: concurrentConflicts, needs: keepsUnique},
	{name: "a unique key is held until the task is done", check: uniqueUntilDone, needs: keepsUnique},
	{name: "a unique key is let go with save-and-settle", check: uniqueUntilSaved, needs: keepsUniqueAndSaves},
	{name: "a refused settlement lets no unique key go", check: refusedKeepsUnique, needs: keepsUnique},
	{name: "a unique key is held until the task starts", check: uniqueUntilStarted, needs: keepsUnique},
	{name: "a unique key of a task that ends without a start is let go", check: uniqueNeverStarted, needs: keepsUnique},
	{name: "a unique key is let go by the end of a task whose start nobody told", check: uniqueUntoldStart, needs: keepsUnique},
	{name: "a unique key is held for a time, also by a task that succeeded", check: uniqueForATime, needs: keepsUnique},
	{name: "a unique key for a time is let go by a dead letter and a cancellation", check: uniqueForNoTime, needs: keepsUnique},
	{name: "a bound ends a unique key, and its holder lets no other go", check: uniqueAtMost, needs: keepsUnique},
	{name: "a revoked task holds no unique key", check: revokedHoldsNothing, needs: keepsUniqueAndRevokes},
	{name: "a task that expired holds no unique key unless it has started", check: expiredHoldsNothing, needs: keepsUnique},
	{name: "a dedupe key is looked at before the unique key, and not kept with a conflict", check: dedupeBeforeUnique, needs: keepsUnique},
	{name: "an envelope in a batch is no duplicate of one whose unique key was held", check: noDuplicateOfConflict, needs: keepsUnique},
	{name: "a task that is replaced is lent as revoked, in favour of another", check: replacedIsRevoked, needs: keepsUnique},
	{name: "a task that was replaced is not revoked any more once it was cancelled", check: replacedIsForgotten, needs: keepsUnique},
	{name: "a task is not replaced by itself", check: notReplacedByItself, needs: keepsUnique},
	{name: "a delayed task that is replaced is lent at once", check: replacedIsDue, needs: keepsUnique},
	{name: "a task that has started is not replaced, and one that came back is", check: startedIsNotReplaced, needs: keepsUnique},
	{name: "a task that was replaced since it was lent must not start", check: replacedMustNotStart, needs: keepsUnique},
	{name: "only a task that may be replaced is", check: mayBeReplaced, needs: keepsUnique},
	{name: "a unique key that a transaction takes is held once it commits", check: uniqueByCommit, needs: keepsUniqueAndTransact},
	{name: "a unique key that a transaction takes is free if it rolls back", check: uniqueRolledBack, needs: keepsUniqueAndTransact},
	{name: "a completion lets the unique key go with its commit", check: uniqueCompleted, needs: keepsUniqueAndTransact},
	{name: "a transaction that is open and takes a key over holds up neither start nor end", check: uniqueWhileOpen, needs: keepsUniqueAndTransact},
	{name: "after close started answers ErrClosed", check: startedIsClosed, needs: keepsUnique},
}

// unique makes an envelope the only one of its key.
func unique(key string, until stem.UniqueUntil, span time.Duration, conflict ...stem.Conflict) func(*stem.Envelope) {
	u := stem.Uniqueness{Key: key, Until: until, For: span}
	if len(conflict) > 0 {
		u.OnConflict = conflict[0]
	}
	return func(e *stem.Envelope) { e.Unique = &u }
}

// single is unique until it is done; latest is too, and replaced by the next.
var (
	single = unique("key", stem.UntilDone, 0)
	latest = unique("key", stem.UntilDone, 0, stem.ConflictReplace)
)

// holder is the answer to an envelope whose unique key that id holds.
func holder(id string) []stem.Published {
	return []stem.Published{{ID: id, Duplicate: true, Conflict: true}}
}

// held expects that the key is held by that id, and that it is no other connection's business.
func (x *exam) held(by, when string, options ...func(*stem.Envelope)) {
	x.Helper()
	if options == nil {
		options = append(options, single)
	}
	same(x, "another one "+when, x.peer().offer(task("another", options...)), holder(by))
}

// started tells that deliveries start and gives the notices.
func (x *exam) started(ds ...stem.Delivery) []stem.Notice {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	keeper, _ := stem.As[stem.UniqueKeeper](x.Broker)
	ns, err := keeper.Started(ctx, ds...)
	if err != nil {
		x.Fatalf("started: got error %v, want none", err)
	}
	return ns
}

// begun tells that deliveries start and expects that all of them may.
func (x *exam) begun(ds ...stem.Delivery) {
	x.Helper()
	if ns := x.started(ds...); len(ns) > 0 {
		x.Fatalf("started: got notices %v, want none", ns)
	}
}

// "An envelope whose unique key another one holds on its queue is not stored either: its
// Published names the holder and tells of a Conflict."
func conflictIsTold(x *exam) {
	x.publish(task("first", single))
	x.Advance(24 * time.Hour)
	x.held("first", "a day later")
	same(x, "received", ids(x.take(x.session(), 1)), []string{"first"})
	x.nothing()
}

// A batch is as good as several calls.
func conflictInBatch(x *exam) {
	got := x.offer(task("first", single), task("plain"), task("second", single), task("third", unique("other", stem.UntilDone, 0)))
	same(x, "published", got, []stem.Published{
		{ID: "first"}, {ID: "plain"}, {ID: "first", Duplicate: true, Conflict: true}, {ID: "third"},
	})
	same(x, "received", ids(x.take(x.session(), 3)), []string{"first", "plain", "third"})
	x.nothing()
}

// "Key is what must be unique on the queue: 1 to MaxKeyLength printable ASCII bytes."
func uniqueKeysDiffer(x *exam) {
	long := fmt.Sprintf("%0*d", stem.MaxKeyLength-1, 0)
	keys := []string{"key", "Key", "key ", " key", "ke", "key:1", "key 1", "*", "k*", punctuation, long + "a", long + "b"}
	for i, key := range keys {
		x.publish(task(fmt.Sprint(i), unique(key, stem.UntilDone, 0)))
	}
	for i, key := range keys {
		x.publish(task(fmt.Sprint("other-", i), unique(key, stem.UntilDone, 0), onQueue("other")))
	}
	for i, key := range keys {
		same(x, "the key "+key, x.offer(task("again", unique(key, stem.UntilDone, 0))), holder(fmt.Sprint(i)))
	}
}

// Whoever comes first wins, and all the others are told about it.
func concurrentConflicts(x *exam) {
	const publishers = 8
	var calls []*call[[]stem.Published]
	for i := range publishers {
		calls = append(calls, x.publishing(tasks(fmt.Sprintf("p%d", i), 1, single)))
	}
	var stored []string
	standing := map[string]bool{}
	for _, c := range calls {
		p := c.answer()[0]
		standing[p.ID] = true
		if !p.Duplicate {
			stored = append(stored, p.ID)
		}
	}
	same(x, "ids that stand", len(standing), 1)
	same(x, "received", ids(x.take(x.session(), 1)), stored)
	x.nothing()
}

// "UntilDone: with the settlement that ends it … Retry, snooze and release keep it, and so do
// crashes."
func uniqueUntilDone(x *exam) {
	for _, v := range []stem.Verdict{stem.VerdictAck, stem.VerdictDeadLetter} {
		id := v.String()
		x.publish(task(id, single, delay(tick)))
		x.held(id, "while it waits for its time")
		x.Advance(2 * tick)
		x.held(id, "while it stands in line")
		s := x.session()
		for _, other := range []stem.Verdict{stem.VerdictRelease, stem.VerdictSnooze, stem.VerdictRetry} {
			d := x.takeOne(s)
			x.held(id, "while it runs")
			x.settle(stem.Settlement{Delivery: d, Verdict: other, Delay: tick})
			x.held(id, "after a "+other.String())
			x.Advance(2 * tick)
			x.held(id, "when it is due after a "+other.String())
		}
		x.takeOne(s)
		x.lapse()
		x.held(id, "after its session has lapsed")
		d := x.takeOne(x.session())
		x.held(id, "after a takeover")
		x.settle(end(d, v))
		x.publish(task("next-"+id, single))
		x.settle(ack(x.takeOne(x.session()))...)
	}
}

// The settlement is the same.
func uniqueUntilSaved(x *exam) {
	x.publish(task("first", single))
	d := x.takeOne(x.session())
	x.held("first", "while it runs")
	ctx, cancel := x.bounded()
	defer cancel()
	both, _ := stem.As[stem.SavingSettler](x.Broker)
	r := stem.Result{ID: "first", Task: d.Task, Queue: queue, State: stem.StateSucceeded, Delivery: d.Number, Attempt: 1, Keep: time.Hour}
	if err := both.SaveAndSettle(ctx, stem.Settlement{Delivery: d, Verdict: stem.VerdictAck, Result: &r}); err != nil {
		x.Fatalf("save and settle: got error %v, want none", err)
	}
	x.publish(task("second", single))
}

// A stale worker ends nothing.
func refusedKeepsUnique(x *exam) {
	x.publish(task("first", single))
	stale := x.takeOne(x.session())
	x.lapse()
	x.takeOne(x.session())
	if err := x.trySettle(ack(stale)...); !errors.Is(stem.ItemErr(err, 0), stem.ErrLeaseLost) {
		x.Fatalf("settle after a takeover: got %v, want %v", err, stem.ErrLeaseLost)
	}
	x.held("first", "after a settlement that was refused")
}

// "UntilStarted: when its handler is about to start."
func uniqueUntilStarted(x *exam) {
	started := unique("key", stem.UntilStarted, 0)
	x.publish(task("first", started))
	d := x.takeOne(x.session())
	x.held("first", "while it is lent", started)
	x.begun(d)
	x.publish(task("second", started))
	x.begun(d) // "it may be repeated"
	x.held("second", "after the start of the first", started)
	x.settle(end(d, stem.VerdictRetry))
	x.held("second", "after a retry of the first", started)
	ds := x.take(x.session(), 2)
	x.begun(ds...)
	x.publish(task("third", started))
	x.settle(ack(ds...)...)
	x.held("third", "after the end of both", started)
}

// Expired and revoked tasks never start.
func uniqueNeverStarted(x *exam) {
	started := unique("key", stem.UntilStarted, 0)
	for _, v := range []stem.Verdict{stem.VerdictAck, stem.VerdictDeadLetter} {
		x.publish(task(v.String(), started))
		s := end(x.takeOne(x.session()), v)
		s.Cancelled = v == stem.VerdictAck
		x.settle(s)
	}
	x.publish(task("next", started))
}

// Whoever runs tasks may not know of keys: what has ended holds none until its start either.
func uniqueUntoldStart(x *exam) {
	started := unique("key", stem.UntilStarted, 0)
	x.publish(task("first", started))
	x.settle(ack(x.takeOne(x.session()))...)
	x.publish(task("second", started))
}

// "UntilTime: For after its publication … a task that succeeded keeps the key."
func uniqueForATime(x *exam) {
	hourly := unique("key", stem.UntilTime, time.Hour)
	x.publish(task("first", hourly))
	x.Advance(30 * time.Minute)
	x.held("first", "while it waits", hourly)
	x.settle(ack(x.takeOne(x.session()))...)
	x.held("first", "after its success", hourly)
	x.Advance(30*time.Minute - 10*tick)
	x.held("first", "shortly before its time is over", hourly)
	x.Advance(11 * tick)
	x.publish(task("second", hourly))
}

// "… or earlier with a dead letter or the settlement of a task that was cancelled."
func uniqueForNoTime(x *exam) {
	hourly := unique("key", stem.UntilTime, time.Hour)
	x.publish(task("first", hourly))
	x.settle(stem.Settlement{Delivery: x.takeOne(x.session()), Verdict: stem.VerdictAck, Cancelled: true})
	x.publish(task("second", hourly))
	x.settle(end(x.takeOne(x.session()), stem.VerdictDeadLetter))
	x.publish(task("third", hourly))
}

// "For is for how long after the publication the key is held at most."
func uniqueAtMost(x *exam) {
	bounded := unique("key", stem.UntilDone, time.Hour)
	x.publish(task("first", bounded))
	d := x.takeOne(x.session())
	x.Advance(30 * time.Minute)
	x.held("first", "before its bound", bounded)
	x.Advance(30*time.Minute + tick)
	x.publish(task("second", bounded))
	x.extend(stem.Session{ID: d.Session, Lease: lease})
	x.settle(ack(d)...)
	x.held("second", "after the end of the first", bounded)
}

// "A holder that has been revoked … holds nothing: the next publish takes the key over."
func revokedHoldsNothing(x *exam) {
	x.publish(task("first", single))
	x.revoke(revocation("first"))
	x.publish(task("second", single, descendant("root", "parent")))
	x.settle(ack(x.takeOne(x.session()))...)
	x.held("second", "after the end of the first")
	x.revoke(familyOf("root"))
	x.publish(task("third", single))
	hourly := unique("hourly", stem.UntilTime, time.Hour)
	x.publish(task("done", hourly))
	x.settle(ack(x.take(x.session(), 3)...)...)
	x.revoke(revocation("done"))
	x.held("done", "when its task was revoked after it was done", hourly)
}

// "… or that is past its ExpiresIn and has not started."
func expiredHoldsNothing(x *exam) {
	x.publish(task("first", single, expires(time.Hour)))
	x.held("first", "before it expires")
	x.Advance(time.Hour + tick)
	x.publish(task("second", single, expires(time.Hour)))
	ds := x.take(x.session(), 2)
	x.begun(ds[1])
	x.Advance(time.Hour + tick)
	x.held("second", "after it has started and would have expired")
	x.extend(stem.Session{ID: ds[1].Session, Lease: lease})
	x.settle(end(ds[1], stem.VerdictRetry))
	x.publish(task("third", single))
}

// "Dedupe keys are looked at first … no dedupe key is kept."
func dedupeBeforeUnique(x *exam) {
	x.publish(task("first", single, deduped("one", window)))
	same(x, "both keys", x.offer(task("second", single, deduped("one", window))), []stem.Published{{ID: "first", Duplicate: true}})
	x.held("first", "with another dedupe key", single, deduped("two", window))
	x.settle(ack(x.takeOne(x.session()))...)
	x.publish(task("third", single, deduped("two", window)))
}

// "Dedupe keys are looked at first … no dedupe key is kept", also where several calls came together: whoever was
// answered with an id that nobody has would wait for it for ever.
func noDuplicateOfConflict(x *exam) {
	x.publish(task("first", single))
	twice := deduped("twice", window)
	got := x.offer(task("a", single, twice), task("b", single, twice), task("c", unique("other", stem.UntilDone, 0), twice), task("d", twice), task("e"))
	same(x, "published", got, append(append(holder("first"), holder("first")...),
		stem.Published{ID: "c"}, stem.Published{ID: "c", Duplicate: true}, stem.Published{ID: "e"}))
	same(x, "received", ids(x.take(x.session(), 3)), []string{"first", "c", "e"})
	x.nothing()
}

// "With ConflictReplace … it is stored in its place, and its Published names the holder in
// Replaces: the holder is revoked."
func replacedIsRevoked(x *exam) {
	x.publish(task("first", latest))
	same(x, "the second", x.peer().offer(task("second", latest)), []stem.Published{{ID: "second", Replaces: "first"}})
	same(x, "the third and fourth", x.offer(task("third", latest), task("fourth", latest)),
		[]stem.Published{{ID: "third", Replaces: "second"}, {ID: "fourth", Replaces: "third"}})
	by := map[string]string{"first": "second", "second": "third", "third": "fourth"}
	var lent []string
	for _, d := range x.take(x.session(), 4) {
		lent = append(lent, d.ID)
		if other := by[d.ID]; d.Revoked != (other != "") || d.Revoked && d.Reason != stem.ReplacedReason(other) {
			x.Errorf("%s: got revoked %t for %q, want it to be replaced by %q", d.ID, d.Revoked, d.Reason, other)
		}
		x.settle(stem.Settlement{Delivery: d, Verdict: stem.VerdictAck, Cancelled: d.Revoked})
		if d.Revoked {
			x.held("fourth", "after "+d.ID+" was cancelled")
		}
	}
	same(x, "number lent", len(lent), 4)
	x.publish(task("fifth", latest))
}

// "The revocation goes with the settlement that cancels the task": of who types all day, nothing piles up.
func replacedIsForgotten(x *exam) {
	x.publish(task("first", latest))
	same(x, "the second", x.offer(task("second", latest)), []stem.Published{{ID: "second", Replaces: "first"}})
	s := x.session()
	ds := x.take(s, 2)
	x.settle(stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictSnooze, Cancelled: true}, ack(ds[1])[0]) // it speaks of an ack alone
	d := x.takeOne(s)
	same(x, "revoked, until it was cancelled", d.Revoked, true)
	x.settle(stem.Settlement{Delivery: d, Verdict: stem.VerdictAck, Cancelled: true})
	x.publish(task("first"))
	same(x, "revoked, though it is another one", x.takeOne(x.session()).Revoked, false)
}

// An id that is published again when its dedupe key is forgotten would be revoked in favour of itself.
func notReplacedByItself(x *exam) {
	x.publish(task("first", latest, delay(time.Hour)))
	x.held("first", "with the same id", func(e *stem.Envelope) { e.ID = "first" }, latest)
	x.Advance(time.Hour + tick)
	same(x, "revoked", x.takeOne(x.session()).Revoked, false)
	x.nothing()
}

// "… and becomes due at once if a delay of its own has kept it waiting."
func replacedIsDue(x *exam) {
	x.publish(task("first", latest, delay(time.Hour), priority(3)), task("beside", delay(time.Hour)))
	same(x, "the second", x.offer(task("second", latest, delay(time.Hour))), []stem.Published{{ID: "second", Replaces: "first"}})
	d := x.takeOne(x.session())
	same(x, "lent at once", []any{d.ID, d.Revoked, d.Priority}, []any{"first", true, 3})
	x.settle(ack(d)...)
	x.nothing()
	x.Advance(time.Hour + tick)
	same(x, "lent later", len(x.take(x.session(), 2)), 2)
	x.nothing()
}

// "Those with ConflictReplace are running from now on, until they are settled: nobody
// replaces them."
func startedIsNotReplaced(x *exam) {
	x.publish(task("first", latest))
	d := x.takeOne(x.session())
	x.begun(d)
	x.held("first", "while it runs", latest)
	x.settle(stem.Settlement{Delivery: d, Verdict: stem.VerdictRetry, Delay: tick})
	same(x, "after a retry", x.offer(task("second", latest)), []stem.Published{{ID: "second", Replaces: "first"}})
}

// "The notices name those that must not run, because they were revoked or replaced since they were
// lent."
func replacedMustNotStart(x *exam) {
	x.publish(task("first", latest), task("beside", unique("other", stem.UntilDone, 0, stem.ConflictReplace)))
	ds := x.take(x.session(), 2)
	same(x, "while it is lent", x.peer().offer(task("second", latest)), []stem.Published{{ID: "second", Replaces: "first"}})
	ns := x.started(ds...)
	if len(ns) != 1 || ns[0].Index != 0 || !errors.Is(ns[0].Cause, stem.ErrRevoked) || ns[0].Reason != stem.ReplacedReason("second") {
		x.Fatalf("started: got notices %v, want that the first was replaced by the second", ns)
	}
	x.settle(stem.Settlement{Delivery: ds[0], Verdict: stem.VerdictAck, Cancelled: true})
	x.settle(ack(ds[1])...)
	x.held("second", "after the first was cancelled")
}

// "… and a holder that said so too."
func mayBeReplaced(x *exam) {
	x.publish(task("first", single))
	x.held("first", "for one that would replace it", latest)
	d := x.takeOne(x.session())
	same(x, "revoked", d.Revoked, false)
}

// A transaction of the user's takes keys as it takes dedupe keys.
func uniqueByCommit(x *exam) {
	tx := x.begin()
	same(x, "in the transaction", x.publishIn(tx, task("first", single), task("second", single)),
		[]stem.Published{{ID: "first"}, {ID: "first", Duplicate: true, Conflict: true}})
	x.committed(tx)
	x.held("first", "after the commit")
	tx = x.begin()
	same(x, "in another transaction", x.publishIn(tx, task("third", single)), holder("first"))
	x.committed(tx)
	same(x, "received", ids(x.take(x.session(), 1)), []string{"first"})
	x.nothing()
}

// What has rolled back never was.
func uniqueRolledBack(x *exam) {
	tx := x.begin()
	x.publishIn(tx, task("first", single))
	x.rolledBack(tx)
	x.publish(task("second", single))
}

// The end of the task is that of its key.
func uniqueCompleted(x *exam) {
	x.publish(task("first", single))
	d := x.takeOne(x.session())
	tx := x.begin()
	x.complete(tx, d)
	x.rolledBack(tx)
	x.held("first", "after a completion that rolled back")
	tx = x.begin()
	x.complete(tx, d)
	x.committed(tx)
	x.publish(task("second", single))
	x.settle(ack(d)...)
	x.held("second", "after the first is settled once more")
	hourly := unique("hourly", stem.UntilTime, time.Hour)
	x.publish(task("timed", hourly))
	ds := x.take(x.session(), 2)
	tx = x.begin()
	x.complete(tx, ds[1])
	x.committed(tx)
	x.held("timed", "after its completion", hourly)
}

// "It waits for no such transaction, and neither does a settlement." What has been let go meanwhile is free, whatever becomes
// of the transaction.
func uniqueWhileOpen(x *exam) {
	for _, commits := range []bool{false, true} {
		first, second := fmt.Sprint("first-", commits), fmt.Sprint("second-", commits)
		x.publish(task(first, latest))
		tx := x.begin()
		takesOver := x.publishIn(tx, task(second, latest))[0].Replaces != "" // one that replaces nothing keeps the rest, too
		d := x.takeOne(x.session())
		for _, n := range x.started(d) {
			if n.Index != 0 || !errors.Is(n.Cause, stem.ErrTransactionOpen) {
				x.Fatalf("started: got %v, want no notice, or ErrTransactionOpen", n)
			}
		}
		x.settle(stem.Settlement{Delivery: d, Verdict: stem.VerdictAck, Cancelled: true})
		if !commits {
			x.rolledBack(tx)
			x.publish(task("third", latest))
			x.settle(ack(x.takeOne(x.session()))...)
			continue
		}
		x.committed(tx)
		if takesOver {
			x.held(second, "after the commit", single)
			same(x, "received", ids(x.take(x.session(), 1)), []string{second})
		}
	}
}

// "After Close of the adapter every method answers ErrClosed."
func startedIsClosed(x *exam) {
	x.publish(task("first", latest))
	d := x.takeOne(x.session())
	keeper, _ := stem.As[stem.UniqueKeeper](x.Broker)
	if err := x.Close(); err != nil {
		x.Fatalf("close: got error %v, want none", err)
	}
	ctx, cancel := x.bounded()
	defer cancel()
	if _, err := keeper.Started(ctx, d); !errors.Is(err, stem.ErrClosed) {
		x.Errorf("started after close: got %v, want %v", err, stem.ErrClosed)
	}
}
