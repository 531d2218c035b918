package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gostem/gostem/stem/ops"
)

// patience is how long a command has that does not wait, unless --timeout says it; endless is for what does. What
// minds --timeout itself is unbounded.
const (
	patience  = 10 * time.Second
	endless   = 0
	unbounded = -1
)

// onService makes the RunE of a command that works on the stores: it opens them, and closes them in the end.
func (p *program) onService(usual time.Duration, do func(ctx context.Context, s *ops.Service, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, cancel := p.bounded(cmd.Context(), usual)
		defer cancel()
		service, closeStores, err := p.open(ctx)
		if err != nil {
			return err
		}
		err = do(ctx, service, args)
		if usual == endless && isOver(ctx) && exitCode(err) == ExitFailed {
			err = timedOutf("it was not done within %v: %w", p.flags.timeout, err)
		}
		return errors.Join(err, closeStores())
	}
}

// by says who it is that changes something.
func (p *program) by() ops.By { return ops.By{Actor: p.flags.actor, Reason: p.flags.reason} }

// bounded ends a context after --timeout, or else after usual. What waits is not given a deadline but cancelled: the calls to
// a store that it makes meanwhile are short, and none of them should take the end of the wait for an outage.
func (p *program) bounded(ctx context.Context, usual time.Duration) (context.Context, context.CancelFunc) {
	limit := cmp.Or(p.flags.timeout, max(usual, 0))
	if usual > 0 {
		return context.WithTimeout(ctx, limit)
	}
	ctx, end := context.WithCancelCause(ctx)
	cancel := func() { end(nil) }
	if usual == unbounded || limit == 0 {
		return ctx, cancel
	}
	timer := time.AfterFunc(limit, func() { end(context.DeadlineExceeded) })
	return ctx, func() { timer.Stop(); cancel() }
}

// isOver tells that --timeout has ended a wait.
func isOver(ctx context.Context) bool { return errors.Is(context.Cause(ctx), context.DeadlineExceeded) }

// each does something for each name, and goes on when it fails for one.
func each(names []string, do func(name string) error) error {
	var failed []error
	for _, name := range names {
		failed = append(failed, do(name))
	}
	return errors.Join(failed...)
}

// onQueue is --queue, and names the queue that is meant without it.
type onQueue string

// in gives the queue that is meant.
func (q onQueue) in(p *program) string { return cmp.Or(string(q), p.value("STEM_DEFAULT_QUEUE")) }

func (q *onQueue) register(set *pflag.FlagSet) {
	set.StringVarP((*string)(q), "queue", "q", "", "the `queue`; the default one (STEM_DEFAULT_QUEUE) unless it is named")
}

// paging are the flags of lists.
type paging struct {
	limit int
	after string
}

func (g *paging) register(set *pflag.FlagSet, limit int) {
	set.IntVarP(&g.limit, "limit", "l", limit, "the most to list: 1 to 10000")
	set.StringVar(&g.after, "after", "", "go on after this `cursor`, which the page before gave")
}

// mostPages bounds how often a store is asked for a page of which nothing is wanted.
const mostPages = 100

// gather asks for pages until there is as much as the limit wants, or no more. A page may be empty and
// not be the last.
func (g *paging) gather(fetch func(after string, room int) (items int, next string, err error)) (next string, err error) {
	if g.limit < 1 || g.limit > 10_000 {
		return "", usagef("--limit %d: want 1 to 10000", g.limit)
	}
	after := g.after
	for room, pages := g.limit, 0; room > 0 && pages < mostPages; pages++ {
		items, next, err := fetch(after, min(room, ops.MaxPage))
		if err != nil || next == "" {
			return "", err
		}
		room -= items
		after = next
	}
	return after, nil
}

// instant is a flag that takes a time, also as it is shown, or how long ago that was.
type instant struct{ time.Time }

func (i *instant) Set(text string) error {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		i.Time = time.Now().Add(-ago)
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, stampLayout, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.UTC); err == nil {
			i.Time = t
			return nil
		}
	}
	return fmt.Errorf("want how long ago, such as 90m, or a time, such as 2026-01-31T15:04:05Z (UTC unless it says otherwise)")
}

func (i *instant) String() string { return stamp(i.Time) }
func (i *instant) Type() string   { return "time" }

// watching are the flags of what can be shown again and again.
type watching struct {
	on    bool
	every time.Duration
}

func (w *watching) register(set *pflag.FlagSet) {
	set.BoolVar(&w.on, "watch", false, "show it again and again, until Ctrl-C or --timeout")
	set.DurationVar(&w.every, "every", 2*time.Second, "how long to wait in between, with --watch: 100ms or more")
}

// watch shows something once, or again and again until Ctrl-C or --timeout. That ends it between two looks: a store
// need not tell a look that was cut short from a failure.
func (p *program) watch(ctx context.Context, w watching, show func(ctx context.Context) error) error {
	if !w.on {
		ctx, cancel := p.bounded(ctx, patience)
		defer cancel()
		return show(ctx)
	}
	if w.every < 100*time.Millisecond {
		return usagef("--every %v: want 100ms or more", w.every)
	}
	return p.repeat(ctx, w.every, func(ctx context.Context) error {
		if p.printer.columns > 0 {
			fmt.Fprint(p.stdout, "\x1b[H\x1b[2J")
		}
		return show(ctx)
	})
}

// repeat does something every so often, each time for as long as patience is at most. It answers the first error.
func (p *program) repeat(ctx context.Context, every time.Duration, do func(ctx context.Context) error) error {
	var over <-chan time.Time
	if p.flags.timeout > 0 {
		over = time.After(p.flags.timeout)
	}
	for {
		look, cancel := context.WithTimeout(ctx, patience)
		err := do(look)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-time.After(every):
		case <-over:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}
