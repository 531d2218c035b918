package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// enqueueing are the flags of task enqueue. Only those that were set become options: the others are for the
// definition of the task to say.
type enqueueing struct {
	args, queue, id string
	headers         []string
	delay, expires  time.Duration
	priority        int
	retries         int
	wait            bool
}

// mostArgs bounds what is read from a file: what a client takes has 1 MiB, and JSON writes it longer.
const mostArgs = 16 << 20

func (p *program) taskEnqueue() *cobra.Command {
	var e enqueueing
	cmd := &cobra.Command{
		Use:   "enqueue TASK",
		Short: "Enqueue a task by its name, with args as JSON",
		Long: `Enqueue a task by its name or an alias, with args as JSON in the form that its schema says (task types TASK shows it), and
with the options of its definition under those given here. Only a program with tasks of its own can do that: see task types.

With --wait the result is awaited and shown; the exit code is 6 where the task fails, and 124 where it does not end within --timeout.`,
		Example: `  stem task enqueue mail.send --args '{"To": "ada@example.org"}'
  stem task enqueue mail.send --args @letter.json --delay 10m --queue bulk
  stem task enqueue mail.send --args - --wait --timeout 1m < letter.json`,
		Args:              wants(1, 1, "TASK"),
		ValidArgsFunction: p.completeTask,
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p.makesTables = true
		usual := patience
		if e.wait {
			usual = endless
		}
		return p.onService(usual, func(ctx context.Context, s *ops.Service, args []string) error {
			return p.enqueue(ctx, s, cmd, &e, args[0])
		})(cmd, args)
	}
	set := cmd.Flags()
	set.StringVar(&e.args, "args", "", "the args as `JSON`, @ and a file with them, or - for standard input")
	set.StringVarP(&e.queue, "queue", "q", "", "put it on this `queue` instead of the task's own")
	set.StringVar(&e.id, "id", "", "give it this `id`; a second one with it is a duplicate")
	set.StringArrayVar(&e.headers, "header", nil, "a header as `name=value`, as often as there are any")
	set.DurationVar(&e.delay, "delay", 0, "let it be due after this `time`")
	set.DurationVar(&e.expires, "expires", 0, "cancel it if it has not begun after this `time`")
	set.IntVar(&e.priority, "priority", 0, "0 to 9; higher ones go first")
	set.IntVar(&e.retries, "max-retries", 0, "how many failed attempts may be followed by another")
	set.BoolVar(&e.wait, "wait", false, "wait until it has ended, and show its result")
	return cmd
}

func (p *program) enqueue(ctx context.Context, s *ops.Service, cmd *cobra.Command, e *enqueueing, task string) error {
	args, err := p.readArgs(e.args)
	if err != nil {
		return err
	}
	options, err := e.options(cmd.Flags().Changed)
	if err != nil {
		return err
	}
	published, err := s.Enqueue(ctx, p.by(), ops.EnqueueRequest{Task: task, Args: args, Options: options})
	if err != nil {
		return err
	}
	if !e.wait {
		v := enqueuedView{published.ID, published.Duplicate, published.Replaces}
		return p.printer.show(v, v.detail())
	}
	p.printer.note("Enqueued as %s; waiting for its end.", published.ID)
	return p.await(ctx, s, published.ID)
}

// enqueuedView is what is shown of a task that was enqueued.
type enqueuedView struct {
	ID        string `json:"id"`
	Duplicate bool   `json:"duplicate"`
	Replaces  string `json:"replaces,omitempty"`
}

func (v enqueuedView) detail() detail {
	d := detail{name: v.ID}
	d.field("Enqueued", v.ID)
	if v.Duplicate {
		d.field("Duplicate", "the store had it already, or one of its kind: nothing was added")
	}
	d.field("Replaces", v.Replaces)
	return d
}

// options are what the flags say that were set.
func (e *enqueueing) options(set func(flag string) bool) ([]stem.Option, error) {
	var options []stem.Option
	add := func(flag string, o stem.Option) {
		if set(flag) {
			options = append(options, o)
		}
	}
	add("queue", stem.OnQueue(e.queue))
	add("id", stem.WithID(e.id))
	add("delay", stem.Delay(e.delay))
	add("expires", stem.ExpiresIn(e.expires))
	add("priority", stem.Priority(e.priority))
	add("max-retries", stem.MaxRetries(e.retries))
	for _, h := range e.headers {
		name, value, ok := strings.Cut(h, "=")
		if !ok || name == "" {
			return nil, usagef("--header %s: want name=value", escape(h))
		}
		options = append(options, stem.Header(name, value))
	}
	return options, nil
}

// readArgs gives the text of --args.
func (p *program) readArgs(args string) (json.RawMessage, error) {
	name, fromFile := strings.CutPrefix(args, "@")
	var in io.Reader
	switch {
	case args == "-":
		in = p.stdin
	case fromFile:
		file, err := os.Open(name)
		if err != nil {
			return nil, usagef("--args: %w", err)
		}
		defer file.Close()
		in = file
	default:
		return json.RawMessage(args), nil
	}
	text, err := io.ReadAll(io.LimitReader(in, mostArgs+1))
	if err != nil {
		return nil, fmt.Errorf("--args: %w", err)
	}
	if len(text) > mostArgs {
		return nil, usagef("--args: more than %d MiB", mostArgs>>20)
	}
	return text, nil
}

func (p *program) taskWait() *cobra.Command {
	return &cobra.Command{
		Use:   "wait ID",
		Short: "Wait until a task has ended, and show its result",
		Long: `Wait until a task has ended, and show its result. It need not have been enqueued yet. The exit code is 6 where the
task has failed or was cancelled, and 124 where it has not ended within --timeout, which has no default.`,
		Example: "  stem task wait 01997c1e-6f5b-7c3a-9d57-0a4f5f7f1f52 --timeout 1m",
		Args:    wants(1, 1, "ID"),
		RunE: p.onService(endless, func(ctx context.Context, s *ops.Service, args []string) error {
			return p.await(ctx, s, args[0])
		}),
	}
}

// await shows the result of a task once there is one.
func (p *program) await(ctx context.Context, s *ops.Service, id string) error {
	r, err := s.Await(ctx, id)
	switch {
	case err != nil && isOver(ctx):
		return timedOutf("task %s has not ended within %s", id, age(p.flags.timeout))
	case err != nil:
		return err
	}
	v := p.viewResult(s, &r)
	if err := p.printer.show(v, v.detail()); err != nil {
		return err
	}
	if r.State != stem.StateSucceeded {
		return &exitError{ExitTaskFailed, fmt.Errorf("task %s: %s", id, r.State)}
	}
	return nil
}

func (p *program) taskResult() *cobra.Command {
	return &cobra.Command{
		Use:     "result ID",
		Short:   "Show the result of a task, or what it has reported so far",
		Long:    "Show the result of a task, or what it has reported so far. The exit code is 3 where there is neither, or it is no longer kept.",
		Example: "  stem task result 01997c1e-6f5b-7c3a-9d57-0a4f5f7f1f52 -o json",
		Args:    wants(1, 1, "ID"),
		RunE: p.onService(patience, func(ctx context.Context, s *ops.Service, args []string) error {
			r, err := s.Result(ctx, args[0])
			if err != nil {
				return err
			}
			v := p.viewResult(s, &r)
			return p.printer.show(v, v.detail())
		}),
	}
}
