package stemtest

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

// events are what client and workers have told.
type events struct {
	began time.Time

	mu  sync.Mutex
	all []happened
}

type happened struct {
	after time.Duration // since the bubble's first second
	event stem.Event
}

// observer writes down what is told, and passes it on. Of the end of a process that has died nobody is told.
func (e *events) observer(p *process, next stem.Observer) stem.Observer {
	return stem.ObserverFunc(func(ctx context.Context, event stem.Event) {
		if p != nil && p.gone() && ofWorker(event) {
			return
		}
		e.mu.Lock()
		e.all = append(e.all, happened{time.Since(e.began), event})
		e.mu.Unlock()
		if next != nil {
			next.Observe(ctx, event)
		}
	})
}

func ofWorker(event stem.Event) bool {
	switch event.(type) {
	case stem.StoreFailed, stem.WorkerStopping, stem.WorkerStopped:
		return true
	default:
		return false
	}
}

// told gives all events. What the test itself has just done has been told then, too.
func (rt *Runtime) told() []happened {
	select {
	case rt.turn <- struct{}{}:
		synctest.Wait()
		<-rt.turn
	default: // tasks are running, and one of them asks
	}
	e := &rt.events
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.all[:len(e.all):len(e.all)]
}

// Events gives the events of one type that the runtime's client and workers have told so far, in order:
//
//	for _, e := range stemtest.Events[stem.TaskRetrying](rt) { … }
func Events[E stem.Event](rt *Runtime) []E {
	var found []E
	for _, h := range rt.told() {
		if e, ok := h.event.(E); ok {
			found = append(found, e)
		}
	}
	return found
}

// Story tells what became of all tasks so far, in a line for each event. Ids, times and order are the
// same each time (see the package's words on that), so it can be compared with a golden file. Each line begins with the time
// since the runtime was made.
func (rt *Runtime) Story() string {
	var b strings.Builder
	for _, h := range rt.told() {
		if task, what := tellTask(h.event); what != "" {
			fmt.Fprintf(&b, "%v %s %s %s\n", h.after.Round(time.Millisecond), task.ID, task.Task, what)
		}
	}
	return b.String()
}

// MustSucceed ends the test unless all tasks that were enqueued have succeeded by now, and tells what became of the
// others. A drain does not do that by itself, since many a test is about a failure.
func (rt *Runtime) MustSucceed() {
	rt.t.Helper()
	last := make(map[string]string)
	for _, h := range rt.told() {
		if task, what := tellTask(h.event); what != "" {
			last[task.ID] = what
		}
	}
	var others []string
	for _, e := range rt.all() {
		if what := last[e.ID]; e.stands() && !rt.schedule.succeeded(e.ID) {
			others = append(others, fmt.Sprintf("\n  %s %s %s", e.ID, e.Task, what))
		}
	}
	if len(others) > 0 {
		rt.t.Fatalf("stemtest: %d tasks have not succeeded:%s", len(others), strings.Join(others, ""))
	}
}

// tellTask tells an event that is about a task; of others what is "".
func tellTask(event stem.Event) (task stem.TaskRef, what string) {
	switch e := event.(type) {
	case stem.TaskEnqueued:
		if e.Duplicate {
			return e.TaskRef, "enqueued again"
		}
		return e.TaskRef, "enqueued"
	case stem.TaskStarted:
		return e.TaskRef, fmt.Sprintf("started on %s, attempt %d", e.Worker, e.Attempt)
	case stem.TaskSucceeded:
		return e.TaskRef, "succeeded"
	case stem.TaskRetrying:
		return e.TaskRef, fmt.Sprintf("failed (%s), retry in %v", toldFailure(e.Failure), e.Delay.Round(time.Millisecond))
	case stem.TaskSnoozed:
		return e.TaskRef, fmt.Sprintf("snoozed for %v", e.Delay)
	case stem.TaskFailed:
		return e.TaskRef, fmt.Sprintf("became a dead letter (%s)", toldFailure(e.Failure))
	case stem.TaskCancelled:
		return e.TaskRef, fmt.Sprintf("was cancelled (%s)", toldFailure(e.Failure))
	case stem.TaskReleased:
		return e.TaskRef, "was given back"
	case stem.TaskInterrupted:
		return e.TaskRef, fmt.Sprintf("was interrupted (%d in a row)", e.Interruptions)
	case stem.LeaseLost:
		return e.TaskRef, fmt.Sprintf("ended on %s, which had lost it: refused", e.Worker)
	case stem.TaskProgressed:
		return e.TaskRef, fmt.Sprintf("came to %v %% %s", e.Progress.Percent, e.Progress.Message)
	case stem.TaskSoftTimeout:
		return e.TaskRef, fmt.Sprintf("reached its soft timeout of %v", e.After)
	case stem.TaskStuck:
		return e.TaskRef, fmt.Sprintf("is stuck since %v", e.Since)
	default:
		return stem.TaskRef{}, ""
	}
}

func toldFailure(f stem.Failure) string { return string(f.Kind) + ": " + f.Message }
