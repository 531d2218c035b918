package stemtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/gostem/gostem/stem"
)

// process is one worker, as far as the store and the test can tell. It can die, and be cut off.
type process struct {
	rt     *Runtime
	worker *stem.Worker
	ended  chan struct{} // Run has returned
	err    error         // what it returned

	mu      sync.Mutex
	open    bool // it may receive
	dead    bool
	cut     bool             // off, from the store
	leaves  bool             // it was cut off, and receives no more
	hand    map[int64]string // what it holds, by delivery number
	changed chan struct{}    // closed when one of these changes
	call    context.Context  // of a receive; ends then too
	end     context.CancelFunc
	back    *time.Timer // until it is no longer cut off
}

var errCutOff = errors.New("stemtest: the process is cut off from the store")

// open lets a process receive, and starts one if there is none. It tells whether it had to.
func (rt *Runtime) open() (opened bool, err error) {
	for _, p := range rt.processes {
		if p.fit() {
			return p.change(func() { p.open = true }), nil
		}
	}
	p, err := rt.start()
	if err != nil {
		return false, err
	}
	rt.processes = append(rt.processes, p)
	return true, nil
}

func (rt *Runtime) start() (*process, error) {
	p := &process{rt: rt, ended: make(chan struct{}), hand: make(map[int64]string)}
	p.change(func() { p.open = true })
	cfg := rt.cfg.Worker
	if cfg.Name == "" {
		cfg.Name = fmt.Sprintf("worker-%d", 1+rt.lost())
	}
	if rt.servesAll() {
		cfg.Queues = rt.queues()
	}
	cfg.Middleware = append(slices.Clone(cfg.Middleware), p.hazard)
	if cfg.Observer != nil {
		cfg.Observer = rt.events.observer(p, cfg.Observer)
	}
	if cfg.Logger != nil {
		cfg.Logger = p.log(cfg.Logger)
	}
	worker, err := stem.NewWorker(rt.newClient(p), &rt.registry, cfg)
	if err != nil {
		return nil, err
	}
	p.worker = worker
	go func() {
		defer close(p.ended)
		p.err = worker.Run(context.WithoutCancel(rt.t.Context()))
	}()
	return p, nil
}

// lost counts the processes that have died or were cut off: the next has a name of its own.
func (rt *Runtime) lost() int {
	n := rt.retired
	for _, p := range rt.processes {
		if !p.fit() {
			n++
		}
	}
	return n
}

// queues gives those that there are: of the tasks that are registered, and what tasks were enqueued on.
func (rt *Runtime) queues() []string {
	for _, spec := range rt.registry.Tasks() {
		if e, err := spec.Envelope(); err == nil {
			rt.schedule.serve(e.Queue)
		}
	}
	queues, _ := rt.schedule.served()
	return queues
}

// rest keeps all processes from receiving, and ends those that hold nothing.
func (rt *Runtime) rest() {
	for _, p := range rt.processes {
		p.change(func() { p.open = false })
	}
	synctest.Wait()
	rt.processes = slices.DeleteFunc(rt.processes, func(p *process) bool {
		if p.gone() || len(p.running()) > 0 {
			return false
		}
		if !p.fit() {
			rt.retired++
		}
		p.stop(stem.StopWarm)
		return true
	})
	synctest.Wait()
}

// close ends the processes at the end of the test, and tells what has been left undone.
func (rt *Runtime) close() {
	rt.turn <- struct{}{}
	for _, p := range rt.processes {
		p.stop(stem.StopSoft)
		for _, err := range joined(p.err) {
			if !errors.Is(err, stem.ErrClosed) {
				rt.t.Errorf("stemtest: at the end of the test: %v", err)
			}
		}
	}
	_ = rt.store.Close()
	for _, left := range append(rt.hazards.left(), rt.faults.left()...) {
		rt.t.Errorf("stemtest: %s: it did not come to that", left)
	}
}

