package stemgen

import (
	"context"
	"errors"
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
		if outputs[name], err = part.generate(ctx, cfg.verdict()); err != nil {
			return nil, err
		}
	}
	return outputs, nil
}

// LockedArgs gives the canonical texts of the args of a lock's tasks.
func LockedArgs(content []byte) (map[string]string, error) {
	lock, err := parseLock(content)
	if err != nil {
		return nil, errors.New(err.message)
	}
	texts := make(map[string]string)
	for name, entry := range lock.Tasks {
		texts[name] = entry.Args.schema.text()
	}
	return texts, nil
}

// Reads tells whether code with the schema now is said to read all values of old.
func Reads(old, now string) (bool, error) {
	was, err := parseSchema(old)
	if err != nil {
		return false, err
	}
	is, err := parseSchema(now)
	if err != nil {
		return false, err
	}
	return len((&comparison{}).compare(was, was, is)) == 0, nil
}
