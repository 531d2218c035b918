package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem/ops"
)

// detailView is all that is shown of one task.
type detailView struct {
	Task     *taskView       `json:"task,omitempty"`
	Args     json.RawMessage `json:"args,omitempty"`
	Why      []reasonView    `json:"why,omitempty"`
	Timeline []momentView    `json:"timeline,omitempty"`
	Result   *resultView     `json:"result,omitempty"`
	Dead     *letterView     `json:"dead_letter,omitempty"`
}

// reasonView is why a task waits.
type reasonView struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// momentView is something that has happened to a task.
type momentView struct {
	At     *time.Time `json:"at,omitempty"`
	What   string     `json:"what"`
	Detail string     `json:"detail,omitempty"`
}

func (p *program) taskShow() *cobra.Command {
	var queue onQueue
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: "Show a task: its args, why it waits, what has happened to it",
		Long: `Show a task: its args, why it waits, what has happened to it, and its result.

Without --queue all queues are looked through. No store has an index of ids: up to 20,000 tasks of each queue are looked at.`,
		Example: "  stem task show 01980a3c-5f70-7c61-9d2e-3b1f6c0a9e55\n  stem task show 01980a3c-5f70-7c61-9d2e-3b1f6c0a9e55 --queue mail -o yaml",
		Args:    wants(1, 1, "ID"),
		RunE: p.onService(time.Minute, func(ctx context.Context, s *ops.Service, args []string) error {
			found, err := s.Task(ctx, string(queue), args[0])
			if err != nil {
				return err
			}
			view := p.viewDetail(s, found)
			return p.printer.show(view, view.detail(args[0]))
		}),
	}
	cmd.Flags().StringVarP((*string)(&queue), "queue", "q", "", "look in this `queue` alone")
	return cmd
}

func (p *program) viewDetail(s *ops.Service, found ops.TaskDetail) detailView {
	var v detailView
	if t := found.Task; t != nil {
		task := viewTask(t)
		v.Task, v.Args = &task, s.ShowArgs(t.Task, t.Payload)
	}
	for _, r := range found.Why {
		v.Why = append(v.Why, reasonView{r.Code, r.Text})
	}
	for _, m := range found.Timeline {
		v.Timeline = append(v.Timeline, momentView{moment(m.At), m.What, escape(m.Detail)})
	}
	if found.Result != nil {
		v.Result = p.viewResult(s, found.Result)
	}
	if found.Dead != nil {
		letter := viewLetter(found.Dead)
		v.Dead = &letter
	}
	return v
}

// detail gives it as people read it: the task while it is there, else what became of it.
func (v detailView) detail(id string) detail {
	d := detail{name: id}
	switch {
	case v.Task != nil:
		v.Task.fields(&d)
		d.block("Args", readable(v.Args))
	case v.Result != nil:
		d = v.Result.detail()
	}
	why := section{title: "Why it waits"}
	for _, r := range v.Why {
		why.rows = append(why.rows, []string{r.Code, escape(r.Text)})
	}
	timeline := section{title: "Timeline"}
	for _, m := range v.Timeline {
		timeline.rows = append(timeline.rows, []string{instantCell(m.At), m.What, escape(m.Detail)})
	}
	d.sections = append(d.sections, why, timeline)
	if v.Dead != nil {
		d.sections = append(d.sections, section{"Dead letter", [][]string{
			{"at", stamp(v.Dead.At)}, {"reason", escape(v.Dead.Reason)},
		}})
	}
	return d
}

// fields adds all that is shown of a task.
func (v *taskView) fields(d *detail) {
	d.field("ID", v.ID)
	d.field("Task", v.Task)
	d.field("Queue", v.Queue)
	d.field("State", v.State)
	d.field("When", v.when)
	d.field("Malformed", v.Malformed)
	d.field("Priority", number(v.Priority))
	d.field("Attempt", fmt.Sprintf("%d, up to %d retries", v.Attempt, v.MaxRetries))
	if v.Interruptions+v.Snoozes+v.Releases > 0 {
		d.field("Cut short", fmt.Sprintf("%d times; snoozed %d, given back %d", v.Interruptions, v.Snoozes, v.Releases))
	}
	d.field("Published", instantCell(v.Published))
	d.field("Due", instantCell(v.Due))
	d.field("Session", v.Session)
	d.field("Lapses", instantCell(v.Lapses))
}
