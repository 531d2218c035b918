package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

func (p *program) observeCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "observe",
		Short:   "Look at all queues, workers and dead letters at once, or scrape their numbers",
		Example: "  stem observe queues --watch",
	}, p.observeMetrics(), p.observeQueues(), p.observeWorkers(), p.observeDLQ())
}

func (p *program) observeQueues() *cobra.Command {
	cmd := p.queueList()
	cmd.Use, cmd.Example = "queues", "  stem observe queues --watch"
	return cmd
}

func (p *program) observeWorkers() *cobra.Command {
	cmd := p.workerList()
	cmd.Use, cmd.Example = "workers", "  stem observe workers --watch"
	return cmd
}

// graveView is what is shown of the dead letters of a queue.
type graveView struct {
	Queue  string      `json:"queue"`
	Dead   int         `json:"dead"`
	Newest *letterView `json:"newest,omitempty"`
}

func (v graveView) newest(cell func(letterView) string) string {
	if v.Newest == nil {
		return ""
	}
	return cell(*v.Newest)
}

var graveTable = table[graveView]{
	kind: "queues",
	name: func(v graveView) string { return v.Queue },
	columns: []column[graveView]{
		{title: "QUEUE", cell: func(v graveView) string { return v.Queue }},
		{title: "DEAD", cell: func(v graveView) string { return number(v.Dead) }, alarm: func(v graveView) bool { return v.Dead > 0 }},
		{title: "NEWEST", cell: func(v graveView) string { return v.newest(func(l letterView) string { return stamp(l.At) }) }},
		{title: "TASK", cell: func(v graveView) string { return v.newest(func(l letterView) string { return l.Task }) }},
		{title: "REASON", cell: func(v graveView) string { return v.newest(func(l letterView) string { return l.Reason }) }},
		{title: "ID", cell: func(v graveView) string { return v.newest(func(l letterView) string { return l.ID }) }, wide: true},
	},
}

func (p *program) observeDLQ() *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use:     "dlq",
		Short:   "How many dead letters each queue has, and which is the newest",
		Example: "  stem observe dlq\n  stem observe dlq --watch --every 10s",
		Args:    wants(0, 0, "none"),
		RunE: p.onService(unbounded, func(ctx context.Context, s *ops.Service, _ []string) error {
			return p.watch(ctx, w, func(ctx context.Context) error { return p.listGraves(ctx, s) })
		}),
	}
	w.register(cmd.Flags())
	return cmd
}

func (p *program) listGraves(ctx context.Context, s *ops.Service) error {
	queues, err := s.Queues(ctx)
	if err != nil {
		return err
	}
	views := make([]graveView, len(queues))
	for i, q := range queues {
		views[i] = graveView{Queue: q.Name, Dead: q.Dead}
		if q.Dead == 0 {
			continue
		}
		page, err := s.DeadLetters(ctx, ops.DeadLetterQuery{Queue: q.Name, Limit: 1})
		if err != nil {
			return err
		}
		if len(page.Letters) > 0 {
			newest := viewLetter(&page.Letters[0])
			views[i].Newest = &newest
		}
	}
	return graveTable.print(p.printer, views, "")
}

// sample is one number, as Prometheus has it.
type sample struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels"`
	Value  float64           `json:"value"`

	labels []string // names and values by turns, in order
}

func newSample(name string, value float64, labels ...string) sample {
	s := sample{Name: name, Value: value, Labels: make(map[string]string), labels: labels}
	for pair := range slices.Chunk(labels, 2) {
		s.Labels[pair[0]] = pair[1]
	}
	return s
}

// String gives a line of the text format of Prometheus.
func (s sample) String() string {
	var pairs []string
	for pair := range slices.Chunk(s.labels, 2) {
		value := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(escape(pair[1]))
		pairs = append(pairs, pair[0]+`="`+value+`"`)
	}
	return s.Name + "{" + strings.Join(pairs, ",") + "} " + strconv.FormatFloat(s.Value, 'f', -1, 64)
}

