package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"time"
)

// cellVariable is the environment variable that makes this program the child that does a cell.
const cellVariable = "STEM_BENCH_CELL"

// cell is one figure to find: what a child process is told.
type cell struct {
	Measure string
	System  string
	Before  bool // the part before the measure
	Addr    string
	PID     int // of the server
	For     time.Duration
	Backlog int64     // tasks that wait where many do
	Due     time.Time // when scheduled tasks are due
	Profile string    // what the names of profiles begin with; "" for none
}

// spawn does a cell in a child process.
func spawn(ctx context.Context, c cell) (figures, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return figures{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return figures{}, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), cellVariable+"="+string(text))
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return figures{}, err
	}
	var f figures
	return f, json.Unmarshal(stdout.Bytes(), &f)
}

// child does a cell and prints its figures.
func child(ctx context.Context, text string) error {
	slog.SetDefault(slog.New(slog.DiscardHandler))
	var c cell
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	for _, m := range measures {
		if m.name == c.Measure {
			f, err := c.do(ctx, m)
			if err != nil {
				return err
			}
			return json.NewEncoder(os.Stdout).Encode(f)
		}
	}
	return fmt.Errorf("there is no measure %q", c.Measure)
}

func (c cell) do(ctx context.Context, m measure) (figures, error) {
	store, t := storeOf(c.System), new(trips)
	system, err := store.connect(ctx, c, t)
	if err != nil {
		return figures{}, err
	}
	gauge, err := store.gauge(ctx, c)
	if err != nil {
		return figures{}, err
	}
	b := &bench{cell: c, system: system, meter: &meter{gauge: gauge, trips: t}}
	if c.Before || store.inProcess && m.before != nil {
		if err := m.before(ctx, b); err != nil || c.Before {
			return figures{}, err
		}
	}
	if c.Profile == "" {
		return m.run(ctx, b)
	}
	return c.profiled(func() (figures, error) { return m.run(ctx, b) })
}

// profiled writes profiles of what is done: <Profile>.cpu and <Profile>.allocs.
func (c cell) profiled(do func() (figures, error)) (figures, error) {
	runtime.MemProfileRate = 4096 // what is enqueued one by one allocates little
	cpu, err := os.Create(c.Profile + ".cpu")
	if err != nil {
		return figures{}, err
	}
	defer cpu.Close()
	allocs, err := os.Create(c.Profile + ".allocs")
	if err != nil {
		return figures{}, err
	}
	defer allocs.Close()
	if err := pprof.StartCPUProfile(cpu); err != nil {
		return figures{}, err
	}
	f, err := do()
	pprof.StopCPUProfile()
	return f, errors.Join(err, pprof.Lookup("allocs").WriteTo(allocs, 0))
}
