package adaptertest

import (
	"errors"

	"github.com/gostem/gostem/stem"
)

var savesAndSettles = brokerHas[stem.SavingSettler]("stem.SavingSettler")

var savingSettlerPromises = []promise{
	{name: "broker and backend have the same SavingSettler", check: sameSavingSettler, needs: savesAndSettles},
	{name: "a result and its settlement are both there", check: bothAreThere, needs: savesAndSettles},
	{name: "a lost delivery leaves no result", check: lostLeavesNoResult, needs: savesAndSettles},
	{name: "a result that is refused does not keep its delivery from being settled", check: refusedResultIsNoObstacle, needs: savesAndSettles},
	{name: "a settlement needs no result", check: settlesWithoutResult, needs: savesAndSettles},
	{name: "a plain settlement saves no result", check: settleSavesNothing, needs: savesAndSettles},
	{name: "of a batch of results and settlements each pair stands for itself", check: pairsStandAlone, needs: savesAndSettles},
	{name: "every verdict may have a result", check: verdictsWithResult, needs: savesAndSettles},
	{name: "a saved settlement that is repeated changes nothing", check: repeatedPair, needs: savesAndSettles},
	{name: "after close SaveAndSettle answers ErrClosed", check: savingSettlerIsClosed, needs: savesAndSettles},
}

// trySaveAndSettle saves and settles and gives the answer.
func (x *exam) trySaveAndSettle(ss ...stem.Settlement) error {
	ctx, cancel := x.bounded()
	defer cancel()
	settler, _ := stem.As[stem.SavingSettler](x.Broker)
	return settler.SaveAndSettle(ctx, ss...)
}

// saveAndSettle saves and settles and expects that to be accepted.
func (x *exam) saveAndSettle(ss ...stem.Settlement) {
	x.Helper()
	if err := x.trySaveAndSettle(ss...); err != nil {
		x.Fatalf("save and settle: got error %v, want none", err)
	}
}

// of gives the outcome that a delivery writes.
func of(d stem.Delivery, options ...func(*stem.Result)) stem.Result {
	r := outcome(d.ID, d.Number, options...)
	r.Attempt = d.Attempt
	return r
}

// with gives the settlement of a delivery that has a result.
func with(r stem.Result, d stem.Delivery, v stem.Verdict) stem.Settlement {
	s := end(d, v)
	s.Result = &r
	return s
}

// "It is used where As finds the same SavingSettler behind both."
func sameSavingSettler(x *exam) {
	broker, _ := stem.As[stem.SavingSettler](x.Broker)
	backend, ok := stem.As[stem.SavingSettler](x.Backend)
	if !ok || broker != backend {
		x.Errorf("SavingSettler behind the backend: got %T, want that of the broker, %T", backend, broker)
	}
}

// "SaveAndSettle does what Save of the results and Settle would."
func bothAreThere(x *exam) {
	x.publish(task("a"))
	d := x.takeOne(x.session())
	x.saveAndSettle(with(of(d), d, stem.VerdictAck))
	x.stands(of(d))
	x.nothing()
	x.lapse()
	x.nothing()
}

// "A refused settlement leaves no result."
func lostLeavesNoResult(x *exam) {
	x.publish(task("a"))
	old := x.takeOne(x.session())
	x.lapse()
	current := x.takeOne(x.session())
	for _, v := range verdicts {
		x.lost(x.trySaveAndSettle(with(of(old), old, v)), 0)
		x.absent("a")
	}
	x.saveAndSettle(with(of(current), current, stem.VerdictAck))
	x.stands(of(current))
}

// "A result that Save would refuse (a newer delivery's stands) does not keep
// its delivery from being settled."
func refusedResultIsNoObstacle(x *exam) {
	x.publish(tasks("a", 2)...)
	ds := x.take(x.session(), 2)
	newer := outcome(ds[0].ID, ds[0].Number+1)
	x.save(newer)
	x.saveAndSettle(with(of(ds[0], in(stem.StateFailed)), ds[0], stem.VerdictAck), with(of(ds[1]), ds[1], stem.VerdictAck))
	x.stands(newer, of(ds[1]))
	x.nothing()
	x.lapse()
	x.nothing()
}

// "Result is the record that SavingSettler saves with the settlement, nil for none."
func settlesWithoutResult(x *exam) {
	x.publish(tasks("a", 2)...)
	ds := x.take(x.session(), 2)
	x.saveAndSettle(ack(ds[0])...)
	x.saveAndSettle()
	x.absent("a-000")
	x.saveAndSettle(end(ds[1], stem.VerdictRelease))
	same(x, "received", ids(x.take(x.session(), 1)), []string{"a-001"})
	x.nothing()
}

// "Settle does not look at it."
func settleSavesNothing(x *exam) {
	x.publish(task("a"))
	d := x.takeOne(x.session())
	x.settle(with(of(d), d, stem.VerdictAck))
	x.absent("a")
}

// "A method that gets a batch handles every item that it can; those that it
// could not are named by a *PartialError."
func pairsStandAlone(x *exam) {
	x.publish(task("robbed"))
	s := x.session()
	robbed := x.takeOne(s)
	x.lapse()
	x.takeOne(x.session())
	x.publish(tasks("a", 3)...)
	ds := x.take(s, 3)
	x.lost(x.trySaveAndSettle(
		with(of(ds[0]), ds[0], stem.VerdictAck), end(ds[1], stem.VerdictAck),
		with(of(robbed), robbed, stem.VerdictAck), with(of(ds[2]), ds[2], stem.VerdictAck),
	), 2)
	x.stands(of(ds[0]), of(ds[2]))
	x.absent("a-001")
	x.absent("robbed")
	x.nothing()
}

// A retry leaves news, a dead letter the outcome.
func verdictsWithResult(x *exam) {
	states := map[stem.Verdict]stem.State{
		stem.VerdictAck: stem.StateSucceeded, stem.VerdictRetry: stem.StateRetrying, stem.VerdictSnooze: stem.StateRetrying,
		stem.VerdictDeadLetter: stem.StateFailed, stem.VerdictRelease: stem.StateRetrying,
	}
	x.publish(tasks("a", len(verdicts))...)
	ds := x.take(x.session(), len(verdicts))
	var rs []stem.Result
	var ss []stem.Settlement
	for i, v := range verdicts {
		rs = append(rs, of(ds[i], in(states[v])))
		ss = append(ss, with(rs[i], ds[i], v))
	}
	x.saveAndSettle(ss...)
	x.stands(rs...)
	same(x, "envelopes that came back", len(x.take(x.session(), 3)), 3)
	x.nothing()
}

// "A settlement that is repeated answers nil …, else ErrLeaseLost"; the result
// of the first stands either way.
func repeatedPair(x *exam) {
	x.publish(task("a"))
	d := x.takeOne(x.session())
	s := with(of(d), d, stem.VerdictAck)
	x.saveAndSettle(s)
	x.nilOrLost("repeated", x.trySaveAndSettle(s), 0)
	x.stands(of(d))
	x.lost(x.trySaveAndSettle(with(of(d, in(stem.StateFailed)), d, stem.VerdictDeadLetter)), 0)
	x.stands(of(d))
	x.nothing()
}

// "After Close of the adapter every method answers ErrClosed."
func savingSettlerIsClosed(x *exam) {
	x.publish(task("a"))
	d := x.takeOne(x.session())
	x.close()
	if err := x.trySaveAndSettle(with(of(d), d, stem.VerdictAck)); !errors.Is(err, stem.ErrClosed) {
		x.Errorf("save and settle after close: got error %v, want %v", err, stem.ErrClosed)
	}
}
