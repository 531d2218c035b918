package ops

import (
	"fmt"
	"slices"
	"time"

	"github.com/gostem/gostem/stem"
)

// Reason is one for which a task waits.
type Reason struct {
	// Code is one of the Why constants, for programs, and Text says it to a person.
	Code, Text string
}

// The reasons for which a task waits.
const (
	WhyMalformed     = "malformed"      // its bytes cannot be read
	WhyRevoked       = "revoked"        // it was revoked, and waits for a worker to say so
	WhyExpired       = "expired"        // it is too late for it to start, and it waits for a worker to say so
	WhyPaused        = "paused"         // its queue is paused
	WhyNoWorker      = "no-worker"      // no worker serves its queue
	WhyUnknownTask   = "unknown-task"   // no worker of its queue has registered it
	WhyUnknownSchema = "unknown-schema" // no worker of its queue was built for its args
	WhyWorkerLost    = "worker-lost"    // its worker was lost
	WhyLimit         = "limit"          // as many run, or have begun, as may
	WhyNotDue        = "not-due"        // it is due later
	WhyBehind        = "behind"         // it waits for a free slot
)

// facts are what why judges by, beside the task.
type facts struct {
	counts  stem.QueueCounts
	workers []stem.WorkerInfo
	revoked bool
	reason  string // of the revocation
}

// why tells why a task waits: first what somebody must do something about, last what only takes time.
func why(t *Task, f facts) (reasons []Reason) {
	add := func(code, format string, args ...any) {
		reasons = append(reasons, Reason{code, fmt.Sprintf(format, args...)})
	}
	lost := t.Session != "" && t.Lapses.Before(t.Now)
	if t.State == Running && !lost {
		return nil
	}
	if t.Malformed != nil {
		add(WhyMalformed, "its bytes cannot be read (%v): the worker that receives it sets it aside as a dead letter", t.Malformed)
	}
	if f.revoked {
		add(WhyRevoked, "it was revoked%s: the worker that receives it cancels it", because(f.reason))
	}
	if late := t.expired(); late > 0 {
		add(WhyExpired, "it should have started %s ago: the worker that receives it cancels it", round(late))
	}
	if f.counts.Paused {
		add(WhyPaused, "queue %s is paused until it is resumed", t.Queue)
	}
	reasons = append(reasons, whyNobody(t, f)...)
	if lost {
		add(WhyWorkerLost, "its worker was last heard of in time to hold it until %s ago: it runs again as soon as a worker of the queue has a free slot", round(t.Now.Sub(t.Lapses)))
	}
	switch t.State {
	case Delayed, Retrying:
		reasons = append(reasons, whyLater(t))
	case Ready:
		if len(reasons) == 0 {
			add(WhyBehind, "it waits for a free slot: tasks of queue %s that are ready: %d, that run: %d", t.Queue, f.counts.Ready, f.counts.Running)
		}
	}
	return reasons
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

// expired gives for how long it has been too late for the task to start, as far as the store knows when it was published.
func (t *Task) expired() time.Duration {
	if t.ExpiresIn == 0 || t.Published.IsZero() {
		return 0
	}
	return t.Now.Sub(t.Published.Add(t.ExpiresIn))
}

// whyLater tells what a task waits for that is due later.
func whyLater(t *Task) Reason {
	left := round(t.Due.Sub(t.Now))
	switch turn := t.Marks[turnMark]; {
	case turn != "" && turn != spentTurn:
		return Reason{WhyLimit, fmt.Sprintf("its rate limit gives it a turn in %s", left)}
	case t.State == Retrying:
		return Reason{WhyNotDue, fmt.Sprintf("attempt %d is due in %s", t.Attempt, left)}
	default:
		return Reason{WhyNotDue, fmt.Sprintf("it is due in %s", left)}
	}
}

// The mark of a task that waits for its turn, as workers leave it.
const (
	turnMark  = "stem.turn"
	spentTurn = "-"
)

// whyNobody tells why no worker that is there would receive the task.
func whyNobody(t *Task, f facts) []Reason {
	serving, known, reads := 0, 0, 0
	for i := range f.workers {
		w := &f.workers[i]
		if w.Stopped || !slices.Contains(w.Queues, t.Queue) {
			continue
		}
		serving++
		knows, fits := runs(w, t.Envelope)
		if knows {
			known++
		}
		if fits {
			reads++
		}
	}
	limit := 0
	if t.Limit != nil {
		limit = t.Limit.Concurrency
	}
	switch {
	case serving == 0:
		return []Reason{{WhyNoWorker, fmt.Sprintf("no worker serves queue %s", t.Queue)}}
	case known == 0:
		return []Reason{{WhyUnknownTask, fmt.Sprintf("none of the %d workers of queue %s has registered task %s", serving, t.Queue, t.Task)}}
	case reads == 0:
		return []Reason{{WhyUnknownSchema, fmt.Sprintf("none of the %d workers of queue %s that have task %s was built for its args (schema %016x): is a newer client at work, or was a build rolled back?", known, t.Queue, t.Task, t.Fingerprint)}}
	case limit > 0 && (t.State == Unknown || t.State == Ready):
		return []Reason{{WhyLimit, fmt.Sprintf("at most %d runs of task %s may be under way at once, in all workers together", limit, t.Task)}}
	case t.State == Unknown:
		return []Reason{{WhyBehind, "it was set aside, and a worker that has it is there now: it is received when that has a free slot"}}
	}
	return nil
}

// runs reports whether a worker has the task, and whether it reads its args. Of one that lists a part of its tasks only, what is not
// listed may be among the rest.
func runs(w *stem.WorkerInfo, e *stem.Envelope) (knows, fits bool) {
	for _, task := range w.Tasks {
		if task.Task == e.Task {
			knows = true
			fits = fits || task.Fingerprint == 0 || e.Fingerprint == 0 || task.Fingerprint == e.Fingerprint
		}
	}
	if w.TaskCount > len(w.Tasks) {
		return true, true
	}
	return knows, fits
}

// round gives a duration as people say it.
func round(d time.Duration) time.Duration {
	if d >= 10*time.Second {
		return d.Round(time.Second)
	}
	return d.Round(time.Millisecond)
}
