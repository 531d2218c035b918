package adaptertest

import (
	"errors"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
)

var transacts = capability{"Begin in its harness, or no stem.SavingSettler", func(s Stores) bool { return s.Begin != nil && savesAndSettles.in(s) }}

// transactsAndWatches is a store with transactions whose results can be waited for.
var transactsAndWatches = capability{"Begin in its harness, or no stem.SavingSettler or stem.ResultWatcher", func(s Stores) bool { return transacts.in(s) && watches.in(s) }}

var transactionPromises = []promise{
	{name: "what a transaction publishes is lent once it commits", check: publishedByCommit, needs: transacts},
	{name: "what a transaction published that rolls back never was", check: publishedAndRolledBack, needs: transacts},
	{name: "a transaction knows what others published, and what it did itself", check: duplicateInTransaction, needs: transacts},
	{name: "a completion that commits has settled the delivery and saved its result", check: completedByCommit, needs: transacts},
	{name: "await is woken by a completion that commits", check: awaitIsWokenByCompletion, needs: transactsAndWatches},
	{name: "a completion needs no result", check: completedWithoutResult, needs: transacts},
	{name: "a completion that rolls back leaves the delivery as it was", check: completedAndRolledBack, needs: transacts},
	{name: "a completion and what is published with it are there together", check: completedWithChild, needs: transacts},
	{name: "a completion may be repeated in its transaction", check: completedTwice, needs: transacts},
	{name: "another transaction is told that the delivery is completed", check: completedElsewhere, needs: transacts},
	{name: "a delivery that is lent again or settled cannot be completed", check: staleCompletion, needs: transacts},
	{name: "a delivery of another store cannot be completed", check: foreignCompletion, needs: transacts},
	{name: "nobody takes over what an open transaction completes", check: completingIsKept, needs: transacts},
	{name: "while a transaction is open its delivery is not settled and others are", check: completingIsNotSettled, needs: transacts},
	{name: "a completed delivery is settled once more by ack, and by nothing else", check: completedIsSettled, needs: transacts},
	{name: "extend does not call lost what a transaction completes or has completed", check: completedIsNotLost, needs: transacts},
}

// begin begins a transaction.
func (x *exam) begin() Transaction { return x.Begin(x.TB) }

// committed ends a transaction.
func (x *exam) committed(tx Transaction) {
	x.Helper()
	if err := tx.Commit(); err != nil {
		x.Fatalf("commit: got error %v, want none", err)
	}
}

func (x *exam) rolledBack(tx Transaction) {
	x.Helper()
	if err := tx.Rollback(); err != nil {
		x.Fatalf("roll back: got error %v, want none", err)
	}
}

// publishIn publishes in a transaction and gives what became of each envelope.
func (x *exam) publishIn(tx Transaction, envs ...stem.Envelope) []stem.Published {
	x.Helper()
	ctx, cancel := x.bounded()
	defer cancel()
	published, err := tx.Publish(ctx, envs...)
	if err != nil || len(published) != len(envs) {
		x.Fatalf("publish in a transaction: got %d answers and error %v, want %d and none", len(published), err, len(envs))
	}
	return published
}

// tryComplete completes a delivery, with a result if it is given one.
func (x *exam) tryComplete(tx Transaction, d stem.Delivery, rs ...stem.Result) error {
	ctx, cancel := x.bounded()
	defer cancel()
	s := stem.Settlement{Delivery: d, Verdict: stem.VerdictAck}
	if len(rs) > 0 {
		s.Result = &rs[0]
	}
	return tx.Complete(ctx, s)
}

// complete completes a delivery and expects that to be accepted.
func (x *exam) complete(tx Transaction, d stem.Delivery, rs ...stem.Result) {
	x.Helper()
	if err := x.tryComplete(tx, d, rs...); err != nil {
		x.Fatalf("complete: got error %v, want none", err)
	}
}

// gone expects that nothing is lent, now or when all leases have lapsed.
func (x *exam) gone() {
	x.Helper()
	x.nothing()
	x.lapse()
	x.nothing()
}

// "It stores envelopes with the user's own writes."
func publishedByCommit(x *exam) {
	tx := x.begin()
	e := task("a", payload(everyByte()))
	same(x, "published", x.publishIn(tx, e, task("b")), []stem.Published{{ID: "a"}, {ID: "b"}})
	c := x.receiving(ask(x.session()))
	c.blocks()
	x.committed(tx)
	ds := c.answer()
	x.sameEnvelope(ds[0].Envelope, e)
	if len(ds) == 1 {
		ds = append(ds, x.takeOne(x.session()))
	}
	same(x, "received", ids(ds), []string{"a", "b"})
}

// Neither the envelopes nor their dedupe keys are there.
func publishedAndRolledBack(x *exam) {
	tx := x.begin()
	x.publishIn(tx, task("a"), task("b", deduped("key", window)))
	x.rolledBack(tx)
	x.nothing()
	x.publish(task("c", deduped("key", window)))
	same(x, "received", ids(x.take(x.session(), 1)), []string{"c"})
	x.nothing()
}

