package stemgen

import (
	"context"
	"path/filepath"
	"strings"
)

// GenerateEach loads once and generates each folder directly below root as if it were
// the only one: its tasks know nothing of those in the others.
func GenerateEach(ctx context.Context, cfg Config, root string) (map[string]Output, error) {
	prog, err := load(ctx, cfg)
	if err != nil {
		return nil, err
	}
	parts := make(map[string]*program)
	for _, src := range prog.sources {
		rel, err := filepath.Rel(root, src.dir)
		if err != nil || src.dir == "" || strings.HasPrefix(rel, "..") {
			continue
		}
		name, _, _ := strings.Cut(filepath.ToSlash(rel), "/")
		if parts[name] == nil {
			part := *prog
			part.sources = nil
			parts[name] = &part
		}
		parts[name].sources = append(parts[name].sources, src)
	}
	outputs := make(map[string]Output)
	for name, part := range parts {
		if outputs[name], err = part.generate(ctx); err != nil {
			return nil, err
		}
	}
	return outputs, nil
}
