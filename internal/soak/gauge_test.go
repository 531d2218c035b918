//go:build unix

package soak

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// reading is what a gauge shows, and what it may grow by at any level, for the reason that stands where it is read.
type reading struct {
	name         string
	value, slack float64
}

// probe reads gauges: always the same, in the same order.
type probe func() ([]reading, error)

// series is what a gauge has shown.
type series struct {
	name    string
	slack   float64
	samples []float64
}

// sample reads all gauges. Where one cannot be read the sample is missed: servers are away now and then.
func (k *soak) sample() {
	k.t.Helper()
	var all []reading
	for _, p := range k.probes {
		readings, err := p()
		if err != nil {
			k.missed++
			k.t.Logf("a sample was missed: %v", err)
			return
		}
		all = append(all, readings...)
	}
	if k.series == nil {
		for _, r := range all {
			k.series = append(k.series, &series{name: r.name, slack: r.slack})
		}
	}
	for i, r := range all {
		k.series[i].samples = append(k.series[i].samples, r.value)
	}
}

// judge prints where the gauges have gone, and fails the test where one leaks.
func (k *soak) judge() {
	k.t.Helper()
	taken := len(k.series[0].samples)
	if taken < 3*windows || k.missed > taken/5 {
		k.t.Fatalf("got %d samples and %d that were missed, want %d at least and few", taken, k.missed, 3*windows)
	}
	fmt.Printf("\n%s: %v, %d samples, the first third left out\n\n", k.t.Name(), k.span, taken)
	fmt.Println("| gauge | from | to | grown | may grow by | verdict |")
	fmt.Println("|---|--:|--:|--:|--:|---|")
	for _, s := range k.series {
		t := trendOf(s.samples, s.slack)
		verdict := "flat"
		if t.leaks() {
			verdict = "**leaks**"
			k.t.Errorf("%s: got %.0f more over the run, want %.0f at most: %.0f", s.name, t.grown(), t.bound, s.samples)
		}
		fmt.Printf("| %s | %.0f | %.0f | %.0f | %.0f | %s |\n", s.name, t.from, t.to, t.grown(), t.bound, verdict)
	}
	fmt.Println()
}

// ownProcess reads what this process holds: a worker, the clients, the proxy before the servers. After a collection the heap is what is
// alive. Connections and those who read them come and go by the dozen with each cut of the network, by which the slack of the first two is
// measured; a leak of one for each fault is more than that in an hour. What Go gives back to the system it gives back late.
func (k *soak) ownProcess() ([]reading, error) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	readings := []reading{
		{"goroutines", float64(runtime.NumGoroutine()), 20},
		{"live heap, kB", float64(m.HeapAlloc) / 1e3, 1000 + k.kept()},
	}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return readings, nil // no Linux
	}
	rss, err := resident()
	return append(readings, reading{"file descriptors", float64(len(files)), 20}, reading{"resident memory, kB", rss, 8000}), err
}

// resident gives the memory of this process that is in RAM, in kB.
func resident() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	text, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	return strconv.ParseFloat(text, 64)
}
