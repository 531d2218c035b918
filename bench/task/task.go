// Package task is what Stem runs in the comparison: a task as a user writes it.
package task

import "context"

//go:generate go tool stemgen

// Args travel as 104 to 136 bytes.
type Args struct {
	N    int32
	Text string
}

// Handler runs the task.
type Handler struct {
	Ran func(n int32)
}

// Run tells that the task runs, and that is all it does.
//
//stem:task name=bench.run
func (h *Handler) Run(_ context.Context, args Args) (int32, error) {
	h.Ran(args.N)
	return args.N, nil
}
