package stem

import (
	"cmp"
	"context"
	"errors"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

const (
	// missedBeats is how many heartbeats a worker may miss before it is gone.
	missedBeats = 3
	// keepStopped is how long the entry of a worker is kept that has ended.
	keepStopped = time.Minute
	// longestLeave is how long a worker that has ended waits at most to have said so.
	longestLeave = time.Second
	// longestHost bounds what a machine's name takes of an entry.
	longestHost = 255
)

// announcer tells a store about a worker. It has calls of its own, and but for the last one a goroutine of
// its own: a store that is slow to take them holds nobody up.
type announcer struct {
	w      *Worker
	keeper PresenceKeeper
	info   WorkerInfo // what does not change

	ended []int64 // how many tasks of each queue had ended when it was last told, and when that was
	told  time.Time
}

// announcer gives the worker's, or nil where the broker keeps no presence or the configuration wants none.
func (w *Worker) announcer() *announcer {
	keeper, ok := As[PresenceKeeper](w.client.broker)
	if !ok || w.cfg.HeartbeatInterval < 0 {
		return nil
	}
	host, _ := os.Hostname()
	a := &announcer{w: w, keeper: keeper, told: w.began, ended: make([]int64, len(w.rota.queues))}
	a.info = WorkerInfo{
		ID: w.session.ID, Name: w.cfg.Name, Host: text(host, longestHost), PID: os.Getpid(),
		Queues: w.rota.queues[:min(len(w.rota.queues), mostListed)], For: missedBeats * w.cfg.HeartbeatInterval,
	}
	a.info.Version, a.info.Revision = build()
	a.info.Tasks, a.info.TaskCount = w.known.first(mostListed)
	return a
}

// run announces the worker until ctx ends.
func (a *announcer) run(ctx context.Context) {
	var failing stall
	every := a.w.cfg.HeartbeatInterval
	for next := jitter(every); ; next = every { // workers that were started together spread
		err := a.tell(ctx, a.w.client.cfg.CallTimeout, false)
		switch {
		case err == nil && failing != (stall{}):
			failing = stall{}
			a.w.storeRecovered(ctx, "presence")
		case errors.Is(err, ErrClosed):
			return // whoever receives says so
		case err != nil && ctx.Err() == nil:
			next = min(failing.next(), every)
			a.w.storeFailed(ctx, "presence", err, next)
		}
		if !sleep(ctx, next) {
			return
		}
	}
}

// leave tells, once and with so much time at most, that the worker has ended. Where that fails
// its entry goes as it would after a crash.
func (a *announcer) leave(patience time.Duration) {
	if err := a.tell(a.w.base, min(patience, a.w.client.cfg.CallTimeout, longestLeave), true); err != nil {
		a.w.log.Debug("stem: the store could not be told that the worker has ended", "error", err)
	}
}

// tell makes one announcement.
func (a *announcer) tell(ctx context.Context, timeout time.Duration, stopped bool) error {
	info := a.info
	info.Up = time.Since(a.w.began)
	info.Slots = a.w.Slots()
	info.InHand = a.w.held.len()
	info.Running, info.RunningCount = a.w.held.longest(mostRunning)
	info.Paused = a.w.resting.list()
	info.Rates = a.rates(len(info.Queues))
	if stopped {
		info.Stopped, info.For = true, keepStopped
	}
	call := callContext(ctx, timeout)
	defer call.end(nil)
	return a.keeper.Announce(call, info)
}

// rates gives how many tasks of each of so many queues have ended per second since it was last asked, nil where none has.
func (a *announcer) rates(queues int) []float64 {
	passed := time.Since(a.told)
	a.told = a.told.Add(passed)
	var rates []float64
	for i := range queues {
		before := a.ended[i]
		a.ended[i] = a.w.tally.counts[i].ended()
		if n := a.ended[i] - before; n > 0 && passed > 0 {
			if rates == nil {
				rates = make([]float64, queues)
			}
			rates[i] = float64(n) / passed.Seconds()
		}
	}
	return rates
}

// longest names so many of the tasks whose handlers run, those that run for longest first, and counts
// them all.
func (h *held) longest(most int) (tasks []RunningTask, count int) {
	now := time.Now()
	h.mu.Lock()
	for l := h.first; l != nil; l = l.next {
		if l.runs.Load() {
			tasks = append(tasks, RunningTask{ID: l.ID, Task: l.Task, For: now.Sub(l.started())})
		}
	}
	h.mu.Unlock()
	slices.SortStableFunc(tasks, func(a, b RunningTask) int { return cmp.Compare(b.For, a.For) })
	return slices.Clip(tasks[:min(most, len(tasks))]), len(tasks)
}

// first gives so many of the tasks in the set, each with every schema that is read, and counts them all.
func (s *TaskSet) first(most int) (tasks []TaskSchema, count int) {
	for name, schemas := range s.All() {
		if schemas == nil {
			schemas = []uint64{0}
		}
		for _, fingerprint := range schemas {
			if count++; count <= most {
				tasks = append(tasks, TaskSchema{Task: name, Fingerprint: fingerprint})
			}
		}
	}
	return tasks, count
}

// build gives the version of the program's main module and the commit that it was built from.
var build = sync.OnceValues(func() (version, revision string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", ""
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value + revision
		case s.Key == "vcs.modified" && s.Value == "true":
			revision += "+dirty"
		}
	}
	return info.Main.Version, revision
})
