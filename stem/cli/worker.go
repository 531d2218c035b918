package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// workerView is what is shown of a worker.
type workerView struct {
	Name      string        `json:"name"`
	ID        string        `json:"id"`
	Host      string        `json:"host"`
	PID       int           `json:"pid"`
	State     string        `json:"state"`
	Version   string        `json:"version,omitempty"`
	Revision  string        `json:"revision,omitempty"`
	UpSeconds float64       `json:"up_seconds"`
	Seen      time.Time     `json:"seen"`
	Queues    []string      `json:"queues"`
	Paused    []string      `json:"paused,omitempty"`
	Slots     int           `json:"slots"`
	InHand    int           `json:"in_hand"`
	Running   int           `json:"running"`
	TaskCount int           `json:"task_count"`
	Runs      []runningView `json:"runs,omitempty"`
	Malformed string        `json:"malformed,omitempty"`

	up, seen string
}

// runningView is a task that a worker runs.
type runningView struct {
	ID         string  `json:"id"`
	Task       string  `json:"task"`
	ForSeconds float64 `json:"for_seconds"`
}

// The states of a worker, as they are shown.
const (
	workerUp      = "up"
	workerLate    = "late" // it has not announced itself for more than one and a half heartbeats
	workerStopped = "stopped"
	workerBad     = "malformed"
)

// viewWorker judges by the machine's clock whether a worker is late.
func viewWorker(w *stem.WorkerInfo, heartbeat time.Duration) workerView {
	silence := time.Since(w.Seen)
	v := workerView{
		Name: w.Name, ID: w.ID, Host: w.Host, PID: w.PID, State: workerUp, Version: w.Version, Revision: w.Revision, UpSeconds: w.Up.Seconds(),
		Seen: w.Seen.UTC().Truncate(time.Millisecond), Queues: w.Queues, Paused: w.Paused, Slots: w.Slots, InHand: w.InHand, Running: w.RunningCount,
		TaskCount: w.TaskCount, up: age(w.Up), seen: age(max(0, silence)) + " ago",
	}
	for _, r := range w.Running {
		v.Runs = append(v.Runs, runningView{r.ID, r.Task, r.For.Seconds()})
	}
	switch {
	case w.Malformed != nil:
		v.State, v.Malformed = workerBad, w.Malformed.Error()
	case w.Stopped:
		v.State = workerStopped
	case silence > heartbeat+heartbeat/2:
		v.State = workerLate
	}
	return v
}

// serves lists the queues of a worker, and says from which of them it receives nothing.
func (v workerView) serves(between string) string {
	var queues []string
	for _, queue := range v.Queues {
		if slices.Contains(v.Paused, queue) {
			queue += " (paused)"
		}
		queues = append(queues, queue)
	}
	return strings.Join(queues, between)
}

var workerTable = table[workerView]{
	kind: "workers",
	name: func(v workerView) string { return v.ID },
	columns: []column[workerView]{
		{title: "WORKER", cell: func(v workerView) string { return v.Name }},
		{title: "STATE", cell: func(v workerView) string { return v.State }, alarm: func(v workerView) bool { return v.State == workerLate || v.State == workerBad }},
		{title: "RUNNING", cell: func(v workerView) string { return number(v.Running) + "/" + number(v.Slots) }},
		{title: "IN HAND", cell: func(v workerView) string { return number(v.InHand) }},
		{title: "UP", cell: func(v workerView) string { return v.up }},
		{title: "SEEN", cell: func(v workerView) string { return v.seen }},
		{title: "QUEUES", cell: func(v workerView) string { return v.serves(",") }},
		{title: "ID", cell: func(v workerView) string { return v.ID }, wide: true},
		{title: "HOST", cell: func(v workerView) string { return v.Host }, wide: true},
		{title: "PID", cell: func(v workerView) string { return number(v.PID) }, wide: true},
		{title: "VERSION", cell: func(v workerView) string { return v.Version }, wide: true},
		{title: "REVISION", cell: func(v workerView) string { return v.Revision }, wide: true},
		{title: "TASKS", cell: func(v workerView) string { return number(v.TaskCount) }, wide: true},
	},
}

