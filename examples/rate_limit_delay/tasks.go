package main

import (
	"context"
	"time"

	"github.com/gostem/gostem/stem"
)

//go:generate go tool stemgen

// CallArgs say for whom an API is called.
type CallArgs struct{ Tenant string }

// Run is when and where a task ran.
type Run struct {
	At     time.Time
	Worker string
}

func ran(ctx context.Context) Run {
	info, _ := stem.Info(ctx)
	return Run{time.Now(), info.Worker}
}

// call stands for the call of an API that lets each tenant have ten calls a second.
//
//stem:task name=api.call rate=10/s limit-key=args.Tenant
func call(ctx context.Context, _ CallArgs) (Run, error) { return ran(ctx), nil }

// report stands for something of which there must never run two at once, in any process.
//
//stem:task name=report concurrency=1
func report(ctx context.Context, _ string) (Run, error) {
	began := ran(ctx)
	select {
	case <-time.After(100 * time.Millisecond):
		return began, nil
	case <-ctx.Done():
		return Run{}, context.Cause(ctx)
	}
}

// remind is due some time after it was enqueued.
//
//stem:task name=remind
func remind(ctx context.Context) (Run, error) { return ran(ctx), nil }
