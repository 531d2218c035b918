package stem

import (
	"errors"
	"reflect"
	"sync"
	"time"
)

// ending is a loan with the judgement that ends it.
type ending struct {
	loan *loan
	judgement
}

// leastUnsettled is how many endings may be on their way at any rate: with few slots and short tasks more than two
// for each slot make a round trip worth its while.
const leastUnsettled = 512

// settler commits endings in groups: what arrives while one round trip is under
// way goes with the next. It has no goroutine of its own as long as nothing
// fails: a slot that finds the line free carries until nothing is left. Results
// are saved, and what follows is published (see follow.go), before their deliveries are settled; results
// may be saved with that in one atomic step, where one store does both.
type settler struct {
	w      *Worker
	saves  Backend       // nil: results are dropped
	atomic SavingSettler // nil: two steps

	mu       sync.Mutex
	most     int        // on their way at the same time; beyond that slots wait
	faulty   int        // of those that the store refuses, the same
	progress *sync.Cond // something was settled or has failed
	busy     bool
	onWay    int
	pending  []ending
	batch    []ending // the carrier's own
	failed   failed
	trip     trip // the carrier's own
}

func newSettler(w *Worker, slots int) *settler {
	s := &settler{w: w, saves: w.client.cfg.Backend}
	s.progress = sync.NewCond(&s.mu)
	s.resize(slots)
	if both, ok := As[SavingSettler](w.client.broker); ok {
		if other, ok := As[SavingSettler](s.saves); ok && identical(both, other) {
			s.atomic = both
		}
	}
	return s
}

// resize makes it a settler for so many slots.
func (s *settler) resize(slots int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.most, s.faulty = max(2*slots, leastUnsettled), 2*slots+spareFailures
	s.progress.Broadcast() // there may be room for who waits
}

// identical reports whether two stores are one. Stores of a type that cannot be
// compared are not.
func identical(a, b SavingSettler) bool {
	return reflect.TypeOf(a).Comparable() && reflect.TypeOf(b).Comparable() && a == b
}

// settle takes an ending and returns when few enough are on their way; the
// ending itself may be committed later, by another slot.
func (s *settler) settle(e ending) {
	if !s.enter(e) {
		return // somebody else carries
	}
	for s.load() {
		again, err := s.try(&s.trip, s.batch)
		s.unload(again, err)
	}
}

// enter waits for room, puts the ending among those that are to be committed, and
// reports whether the caller is to carry.
func (s *settler) enter(e ending) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.onWay >= s.most || len(s.failed.endings) >= s.faulty {
		s.progress.Wait()
	}
	s.onWay++
	s.pending = append(s.pending, e)
	carries := !s.busy
	s.busy = true
	return carries
}

// load makes what is pending the next batch, and reports whether there is any.
// The carrier's work ends where there is none.
func (s *settler) load() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending, s.batch = s.batch[:0], s.pending
	s.busy = len(s.batch) > 0
	return s.busy
}

// unload ends the batch and hands what has failed to the retrier.
func (s *settler) unload(again []ending, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onWay -= len(s.batch)
	clear(s.batch)
	s.batch = s.batch[:0]
	s.fail(again, err)
	s.progress.Broadcast()
}

// now commits endings in a round trip of their own, and reports whether that went
// well; what has failed is tried again.
func (s *settler) now(endings []ending) bool {
	var own trip
	again, err := s.try(&own, endings)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail(again, err)
	return err == nil
}

// try makes one round trip with the batch, takes leave of what is settled or
// lost, and answers what must be tried again, with the first error.
func (s *settler) try(t *trip, batch []ending) (again []ending, first error) {
	if s.w.stops.over.raised() {
		s.w.held.remove(batch)
		return nil, nil // the session lapses, and the tasks run elsewhere
	}
	s.prepare(t, batch)
	err := s.send(t, batch)
	clear(t.results)
	clear(t.settlements)
	if err == nil {
		s.w.held.remove(batch)
		s.w.tally.add(batch)
		for _, e := range batch {
			s.tellEnd(e)
		}
		return nil, nil
	}
	if errors.Is(err, ErrClosed) {
		s.w.log.Error("stem: the store is closed, finished tasks are left unsettled", "tasks", len(batch))
		s.w.observe.tell(s.w.base, StoreFailed{Operation: "settle", Err: err})
		s.w.held.remove(batch)
		return nil, nil
	}
	if errors.Is(err, ErrUnknownOutcome) || !errors.As(err, new(*PartialError)) {
		s.w.doubt()
	}
	for i, e := range batch {
		tell := s.tellEnd
		switch itemErr := ItemErr(err, i); {
		case itemErr == nil:
			s.w.tally.add(batch[i : i+1])
		case errors.Is(itemErr, ErrLeaseLost):
			tell = s.tellLost
		case errors.Is(itemErr, ErrCompleted):
			tell = s.tellCompleted
		default:
			again = append(again, e.refused(itemErr, time.Now()))
			if first == nil {
				first = itemErr
			}
			continue
		}
		s.w.held.remove(batch[i : i+1])
		tell(e)
	}
	return again, first
}

// tellLost tells that the store refused a settlement: an earlier try whose answer
// was lost has settled it, or the lease is lost. Neither is a reason to run again.
func (s *settler) tellLost(e ending) {
	w, l := s.w, e.loan
	w.log.Warn("stem: the end of a run was refused, the task has been settled or lent again",
		"task", l.Task, "id", l.ID, "delivery", l.Number)
	w.observe.tell(w.base, LeaseLost{l.ref()})
}

// tellEnd logs and tells how a run ended, once the store has accepted it.
func (s *settler) tellEnd(e ending) {
	w, l := s.w, e.loan
	if l.Links != nil && e.inDoubt() {
		s.followLate(e)
	}
	switch e.verdict {
	case VerdictRetry:
		w.log.Warn("stem: task failed and is retried", "task", l.Task, "id", l.ID, "attempt", l.Attempt,
			"retry_in", e.delay.Round(time.Millisecond), "kind", e.failure.Kind, "error", e.failure.inLog())
	case VerdictDeadLetter:
		w.log.Error("stem: task failed and is a dead letter", "task", l.Task, "id", l.ID, "attempt", l.Attempt,
			"kind", e.failure.Kind, "error", e.failure.inLog())
	}
	if w.observe.on() {
		w.observe.tell(w.base, e.event())
	}
}

// inLog gives the message, and of a panic where it happened. The stack is in the record.
func (f *Failure) inLog() string {
	if at := panickedAt(f.Stack); at != "" {
		return f.Message + ", at " + at
	}
	return f.Message
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