// "An envelope whose dedupe key was published on its queue within the window is not stored",
// also by a transaction, and after it.
func duplicateInTransaction(x *exam) {
	x.publish(task("first", deduped("one", window)))
	tx := x.begin()
	got := x.publishIn(tx, task("second", deduped("one", window)), task("third", deduped("other", window)), task("fourth", deduped("other", window)))
	got = append(got, x.publishIn(tx, task("fifth", deduped("other", window)))...)
	same(x, "in the transaction", got, []stem.Published{
		{ID: "first", Duplicate: true}, {ID: "third"}, {ID: "third", Duplicate: true}, {ID: "third", Duplicate: true},
	})
	x.committed(tx)
	same(x, "after it", x.offer(task("sixth", deduped("other", window))), []stem.Published{{ID: "third", Duplicate: true}})
	same(x, "received", ids(x.take(x.session(), 2)), []string{"first", "third"})
	x.nothing()
}

// "Complete ends a delivery by VerdictAck in the transaction, and saves s.Result … Nobody
// else sees anything of that before the transaction commits."
func completedByCommit(x *exam) {
	x.publish(task("a"))
	d := x.takeOne(x.session())
	tx := x.begin()
	x.complete(tx, d, of(d))
	x.absent("a")
	x.committed(tx)
	x.stands(of(d))
	x.peer().stands(of(d))
	x.gone()
}

// "Await blocks until the record of id is terminal", whoever has written it.
func awaitIsWokenByCompletion(x *exam) {
	x.publish(task("a"))
	d := x.takeOne(x.session())
	tx := x.begin()
	x.complete(tx, d, of(d))
	c := x.awaiting("a")
	c.blocks()
	x.committed(tx)
	x.sameRecord(c.answer(), of(d))
}

// "… if it has one."
func completedWithoutResult(x *exam) {
	x.publish(task("a"))
	d := x.takeOne(x.session())
	tx := x.begin()
	x.complete(tx, d)
	x.committed(tx)
	x.absent("a")
	x.gone()
}

// "When the transaction has rolled back, everything is as if Complete had not been called."
func completedAndRolledBack(x *exam) {
	s := x.session()
	x.publish(task("settled"), task("lapsed"))
	ds := x.take(s, 2)
	for _, d := range ds {
		tx := x.begin()
		x.complete(tx, d, of(d))
		x.rolledBack(tx)
		x.absent(d.ID)
	}
	same(x, "notices", len(x.extend(s, ds...)), 0)
	x.saveAndSettle(with(of(ds[0], in(stem.StateRetrying)), ds[0], stem.VerdictRetry))
	x.stands(of(ds[0], in(stem.StateRetrying)))
	again := x.takeOne(s)
	x.rises(ds[0], again)
	same(x, "attempt", again.Attempt, 2)
	tx := x.begin()
	x.complete(tx, again, of(again))
	x.committed(tx)
	x.stands(of(again))
	x.lapse()
	x.rises(ds[1], x.takeOne(x.session()))
}

// A transaction is one: of all that it holds nothing is there, or everything.
func completedWithChild(x *exam) {
	x.publish(task("parent"))
	d := x.takeOne(x.session())
	for _, end := range []func(Transaction){x.rolledBack, x.committed} {
		x.absent("parent")
		tx := x.begin()
		x.publishIn(tx, task("child"))
		x.complete(tx, d, of(d))
		x.nothing()
		end(tx)
	}
	x.stands(of(d))
	same(x, "received", ids(x.take(x.session(), 1)), []string{"child"})
	x.nothing()
}

// "Called again in the same transaction it answers nil."
func completedTwice(x *exam) {
	x.publish(task("a"))
	d := x.takeOne(x.session())
	tx := x.begin()
	x.complete(tx, d, of(d))
	x.complete(tx, d, of(d))
	x.committed(tx)
	x.stands(of(d))
	x.gone()
}

// "Where another transaction has completed this very delivery and committed, ErrCompleted."
func completedElsewhere(x *exam) {
	x.publish(tasks("a", 2)...)
	ds := x.take(x.session(), 2)
	first := x.begin()
	x.complete(first, ds[0], of(ds[0]))
	x.complete(first, ds[1])
	x.committed(first)
	for _, d := range ds {
		tx := x.begin()
		if err := x.tryComplete(tx, d, of(d, worker("another"))); !errors.Is(err, stem.ErrCompleted) {
			x.Errorf("complete %s again: got error %v, want %v", d.ID, err, stem.ErrCompleted)
		}
		x.rolledBack(tx)
	}
	x.stands(of(ds[0]))
	x.gone()
}

// "Where the envelope has been lent again or is settled, it answers ErrLeaseLost."
func staleCompletion(x *exam) {
	x.publish(task("lent"))
	old := x.takeOne(x.session())
	x.lapse()
	current := x.takeOne(x.session())
	x.publish(tasks("settled", len(verdicts))...)
	ds := x.take(x.session(), len(verdicts))
	for i, v := range verdicts {
		s := end(ds[i], v)
		s.Delay = time.Hour
		x.settle(s)
	}
	for _, d := range append(ds, old) {
		tx := x.begin()
		if err := x.tryComplete(tx, d, of(d, worker("stale"))); !errors.Is(err, stem.ErrLeaseLost) {
			x.Errorf("complete %s: got error %v, want %v", d.ID, err, stem.ErrLeaseLost)
		}
		x.rolledBack(tx)
		x.absent(d.ID)
	}
	x.settle(ack(current)...)
}

