package cli

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// whoObeys is said in the help of all commands to workers.
const whoObeys = `

It is for all workers unless --worker names some, by their names or ids. Their replies are awaited for --timeout, 10 s unless it is set: who has
announced itself and does not reply is named, with the exit code 124, and does not obey any more later.`

// orders makes a command to workers.
func (p *program) orders(cmd *cobra.Command, do func(ctx context.Context, s *ops.Service, workers someWorkers, args []string) error) *cobra.Command {
	var workers someWorkers
	if cmd.Args == nil {
		cmd.Args = wants(0, 0, "none")
	}
	if cmd.Long == "" {
		cmd.Long = cmd.Short + "."
	}
	cmd.Long += whoObeys
	cmd.RunE = p.onService(unbounded, func(ctx context.Context, s *ops.Service, args []string) error { return do(ctx, s, workers, args) })
	workers.register(cmd)
	return cmd
}

// forAll asks before all workers are told to do something that hurts.
func (p *program) forAll(workers someWorkers, what string) error {
	if len(workers) > 0 {
		return nil
	}
	return p.confirm("%s", what)
}

func (p *program) workerPing() *cobra.Command {
	return p.orders(&cobra.Command{
		Use:     "ping",
		Short:   "Ask workers whether they are there",
		Example: "  stem worker ping\n  stem worker ping --worker mailer-1 --timeout 5s",
	}, func(ctx context.Context, s *ops.Service, workers someWorkers, _ []string) error {
		return p.command(ctx, s, workers, stem.Command{Verb: stem.CommandPing}, replyTable())
	})
}

func (p *program) workerStats() *cobra.Command {
	count := func(n func(*statsView) int64) func(*statsView) string {
		return func(v *statsView) string { return strconv.FormatInt(n(v), 10) }
	}
	t := replyTable(
		numbers("UP", false, func(v *statsView) string { return age(seconds(v.UpSeconds)) }),
		numbers("RUNNING", false, func(v *statsView) string { return fmt.Sprintf("%d/%d", v.Running, v.Slots) }),
		numbers("IN HAND", false, func(v *statsView) string { return number(v.InHand) }),
		numbers("SUCCEEDED", false, count(func(v *statsView) int64 { return v.Succeeded })),
		numbers("FAILED", false, count(func(v *statsView) int64 { return v.Failed })),
		numbers("RETRIED", false, count(func(v *statsView) int64 { return v.Retried })),
		numbers("HEAP", false, func(v *statsView) string { return mebibytes(v.HeapBytes) }),
		numbers("CANCELLED", true, count(func(v *statsView) int64 { return v.Cancelled })),
		numbers("SNOOZED", true, count(func(v *statsView) int64 { return v.Snoozed })),
		numbers("GIVEN BACK", true, count(func(v *statsView) int64 { return v.Released })),
		numbers("PAUSED", true, func(v *statsView) string { return strings.Join(v.Paused, ",") }),
		numbers("GOROUTINES", true, func(v *statsView) string { return number(v.Goroutines) }),
		numbers("SYSTEM", true, func(v *statsView) string { return mebibytes(v.SystemBytes) }),
		numbers("GO", true, func(v *statsView) string { return v.Go }),
	)
	return p.orders(&cobra.Command{
		Use:     "stats",
		Short:   "Ask workers for their numbers",
		Example: "  stem worker stats -o wide",
	}, func(ctx context.Context, s *ops.Service, workers someWorkers, _ []string) error {
		return p.command(ctx, s, workers, stem.Command{Verb: stem.CommandStats}, t)
	})
}

