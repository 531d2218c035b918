// Package thumbnail has a task that takes a while.
package thumbnail

import (
	"context"
	"time"
)

//go:generate go tool stemgen

// MakeArgs says which picture to shrink, and how long that takes.
type MakeArgs struct {
	Picture int
	Takes   time.Duration
}

// Make shrinks a picture; here it only takes its time.
//
//stem:task name=thumbnail.make queue=thumbnails timeout=1m
func Make(ctx context.Context, args MakeArgs) error {
	select {
	case <-time.After(args.Takes):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
