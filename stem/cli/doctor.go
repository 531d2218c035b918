package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem/ops"
)

var findingTable = table[ops.Finding]{
	kind: "findings",
	name: func(f ops.Finding) string { return f.Code },
	columns: []column[ops.Finding]{
		{title: "LEVEL", cell: func(f ops.Finding) string { return string(f.Level) }, alarm: func(f ops.Finding) bool { return f.Level != ops.LevelInfo }},
		{title: "CODE", cell: func(f ops.Finding) string { return f.Code }},
		{title: "WHAT", cell: func(f ops.Finding) string { return f.What }},
		{title: "REMEDY", cell: func(f ops.Finding) string { return f.Remedy }},
	},
}

func (p *program) doctorCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Look for what keeps tasks from running, now or later",
		Long: `Look for what keeps tasks from running, now or later, each with its remedy: servers that would lose or evict tasks, clocks,
rights, poolers, tables that grow, queues without a worker, tasks that nobody knows, lost workers, paused queues.

It ends with 1 where there is an error among the findings.`,
		Example: "  stem doctor -o json",
		Args:    wants(0, 0, "none"),
		RunE: p.onService(patience, func(ctx context.Context, s *ops.Service, _ []string) error {
			findings, err := s.Examine(ctx)
			if err != nil {
				return err
			}
			if err := findingTable.print(p.printer, findings, ""); err != nil {
				return err
			}
			errors := 0
			for _, f := range findings {
				if f.Level == ops.LevelError {
					errors++
				}
			}
			if errors > 0 {
				return &exitError{ExitFailed, fmt.Errorf("errors among the findings: %d", errors)}
			}
			return nil
		}),
	}
}
