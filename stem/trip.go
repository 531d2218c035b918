package stem

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// trip is what goes to the store in one round trip. Not every settlement has a
// result.
type trip struct {
	results     []Result
	of          []int // the settlement that each result belongs to
	settlements []Settlement
	call        *lazyContext
}

func (s *settler) prepare(t *trip, batch []ending) {
	t.results = slices.Grow(t.results[:0], len(batch)) // settlements point into it
	t.of = t.of[:0]
	t.settlements = t.settlements[:0]
	for i := range batch {
		e := &batch[i]
		t.settlements = append(t.settlements, Settlement{
			Delivery: *e.loan.Delivery, Verdict: e.verdict, Delay: e.delay, Reason: e.reason,
			Cancelled: e.state == StateCancelled,
		})
		settlement := &t.settlements[i]
		// An ack ends the marks; a release keeps them, but for a turn that the run has had.
		if e.verdict != VerdictAck && (e.verdict != VerdictRelease || e.loan.left[turnMark] == spentTurn) {
			settlement.Marks = e.loan.left
		}
		if e.state != "" && s.saves != nil && e.loan.KeepResult > 0 && e.loan.offers() < noRecord {
			t.results, t.of = append(t.results, e.record()), append(t.of, i)
			settlement.Result = &t.results[len(t.results)-1]
		}
	}
}

// record is the task's record at its end, or as much of it as the store is offered.
func (e *ending) record() Result {
	marks := e.loan.left
	if e.loan.offers() != wholeRecord {
		marks = nil
	}
	r := e.loan.record(e.state, marks)
	r.Payload, r.Failure, r.Ran = e.payload, e.failure, e.ran
	return r
}

// send makes the round trip: results, where they live elsewhere, then what follows, then the
// settlements. What was refused for its result or its links has an error that says so.
func (s *settler) send(t *trip, batch []ending) error {
	held, err := s.save(t)
	if err != nil {
		return err
	}
	held = s.follow(batch, held)
	settlements := t.settlements
	if held != nil {
		settlements = t.without(held)
	}
	if len(settlements) > 0 {
		err = s.end(t, settlements)
	}
	if held != nil {
		return t.join(held, err)
	}
	return err
}

// end settles, with the results where one store does both.
func (s *settler) end(t *trip, settlements []Settlement) error {
	call := s.begin(t)
	defer call.end(nil)
	if s.atomic != nil {
		return blameResults(settlements, s.atomic.SaveAndSettle(call, settlements...))
	}
	return s.w.client.broker.Settle(call, settlements...)
}

// save stores the results where they live elsewhere, and names those settlements that must wait because theirs is
// not stored. A lost lease is no reason to wait: a newer delivery's result stands, and
// the settlement that follows will be refused too.
func (s *settler) save(t *trip) (refused []ItemError, err error) {
	if s.atomic != nil || len(t.results) == 0 {
		return nil, nil
	}
	call := s.begin(t)
	defer call.end(nil)
	if err = s.saves.Save(call, t.results...); err == nil {
		return nil, nil
	}
	if !errors.As(err, new(*PartialError)) {
		return nil, err
	}
	for i, settlement := range t.of {
		if itemErr := ItemErr(err, i); itemErr != nil && !errors.Is(itemErr, ErrLeaseLost) {
			refused = append(refused, ItemError{settlement, &refusedResult{itemErr}})
		}
	}
	return refused, nil
}

// without gives the settlements but those that are held back.
func (t *trip) without(held []ItemError) []Settlement {
	rest := slices.Clone(t.settlements)
	for _, item := range slices.Backward(held) {
		rest = slices.Delete(rest, item.Index, item.Index+1)
	}
	return rest
}

// join gives one error for all settlements: those that are held back, and what became
// of the rest.
func (t *trip) join(held []ItemError, rest error) error {
	items := slices.Clone(held)
	for i, settled := 0, 0; i < len(t.settlements); i++ {
		if named(held, i) {
			continue
		}
		if err := ItemErr(rest, settled); err != nil {
			items = append(items, ItemError{i, err})
		}
		settled++
	}
	slices.SortFunc(items, func(a, b ItemError) int { return cmp.Compare(a.Index, b.Index) })
	return &PartialError{items}
}

