package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// queueView is what is shown of a queue.
type queueView struct {
	Queue         string        `json:"queue"`
	Paused        bool          `json:"paused"`
	Ready         int           `json:"ready"`
	Running       int           `json:"running"`
	Delayed       int           `json:"delayed"`
	Retrying      int           `json:"retrying"`
	Dead          int           `json:"dead"`
	OldestSeconds float64       `json:"oldest_seconds"`
	Workers       int           `json:"workers"`
	Rate          float64       `json:"rate"`
	Unknown       []unknownView `json:"unknown,omitempty"`
	Limits        []limitView   `json:"limits,omitempty"`

	oldest string
}

// unknownView are tasks that no worker can run.
type unknownView struct {
	Task        string `json:"task"`
	Fingerprint string `json:"fingerprint,omitempty"`
	Count       int    `json:"count"`
}

func viewQueue(q ops.Queue) queueView {
	v := queueView{
		Queue: q.Name, Paused: q.Paused, Ready: q.Ready, Running: q.Running, Delayed: q.Delayed, Retrying: q.Retrying,
		Dead: q.Dead, OldestSeconds: q.Oldest.Seconds(), Workers: q.Workers, Rate: q.Rate,
	}
	if q.Oldest > 0 {
		v.oldest = age(q.Oldest)
	}
	byName := func(a, b stem.TaskSchema) int { return strings.Compare(a.Task, b.Task) }
	for _, schema := range slices.SortedFunc(maps.Keys(q.Unknown), byName) {
		u := unknownView{Task: schema.Task, Count: q.Unknown[schema]}
		if schema.Fingerprint != 0 {
			u.Fingerprint = fmt.Sprintf("%016x", schema.Fingerprint)
		}
		v.Unknown = append(v.Unknown, u)
	}
	return v
}

// unknown counts the tasks that no worker can run.
func (v queueView) unknown() (n int) {
	for _, u := range v.Unknown {
		n += u.Count
	}
	return n
}

func (v queueView) state() string {
	switch {
	case v.Paused:
		return "paused"
	case v.Workers == 0:
		return "unserved"
	default:
		return "served"
	}
}

// rate gives how many tasks end per second.
func (v queueView) rate() string { return fmt.Sprintf("%.1f/s", v.Rate) }

var queueTable = table[queueView]{
	kind: "queues",
	name: func(v queueView) string { return v.Queue },
	columns: []column[queueView]{
		{title: "QUEUE", cell: func(v queueView) string { return v.Queue }},
		{title: "STATE", cell: queueView.state, alarm: func(v queueView) bool { return v.Paused || v.Workers == 0 }},
		{title: "READY", cell: func(v queueView) string { return number(v.Ready) }},
		{title: "RUNNING", cell: func(v queueView) string { return number(v.Running) }},
		{title: "DELAYED", cell: func(v queueView) string { return number(v.Delayed) }},
		{title: "RETRYING", cell: func(v queueView) string { return number(v.Retrying) }},
		{title: "DEAD", cell: func(v queueView) string { return number(v.Dead) }, alarm: func(v queueView) bool { return v.Dead > 0 }},
		{title: "OLDEST", cell: func(v queueView) string { return v.oldest }},
		{title: "UNKNOWN", cell: func(v queueView) string { return number(v.unknown()) }, wide: true, alarm: func(v queueView) bool { return v.unknown() > 0 }},
		{title: "WORKERS", cell: func(v queueView) string { return number(v.Workers) }, wide: true},
		{title: "RATE", cell: queueView.rate, wide: true},
	},
}

func (p *program) queueCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "queue",
		Short:   "See queues; pause, resume and drain them",
		Example: "  stem queue list --watch",
	}, p.queueList(), p.queueShow(), p.queuePause(), p.queueResume(), p.queueDrain())
}

func (p *program) queueList() *cobra.Command {
	var w watching
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List all queues, and how many tasks are where",
		Long: `List all queues, and how many tasks are where.

DELAYED are all that become due later, and RETRYING those of them that wait after a failed attempt. OLDEST is how long the
ready task has been due that has been so for longest, RATE how many tasks workers end per second.`,
		Example: "  stem queue list\n  stem queue list -o wide --watch --every 5s",
		Args:    wants(0, 0, "none"),
		RunE: p.onService(unbounded, func(ctx context.Context, s *ops.Service, _ []string) error {
			return p.watch(ctx, w, func(ctx context.Context) error { return p.listQueues(ctx, s) })
		}),
	}
	w.register(cmd.Flags())
	return cmd
}

func (p *program) listQueues(ctx context.Context, s *ops.Service) error {
	queues, err := s.Queues(ctx)
	if err != nil {
		return err
	}
	views := make([]queueView, len(queues))
	for i := range queues {
		views[i] = viewQueue(queues[i])
	}
	return queueTable.print(p.printer, views, "")
}

func (p *program) queueShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show QUEUE",
		Short:   "Show one queue, which of its tasks no worker can run, and how far the limits of its tasks are used up",
		Example: "  stem queue show default",
		Args:    wants(1, 1, "QUEUE"),
		RunE: p.onService(patience, func(ctx context.Context, s *ops.Service, args []string) error {
			q, err := s.Queue(ctx, args[0])
			if err != nil {
				return err
			}
			if isNothing(q) {
				return notFoundf("queue %s holds nothing, is not paused and has no worker: is that its name? (%s queue list)", q.Name, p.cfg.Name)
			}
			view := viewQueue(q)
			if view.Limits, err = viewLimits(ctx, s, q.Name); err != nil {
				return err
			}
			return p.printer.show(view, view.detail())
		}),
	}
}

// isNothing tells that there is no sign of a queue: most likely nobody has used one of that name.
func isNothing(q ops.Queue) bool {
	return q.Ready+q.Running+q.Delayed+q.Dead+len(q.Unknown)+q.Workers == 0 && !q.Paused
}

func (v queueView) detail() detail {
	d := detail{name: v.Queue}
	d.field("Queue", v.Queue)
	d.field("State", v.state())
	for _, count := range []struct {
		label string
		n     int
	}{
		{"Ready", v.Ready}, {"Running", v.Running}, {"Delayed", v.Delayed}, {"of them retrying", v.Retrying},
		{"Dead letters", v.Dead}, {"Workers", v.Workers},
	} {
		d.field(count.label, number(count.n))
	}
	d.field("Rate", v.rate())
	d.field("Oldest ready", v.oldest)
	unknown := section{title: "No worker can run"}
	for _, u := range v.Unknown {
		what := "no worker that asked knows the task"
		if u.Fingerprint != "" {
			what = "workers know it with other args than those of " + u.Fingerprint
		}
		unknown.rows = append(unknown.rows, []string{u.Task, number(u.Count), what})
	}
	d.sections = append(d.sections, unknown, limitSection(v.Limits))
	return d
}
