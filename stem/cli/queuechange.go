package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem/ops"
)

func (p *program) queuePause() *cobra.Command {
	return &cobra.Command{
		Use:   "pause QUEUE...",
		Short: "Let no worker receive anything from queues",
		Long: `Let no worker receive anything from queues, until they are resumed, also across restarts.

Workers may go on to receive for up to 5 s, and finish what they have in hand. Tasks can be enqueued as ever, and wait.`,
		Example: `  stem queue pause bulk --reason "the mail server is away"`,
		Args:    wants(1, -1, "QUEUE..."),
		RunE: p.onService(patience, func(ctx context.Context, s *ops.Service, queues []string) error {
			return each(queues, func(queue string) error {
				err := s.Pause(ctx, p.by(), queue)
				if err == nil {
					p.printer.note("Queue %s is paused.", queue)
				}
				return err
			})
		}),
	}
}

func (p *program) queueResume() *cobra.Command {
	return &cobra.Command{
		Use:     "resume QUEUE...",
		Short:   "End the pause of queues",
		Example: "  stem queue resume bulk",
		Args:    wants(1, -1, "QUEUE..."),
		RunE: p.onService(patience, func(ctx context.Context, s *ops.Service, queues []string) error {
			return each(queues, func(queue string) error {
				err := s.Resume(ctx, p.by(), queue)
				if err == nil {
					p.printer.note("Queue %s goes on.", queue)
				}
				return err
			})
		}),
	}
}

func (p *program) queueDrain() *cobra.Command {
	return &cobra.Command{
		Use:   "drain QUEUE",
		Short: "Pause a queue and wait until nothing of it runs",
		Long: `Pause a queue and wait until nothing of it runs.

The queue stays paused, whether the wait ends well or after --timeout. It takes 5 s at least: so long may workers overlook the pause.`,
		Example: "  stem queue drain bulk --timeout 10m",
		Args:    wants(1, 1, "QUEUE"),
		RunE: p.onService(endless, func(ctx context.Context, s *ops.Service, args []string) error {
			p.printer.note("Queue %s is being drained.", args[0])
			err := s.Drain(ctx, p.by(), args[0])
			switch {
			case err == nil:
				p.printer.note("Nothing of queue %s runs; it stays paused.", args[0])
			case isOver(ctx):
				return timedOutf("tasks of queue %s may still run after %v; it stays paused", args[0], p.flags.timeout)
			}
			return err
		}),
	}
}
