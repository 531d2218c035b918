package adaptertest

import (
	"errors"
	"fmt"

	"github.com/gostem/gostem/stem"
)

var resultFencePromises = []promise{
	{name: "a higher delivery number replaces a record", check: higherReplaces},
	{name: "a lower delivery number is refused", check: lowerIsRefused},
	{name: "news of one delivery replace each other", check: newsReplaceNews},
	{name: "an outcome replaces news of its delivery", check: outcomeReplacesNews},
	{name: "an outcome is final among equals", check: outcomeIsFinal},
	{name: "the same outcome once more is no error", check: sameOutcomeAgain},
	{name: "a stale record in a batch is named, and the others are saved", check: staleInBatch},
	{name: "a batch may hold several records of one id", check: sameIDInBatch},
	{name: "of savers at the same time the highest number stands", check: concurrentNumbers},
	{name: "of outcomes at the same time one is final", check: concurrentOutcomes},
}

// "A higher one replaces it", whatever stands: the holder of the lease knows best.
func higherReplaces(x *exam) {
	for _, r := range []stem.Result{
		outcome("a", 1, in(stem.StateRunning)), outcome("a", 2), outcome("a", 3, in(stem.StateFailed)),
		outcome("a", 7, in(stem.StateRetrying)), outcome("a", 1<<53-2), outcome("a", 1<<53-1),
	} {
		x.save(r)
		x.stands(r)
	}
}

// "A lower delivery number than the one that stands is refused with
// ErrLeaseLost", whatever its state and attempt.
func lowerIsRefused(x *exam) {
	for _, state := range []stem.State{stem.StateRunning, stem.StateSucceeded} {
		standing := outcome("a-"+string(state), 10, in(state))
		x.save(standing)
		for _, old := range []stem.State{stem.StateRunning, stem.StateRetrying, stem.StateSucceeded, stem.StateFailed, stem.StateCancelled} {
			x.lost(x.trySave(outcome(standing.ID, 9, in(old))), 0)
			x.lost(x.peer().trySave(outcome(standing.ID, 2, in(old))), 0)
		}
		x.stands(standing)
	}
}

// Only a terminal state is final: news come one after the other.
func newsReplaceNews(x *exam) {
	x.save(outcome("a", 1, in(stem.StateRunning)))
	half := outcome("a", 1, in(stem.StateRunning))
	half.Progress = &stem.ProgressReport{Percent: 50, Message: "half"}
	x.save(half)
	x.stands(half)
	retrying := outcome("a", 1, in(stem.StateRetrying))
	x.save(retrying)
	x.stands(retrying)
}

// The last news of a delivery is how it ended.
func outcomeReplacesNews(x *exam) {
	for _, state := range []stem.State{stem.StateSucceeded, stem.StateFailed, stem.StateCancelled} {
		r := outcome(string(state), 3, in(state))
		x.save(outcome(r.ID, 3, in(stem.StateRunning)))
		x.save(r)
		x.stands(r)
	}
}

// "Among equals a terminal state is final (… another one is refused)."
func outcomeIsFinal(x *exam) {
	first := outcome("a", 1)
	x.save(first)
	for _, r := range []stem.Result{
		outcome("a", 1, in(stem.StateFailed)), outcome("a", 1, in(stem.StateCancelled)),
		outcome("a", 1, in(stem.StateRunning)), outcome("a", 1, in(stem.StateRetrying)),
	} {
		x.lost(x.trySave(r), 0)
		x.lost(x.peer().trySave(r), 0)
	}
	x.stands(first)
}

// "The same terminal record once more is not an error": an answer may be lost.
func sameOutcomeAgain(x *exam) {
	for _, state := range []stem.State{stem.StateSucceeded, stem.StateFailed} {
		r := outcome(string(state), 1, in(state))
		if state == stem.StateFailed {
			r.Failure = &stem.Failure{Kind: stem.FailureError, Message: rough}
		}
		x.save(r)
		x.save(r)
		x.peer().save(r)
		x.stands(r)
	}
}

// "A method that gets a batch handles every item that it can; those that it
// could not are named by a *PartialError."
func staleInBatch(x *exam) {
	x.save(outcome("b", 5), outcome("d", 5))
	x.lost(x.trySave(outcome("a", 1), outcome("b", 4), outcome("c", 1), outcome("d", 1), outcome("e", 1)), 1, 3)
	x.stands(outcome("a", 1), outcome("b", 5), outcome("c", 1), outcome("d", 5), outcome("e", 1))
}

// A batch is as good as several calls: each record meets those before it.
func sameIDInBatch(x *exam) {
	x.lost(x.trySave(
		outcome("a", 1, in(stem.StateRunning)), outcome("b", 2), outcome("a", 1),
		outcome("b", 1), outcome("a", 1, in(stem.StateRunning)),
	), 3, 4)
	x.stands(outcome("a", 1), outcome("b", 2))
}

// The fence holds between writers that do not know of each other.
func concurrentNumbers(x *exam) {
	const rounds, savers = 10, 8
	for round := range rounds {
		highest := int64((round + 1) * savers)
		var calls []*call[none]
		for i := range int64(savers) {
			calls = append(calls, x.saving(outcome("a", highest-i)))
		}
		for i, c := range calls {
			_, err := c.end()
			x.nilOrLost(fmt.Sprintf("saver %d", i), err, 0)
		}
		x.stands(outcome("a", highest))
	}
}

// "The first to reach it wins and the loser is told."
func concurrentOutcomes(x *exam) {
	const savers = 8
	var calls []*call[none]
	for i := range savers {
		calls = append(calls, x.saving(outcome("a", 1, worker(fmt.Sprint(i)))))
	}
	var winners []int
	for i, c := range calls {
		if _, err := c.end(); err == nil {
			winners = append(winners, i)
		} else if !errors.Is(err, stem.ErrLeaseLost) {
			x.Errorf("saver %d: got error %v, want nil or %v", i, err, stem.ErrLeaseLost)
		}
	}
	if len(winners) != 1 {
		x.Fatalf("savers that won: got %v, want one", winners)
	}
	x.stands(outcome("a", 1, worker(fmt.Sprint(winners[0]))))
}