// stop ends the process as its program would.
func (p *process) stop(mode stem.StopMode) {
	p.worker.Stop(mode)
	<-p.ended
	if p.back != nil {
		p.back.Stop()
	}
}

func joined(err error) []error {
	if all, ok := err.(interface{ Unwrap() []error }); ok {
		return all.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// change changes what the process may do, and calls back who waits for that. It tells whether
// anything is different.
func (p *process) change(to func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	open, dead, cut := p.open, p.dead, p.cut
	to()
	switch {
	case p.call == nil:
	case open == p.open && dead == p.dead && cut == p.cut:
		return false
	default:
		p.end()
		close(p.changed)
	}
	p.call, p.end = context.WithCancel(context.Background())
	p.changed = make(chan struct{})
	return true
}

// fit tells whether the process takes work.
func (p *process) fit() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.dead && !p.leaves
}

// gone tells whether the process has died.
func (p *process) gone() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// reach answers why the process cannot reach the store, if it cannot.
func (p *process) reach() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.dead:
		return stem.ErrClosed
	case p.cut:
		return errCutOff
	default:
		return nil
	}
}

// admit waits until the process may receive. The call ends when it may no longer.
func (p *process) admit(ctx context.Context) (call context.Context, err error) {
	for {
		p.mu.Lock()
		call, open, dead, changed := p.call, p.open && !p.leaves, p.dead, p.changed
		p.mu.Unlock()
		switch {
		case dead:
			return nil, stem.ErrClosed
		case open:
			return call, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// reconnect waits while the process is cut off, whatever the context of the call: its answer would
// come late, and the worker's tries until then would differ from one time to the next.
func (p *process) reconnect() {
	for {
		p.mu.Lock()
		cut, changed := p.cut && !p.dead, p.changed
		p.mu.Unlock()
		if !cut {
			return
		}
		<-changed
	}
}

// holds notes what the process has received.
func (p *process) holds(ds []stem.Delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, d := range ds {
		p.hand[d.Number] = fmt.Sprintf("%s (%s)", d.Task, d.ID)
	}
}

// gives notes what the process has settled, or has been told that it does not hold.
func (p *process) gives(ss []stem.Settlement, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range ss {
		if itemErr := stem.ItemErr(err, i); itemErr == nil || errors.Is(itemErr, stem.ErrLeaseLost) {
			delete(p.hand, ss[i].Delivery.Number)
		}
	}
}

// running names what the process holds, if it lives.
func (p *process) running() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return nil
	}
	return slices.Sorted(maps.Values(p.hand))
}

// die ends the process: nothing that it does reaches the store from here on. The other handlers
// in it cannot be ended from outside; their contexts are.
func (p *process) die() {
	p.change(func() { p.dead = true })
	p.worker.Stop(stem.StopSoft)
	p.rt.schedule.tell() // another one is needed
}

// crash ends the process, and the goroutine of the handler that calls it.
func (p *process) crash() {
	p.die()
	runtime.Goexit()
}

// cutOff keeps the process from the store for a while. It takes no more work after that.
func (p *process) cutOff(d time.Duration) {
	p.change(func() {
		p.cut, p.leaves = true, true
		p.back = time.AfterFunc(d, func() { p.change(func() { p.cut = false }) })
	})
	p.rt.schedule.tell()
}

// log is the log of a process that may be lost. What happens to it then is as the test wants it, and no news.
func (p *process) log(log *slog.Logger) *slog.Logger { return slog.New(&lossyLog{log.Handler(), p}) }

type lossyLog struct {
	slog.Handler
	p *process
}

func (l *lossyLog) Enabled(ctx context.Context, level slog.Level) bool {
	return l.p.fit() && l.Handler.Enabled(ctx, level)
}

func (l *lossyLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lossyLog{l.Handler.WithAttrs(attrs), l.p}
}

func (l *lossyLog) WithGroup(name string) slog.Handler {
	return &lossyLog{l.Handler.WithGroup(name), l.p}
}
