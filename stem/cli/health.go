package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem"
)

// storeHealth is how a store has answered.
type storeHealth struct {
	Variable string  `json:"variable"`
	URL      string  `json:"url"`
	Status   string  `json:"status"`
	Seconds  float64 `json:"seconds"`
}

var healthTable = table[storeHealth]{
	kind: "stores",
	name: func(v storeHealth) string { return v.Variable },
	columns: []column[storeHealth]{
		{title: "STORE", cell: func(v storeHealth) string { return v.Variable }},
		{title: "URL", cell: func(v storeHealth) string { return v.URL }},
		{title: "STATUS", cell: func(v storeHealth) string { return v.Status }, alarm: func(v storeHealth) bool { return v.Status != "ok" }},
		{title: "TOOK", cell: func(v storeHealth) string { return fmt.Sprintf("%.1fms", 1000*v.Seconds) }},
	},
}

func (p *program) healthCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "health",
		Short: "Ask the stores whether they answer",
		Long: `Ask the stores whether they answer: the broker, the result backend and the store of revocations.

It ends with 5 where one does not. Whether the workers of a process are well its own handler tells, see the package stem/health; who
is there stem worker list.`,
		Example: "  stem health --broker redis://localhost:6379 --timeout 2s",
		Args:    wants(0, 0, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := p.bounded(cmd.Context(), patience)
			defer cancel()
			stores, err := p.openStores(ctx)
			if err != nil {
				return err
			}
			var views []storeHealth
			var failed []error
			ask := func(variable string, call func(context.Context) error) {
				begun := time.Now()
				err := call(ctx)
				v := storeHealth{variable, p.value(variable), "ok", time.Since(begun).Seconds()}
				if err != nil {
					v.Status = err.Error()
					failed = append(failed, fmt.Errorf("%s: %w", variable, err))
				}
				views = append(views, v)
			}
			ask("STEM_BROKER_URL", func(ctx context.Context) error {
				counter, ok := stem.As[stem.QueueCounter](stores.Broker)
				if !ok {
					return nil // it has been opened, and no more can be asked without a change
				}
				_, err := counter.CountQueue(ctx, stem.DefaultQueue)
				return err
			})
			ask("STEM_RESULT_BACKEND_URL", func(ctx context.Context) error {
				_, err := stores.Backend.Load(ctx, "stem-health")
				if errors.Is(stem.ItemErr(err, 0), stem.ErrNoResult) {
					return nil
				}
				return err
			})
			ask("STEM_REVOKE_STORE_URL", func(ctx context.Context) error {
				_, err := stores.Revocations.Revoked(ctx, stem.Delivery{Envelope: &stem.Envelope{ID: "stem-health", Queue: stem.DefaultQueue}})
				return err
			})
			err = errors.Join(healthTable.print(p.printer, views, ""), stores.Close())
			if len(failed) > 0 {
				return &exitError{ExitUnreachable, errors.Join(failed...)}
			}
			return err
		},
	}
}
