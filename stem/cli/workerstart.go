package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gostem/gostem/adapters"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/limit"
	"github.com/gostem/gostem/stem/ops"
)

// starting are the flags of worker start. What is not set is for the environment to say.
type starting struct {
	name                  string
	queues                []string
	concurrency, prefetch int
	least, most           int
	heartbeat, grace      time.Duration
}

func (w *starting) register(set *pflag.FlagSet) {
	set.StringVar(&w.name, "name", "", "what the worker is called; made of host and process unless it is set")
	set.StringSliceVar(&w.queues, "queues", nil, "the `queues`, in order of preference (STEM_WORKER_QUEUES)")
	set.IntVar(&w.concurrency, "concurrency", 0, "how many tasks run at once (STEM_WORKER_CONCURRENCY); 10 per CPU unless it is set")
	set.IntVar(&w.prefetch, "prefetch", 0, "how many times as many are in hand (STEM_PREFETCH_MULTIPLIER)")
	set.IntVar(&w.least, "autoscale-min", 0, "the fewest tasks at once, with --autoscale-max; 1 unless it is set")
	set.IntVar(&w.most, "autoscale-max", 0, "let the worker choose how many tasks run at once, up to this")
	set.DurationVar(&w.heartbeat, "heartbeat-interval", 0, "how often it announces itself (STEM_HEARTBEAT_INTERVAL); 10s unless it is set")
	set.DurationVar(&w.grace, "grace", 0, "how long tasks may go on once it stops; 30s unless it is set")
}

// over puts what was set over what the environment says.
func (w *starting) over(cfg stem.WorkerConfig) (stem.WorkerConfig, error) {
	for _, o := range []struct {
		to    *int
		value int
	}{{&cfg.Slots, w.concurrency}, {&cfg.Prefetch, w.prefetch}} {
		if o.value != 0 {
			*o.to = o.value
		}
	}
	if len(w.queues) > 0 {
		cfg.Queues = w.queues
	}
	if w.heartbeat != 0 {
		cfg.HeartbeatInterval = w.heartbeat
	}
	if w.grace != 0 {
		cfg.Grace = w.grace
	}
	if w.least != 0 && w.most == 0 {
		return cfg, usagef("--autoscale-min goes with --autoscale-max")
	}
	if w.most != 0 {
		cfg.Autoscale = &stem.Autoscale{Min: w.least, Max: w.most}
	}
	cfg.Name = w.name
	return cfg, nil
}

func (p *program) workerStart() *cobra.Command {
	var w starting
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Run a worker of this program's tasks, until a signal",
		Long: `Run a worker of this program's tasks, until SIGINT or SIGTERM: the first lets what is in hand end, a second releases what has not
begun, a third ends at once. It logs to standard error (STEM_LOG_FORMAT, STEM_LOG_LEVEL). Limited tasks wait while the store of the limits does not answer.

Only a program with tasks of its own can do that: the stock command knows none.`,
		Example: `  stem worker start --queues mail,bulk --concurrency 20
  stem worker start --autoscale-min 2 --autoscale-max 50`,
		Args: wants(0, 0, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p.makesTables = true
			if p.cfg.Registry == nil {
				return ops.ErrNoRegistry
			}
			for _, flag := range []string{"concurrency", "prefetch", "autoscale-min", "autoscale-max", "heartbeat-interval", "grace"} {
				// Nothing said is 0 as well, and means the default.
				if f := cmd.Flags().Lookup(flag); f.Changed && (f.Value.String() == "0" || f.Value.String() == "0s") {
					return usagef("--%s %s: want more than 0, or leave it out", flag, f.Value)
				}
			}
			stores, err := p.openStores(cmd.Context())
			if err != nil {
				return err
			}
			return errors.Join(p.work(cmd.Context(), stores, &w), stores.Close())
		},
	}
	w.register(cmd.Flags())
	return cmd
}

func (p *program) work(ctx context.Context, stores adapters.Stores, w *starting) error {
	log := p.stores.Logger(p.stderr)
	cfg, err := w.over(p.stores.WorkerConfig())
	if err != nil {
		return err
	}
	limits, err := limit.New(stores.Limits, limit.Config{WhenStoreFails: limit.FailClosed})
	if err != nil {
		return err
	}
	cfg.Limiter, cfg.Logger = limits, log
	clientConfig := p.stores.ClientConfig(stores)
	clientConfig.Logger = log
	client, err := stem.NewClient(stores.Broker, clientConfig)
	if err != nil {
		return err
	}
	worker, err := stem.NewWorker(client, p.cfg.Registry, cfg)
	if err != nil {
		return err
	}
	return stem.RunUntilSignal(ctx, worker)
}
