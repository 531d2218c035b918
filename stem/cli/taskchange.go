package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// taskFilter are the flags that say which tasks are meant, beside their ids.
type taskFilter struct {
	queue  onQueue
	states []string
	task   string
	limit  int
	dryRun bool
}

func (f *taskFilter) register(cmd *cobra.Command) {
	set := cmd.Flags()
	f.queue.register(set)
	set.StringSliceVar(&f.states, "state", nil, "only tasks in these `states`: "+stateNames())
	set.StringVar(&f.task, "task", "", "only tasks of this `name`")
	set.IntVarP(&f.limit, "limit", "l", 100, "the most tasks to change: 1 to 10000")
	set.BoolVar(&f.dryRun, "dry-run", false, "change nothing; say what would be")
}

// filter gives what is meant with ids, or without any.
func (f *taskFilter) filter(p *program, ids []string) (ops.TaskFilter, error) {
	filter := ops.TaskFilter{Queue: f.queue.in(p), Task: f.task, IDs: ids, Limit: f.limit, DryRun: f.dryRun}
	for _, state := range f.states {
		if !slices.Contains(ops.States, ops.State(state)) {
			return filter, usagef("--state %s: want some of %s", state, stateNames())
		}
		filter.States = append(filter.States, ops.State(state))
	}
	if f.limit < 1 || f.limit > 10_000 {
		return filter, usagef("--limit %d: want 1 to 10000", f.limit)
	}
	if len(ids) == 0 && f.queue == "" {
		return filter, usagef("which tasks? name ids, or say --queue to mean those that it has")
	}
	return filter, nil
}

// describe says what is about to be changed.
func describe(f ops.TaskFilter) string {
	if len(f.IDs) > 0 {
		return fmt.Sprintf("%d tasks of queue %s", len(f.IDs), f.Queue)
	}
	what := fmt.Sprintf("up to %d tasks of queue %s", f.Limit, f.Queue)
	if f.Task != "" {
		what += ", those of " + f.Task
	}
	if len(f.States) > 0 {
		var names []string
		for _, s := range f.States {
			names = append(names, string(s))
		}
		what += ", in state " + strings.Join(names, " or ")
	}
	return what
}

func (p *program) taskRetry() *cobra.Command {
	var f taskFilter
	cmd := &cobra.Command{
		Use:   "retry [ID...]",
		Short: "Make delayed and retrying tasks due now",
		Long: `Make delayed and retrying tasks due now: those of ids, or with --queue those of a queue.

Nothing else of them changes: attempts that were used up stay so. Tasks that have failed for good are dead letters: see dlq replay.`,
		Example: "  stem task retry 01980a3c-5f70-7c61-9d2e-3b1f6c0a9e55\n  stem task retry --queue mail --task mail.welcome --state retrying --limit 1000 --yes",
		Args:    wants(0, -1, "[ID...]"),
		RunE: p.onService(endless, func(ctx context.Context, s *ops.Service, ids []string) error {
			filter, err := f.filter(p, ids)
			if err != nil {
				return err
			}
			if len(ids) != 1 && !f.dryRun {
				if err := p.confirm("make %s due now", describe(filter)); err != nil {
					return err
				}
			}
			c, err := s.RetryNow(ctx, p.by(), filter)
			return p.showChange(c, "made due", "tasks", err)
		}),
	}
	f.register(cmd)
	return cmd
}

func (p *program) taskDelete() *cobra.Command {
	var f taskFilter
	cmd := &cobra.Command{
		Use:   "delete [ID...]",
		Short: "Delete tasks that wait, unseen by any worker",
		Long: `Delete tasks that wait: those of ids, or with --queue those of a queue. Their results say that they were cancelled.

A task that runs is not deleted: revoke it.`,
		Example: "  stem task delete 01980a3c-5f70-7c61-9d2e-3b1f6c0a9e55 --yes\n  stem task delete --queue mail --task mail.welcome --dry-run",
		Args:    wants(0, -1, "[ID...]"),
		RunE: p.onService(endless, func(ctx context.Context, s *ops.Service, ids []string) error {
			filter, err := f.filter(p, ids)
			if err != nil {
				return err
			}
			if !f.dryRun {
				if err := p.confirm("delete %s", describe(filter)); err != nil {
					return err
				}
			}
			c, err := s.Delete(ctx, p.by(), filter)
			return p.showChange(c, "deleted", "tasks", err)
		}),
	}
	f.register(cmd)
	return cmd
}

func (p *program) taskRevoke() *cobra.Command {
	var (
		queue  onQueue
		family bool
		keep   time.Duration
	)
	cmd := &cobra.Command{
		Use:   "revoke ID...",
		Short: "Cancel tasks, whether they wait or run",
		Long: `Cancel tasks, whether they wait, run or are still to come.

One that waits starts no more; one that runs has its context cancelled within 5 s. It cannot be taken back. --reason is shown in the result.`,
		Example: `  stem task revoke 01980a3c-5f70-7c61-9d2e-3b1f6c0a9e55 --queue mail --reason "wrong customers"`,
		Args:    wants(1, -1, "ID..."),
		RunE: p.onService(patience, func(ctx context.Context, s *ops.Service, ids []string) error {
			if len(ids) > 1 {
				if err := p.confirm("revoke %d tasks of queue %s", len(ids), queue.in(p)); err != nil {
					return err
				}
			}
			opts := append(p.revocation(family), stem.RevokeFor(keep))
			c, err := s.Revoke(ctx, p.by(), queue.in(p), ids, opts...)
			return p.showChange(c, "revoked", "tasks", err)
		}),
	}
	queue.register(cmd.Flags())
	cmd.Flags().BoolVar(&family, "descendants", false, "also all tasks on the queue that these have enqueued, and so on")
	cmd.Flags().DurationVar(&keep, "for", 7*24*time.Hour, "how `long` it holds, for what is still to come")
	return cmd
}

// revocation gives what flags say of one. The reason is told by the service.
func (p *program) revocation(family bool) (opts []stem.RevokeOption) {
	if family {
		opts = append(opts, stem.WithDescendants())
	}
	return opts
}