// help is what is said of each metric; all are gauges.
var help = map[string]string{
	"stem_queue_tasks":          "Tasks of a queue by state; those that are retrying are among the delayed.",
	"stem_queue_dead_letters":   "Dead letters of a queue.",
	"stem_queue_oldest_seconds": "How long the ready task has been due that has been so for longest.",
	"stem_queue_paused":         "1 while a queue is paused.",
	"stem_queue_workers":        "Workers that serve a queue.",
	"stem_queue_rate":           "Tasks of a queue that workers end per second, as they said last.",
	"stem_worker_slots":         "How many tasks a worker runs at once.",
	"stem_worker_running":       "Tasks that a worker runs.",
	"stem_worker_in_hand":       "Tasks that a worker has received and not settled.",
	"stem_worker_up_seconds":    "How long a worker has been running.",
	"stem_worker_seen_seconds":  "When a worker was heard of last, in seconds since 1970 by the clock of the store.",
}

func (p *program) observeMetrics() *cobra.Command {
	return &cobra.Command{
		Use:   "metrics",
		Short: "Write the numbers of queues and workers in the text format of Prometheus",
		Long: `Write the numbers of queues and workers in the text format of Prometheus, or with -o json, jsonl or yaml as samples.

Each run asks the store once. For a textfile collector, write to another file first and rename it.`,
		Example: "  stem observe metrics > stem.prom.new && mv stem.prom.new stem.prom",
		Args:    wants(0, 0, "none"),
		RunE: p.onService(patience, func(ctx context.Context, s *ops.Service, _ []string) error {
			queues, err := s.Queues(ctx)
			if err != nil {
				return err
			}
			workers, err := s.Workers(ctx)
			if err != nil && !errors.Is(err, errors.ErrUnsupported) {
				return err
			}
			return p.writeSamples(append(samplesOfQueues(queues), samplesOfWorkers(workers)...))
		}),
	}
}

func samplesOfQueues(queues []ops.Queue) (samples []sample) {
	for _, q := range queues {
		v := viewQueue(q)
		for _, count := range []struct {
			state string
			n     int
		}{{"ready", v.Ready}, {"running", v.Running}, {"delayed", v.Delayed}, {"retrying", v.Retrying}, {"unknown", v.unknown()}} {
			samples = append(samples, newSample("stem_queue_tasks", float64(count.n), "queue", q.Name, "state", count.state))
		}
		paused := map[bool]float64{true: 1}[q.Paused]
		samples = append(samples,
			newSample("stem_queue_dead_letters", float64(q.Dead), "queue", q.Name),
			newSample("stem_queue_oldest_seconds", q.Oldest.Seconds(), "queue", q.Name),
			newSample("stem_queue_paused", paused, "queue", q.Name),
			newSample("stem_queue_workers", float64(q.Workers), "queue", q.Name),
			newSample("stem_queue_rate", q.Rate, "queue", q.Name))
	}
	return samples
}

func samplesOfWorkers(workers []stem.WorkerInfo) (samples []sample) {
	for i := range workers {
		w := &workers[i]
		if w.Stopped || w.Malformed != nil {
			continue
		}
		labels := []string{"worker", w.Name, "id", w.ID}
		samples = append(samples,
			newSample("stem_worker_slots", float64(w.Slots), labels...),
			newSample("stem_worker_running", float64(w.RunningCount), labels...),
			newSample("stem_worker_in_hand", float64(w.InHand), labels...),
			newSample("stem_worker_up_seconds", w.Up.Seconds(), labels...),
			newSample("stem_worker_seen_seconds", float64(w.Seen.UnixNano())/float64(time.Second), labels...))
	}
	return samples
}

// writeSamples writes each metric with its help, as Prometheus wants its samples together.
func (p *program) writeSamples(samples []sample) error {
	slices.SortStableFunc(samples, func(a, b sample) int { return cmp.Compare(a.Name, b.Name) })
	switch p.printer.format {
	case asTable, asWide:
	default:
		byName := table[sample]{kind: "samples", name: func(s sample) string { return s.Name }}
		return byName.print(p.printer, samples, "")
	}
	var b strings.Builder
	for i, s := range samples {
		if i == 0 || samples[i-1].Name != s.Name {
			fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n", s.Name, help[s.Name], s.Name)
		}
		fmt.Fprintln(&b, s)
	}
	_, err := fmt.Fprint(p.stdout, b.String())
	return err
}
