package stem_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/stem"
)

// signalled is the program that TestSignals runs as a process of its own, and report
// what it tells at its end. Its store ends with it, so it keeps its own books: when
// the workers have stopped, it works off what is left, as the next process would on a
// store that stays, and holds what was enqueued against what its handlers have done.
type signalled struct {
	long string // what one of ten tasks does: "obeys" its context for a minute, or "ignores" it
	calm atomic.Bool

	mu      sync.Mutex
	jobs    []stem.Job[string]
	effects map[string]int // by id
}

type report struct {
	Enqueued, Ended, Lost, Twice int
	Spent, Interrupted           int // attempts beyond the first, and interruptions
	Released                     int // tasks that were given back
	Err                          string
}

const programEnv = "STEM_TEST_SIGNALLED" // "obeys 1s": what long tasks do, and the grace

func (p *signalled) handle(ctx context.Context, args string) (string, error) {
	d := time.Duration(rand.N(20)) * time.Millisecond
	if args == "long" && !p.calm.Load() {
		d = time.Minute
	}
	obeyed := ctx.Done()
	if p.long == "ignores" {
		obeyed = nil
	}
	select {
	case <-time.After(d):
	case <-obeyed:
		return "", ctx.Err()
	}
	info, _ := stem.Info(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.effects[info.ID]++
	return "", nil
}

// load enqueues for as long as ctx lives.
func (p *signalled) load(ctx context.Context, def *stem.TaskDefinition[string, string]) error {
	for n := 0; sleepFor(ctx, 2*time.Millisecond); n++ {
		args := "short"
		if n%10 == 9 {
			args = "long"
		}
		job, err := def.Enqueue(context.WithoutCancel(ctx), args)
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.jobs = append(p.jobs, job)
		p.mu.Unlock()
		if n == 100 {
			fmt.Println("ready")
		}
	}
	return nil
}

func sleepFor(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func (p *signalled) run(grace time.Duration) (r report, err error) {
	def := stem.Define(stem.TaskSpec{Name: "work"}, text, text)
	var registry stem.Registry
	if err := stem.Handle(&registry, def, p.handle); err != nil {
		return r, err
	}
	client, err := stem.NewClient(new(memory.Store), stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return r, err
	}
	worker := func() *stem.Worker {
		var w *stem.Worker
		if err == nil {
			w, err = stem.NewWorker(client, &registry, stem.WorkerConfig{Slots: 20, Grace: grace, Lease: time.Second})
		}
		return w
	}
	first, second, next := worker(), worker(), worker()
	if err != nil {
		return r, err
	}
	loading, stopLoad := context.WithCancel(context.Background())
	var loader sync.WaitGroup
	var loadErr error
	loader.Go(func() { loadErr = p.load(loading, def.Via(client)) })
	stopped := stem.RunUntilSignal(context.Background(), first, second)
	fmt.Println("stopped")
	stopLoad()
	loader.Wait()
	if loadErr != nil {
		return r, loadErr
	}

	p.calm.Store(true)
	go func() { _ = next.Run(context.Background()) }()
	r = p.audit()
	if stopped != nil {
		r.Err = stopped.Error()
	}
	return r, nil
}

func (p *signalled) audit() (r report) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for _, job := range p.jobs {
		r.Enqueued++
		if _, err := job.Wait(ctx); err == nil {
			r.Ended++
		}
		if s, err := job.Status(ctx); err == nil {
			r.Spent += s.Attempt - 1
			r.Interrupted += s.Interruptions
			r.Released += min(s.Releases, 1)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, job := range p.jobs {
		switch n := p.effects[job.ID()]; {
		case n == 0:
			r.Lost++
		case n > 1:
			r.Twice++
		}
	}
	return r
}

// runProgram does what the environment asks this test binary to do instead of tests.
func runProgram() (ran bool) {
	long, grace, ran := strings.Cut(os.Getenv(programEnv), " ")
	if !ran {
		return false
	}
	d, err := time.ParseDuration(grace)
	p := &signalled{long: long, effects: map[string]int{}}
	var r report
	if err == nil {
		r, err = p.run(d)
	}
	if err != nil {
		r.Err = err.Error()
	}
	_ = json.NewEncoder(os.Stdout).Encode(r)
	return true
}

// slack is what a busy machine may add to the time in which a process stops.
const slack = 4 * time.Second

func TestSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent these signals")
	}
	rounds := 4
	if testing.Short() {
		rounds = 1
	}
	var running sync.WaitGroup
	defer running.Wait()
	for _, c := range []struct {
		program string
		signals int
		apart   time.Duration // the signals
		after   time.Duration // the last signal, at the earliest
		within  time.Duration // and at the latest
		left    bool          // handlers are left behind
	}{
		{"obeys 1s", 1, 0, 0, time.Second, false},                                                // soft after four fifths of the grace
		{"ignores 1s", 1, 0, 0, time.Second, true},                                               // hard at its end
		{"obeys 1m", 2, insists, 0, 0, false},                                                    // soft at once
		{"ignores 1m", 3, insists, 0, time.Second, true},                                         // hard at once
		{"ignores 3s", 2, insists, 0, 3 * time.Second, true},                                     // soft at once, hard at the end
		{"obeys 2s", 2, 20 * time.Millisecond, time.Second, 2 * time.Second, false},              // one signal, sent twice
		{"ignores 2s", 3, 20 * time.Millisecond, 1500 * time.Millisecond, 2 * time.Second, true}, // or three times
	} {
		for range rounds {
			running.Go(func() {
				name := fmt.Sprintf("%s, %d signals every %v", c.program, c.signals, c.apart)
				r, took, err := signalProcess(t.Context(), c.program, c.signals, c.apart)
				switch {
				case err != nil:
					t.Errorf("%s: %v", name, err)
				case took < c.after, took > c.within+slack:
					t.Errorf("%s: it stopped after %v, want %v to %v", name, took, c.after, c.within)
				case r.Enqueued < 100 || r.Ended != r.Enqueued || r.Lost > 0 || r.Spent > 0 || r.Interrupted > 0:
					t.Errorf("%s: got %+v, want nothing lost, no attempt spent, no interruption", name, r)
				case (r.Err != "") != c.left, !c.left && (r.Twice > 0 || r.Released == 0):
					t.Errorf("%s: got %+v, want handlers left behind: %v, else given back and run once", name, r, c.left)
				default:
					t.Logf("%s: stopped after %v: %d enqueued, %d given back, %d run twice, 0 lost",
						name, took.Round(time.Millisecond), r.Enqueued, r.Released, r.Twice)
				}
			})
		}
	}
}

// insists is how long somebody waits who wants a second signal to count.
const insists = 1100 * time.Millisecond

// signalProcess runs the program, sends it signals when it is at work, and answers its
// report and how long after the last one its workers had stopped.
func signalProcess(ctx context.Context, program string, signals int, apart time.Duration) (r report, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), programEnv+"="+program)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return r, 0, err
	}
	if err := cmd.Start(); err != nil {
		return r, 0, err
	}
	var last time.Time
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch lines.Text() {
		case "ready":
			for i := range signals {
				if i > 0 {
					time.Sleep(apart)
				}
				last = time.Now()
				if err := cmd.Process.Signal([]os.Signal{syscall.SIGTERM, os.Interrupt}[i%2]); err != nil {
					return r, 0, err
				}
			}
		case "stopped":
			took = time.Since(last)
		default:
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				return r, 0, fmt.Errorf("%w in %q", err, lines.Text())
			}
		}
	}
	return r, took, cmd.Wait()
}

// Package os/signal does not live in a bubble, so this takes real time, if next to none.
func TestAWorkerThatFailsStopsTheOthers(t *testing.T) {
	r := newRig(t, nil, stem.ClientConfig{})
	r.task("hello", greet)
	other, err := stem.NewClient(new(memory.Store), stem.ClientConfig{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var workers []*stem.Worker
	for name, client := range map[string]*stem.Client{"fails": r.client, "works": other} {
		w, err := stem.NewWorker(client, &r.registry, stem.WorkerConfig{Name: name})
		if err != nil {
			t.Fatal(err)
		}
		workers = append(workers, w)
	}
	if err := r.store.Close(); err != nil {
		t.Fatal(err)
	}
	err = stem.RunUntilSignal(t.Context(), workers...)
	if err == nil || !strings.Contains(err.Error(), "fails") || strings.Contains(err.Error(), "works") {
		t.Errorf("got %v, want the error of the one, and the other stopped", err)
	}
	if err := stem.RunUntilSignal(t.Context()); err == nil {
		t.Error("no worker: got nil, want an error")
	}
}
