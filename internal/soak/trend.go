// Package soak is a steady load for hours, with faults now and then: its tests check that nothing is lost, and that nothing grows: neither
// what a worker holds nor what lies in the stores. It is what make soak starts:
//
//	make soak              # an hour at each store
//	make soak SOAK=3m
//
// Without that its tests are those of the memory store, for some seconds.
package soak

import (
	"math"
	"slices"
)

const (
	// windows are the parts that a run is cut into, once it is warm.
	windows = 12
	// warmUp is the part of the samples that come before: until then pools, caches and what expires fill up.
	warmUp = 1.0 / 3
	// share of its level is what a gauge may grow by besides its slack. Allocators and statistics drift by some hundredths.
	share = 0.05
	// noise is how many times the distance of its windows from the line a gauge may grow by: that of the window which two thirds are nearer than,
	// so that faults in a quarter of the windows do not count. Of 1,000 gauges that go up and down at random by a fifth it takes none for a
	// leak. A leak is a line, from which its windows have no distance, so it is found at any level.
	noise = 5
)

// trend is where a gauge has gone.
type trend struct {
	from, to float64 // by the line through its windows
	bound    float64 // that it may grow by
}

func (t trend) grown() float64 { return t.to - t.from }
func (t trend) leaks() bool    { return t.grown() > t.bound }

// trendOf draws a line through what a gauge has shown, its samples at even times: the warm-up is left out, the median of each window stands for the
// window, and the slope is the median of those between any two of them (Theil 1950, Sen 1968). Neither an outlier in a window nor three bad
// windows of twelve move it: a fault is no leak. The slack is what the gauge may grow by at any level. It needs a sample for
// each window.
func trendOf(samples []float64, slack float64) trend {
	medians := windowed(samples[int(float64(len(samples))*warmUp):])
	var slopes, rests, distances []float64
	for i := range medians {
		for j := range i {
			slopes = append(slopes, (medians[i]-medians[j])/float64(i-j))
		}
	}
	slope := median(slopes)
	for i, m := range medians {
		rests = append(rests, m-slope*float64(i))
	}
	from := median(rests)
	for _, r := range rests {
		distances = append(distances, math.Abs(r-from))
	}
	slices.Sort(distances)
	return trend{from: from, to: from + slope*float64(len(medians)-1), bound: slack + share*math.Abs(median(medians)) + noise*distances[len(distances)*2/3]}
}

// windowed gives the median of each window.
func windowed(samples []float64) (medians []float64) {
	for i := range windows {
		medians = append(medians, median(samples[i*len(samples)/windows:(i+1)*len(samples)/windows]))
	}
	return medians
}

func median(all []float64) float64 {
	sorted := slices.Sorted(slices.Values(all))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
