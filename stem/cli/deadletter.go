package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gostem/gostem/stem/ops"
)

// letterView is what is shown of a dead letter.
type letterView struct {
	ID       string    `json:"id"`
	Task     string    `json:"task"`
	Queue    string    `json:"queue"`
	At       time.Time `json:"at"`
	Reason   string    `json:"reason"`
	Attempt  int       `json:"attempt"`
	Delivery int64     `json:"delivery"`
	Bytes    int       `json:"bytes"`
}

func viewLetter(l *ops.DeadLetter) letterView {
	return letterView{
		ID: l.ID, Task: l.Task, Queue: l.Queue, At: l.At.UTC().Truncate(time.Millisecond), Reason: l.Reason,
		Attempt: l.Attempt, Delivery: l.Delivery, Bytes: len(l.Envelope),
	}
}

var letterTable = table[letterView]{
	kind: "dead letters",
	name: func(v letterView) string { return v.ID },
	columns: []column[letterView]{
		{title: "ID", cell: func(v letterView) string { return v.ID }},
		{title: "TASK", cell: func(v letterView) string { return v.Task }},
		{title: "AT", cell: func(v letterView) string { return stamp(v.At) }},
		{title: "ATTEMPT", cell: func(v letterView) string { return number(v.Attempt) }},
		{title: "REASON", cell: func(v letterView) string { return v.Reason }},
		{title: "DELIVERY", cell: func(v letterView) string { return number(int(v.Delivery)) }, wide: true},
		{title: "BYTES", cell: func(v letterView) string { return number(v.Bytes) }, wide: true},
	},
}

func (p *program) dlqCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "dlq",
		Short: "See dead letters; replay and purge them",
		Long: `See dead letters; replay and purge them.

A dead letter is a task that failed for good, as it was enqueued. To replay it enqueues it again, under a new id and with all its attempts;
the result of the old one tells the new one's id.`,
		Example: `  stem dlq list --queue default --limit 20
  stem dlq replay --queue default --limit 10 --yes`,
	}, p.dlqList(), p.dlqShow(), p.dlqReplay(), p.dlqPurge())
}

func (p *program) dlqList() *cobra.Command {
	var (
		g            paging
		w            watching
		queue        onQueue
		task         string
		since, until instant
	)
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the dead letters of a queue, the newest first",
		Example: "  stem dlq list --queue default --limit 20\n  stem dlq list --queue default --task mail.welcome --since 24h -o jsonl",
		Args:    wants(0, 0, "none"),
		RunE: p.onService(unbounded, func(ctx context.Context, s *ops.Service, _ []string) error {
			q := ops.DeadLetterQuery{Queue: queue.in(p), Task: task, Since: since.Time, Until: until.Time}
			return p.watch(ctx, w, func(ctx context.Context) error { return p.listLetters(ctx, s, q, &g) })
		}),
	}
	set := cmd.Flags()
	queue.register(set)
	g.register(set, 50)
	w.register(set)
	set.StringVar(&task, "task", "", "only those of the task of this `name`")
	registerSpan(set, &since, &until)
	return cmd
}

func (p *program) listLetters(ctx context.Context, s *ops.Service, q ops.DeadLetterQuery, g *paging) error {
	var views []letterView
	next, err := g.gather(func(after string, room int) (int, string, error) {
		q.After, q.Limit = after, room
		page, err := s.DeadLetters(ctx, q)
		for i := range page.Letters {
			views = append(views, viewLetter(&page.Letters[i]))
		}
		return len(page.Letters), page.Next, err
	})
	if err != nil {
		return err
	}
	return letterTable.print(p.printer, views, next)
}

// registerSpan adds the flags that say when something was set aside.
func registerSpan(set *pflag.FlagSet, since, until *instant) {
	set.Var(since, "since", "only what was set aside since then: how long `ago`, such as 90m, or a time")
	set.Var(until, "until", "only what was set aside before then: how long `ago`, or a time")
}
