package main

import (
	"bufio"
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// figures are what a measure finds. Those that it does not look for are 0.
type figures struct {
	Tasks int64 `json:"tasks"`
	// Rate is in tasks per second.
	Rate float64 `json:"rate,omitempty"`
	// P50 and P99 are in milliseconds.
	P50 float64 `json:"p50_ms,omitempty"`
	P99 float64 `json:"p99_ms,omitempty"`
	// ClientCPU and ServerCPU are in seconds per 100,000 tasks.
	ClientCPU float64 `json:"client_cpu,omitempty"`
	ServerCPU float64 `json:"server_cpu,omitempty"`
	// Allocs, Commands and Trips are those per task: allocations in the client, commands in the server (those
	// inside scripts count), and round trips.
	Allocs   float64 `json:"allocs,omitempty"`
	Commands float64 `json:"commands,omitempty"`
	Trips    float64 `json:"trips,omitempty"`
	// Stored is in bytes of memory for each task that waits, beyond its payload.
	Stored float64 `json:"stored,omitempty"`
	// Idle is in commands per second.
	Idle float64 `json:"idle,omitempty"`
	// TooLate tells that nothing was measured, since tasks were due too early.
	TooLate bool `json:"too_late,omitempty"`
	// ByCommand has calls per task and server time in microseconds per task of each command. That of scripts
	// contains what they call.
	ByCommand map[string][2]float64 `json:"by_command,omitempty"`
}

// meter tells what passes between two moments.
type meter struct {
	info  *redis.Client
	trips *trips
	begun sample
	extra int64 // commands that were the measure's own
}

type sample struct {
	at       time.Time
	client   time.Duration
	server   time.Duration
	mallocs  uint64
	commands int64
	trips    int64
	memory   int64                 // beyond what an empty server takes
	byName   map[string][2]float64 // calls, microseconds
}

func newMeter(addr string, t *trips) *meter {
	return &meter{info: redis.NewClient(&redis.Options{Addr: addr}), trips: t}
}

// start begins anew.
func (m *meter) start(ctx context.Context) error {
	runtime.GC()
	m.extra = 0
	s, err := m.sample(ctx)
	s.at, s.client = time.Now(), cpuTime()
	m.begun = s
	return err
}

// stop gives the figures of the tasks since start.
func (m *meter) stop(ctx context.Context, tasks int64) (figures, error) {
	now, used := time.Now(), cpuTime()
	s, err := m.sample(ctx)
	if err != nil {
		return figures{}, err
	}
	if tasks == 0 {
		return figures{}, fmt.Errorf("no task was done")
	}
	n := float64(tasks)
	byCommand := make(map[string][2]float64)
	for name, now := range s.byName {
		before := m.begun.byName[name]
		if now[0] > before[0] && name != "info" {
			byCommand[name] = [2]float64{(now[0] - before[0]) / n, (now[1] - before[1]) / n}
		}
	}
	return figures{
		ByCommand: byCommand,
		Tasks:     tasks,
		Rate:      n / now.Sub(m.begun.at).Seconds(),
		ClientCPU: (used - m.begun.client).Seconds() / n * 1e5,
		ServerCPU: (s.server - m.begun.server).Seconds() / n * 1e5,
		Allocs:    float64(s.mallocs-m.begun.mallocs) / n,
		Commands:  float64(s.commands-m.begun.commands-m.extra-1) / n, // 1: that sample's own
		Trips:     float64(s.trips-m.begun.trips) / n,
	}, nil
}

// aside does what is not to count: commands, that is.
func (m *meter) aside(ctx context.Context, do func() error) error {
	before, err := m.sample(ctx)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	after, err := m.sample(ctx)
	m.extra += after.commands - before.commands + 1
	m.trips.Add(before.trips - after.trips)
	return err
}

func (m *meter) sample(ctx context.Context) (sample, error) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	s := sample{mallocs: memory.Mallocs, trips: m.trips.Load(), byName: make(map[string][2]float64)}
	text, err := m.info.Info(ctx, "everything").Result()
	if err != nil {
		return s, err
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ":")
		switch name {
		case "used_cpu_sys", "used_cpu_user":
			seconds, _ := strconv.ParseFloat(value, 64)
			s.server += time.Duration(seconds * 1e9)
		case "used_memory", "used_memory_startup":
			bytes, _ := strconv.ParseInt(value, 10, 64)
			if name != "used_memory" {
				bytes = -bytes
			}
			s.memory += bytes
		case "total_commands_processed":
			s.commands, _ = strconv.ParseInt(value, 10, 64)
		default:
			if command, ok := strings.CutPrefix(name, "cmdstat_"); ok {
				var calls, usec float64
				_, _ = fmt.Sscanf(value, "calls=%g,usec=%g,", &calls, &usec)
				s.byName[command] = [2]float64{calls, usec}
			}
		}
	}
	return s, lines.Err()
}

// cpuTime is the CPU time of the process, user and system, since it began.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the arguments are constants
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
