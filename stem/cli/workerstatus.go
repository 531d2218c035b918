package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gostem/gostem/stem/ops"
)

// heartbeat is --heartbeat-interval: how often workers are expected to announce themselves.
type heartbeat time.Duration

func (h *heartbeat) register(set *pflag.FlagSet) {
	set.DurationVar((*time.Duration)(h), "heartbeat-interval", 0, "how `often` workers are expected to announce themselves (STEM_HEARTBEAT_INTERVAL); 10s")
}

// interval gives what is expected.
func (h heartbeat) interval(p *program) time.Duration {
	if h > 0 {
		return time.Duration(h)
	}
	d, _ := time.ParseDuration(p.value("STEM_HEARTBEAT_INTERVAL")) // which has been looked at
	return d
}

func (p *program) workerStatus() *cobra.Command {
	var (
		once, follow bool
		workers      someWorkers
		beat         heartbeat
	)
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how workers are, once, or line by line as they are heard of",
		Long: `Show how workers are, once, or with --follow line by line as they are heard of.

With --follow there is a line for each worker, one for each of its heartbeats, and one when it is gone. It goes on until Ctrl-C or --timeout;
when no worker at all was heard of by then, the exit code is 124.`,
		Example: `  stem worker status --once
  stem worker status --follow --timeout 60s
  stem worker status --follow -o jsonl --worker mailer-1 --heartbeat-interval 5s`,
		Args: wants(0, 0, "none"),
		RunE: p.onService(unbounded, func(ctx context.Context, s *ops.Service, _ []string) error {
			if once && follow {
				return usagef("--once and --follow exclude each other")
			}
			if follow {
				return p.followWorkers(ctx, s, workers, beat)
			}
			ctx, cancel := p.bounded(ctx, patience)
			defer cancel()
			return p.listWorkers(ctx, s, workers, beat)
		}),
	}
	cmd.Flags().BoolVar(&once, "once", false, "show it once, as without --follow")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on, with a line for whatever is heard")
	workers.register(cmd)
	beat.register(cmd.Flags())
	return cmd
}

// workerGone is the state of a worker that is not listed any more.
const workerGone = "gone"

// followWorkers writes a line for each worker that is heard of again, is late or is gone.
func (p *program) followWorkers(ctx context.Context, s *ops.Service, workers someWorkers, beat heartbeat) error {
	known := make(map[string]workerView)
	heard := false
	err := p.repeat(ctx, min(beat.interval(p)/4, time.Second), func(ctx context.Context) error {
		news, err := p.newsOfWorkers(ctx, s, workers, beat, known)
		heard = heard || len(news) > 0
		for _, v := range news {
			err = errors.Join(err, p.tellWorker(v))
		}
		return err
	})
	if err == nil && !heard && p.flags.timeout > 0 {
		return timedOutf("no worker was heard of for %v", p.flags.timeout)
	}
	return err
}

// newsOfWorkers gives the workers that have been heard of since they were noted in known, or are in another state.
func (p *program) newsOfWorkers(ctx context.Context, s *ops.Service, workers someWorkers, beat heartbeat, known map[string]workerView) (news []workerView, err error) {
	infos, err := s.Workers(ctx)
	if err != nil {
		return nil, err
	}
	gone := maps.Clone(known)
	for i := range infos {
		v := viewWorker(&infos[i], beat.interval(p))
		if !workers.include(v.Name, v.ID) {
			continue
		}
		delete(gone, v.ID)
		if before, ok := known[v.ID]; !ok || before.Seen != v.Seen || before.State != v.State {
			news = append(news, v)
			known[v.ID] = v
		}
	}
	for _, id := range slices.Sorted(maps.Keys(gone)) {
		v := gone[id]
		delete(known, id)
		if v.State != workerStopped { // that was its last word
			v.State = workerGone
			news = append(news, v)
		}
	}
	return news, nil
}

// tellWorker writes one line of a worker, or one value for programs.
func (p *program) tellWorker(v workerView) error {
	switch p.printer.format {
	case asName:
		_, err := fmt.Fprintln(p.stdout, escape(v.ID))
		return err
	case asJSON, asJSONL:
		return workerTable.write(p.printer.as(asJSONL), []workerView{v}, "")
	case asYAML:
		fmt.Fprintln(p.stdout, "---")
		_, err := p.printer.structured(v)
		return err
	default:
		line := fmt.Sprintf("%s  %s  %s  running %d/%d  in hand %d", time.Now().UTC().Format(time.TimeOnly), v.Name, v.State, v.Running, v.Slots, v.InHand)
		if p.printer.format == asWide {
			line += fmt.Sprintf("  up %s  %s  process %d  %s", v.up, v.Host, v.PID, v.ID)
		}
		_, err := fmt.Fprintln(p.stdout, escape(line))
		return err
	}
}