func (p *program) workerCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "worker",
		Short:   "See workers and what they run; steer them",
		Example: "  stem worker status --follow",
	}, p.workerList(), p.workerShow(), p.workerStatus(), p.workerStart(), p.workerPing(), p.workerStats(), p.workerInspect(),
		p.workerRevoke(), p.workerPause(), p.workerResume(), p.workerConcurrency(), p.workerShutdown())
}

// someWorkers is --worker: names or ids, none for all.
type someWorkers []string

func (s *someWorkers) register(cmd *cobra.Command) {
	cmd.Flags().StringSliceVarP((*[]string)(s), "worker", "w", nil, "only workers of these `names` or ids")
}

// choose keeps those that are meant, and says which name is nobody's.
func (s someWorkers) choose(infos []stem.WorkerInfo) ([]stem.WorkerInfo, error) {
	if len(s) == 0 {
		return infos, nil
	}
	for _, name := range s {
		if !slices.ContainsFunc(infos, func(w stem.WorkerInfo) bool { return w.Name == name || w.ID == name }) {
			return nil, notFoundf("no worker %s: has it announced itself, at this store, within three of its heartbeats?", name)
		}
	}
	return slices.DeleteFunc(infos, func(w stem.WorkerInfo) bool { return !s.include(w.Name, w.ID) }), nil
}

func (s someWorkers) include(name, id string) bool {
	return len(s) == 0 || slices.Contains(s, name) || slices.Contains(s, id)
}

func (p *program) workerList() *cobra.Command {
	var (
		w       watching
		workers someWorkers
		beat    heartbeat
	)
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the workers that have announced themselves",
		Long: `List the workers that have announced themselves.

A worker is listed until three of its heartbeats are missing, and for a minute after it has stopped. It is late when it has not been heard of
for one and a half of --heartbeat-interval, by this machine's clock.`,
		Example: "  stem worker list\n  stem worker list -o wide --watch",
		Args:    wants(0, 0, "none"),
		RunE: p.onService(unbounded, func(ctx context.Context, s *ops.Service, _ []string) error {
			return p.watch(ctx, w, func(ctx context.Context) error { return p.listWorkers(ctx, s, workers, beat) })
		}),
	}
	w.register(cmd.Flags())
	workers.register(cmd)
	beat.register(cmd.Flags())
	return cmd
}

func (p *program) listWorkers(ctx context.Context, s *ops.Service, workers someWorkers, beat heartbeat) error {
	infos, err := s.Workers(ctx)
	if err == nil {
		infos, err = workers.choose(infos)
	}
	if err != nil {
		return err
	}
	views := make([]workerView, len(infos))
	for i := range infos {
		views[i] = viewWorker(&infos[i], beat.interval(p))
	}
	return workerTable.print(p.printer, views, "")
}

func (p *program) workerShow() *cobra.Command {
	var beat heartbeat
	cmd := &cobra.Command{
		Use:     "show WORKER",
		Short:   "Show one worker and the tasks that it runs, by its name or id",
		Example: "  stem worker show mailer-1",
		Args:    wants(1, 1, "WORKER"),
		RunE: p.onService(patience, func(ctx context.Context, s *ops.Service, args []string) error {
			infos, err := s.Workers(ctx)
			if err == nil {
				infos, err = someWorkers(args).choose(infos)
			}
			if err != nil {
				return err
			}
			for i := range infos {
				view := viewWorker(&infos[i], beat.interval(p))
				if err := p.printer.show(view, view.detail()); err != nil {
					return err
				}
			}
			return nil
		}),
	}
	beat.register(cmd.Flags())
	return cmd
}

func (v workerView) detail() detail {
	d := detail{name: v.ID}
	d.field("Worker", v.Name)
	d.field("ID", v.ID)
	d.field("State", v.State)
	d.field("Malformed", v.Malformed)
	d.field("Host", v.Host+", process "+number(v.PID))
	d.field("Build", strings.TrimSpace(v.Version+" "+v.Revision))
	d.field("Up", v.up)
	d.field("Seen", v.seen)
	d.field("Queues", v.serves(", "))
	d.field("Slots", number(v.Slots))
	d.field("In hand", number(v.InHand))
	d.field("Running", number(v.Running))
	d.field("Tasks known", number(v.TaskCount))
	runs := section{title: "Runs"}
	for _, r := range v.Runs {
		runs.rows = append(runs.rows, []string{r.ID, r.Task, "for " + age(seconds(r.ForSeconds))})
	}
	d.sections = append(d.sections, runs)
	return d
}
