// Package health answers those who supervise a process of workers, by HTTP: Kubernetes, a load balancer, systemd by a timer.
//
//	server := &http.Server{Addr: ":8081", Handler: health.Handler(worker)}
//
// It asks no store: what it tells is what workers know of themselves (see [stem.Worker.Health]), so that it answers at once
// also when the store does not.
package health

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gostem/gostem/stem"
)

// Reporter is a worker, or whatever else tells of its condition. It is asked concurrently.
type Reporter interface {
	Health() stem.Health
}

// Report is the body of an answer, as JSON.
type Report struct {
	// Status is "ok", or "failing" with the status code 503.
	Status string `json:"status"`
	// Why are the reasons, one for each worker that is not well.
	Why     []string `json:"why,omitempty"`
	Workers []Worker `json:"workers"`
}

// Worker is what is told of one: see [stem.Health]. Times are in seconds.
type Worker struct {
	Name    string     `json:"name"`
	Phase   stem.Phase `json:"phase"`
	Silence float64    `json:"silence_seconds"`
	Overdue float64    `json:"overdue_seconds"`
	Slots   int        `json:"slots"`
	InHand  int        `json:"in_hand"`
	Running int        `json:"running"`
	Stuck   int        `json:"stuck"`
}

// Handler answers under any prefix:
//
//	/livez   200 while all workers are alive; else 503: end the process and start it anew
//	/readyz  200 while all workers are ready; else 503: do not count on them now
//
// with a [Report] as the body. It answers GET and HEAD; 404 for other paths. It tells names of workers, and no arguments, keys or
// addresses of stores. It is not for the public all the same.
func Handler(workers ...Reporter) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var well func(stem.Health) error
		switch r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:] {
		case "livez":
			well = stem.Health.Alive
		case "readyz":
			well = stem.Health.Ready
		default:
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "want GET or HEAD", http.StatusMethodNotAllowed)
			return
		}
		answer(w, look(workers, well))
	})
}

// look asks all workers.
func look(workers []Reporter, well func(stem.Health) error) Report {
	report := Report{Status: "ok", Workers: make([]Worker, len(workers))}
	for i, reporter := range workers {
		h := reporter.Health()
		report.Workers[i] = Worker{h.Worker, h.Phase, h.Silence.Seconds(), h.Overdue.Seconds(), h.Slots, h.InHand, h.Running, h.Stuck}
		if err := well(h); err != nil {
			report.Status, report.Why = "failing", append(report.Why, err.Error())
		}
	}
	return report
}

func answer(w http.ResponseWriter, report Report) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	if report.Status != "ok" {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(report) // whoever asked has gone
}