// blameResults takes settlements that a store refuses by name, and would save a result
// with, to be refused for that: the rest of a settlement is of the worker's making, and
// always the same.
func blameResults(settlements []Settlement, err error) error {
	if err == nil {
		return nil // without the cost of errors.As
	}
	if !errors.As(err, new(*PartialError)) {
		return err
	}
	var items []ItemError
	for i := range settlements {
		switch itemErr := ItemErr(err, i); {
		case itemErr == nil:
		case settlements[i].Result != nil && !errors.Is(itemErr, ErrLeaseLost) && !errors.Is(itemErr, ErrCompleted):
			items = append(items, ItemError{i, &refusedResult{itemErr}})
		default:
			items = append(items, ItemError{i, itemErr})
		}
	}
	return &PartialError{items}
}

// begin gives the context of the trip's next call.
func (s *settler) begin(t *trip) *lazyContext {
	t.call = t.call.again(s.w.base, s.w.client.cfg.CallTimeout)
	return t.call
}

// refusedResult is why a result was not stored, and its delivery not settled.
type refusedResult struct{ error }

func (e *refusedResult) Unwrap() error { return e.error }

// excused reports whether the record is not to blame: the store may have taken it,
// takes nothing at all, or waits for the handler's own transaction.
func (e *refusedResult) excused() bool { return excused(e.error) }

// excused reports whether an error of one item may have another reason than the item.
func excused(err error) bool {
	return errors.Is(err, ErrUnknownOutcome) || errors.Is(err, ErrBackpressure) || errors.Is(err, ErrTransactionOpen)
}

// refusalPatience is for how long a result is offered to a store that refuses it by
// name, before the store is offered less.
const refusalPatience = time.Minute

// offer is how much of a record a store is offered.
type offer uint8

const (
	wholeRecord offer = iota
	curtailed
	noRecord
)

// refusal is what a worker knows of a record, or of links, that are refused by name.
type refusal struct {
	since    time.Time // zero where the store's last answer was another
	offers   offer     // how much of the record it is offered
	unlinked time.Time // since when what follows is refused; zero where it is not
}

// offers gives how much of the task's record the store is offered.
func (l *loan) offers() offer {
	if l.refusal == nil {
		return wholeRecord
	}
	return l.refusal.offers
}

// refused gives how to try again to settle what the store did not take. A result that it
// has refused for long gives way to a failure that says so, and that one, if need be,
// to no record at all: a task must not stay with its worker for ever.
func (e ending) refused(err error, now time.Time) ending {
	var link *refusedLink
	if errors.As(err, &link) {
		return e.unlinked(link.error, now)
	}
	l, r := e.loan, e.loan.refusal
	if r != nil {
		r.unlinked = time.Time{} // the store's last answer was another
	}
	var result *refusedResult
	switch saidNo := errors.As(err, &result) && !result.excused(); {
	case r == nil && saidNo:
		l.refusal = &refusal{since: now}
	case r == nil:
	case !saidNo:
		r.since = time.Time{}
	case r.since.IsZero():
		r.since = now
	case now.Sub(r.since) >= refusalPatience:
		r.since = now
		if r.offers++; r.offers == curtailed {
			e.judgement = e.curtail(result.error)
		} else {
			l.worker.log.Error("stem: the store takes no record of the task", "task", l.Task, "id", l.ID, "error", result.error)
		}
	}
	return e
}

// curtail gives a judgement that says what became of the run, and no more. A success
// without its result is none to whoever waits for it.
func (j judgement) curtail(err error) judgement {
	if j.state == StateSucceeded {
		failed := dead(&Failure{Kind: FailureUnstored, Message: text(fmt.Sprintf("the result could not be stored: %v", err), longestCurtailed)})
		failed.ran = j.ran
		return failed
	}
	j.failure = &Failure{Kind: j.failure.Kind, Message: text(j.failure.Message, longestCurtailed)}
	return j
}

// longestCurtailed is the longest message of a failure that was too much for a store.
const longestCurtailed = 200
