package cli

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// openedLetterView is a dead letter with what is in it.
type openedLetterView struct {
	letterView
	Args      json.RawMessage `json:"args,omitempty"`
	Malformed string          `json:"malformed,omitempty"`
	History   []attemptView   `json:"history,omitempty"`
	Result    *resultView     `json:"result,omitempty"`
}

func (p *program) dlqShow() *cobra.Command {
	var (
		queue onQueue
		id    string
	)
	cmd := &cobra.Command{
		Use:     "show [ID]",
		Short:   "Show a dead letter: its args, the attempts that failed, whether it was replayed",
		Example: "  stem dlq show --queue default --id 01980a3c-5f70-7c61-9d2e-3b1f6c0a9e55",
		Args:    wants(0, 1, "[ID]"),
		RunE: p.onService(patience, func(ctx context.Context, s *ops.Service, args []string) error {
			if (id == "") == (len(args) == 0) {
				return usagef("which dead letter? say its id, or --id")
			}
			for _, arg := range args {
				id = arg
			}
			letter, err := s.DeadLetter(ctx, queue.in(p), id)
			if err != nil {
				return err
			}
			view := p.openLetter(ctx, s, &letter)
			return p.printer.show(view, view.detail())
		}),
	}
	queue.register(cmd.Flags())
	cmd.Flags().StringVar(&id, "id", "", "the `id` of the task")
	return cmd
}

func (p *program) openLetter(ctx context.Context, s *ops.Service, letter *ops.DeadLetter) openedLetterView {
	v := openedLetterView{letterView: viewLetter(letter), History: viewHistory(letter.History())}
	envelope, err := stem.ParseEnvelope(letter.Envelope)
	if err != nil {
		v.Malformed = err.Error()
	} else {
		v.Args = s.ShowArgs(letter.Task, envelope.Payload)
	}
	if r, err := s.Result(ctx, letter.ID); err == nil { // which may have been forgotten, or never kept
		v.Result = p.viewResult(s, &r)
	}
	return v
}

func (v openedLetterView) detail() detail {
	d := detail{name: v.ID}
	d.field("ID", v.ID)
	d.field("Task", v.Task)
	d.field("Queue", v.Queue)
	d.field("Set aside", stamp(v.At))
	d.field("Reason", v.Reason)
	d.field("Attempt", number(v.Attempt))
	d.field("Malformed", v.Malformed)
	d.block("Args", readable(v.Args))
	if v.Result != nil && v.Result.ReplayCount > 0 {
		d.field("Replayed", v.Result.ReplayedAs+" at "+instantCell(v.Result.LastReplayAt))
	}
	d.sections = append(d.sections, history(v.History))
	return d
}
