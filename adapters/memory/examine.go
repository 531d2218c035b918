package memory

import (
	"context"

	"github.com/gostem/gostem/stem/ops"
)

var _ ops.Examiner = (*Store)(nil)

// Examine tells that all is gone with the process.
func (s *Store) Examine(ctx context.Context) ([]ops.Finding, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return []ops.Finding{{
		Level: ops.LevelInfo, Code: "durability",
		What: "memory: all tasks and results are this process's own and gone with it; durability: memory", Remedy: "use Redis or PostgreSQL for what must last",
	}}, nil
}
