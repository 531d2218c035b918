package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem/ops"
)

// letterFilter are the flags that say which dead letters are meant.
type letterFilter struct {
	queue        string
	task         string
	ids          []string
	since, until instant
	limit        int
	dryRun       bool
}

func (f *letterFilter) register(cmd *cobra.Command, limit int) {
	set := cmd.Flags()
	set.StringVarP(&f.queue, "queue", "q", "", "the `queue` whose dead letters are meant")
	set.StringVar(&f.task, "task", "", "only those of the task of this `name`")
	set.StringSliceVar(&f.ids, "id", nil, "only those of these `ids`")
	set.IntVarP(&f.limit, "limit", "l", limit, "the most dead letters, the newest first: 1 to 10000")
	set.BoolVar(&f.dryRun, "dry-run", false, "change nothing; say what would be")
	registerSpan(set, &f.since, &f.until)
}

func (f *letterFilter) filter() (ops.LetterFilter, error) {
	if f.queue == "" {
		return ops.LetterFilter{}, usagef("which queue? say --queue")
	}
	if f.limit < 1 || f.limit > 10_000 {
		return ops.LetterFilter{}, usagef("--limit %d: want 1 to 10000", f.limit)
	}
	return ops.LetterFilter{
		Queue: f.queue, Task: f.task, IDs: f.ids, Since: f.since.Time, Until: f.until.Time, Limit: f.limit, DryRun: f.dryRun,
	}, nil
}

// describe says what is about to be changed.
func (f *letterFilter) describe() string {
	if len(f.ids) == 1 {
		return "dead letter " + f.ids[0] + " of queue " + f.queue
	}
	what := fmt.Sprintf("up to %d dead letters of queue %s", f.limit, f.queue)
	if f.task != "" {
		what += ", those of " + f.task
	}
	return what
}

func (p *program) dlqReplay() *cobra.Command {
	var (
		f  letterFilter
		to ops.ReplayOptions
	)
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Enqueue dead letters again, the newest first",
		Long: `Enqueue dead letters again, the newest first, each under a new id and with all its attempts.

What is interrupted between two letters may be run again: none is enqueued twice within a day. The results of the old ones tell how often and when they were
replayed, and as what. What cannot be read is left where it is.`,
		Example: `  stem dlq replay --queue default --limit 10 --yes
  stem dlq replay --queue default --limit 5 --dry-run
  stem dlq replay --queue default --task mail.welcome --limit 1000 --rate 20 --delay 1m --yes`,
		Args: wants(0, 0, "none"),
		RunE: p.onService(endless, func(ctx context.Context, s *ops.Service, _ []string) error {
			filter, err := f.filter()
			if err != nil {
				return err
			}
			if to.Rate < 0 || to.Delay < 0 {
				return usagef("--rate and --delay: want no less than 0")
			}
			if !f.dryRun {
				if err := p.confirm("replay %s", f.describe()); err != nil {
					return err
				}
			}
			c, err := s.Replay(ctx, p.by(), filter, to)
			return p.showChange(c, "replayed", "dead letters", err)
		}),
	}
	f.register(cmd, 10)
	cmd.Flags().Float64Var(&to.Rate, "rate", 0, "how many to enqueue per second; 0 for as fast as it goes")
	cmd.Flags().DurationVar(&to.Delay, "delay", 0, "how `long` until they are due")
	cmd.Flags().StringVar(&to.OnQueue, "to", "", "the `queue` to enqueue them on; their own unless it is named")
	return cmd
}

func (p *program) dlqPurge() *cobra.Command {
	var f letterFilter
	cmd := &cobra.Command{
		Use:     "purge",
		Short:   "Delete dead letters for good, the newest first",
		Example: "  stem dlq purge --queue default --yes\n  stem dlq purge --queue default --until 720h --limit 10000 --dry-run",
		Args:    wants(0, 0, "none"),
		RunE: p.onService(endless, func(ctx context.Context, s *ops.Service, _ []string) error {
			filter, err := f.filter()
			if err != nil {
				return err
			}
			if !f.dryRun {
				if err := p.confirm("delete %s for good", f.describe()); err != nil {
					return err
				}
			}
			c, err := s.Purge(ctx, p.by(), filter)
			return p.showChange(c, "purged", "dead letters", err)
		}),
	}
	f.register(cmd, 100)
	return cmd
}
