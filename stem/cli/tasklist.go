package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem/ops"
)

// taskListing are the flags of task list.
type taskListing struct {
	paging
	watching
	queue           onQueue
	state, task, id string
	since           instant
}

func (p *program) taskList() *cobra.Command {
	var l taskListing
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tasks of a queue that wait or run",
		Long: `List the tasks of a queue that wait or run.

Tasks that have ended are in no queue: what became of them tells task result, and dlq list for those that failed. Ready tasks
come in the order in which they are received, delayed and retrying ones by when they are due. A store looks at a bounded number of
tasks for each page: with a filter there may be less than --limit, and more after the cursor that is told.`,
		Example: `  stem task list --queue default
  stem task list --queue mail --state retrying --task mail.welcome -o wide
  stem task list --since 10m --limit 500 -o jsonl`,
		Args: wants(0, 0, "none"),
		RunE: p.onService(unbounded, func(ctx context.Context, s *ops.Service, _ []string) error {
			return p.watch(ctx, l.watching, func(ctx context.Context) error { return p.listTasks(ctx, s, &l) })
		}),
	}
	set := cmd.Flags()
	l.queue.register(set)
	l.paging.register(set, 50)
	l.watching.register(set)
	set.StringVar(&l.state, "state", "", "only tasks in this `state`: "+stateNames())
	set.StringVar(&l.task, "task", "", "only tasks of this `name`")
	set.StringVar(&l.id, "id", "", "only the task of this `id`")
	set.Var(&l.since, "since", "only tasks published since then: how long `ago`, such as 90m, or a time")
	return cmd
}

func (p *program) listTasks(ctx context.Context, s *ops.Service, l *taskListing) error {
	var views []taskView
	next, err := l.gather(func(after string, room int) (int, string, error) {
		page, err := s.Tasks(ctx, ops.TaskQuery{
			Queue: l.queue.in(p), State: ops.State(l.state), Task: l.task, ID: l.id, After: after, Limit: room,
		})
		if err != nil {
			return 0, "", err
		}
		listed := 0
		for i := range page.Tasks {
			if t := &page.Tasks[i]; t.Published.IsZero() || !t.Published.Before(l.since.Time) {
				views = append(views, viewTask(t))
				listed++
			}
		}
		return listed, page.Next, nil
	})
	if err != nil {
		return err
	}
	return taskTable.print(p.printer, views, next)
}
