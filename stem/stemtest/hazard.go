package stemtest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/gostem/gostem/stem"
)

// CrashBefore lets the process die in which the next run of a task starts, just before its handler. The
// lease of the process lapses (15 s unless Config.Worker says otherwise), and the task runs again
// in another one, with one interruption and no attempt more.
//
// Each call is for one run: three of them make the first three runs of the task end so, and poison of it.
// A crash that did not come to pass by the end of the test fails it.
func (rt *Runtime) CrashBefore(def stem.AnyTask) { rt.hazards.add(hazard{"CrashBefore", def}) }

// CrashAfter lets the process die in which the next run of a task ends, just after its handler has returned:
// what the handler did is done, the store does not hear of it, and the task runs again. This shows
// whether a handler's effects bear repetition. Otherwise it is as [Runtime.CrashBefore].
func (rt *Runtime) CrashAfter(def stem.AnyTask) { rt.hazards.add(hazard{"CrashAfter", def}) }

// CutOff cuts the process off from the store, for two leases, in which the next run of a task starts: as a
// network that fails would, or a process that is paused. The handler goes on; its context ends with
// stem.ErrLeaseLost when the lease has lapsed; the task runs again in another process, with one interruption; and
// whatever the first one writes then is refused.
func (rt *Runtime) CutOff(def stem.AnyTask) { rt.hazards.add(hazard{"CutOff", def}) }

// Crash lets the process die whose handler calls it, or a fake that the handler has called, with the
// context of the handler. It does not return: neither does anything that follows in the handler happen. For a
// crash in the middle of a handler's work:
//
//	func (m *fakeMailer) Send(ctx context.Context, to string) error {
//		m.sent = append(m.sent, to)
//		if len(m.sent) == 2 {
//			stemtest.Crash(ctx) // once
//		}
//		return nil
//	}
//
// It panics where ctx is not that of a handler that a [Runtime] runs.
func Crash(ctx context.Context) {
	p, ok := ctx.Value(processKey{}).(*process)
	if !ok {
		panic("stemtest: Crash: the context is not that of a handler that a Runtime runs")
	}
	p.crash()
}

type processKey struct{}

// hazard is what is going to happen to the next run of a task.
type hazard struct {
	name string
	task stem.AnyTask
}

type hazards struct {
	mu   sync.Mutex
	next []hazard
}

func (h *hazards) add(next hazard) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next = append(h.next, next)
}

// take gives the name of what is to happen to a run of a task, or "".
func (h *hazards) take(task string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := slices.IndexFunc(h.next, func(next hazard) bool { return answersTo(next.task, task) })
	if i < 0 {
		return ""
	}
	name := h.next[i].name
	h.next = slices.Delete(h.next, i, i+1)
	return name
}

// left tells what has not happened.
func (h *hazards) left() (what []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, next := range h.next {
		what = append(what, fmt.Sprintf("%s(%s)", next.name, next.task.Name()))
	}
	return what
}

// answersTo tells whether a name is that of a task, or was.
func answersTo(def stem.AnyTask, name string) bool {
	spec := def.Spec()
	return name == spec.Name || slices.Contains(spec.Aliases, name)
}

// hazard is the innermost middleware of a process: what happens, happens to the handler.
func (p *process) hazard(next stem.Handler) stem.Handler {
	return func(ctx context.Context, d *stem.Delivery) ([]byte, error) {
		ctx = context.WithValue(ctx, processKey{}, p)
		switch p.rt.hazards.take(d.Task) {
		case "CrashBefore":
			p.crash()
		case "CrashAfter":
			defer p.crash()
		case "CutOff":
			p.cutOff(2 * p.rt.cfg.Worker.Lease)
		}
		return next(ctx, d)
	}
}
