package main

import (
	"fmt"
	"runtime"
	"slices"
	"syscall"
	"time"
)

const (
	rounds = 10                   // of which the median counts
	turns  = 20                   // of each contestant in a round
	turn   = 4 * time.Millisecond // about what one takes
)

// A figure is what doing a thing once costs.
type figure struct {
	ratio       float64 // of CPU time, to that of the yardstick
	nanoseconds float64 // of CPU time
	allocs      float64
}

// measure lets all contestants do d by short turns, so that a slow moment of the
// machine meets each of them, and returns each one's medians over the rounds.
func measure(d discipline, cs []contestant) ([]figure, error) {
	perTurn := make([]int, len(cs))
	for i, c := range cs {
		n, err := calibrate(d, c)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c.name, d.name, err)
		}
		perTurn[i] = n
	}
	results := make([][]figure, len(cs))
	for range rounds {
		round, err := play(d, cs, perTurn)
		if err != nil {
			return nil, err
		}
		for i, f := range round {
			results[i] = append(results[i], f)
		}
	}
	medians := make([]figure, len(cs))
	for i := range cs {
		medians[i] = figure{
			ratio:       median(results[i], func(f figure) float64 { return f.ratio }),
			nanoseconds: median(results[i], func(f figure) float64 { return f.nanoseconds }),
			allocs:      median(results[i], func(f figure) float64 { return f.allocs }),
		}
	}
	return medians, nil
}

// calibrate returns how often c can do d in one turn.
func calibrate(d discipline, c contestant) (int, error) {
	for n := 100; ; n *= 2 {
		used, _, err := cost(d, c, n)
		if err != nil {
			return 0, err
		}
		if used > turn/2 {
			return max(1, int(time.Duration(n)*turn/used)), nil
		}
	}
}

// play is one round: each contestant takes its turns, and another begins each time.
func play(d discipline, cs []contestant, perTurn []int) ([]figure, error) {
	spent := make([]time.Duration, len(cs))
	allocs := make([]uint64, len(cs))
	for t := range turns {
		for k := range cs {
			i := (t + k) % len(cs)
			used, made, err := cost(d, cs[i], perTurn[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", cs[i].name, d.name, err)
			}
			spent[i] += used
			allocs[i] += made
		}
	}
	figures := make([]figure, len(cs))
	for i := range cs {
		n := float64(turns * perTurn[i])
		figures[i].nanoseconds = float64(spent[i].Nanoseconds()) / n
		figures[i].allocs = float64(allocs[i]) / n
	}
	for i := range cs {
		figures[i].ratio = figures[i].nanoseconds / figures[yardstick].nanoseconds
	}
	return figures, nil
}

// cost is the CPU time of doing d n times, and the number of allocations.
func cost(d discipline, c contestant, n int) (time.Duration, uint64, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := cpuTime()
	err := d.run(c, n)
	used := cpuTime() - start
	runtime.ReadMemStats(&after)
	return used, after.Mallocs - before.Mallocs, err
}

// cpuTime is the CPU time of the process, user and system, since it began.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the arguments are constants
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// median is the middle of what get gives for an even number of figures.
func median(fs []figure, get func(figure) float64) float64 {
	values := make([]float64, len(fs))
	for i, f := range fs {
		values[i] = get(f)
	}
	slices.Sort(values)
	return (values[len(values)/2-1] + values[len(values)/2]) / 2
}
