package adaptertest

import (
	"fmt"
	"time"

	"github.com/gostem/gostem/stem"
)

// Workers store what all their handlers report in one batch, twice a second, for as long as these run.
var progressPromises = []promise{
	{name: "the last of many reports stands, and the outcome behind it", check: lastReportStands},
	{name: "a report may be saved while outcomes are", check: reportsBesideOutcomes},
}

// report gives the record of a task under way.
func report(id string, number int64, percent int) stem.Result {
	r := outcome(id, number, in(stem.StateRunning))
	r.Progress = &stem.ProgressReport{
		Percent: float64(percent), Message: rough, Data: map[string]string{"row": fmt.Sprint(percent), rough: rough},
		At: time.UnixMilli(1<<40 + int64(percent)).UTC(),
	}
	return r
}

// The record of a run says what was reported last, until the record of its end takes its place.
func lastReportStands(x *exam) {
	const tasks = 30
	var last, ends []stem.Result
	for percent := range 50 {
		last = last[:0]
		for i := range tasks {
			last = append(last, report(fmt.Sprintf("task-%03d", i), 7, percent))
		}
		x.save(last...)
	}
	x.stands(last...)
	for i := range last {
		ends = append(ends, outcome(last[i].ID, 7))
	}
	x.save(ends...)
	x.lost(x.trySave(last[:3]...), 0, 1, 2)
	x.stands(ends...)
}

// A worker saves reports and outcomes in calls that do not wait for each other. Neither keeps the other
// from its end, and no outcome is overwritten.
func reportsBesideOutcomes(x *exam) {
	const rounds, tasks = 10, 20
	for round := range rounds {
		var reports, ends []stem.Result
		for i := range tasks {
			id := fmt.Sprintf("task-%d-%02d", round, (i*7)%tasks)
			reports = append(reports, report(id, 1, round))
			ends = append([]stem.Result{outcome(id, 1)}, ends...)
		}
		// Each of them begins first in some rounds: who begins last may well come first.
		batches := [][]stem.Result{reports, ends, reports}
		calls := make([]*call[none], len(batches))
		for i := range batches {
			at := (i + round) % len(batches)
			calls[at] = x.saving(batches[at]...)
		}
		for i, c := range calls {
			_, err := c.end()
			if i == 1 && err != nil {
				x.Errorf("outcomes: got error %v, want nil", err)
			}
			for item := range tasks {
				x.nilOrLost("a report", err, item)
			}
		}
		x.stands(ends...)
	}
}