func mebibytes(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func (p *program) workerInspect() *cobra.Command {
	return p.orders(&cobra.Command{
		Use:     "inspect",
		Short:   "Ask workers what they have in hand, and how far it is",
		Example: "  stem worker inspect --worker mailer-1",
	}, func(ctx context.Context, s *ops.Service, workers someWorkers, _ []string) error {
		if p.printer.format != asTable && p.printer.format != asWide {
			return p.command(ctx, s, workers, stem.Command{Verb: stem.CommandInspect}, replyTable())
		}
		return p.inspect(ctx, s, workers)
	})
}

// inspect lists tasks instead of replies.
func (p *program) inspect(ctx context.Context, s *ops.Service, workers someWorkers) error {
	t := replyTable()
	t.list = func(replies []replyView) error {
		var held []inspectedView
		for _, r := range replies {
			for _, h := range r.Tasks {
				held = append(held, inspectedView{h, r.Worker})
			}
			if more := r.InHand - len(r.Tasks); more > 0 {
				p.printer.note("Worker %s has %d more.", r.Worker, more)
			}
		}
		return inspectTable.print(p.printer, held, "")
	}
	return p.command(ctx, s, workers, stem.Command{Verb: stem.CommandInspect}, t)
}

// inspectedView is a task in the hand of a worker.
type inspectedView struct {
	heldView
	worker string
}

var inspectTable = table[inspectedView]{
	kind: "tasks in hand",
	name: func(v inspectedView) string { return v.ID },
	columns: []column[inspectedView]{
		{title: "WORKER", cell: func(v inspectedView) string { return v.worker }},
		{title: "ID", cell: func(v inspectedView) string { return v.ID }},
		{title: "TASK", cell: func(v inspectedView) string { return v.Task }},
		{title: "QUEUE", cell: func(v inspectedView) string { return v.Queue }},
		{title: "ATTEMPT", cell: func(v inspectedView) string { return number(v.Attempt) }},
		{title: "RUNNING", cell: func(v inspectedView) string { return runningFor(v.ForSeconds) }},
		{title: "PROGRESS", cell: func(v inspectedView) string { return v.Progress.text() }},
		{title: "RECEIVED", cell: func(v inspectedView) string { return age(seconds(v.SinceSeconds)) + " ago" }, wide: true},
	},
}

func runningFor(n float64) string {
	if n == 0 {
		return "not yet"
	}
	return "for " + age(seconds(n))
}

func (p *program) workerRevoke() *cobra.Command {
	var (
		queue  onQueue
		ids    []string
		family bool
	)
	cmd := &cobra.Command{
		Use:   "revoke [ID...]",
		Short: "Cancel tasks in whatever worker runs them, at once and for good",
		Long: `Cancel tasks in whatever worker runs them, at once and for good.

First the store is told, as with task revoke, so that none of them starts any more; then the workers are, which would have heard of it within 5 s anyway.`,
		Example: "  stem worker revoke --task 01980a3c-5f70-7c61-9d2e-3b1f6c0a9e55 --queue mail",
		Args:    wants(0, -1, "[ID...]"),
	}
	cmd = p.orders(cmd, func(ctx context.Context, s *ops.Service, workers someWorkers, args []string) error {
		all := slices.Concat(ids, args)
		if len(all) == 0 {
			return usagef("which tasks? name their ids")
		}
		if len(all) > 1 {
			if err := p.confirm("revoke %d tasks of queue %s", len(all), queue.in(p)); err != nil {
				return err
			}
		}
		opts := p.revocation(family)
		if c, err := s.Revoke(ctx, p.by(), queue.in(p), all, opts...); err != nil || len(c.Errors) > 0 {
			return p.showChange(c, "revoked", "tasks", err)
		}
		order := stem.Command{Verb: stem.CommandRevoke, Queues: []string{queue.in(p)}, IDs: all, Family: family}
		return p.command(ctx, s, workers, order, replyTable(column[replyView]{
			title: "REVOKED", cell: func(v replyView) string { return number(v.Revoked) },
		}))
	})
	queue.register(cmd.Flags())
	cmd.Flags().StringSliceVarP(&ids, "task", "t", nil, "the `ids` of tasks, as well as arguments")
	cmd.Flags().BoolVar(&family, "descendants", false, "also all tasks on the queue that these have enqueued, and so on")
	return cmd
}

func (p *program) workerPause() *cobra.Command {
	var queues []string
	cmd := p.orders(&cobra.Command{
		Use:   "pause",
		Short: "Let workers receive nothing more, from some queues or at all",
		Long: `Let workers receive nothing more, from some queues or at all, until they are told to resume or end. What they have in hand goes on.

To pause a queue for all workers, those to come too, is queue pause.`,
		Example: "  stem worker pause --worker mailer-1\n  stem worker pause --worker mailer-1 --queue bulk",
	}, func(ctx context.Context, s *ops.Service, workers someWorkers, _ []string) error {
		if err := p.forAll(workers, "let all workers receive nothing more"); err != nil {
			return err
		}
		return p.command(ctx, s, workers, stem.Command{Verb: stem.CommandPause, Queues: queues}, replyTable())
	})
	cmd.Flags().StringSliceVarP(&queues, "queue", "q", nil, "only from these `queues`")
	return cmd
}

func (p *program) workerResume() *cobra.Command {
	var queues []string
	cmd := p.orders(&cobra.Command{
		Use:     "resume",
		Short:   "End what worker pause has begun",
		Example: "  stem worker resume --worker mailer-1",
	}, func(ctx context.Context, s *ops.Service, workers someWorkers, _ []string) error {
		return p.command(ctx, s, workers, stem.Command{Verb: stem.CommandResume, Queues: queues}, replyTable())
	})
	cmd.Flags().StringSliceVarP(&queues, "queue", "q", nil, "only for these `queues`")
	return cmd
}

func (p *program) workerConcurrency() *cobra.Command {
	return p.orders(&cobra.Command{
		Use:     "concurrency SLOTS",
		Short:   "Change how many tasks workers run at once, until they end",
		Example: "  stem worker concurrency 20 --worker mailer-1",
		Args:    wants(1, 1, "SLOTS"),
	}, func(ctx context.Context, s *ops.Service, workers someWorkers, args []string) error {
		slots, err := strconv.Atoi(args[0])
		if err != nil || slots < 1 {
			return usagef("concurrency %s: want a number, 1 or more", args[0])
		}
		if err := p.forAll(workers, fmt.Sprintf("let all workers run %d tasks at once", slots)); err != nil {
			return err
		}
		return p.command(ctx, s, workers, stem.Command{Verb: stem.CommandConcurrency, Slots: slots}, replyTable())
	})
}

// stopModes are the values of --mode.
var stopModes = map[string]stem.StopMode{"warm": stem.StopWarm, "soft": stem.StopSoft, "hard": stem.StopHard}

func (p *program) workerShutdown() *cobra.Command {
	var mode string
	cmd := p.orders(&cobra.Command{
		Use:   "shutdown",
		Short: "Make workers stop",
		Long: `Make workers stop: warm lets what runs finish, within the worker's grace; soft cancels it and gives it back; hard waits for nobody, and
what runs goes on elsewhere when the lease has lapsed. Who starts the worker's process again, starts the worker again.`,
		Example: "  stem worker shutdown --worker mailer-1\n  stem worker shutdown --mode soft --yes",
	}, func(ctx context.Context, s *ops.Service, workers someWorkers, _ []string) error {
		how, known := stopModes[mode]
		if !known {
			return usagef("--mode %s: want warm, soft or hard", mode)
		}
		if err := p.forAll(workers, "make all workers stop"); err != nil {
			return err
		}
		return p.command(ctx, s, workers, stem.Command{Verb: stem.CommandShutdown, Mode: how}, replyTable())
	})
	cmd.Flags().StringVar(&mode, "mode", "warm", "`how`: warm, soft or hard")
	return cmd
}
