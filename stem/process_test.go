package stem_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// process is a worker's process as far as the store and its handlers can tell. It can
// die, it can be cut off from the store, and an answer of the store can be lost.
type process struct {
	*memory.Store
	eats    atomic.Bool // the next answer is lost
	witness *witness    // of what passes, if there is one

	mu   sync.Mutex
	dead bool
	line context.Context // to the store; nil while the process is cut off
	hang context.CancelFunc
}

func newProcess(s *memory.Store) *process {
	p := &process{Store: s}
	p.connect()
	return p
}

func (p *process) connect() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dead {
		p.line, p.hang = context.WithCancel(context.Background())
	}
}

// cutOff ends the calls under way and fails those to come until connect.
func (p *process) cutOff() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line != nil {
		p.hang()
		p.line = nil
	}
}

// die ends the process: nothing that it does has any effect from here on.
func (p *process) die() {
	p.cutOff()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
}

func (p *process) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// call gives the context of a call to the store, or why there can be none.
func (p *process) call(ctx context.Context) (context.Context, context.CancelFunc, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.dead:
		return nil, nil, stem.ErrClosed
	case p.line == nil:
		return nil, nil, errAway
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(p.line, cancel)
	return ctx, cancel, nil
}

func (p *process) Receive(ctx context.Context, req stem.ReceiveRequest) ([]stem.Delivery, error) {
	call, cancel, err := p.call(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	ds, err := p.Store.Receive(call, req)
	p.witness.sees(ds)
	if err != nil && ctx.Err() == nil || err == nil && p.eats.CompareAndSwap(true, false) {
		return nil, errAway
	}
	return ds, err
}

func (p *process) Extend(ctx context.Context, s stem.Session, held ...stem.Delivery) ([]stem.Notice, error) {
	call, cancel, err := p.call(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	return p.Store.Extend(call, s, held...)
}

func (p *process) SaveAndSettle(ctx context.Context, ss ...stem.Settlement) error {
	call, cancel, err := p.call(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	err = p.Store.SaveAndSettle(call, p.witness.passes(ss)...)
	p.witness.hears(ss, err)
	if p.eats.CompareAndSwap(true, false) {
		return errAway
	}
	return err
}

// town is a store, the processes that work on it, and a ledger that their handlers
// keep beside it, as long as they live.
type town struct {
	*rig
	random *rand.Rand
	work   *stem.TaskDefinition[string, string]

	mu   sync.Mutex
	runs map[string]int // begun, by id
	ends map[string]int // come to their end
}

func newTown(t *testing.T, seed uint64) *town {
	o := &town{
		rig: newRig(t, nil, stem.ClientConfig{}), random: rand.New(rand.NewPCG(seed, 0)),
		runs: map[string]int{}, ends: map[string]int{},
	}
	o.work = o.task("work", o.handle)
	return o
}

type processKey struct{}

// handle works for as long as its args say, "well 3s", or takes its process down
// then, "poison 3s".
func (o *town) handle(ctx context.Context, args string) (string, error) {
	p := ctx.Value(processKey{}).(*process)
	info, _ := stem.Info(ctx)
	kind, span, _ := strings.Cut(args, " ")
	d, err := time.ParseDuration(span)
	if err != nil {
		return "", err
	}
	o.note(o.runs, info.ID, p)
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if kind == "poison" {
		p.die()
	}
	o.note(o.ends, info.ID, p)
	return "done", nil
}

// note writes into the ledger; a dead process writes nothing.
func (o *town) note(page map[string]int, id string, p *process) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !p.isDead() {
		page[id]++
	}
}

func (o *town) upTo(d time.Duration) time.Duration { return time.Duration(o.random.Int64N(int64(d))) }

// live lets a process run one worker; the answer is closed when that has returned.
func (o *town) live(p *process, cfg stem.WorkerConfig) (w *stem.Worker, gone <-chan struct{}) {
	client, err := stem.NewClient(p, stem.ClientConfig{Logger: slog.New(slog.DiscardHandler), Observer: o.rig})
	if err != nil {
		o.t.Fatal(err)
	}
	cfg.Middleware = []stem.Middleware{func(next stem.Handler) stem.Handler {
		return func(ctx context.Context, d *stem.Delivery) ([]byte, error) {
			return next(context.WithValue(ctx, processKey{}, p), d)
		}
	}}
	if w, err = stem.NewWorker(client, &o.registry, cfg); err != nil {
		o.t.Fatal(err)
	}
	end := make(chan struct{})
	go func() {
		defer close(end)
		if err := w.Run(o.t.Context()); err != nil && !errors.Is(err, stem.ErrClosed) {
			o.t.Error(err)
		}
	}()
	return w, end
}

// respawn keeps n processes with one worker each: one that dies is replaced a second
// later. The answer ends all of them.
func (o *town) respawn(n int, cfg stem.WorkerConfig) (end func()) {
	stop := make(chan struct{})
	var supervisors sync.WaitGroup
	for range n {
		supervisors.Go(func() {
			for {
				p := newProcess(o.store)
				w, gone := o.live(p, cfg)
				select {
				case <-gone:
					time.Sleep(time.Second)
				case <-stop:
					w.Stop(stem.StopSoft)
					<-gone
					p.die()
					return
				}
			}
		})
	}
	return func() { close(stop); supervisors.Wait() }
}
