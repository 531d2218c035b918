package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// figures are what a measure finds. Those that it does not look for are 0.
type figures struct {
	Tasks int64 `json:"tasks"`
	// Rate is in tasks per second.
	Rate float64 `json:"rate,omitempty"`
	// P50, P95 and P99 are in milliseconds.
	P50 float64 `json:"p50_ms,omitempty"`
	P95 float64 `json:"p95_ms,omitempty"`
	P99 float64 `json:"p99_ms,omitempty"`
	// ClientCPU and ServerCPU are in seconds per 100,000 tasks.
	ClientCPU float64 `json:"client_cpu,omitempty"`
	ServerCPU float64 `json:"server_cpu,omitempty"`
	// Allocs, Commands and Trips are those per task: allocations in the client, commands of Redis (those inside
	// scripts count) or statements of Postgres, and round trips to Redis.
	Allocs   float64 `json:"allocs,omitempty"`
	Commands float64 `json:"commands,omitempty"`
	Trips    float64 `json:"trips,omitempty"`
	// WAL is in bytes per task that Postgres writes to its log.
	WAL float64 `json:"wal,omitempty"`
	// ClientPeak and ServerPeak are in MiB: the most that the client's process has had in memory since it began, and the
	// server's, where the system tells as Linux does. Of Postgres it is what its processes have for themselves at the end.
	ClientPeak float64 `json:"client_peak_mib,omitempty"`
	ServerPeak float64 `json:"server_peak_mib,omitempty"`
	// Stored is in bytes for each task that waits, beyond its payload.
	Stored float64 `json:"stored,omitempty"`
	// Kept is how much of its rate a system has kept, and AtFirst what that was when it began to lose it.
	Kept    float64 `json:"kept,omitempty"`
	AtFirst float64 `json:"at_first,omitempty"`
	// Slower is how many times as long something takes as it does elsewhere.
	Slower float64 `json:"slower,omitempty"`
	// Idle is in commands or statements per second and queue.
	Idle float64 `json:"idle,omitempty"`
	// TooLate tells that nothing was measured, since tasks were due too early.
	TooLate bool `json:"too_late,omitempty"`
	// ByCommand has calls per task and server time in microseconds per task of each command or statement. That of
	// scripts contains what they call.
	ByCommand map[string][2]float64 `json:"by_command,omitempty"`
}

// meter tells what passes between two moments.
type meter struct {
	gauge gauge
	trips *trips
	begun sample
	extra reading // what was the measure's own
}

type sample struct {
	reading
	at      time.Time
	client  time.Duration
	mallocs uint64
	trips   int64
}

// start begins anew.
func (m *meter) start(ctx context.Context) error {
	runtime.GC()
	m.extra = reading{}
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
	return figures{
		Tasks:     tasks,
		Rate:      n / now.Sub(m.begun.at).Seconds(),
		ClientCPU: (used - m.begun.client).Seconds() / n * 1e5,
		ServerCPU: (s.cpu - m.begun.cpu - m.extra.cpu).Seconds() / n * 1e5,
		Allocs:    float64(s.mallocs-m.begun.mallocs) / n,
		Commands:  float64(s.commands-m.begun.commands-m.extra.commands) / n,
		Trips:     float64(s.trips-m.begun.trips) / n,
		WAL:       float64(s.wal-m.begun.wal) / n,

		ClientPeak: mebibytes("self", "VmHWM"),
		ServerPeak: s.peak,

		ByCommand: since(m.begun.byCommand, s.byCommand, n),
	}, nil
}

// since gives what each command or statement was called for and took since then, per task.
func since(then, now map[string][2]float64, tasks float64) map[string][2]float64 {
	passed := make(map[string][2]float64)
	for name, n := range now {
		t := then[name]
		if n[0] > t[0] {
			passed[name] = [2]float64{(n[0] - t[0]) / tasks, (n[1] - t[1]) / tasks}
		}
	}
	return passed
}

// aside does what is not to count on the server.
func (m *meter) aside(ctx context.Context, do func() error) error {
	before, err := m.sample(ctx)
	if err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	after, err := m.sample(ctx)
	m.extra.commands += after.commands - before.commands
	m.extra.cpu += after.cpu - before.cpu
	m.trips.Add(before.trips - after.trips)
	return err
}

func (m *meter) sample(ctx context.Context) (sample, error) {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	r, err := m.gauge.read(ctx)
	return sample{reading: r, mallocs: memory.Mallocs, trips: m.trips.Load()}, err
}

// mebibytes reads a field of what Linux says of a process: 0 where there is no such thing.
func mebibytes(process, field string) float64 {
	status, _ := os.ReadFile("/proc/" + process + "/status")
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		if words := strings.Fields(rest); name == field && len(words) == 2 {
			kib, _ := strconv.ParseFloat(words[0], 64)
			return kib / 1024
		}
	}
	return 0
}

// cpuTime is the CPU time of the process, user and system, since it began.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the arguments are constants
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
