package stem

import "sync/atomic"

// How a run can end, as far as it is counted.
const (
	endSucceeded = iota
	endFailed
	endCancelled
	endRetried
	endSnoozed
	endReleased
	endKinds
)

// tally counts how runs have ended, for each of a worker's queues.
type tally struct {
	at     map[string]int // the place of a queue
	counts []endCounts
}

type endCounts [endKinds]atomic.Int64

func newTally(queues []string) tally {
	t := tally{make(map[string]int, len(queues)), make([]endCounts, len(queues))}
	for i, queue := range queues {
		t.at[queue] = i
	}
	return t
}

// add counts what has been settled together. That is most often of one queue and ended in one way, and costs
// one addition then.
func (t *tally) add(batch []ending) {
	for len(batch) > 0 {
		queue, n := batch[0].loan.Queue, 0
		var ends [endKinds]int64
		for n < len(batch) && batch[n].loan.Queue == queue {
			ends[batch[n].kind()]++
			n++
		}
		batch = batch[n:]
		counts := &t.counts[t.at[queue]]
		for kind, n := range ends {
			if n > 0 {
				counts[kind].Add(n)
			}
		}
	}
}

func (e *ending) kind() int {
	switch {
	case e.verdict == VerdictRetry:
		return endRetried
	case e.verdict == VerdictSnooze:
		return endSnoozed
	case e.verdict == VerdictRelease:
		return endReleased
	case e.verdict == VerdictDeadLetter:
		return endFailed
	case e.state == StateCancelled:
		return endCancelled
	default:
		return endSucceeded
	}
}

// of gives how many runs have ended so, on all queues.
func (t *tally) of(kind int) (n int64) {
	for i := range t.counts {
		n += t.counts[i][kind].Load()
	}
	return n
}

// ended gives how many tasks of a queue have ended for good.
func (c *endCounts) ended() int64 {
	return c[endSucceeded].Load() + c[endFailed].Load() + c[endCancelled].Load()
}