// "A delivery of another store is refused with an *OtherStoreError, and nothing is written."
func foreignCompletion(x *exam) {
	there := x.elsewhere()
	there.publish(task("a"))
	x.publish(task("a"))
	here, foreign := x.takeOne(x.session()), there.takeOne(there.session())
	tx := x.begin()
	var other *stem.OtherStoreError
	if err := x.tryComplete(tx, foreign, of(foreign)); !errors.As(err, &other) {
		x.Errorf("complete: got error %v, want a *OtherStoreError", err)
	} else if strings.TrimSpace(other.Transaction) == "" {
		x.Errorf("complete: got no name of the transaction's store, want one (%v)", err)
	}
	x.rolledBack(tx)
	x.absent("a")
	x.settle(ack(here)...)
	there.settle(ack(foreign)...)
}

// "While the transaction is open, nobody takes the delivery over, also if its session lapses."
func completingIsKept(x *exam) {
	s := x.session()
	x.publish(tasks("a", 2)...)
	ds := x.take(s, 2)
	commits, rollsBack := x.begin(), x.begin()
	x.complete(commits, ds[0], of(ds[0]))
	x.complete(rollsBack, ds[1], of(ds[1]))
	missing := ask(s)
	missing.Recover = true
	x.nothingFor(missing)
	x.lapse()
	x.nothing()
	x.peer().nothing()
	x.committed(commits)
	x.stands(of(ds[0]))
	x.rolledBack(rollsBack)
	x.lapse()
	x.rises(ds[1], x.takeOne(x.session()))
	x.nothing()
}

// "Settle and SaveAndSettle refuse it by name with ErrTransactionOpen, at once, whatever the
// verdict, and handle the rest of their batch: no call of the broker waits for a user's transaction."
func completingIsNotSettled(x *exam) {
	s := x.session()
	x.publish(tasks("a", 2*len(verdicts)+1)...)
	ds := x.take(s, 2*len(verdicts)+1)
	tx := x.begin()
	x.complete(tx, ds[0], of(ds[0]))
	for i, v := range verdicts {
		x.partial(x.trySettle(end(ds[0], v), ack(ds[2*i+1])[0]), map[int]error{0: stem.ErrTransactionOpen})
		err := x.trySaveAndSettle(with(of(ds[2*i+2]), ds[2*i+2], stem.VerdictAck), with(of(ds[0], worker("the other")), ds[0], v))
		x.partial(err, map[int]error{1: stem.ErrTransactionOpen})
	}
	same(x, "notices", len(x.extend(s, ds[0])), 0)
	x.publish(task("b"))
	x.settle(ack(x.takeOne(s))...)
	x.absent(ds[0].ID)
	x.committed(tx)
	x.stands(of(ds[0]), of(ds[2]))
	x.gone()
}

// "VerdictAck is answered nil then, any other verdict with ErrCompleted, and neither
// changes anything: the record of the completion stands."
func completedIsSettled(x *exam) {
	x.publish(tasks("a", 2*len(verdicts))...)
	ds := x.take(x.session(), 2*len(verdicts))
	tx := x.begin()
	for _, d := range ds {
		x.complete(tx, d, of(d))
	}
	x.committed(tx)
	for i, v := range verdicts {
		plain, saved := ds[2*i], ds[2*i+1]
		for n := range 2 { // once more, since an answer may be lost
			x.completed(n, v, x.trySettle(end(plain, v)))
			x.completed(n, v, x.trySaveAndSettle(with(of(saved, worker("the other")), saved, v)))
		}
		x.stands(of(plain), of(saved))
	}
	x.gone()
}

// completed expects the answer that a settlement of a completed delivery gets, the first
// time (0), or when it is repeated.
func (x *exam) completed(n int, v stem.Verdict, err error) {
	x.Helper()
	err = stem.ItemErr(err, 0)
	if n > 0 && (err == nil || errors.Is(err, stem.ErrLeaseLost)) {
		return
	}
	if v == stem.VerdictAck && err != nil || v != stem.VerdictAck && !errors.Is(err, stem.ErrCompleted) {
		x.Errorf("settle what is completed by %v: got error %v, want nil for ack and %v for the rest", v, err, stem.ErrCompleted)
	}
}

// "Extend gives no notice that it is lost", while the transaction is open and after it.
func completedIsNotLost(x *exam) {
	s := x.session()
	x.publish(tasks("a", 3)...)
	ds := x.take(s, 3)
	tx := x.begin()
	x.complete(tx, ds[0], of(ds[0]))
	x.complete(tx, ds[1])
	same(x, "notices while it is open", len(x.extend(s, ds...)), 0)
	x.committed(tx)
	same(x, "notices after the commit", len(x.extend(s, ds...)), 0)
	x.settle(ack(ds...)...)
}
