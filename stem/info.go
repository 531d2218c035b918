package stem

import (
	"context"
	"log/slog"
	"maps"
	"time"
)

// TaskInfo is what a handler can know about the task that it runs.
type TaskInfo struct {
	ID, Task, Queue string
	Priority        int
	// Worker is the name of the worker that runs it.
	Worker string
	// Attempt is 1 plus the runs that ended in a failure; MaxRetries is how
	// many of those may be followed by another one.
	Attempt, MaxRetries int
	// Delivery is the number of this delivery. It rises with every start, also after
	// a crash, a snooze or a release; it is no count.
	Delivery int64
	// Interruptions, Snoozes and Releases count what cost no attempt.
	Interruptions, Snoozes, Releases int
	// History are the attempts that failed before this run, the oldest first, at most
	// MaxHistory of them (see AttemptRecord).
	History []AttemptRecord
	// Headers are those of the enqueue; the map is the handler's own.
	Headers map[string]string
	// Root and Parent are the ids of the family's first task and of the task
	// that enqueued this one; empty where nobody did.
	Root, Parent string
	// Waited is how long the task had been due when it started.
	Waited time.Duration
}

// Info tells a handler about the task that it runs. Outside a handler ok is false.
func Info(ctx context.Context) (info TaskInfo, ok bool) {
	l := loanFrom(ctx)
	if l == nil {
		return TaskInfo{}, false
	}
	return TaskInfo{
		ID: l.ID, Task: l.Task, Queue: l.Queue, Priority: l.Priority,
		Worker:  l.worker.cfg.Name,
		Attempt: l.Attempt, MaxRetries: l.MaxRetries, Delivery: l.Number,
		Interruptions: l.Interruptions, Snoozes: l.Snoozes, Releases: l.Releases,
		History: l.History(),
		Headers: maps.Clone(l.Headers),
		Root:    l.Root, Parent: l.Parent,
		Waited: l.waited,
	}, true
}

// Logger gives a handler a logger that names its task, id and attempt. Outside
// a handler it is slog.Default().
func Logger(ctx context.Context) *slog.Logger {
	l := loanFrom(ctx)
	if l == nil {
		return slog.Default()
	}
	return l.worker.log.With("task", l.Task, "id", l.ID, "attempt", l.Attempt)
}
