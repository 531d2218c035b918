package stem

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// ending is a loan with the judgement that ends it.
type ending struct {
	loan *loan
	judgement
}

// settler commits endings in groups: what arrives while one round trip is under
// way goes with the next. It has no goroutine of its own: a slot that finds the
// line free carries until nothing is left. Results are saved before their
// deliveries are settled, or with them in one atomic step where one store does both.
type settler struct {
	w      *Worker
	saves  Backend       // nil: results are dropped
	atomic SavingSettler // nil: two steps
	most   int           // unsettled at the same time; beyond that slots wait

	mu        sync.Mutex
	settled   *sync.Cond
	busy      bool
	unsettled int
	pending   []ending
	batch     []ending // the carrier's own

	// The carrier's own.
	results     []Result
	settlements []Settlement
}

func newSettler(w *Worker, most int) *settler {
	s := &settler{w: w, saves: w.client.cfg.Backend, most: most}
	s.settled = sync.NewCond(&s.mu)
	both, ok := As[SavingSettler](w.client.broker)
	if other, same := As[SavingSettler](s.saves); ok && same && both == other {
		s.atomic = both
	}
	return s
}

// settle takes an ending and returns once fewer than most are unsettled with
// it; the ending itself may be committed later, by another slot.
func (s *settler) settle(e ending) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.unsettled >= s.most {
		s.settled.Wait()
	}
	s.unsettled++
	s.pending = append(s.pending, e)
	if s.busy {
		return
	}
	s.busy = true
	for len(s.pending) > 0 {
		s.pending, s.batch = s.batch[:0], s.pending
		s.mu.Unlock()
		s.commit(s.batch)
		s.mu.Lock()
		s.unsettled -= len(s.batch)
		clear(s.batch)
		s.settled.Broadcast()
	}
	s.busy = false
}

// commit saves and settles a batch, trying again for as long as the worker
// lives: as long as its session does, nobody else would end these deliveries.
func (s *settler) commit(batch []ending) {
	var failing stall
	left := batch
	for {
		again := s.try(left)
		if len(again) == 0 {
			break
		}
		wait := failing.next()
		s.w.storeFailed(s.w.base, "settle", again[0].err, wait)
		if !sleep(s.w.hard, wait) {
			break // the session lapses, and the tasks run elsewhere
		}
		left = left[:0:0]
		for _, a := range again {
			left = append(left, a.ending)
		}
	}
	s.w.held.remove(batch)
}

type attempt struct {
	ending
	err error
}

// try makes one attempt and answers what must be tried again.
func (s *settler) try(batch []ending) (again []attempt) {
	if s.w.hard.Err() != nil {
		return nil
	}
	s.prepare(batch)
	err := s.send()
	for i, e := range batch {
		switch itemErr := ItemErr(err, i); {
		case itemErr == nil:
			s.tellEnd(e)
		case errors.Is(itemErr, ErrLeaseLost):
			// Settled by an earlier try whose answer was lost, or lost: never
			// a reason to run again.
			s.w.log.Warn("stem: the end of a run was refused, the task has been settled or lent again",
				"task", e.loan.Task, "id", e.loan.ID, "delivery", e.loan.Number)
			s.w.observe.tell(s.w.base, LeaseLost{e.loan.ref()})
		default:
			again = append(again, attempt{e, itemErr})
		}
	}
	clear(s.results)
	clear(s.settlements)
	return again
}

// prepare fills in results and settlements. Not every settlement has a result.
func (s *settler) prepare(batch []ending) {
	s.results, s.settlements = s.results[:0], s.settlements[:0]
	s.results = slices.Grow(s.results, len(batch)) // settlements point into it
	for _, e := range batch {
		settlement := Settlement{
			Delivery: e.loan.Delivery, Verdict: e.verdict, Delay: e.delay, Reason: e.reason,
		}
		if e.state != "" && s.saves != nil && e.loan.KeepResult > 0 {
			r := e.loan.record(e.state)
			r.Payload, r.Failure, r.Ran = e.payload, e.failure, e.ran
			s.results = append(s.results, r)
			settlement.Result = &s.results[len(s.results)-1]
		}
		s.settlements = append(s.settlements, settlement)
	}
}

// send makes the round trip, or two where results live elsewhere.
func (s *settler) send() error {
	if s.atomic != nil {
		call := s.bound()
		defer call.release()
		return s.atomic.SaveAndSettle(call, s.settlements...)
	}
	if err := s.save(); err != nil {
		return err
	}
	call := s.bound()
	defer call.release()
	return s.w.client.broker.Settle(call, s.settlements...)
}

// save stores the results. One that is refused is no error here: a newer
// delivery's stands, and the settlement that follows will be refused too.
func (s *settler) save() error {
	if len(s.results) == 0 {
		return nil
	}
	call := s.bound()
	defer call.release()
	err := s.saves.Save(call, s.results...)
	var partial *PartialError
	if !errors.As(err, &partial) {
		return err
	}
	for _, item := range partial.Items {
		if !errors.Is(item.Err, ErrLeaseLost) {
			return item.Err // nothing is settled whose result is not saved; all of it is tried again
		}
	}
	return nil
}

func (s *settler) bound() *boundContext {
	return bound(context.WithoutCancel(s.w.base), s.w.client.cfg.CallTimeout)
}

// tellEnd logs and tells how a run ended, once the store has accepted it.
func (s *settler) tellEnd(e ending) {
	w, l := s.w, e.loan
	switch e.verdict {
	case VerdictRetry:
		w.log.Warn("stem: task failed and is retried", "task", l.Task, "id", l.ID, "attempt", l.Attempt,
			"retry_in", e.delay.Round(time.Millisecond), "kind", e.failure.Kind, "error", e.failure.Message)
	case VerdictDeadLetter:
		w.log.Error("stem: task failed and is a dead letter", "task", l.Task, "id", l.ID, "attempt", l.Attempt,
			"kind", e.failure.Kind, "error", e.failure.Message)
	}
	if w.observe.on() {
		w.observe.tell(w.base, e.event())
	}
}

func (e ending) event() Event {
	ref := e.loan.ref()
	switch {
	case e.verdict == VerdictRetry:
		return TaskRetrying{TaskRef: ref, Ran: e.ran, Failure: *e.failure, Delay: e.delay}
	case e.verdict == VerdictSnooze:
		return TaskSnoozed{TaskRef: ref, Delay: e.delay}
	case e.verdict == VerdictDeadLetter:
		return TaskFailed{TaskRef: ref, Ran: e.ran, Failure: *e.failure}
	case e.verdict == VerdictRelease:
		return TaskReleased{TaskRef: ref}
	case e.state == StateCancelled:
		return TaskCancelled{TaskRef: ref, Failure: *e.failure}
	default:
		return TaskSucceeded{TaskRef: ref, Ran: e.ran}
	}
}
