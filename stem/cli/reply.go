package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// replyView is what is shown of what a worker replies.
type replyView struct {
	Worker  string     `json:"worker"`
	ID      string     `json:"id"`
	OK      bool       `json:"ok"`
	Error   string     `json:"error,omitempty"`
	Revoked int        `json:"revoked,omitempty"`
	Stats   *statsView `json:"stats,omitempty"`
	InHand  int        `json:"in_hand,omitempty"`
	Tasks   []heldView `json:"tasks,omitempty"`
}

// statsView are the numbers of a worker and its process.
type statsView struct {
	UpSeconds   float64  `json:"up_seconds"`
	Slots       int      `json:"slots"`
	Running     int      `json:"running"`
	InHand      int      `json:"in_hand"`
	Succeeded   int64    `json:"succeeded"`
	Failed      int64    `json:"failed"`
	Cancelled   int64    `json:"cancelled"`
	Retried     int64    `json:"retried"`
	Snoozed     int64    `json:"snoozed"`
	Released    int64    `json:"released"`
	Paused      []string `json:"paused,omitempty"`
	Stopping    bool     `json:"stopping"`
	Goroutines  int      `json:"goroutines"`
	CPUs        int      `json:"cpus"`
	HeapBytes   uint64   `json:"heap_bytes"`
	SystemBytes uint64   `json:"system_bytes"`
	GCs         int64    `json:"gcs"`
	Go          string   `json:"go"`
}

// heldView is a task that a worker has in hand.
type heldView struct {
	ID           string        `json:"id"`
	Task         string        `json:"task"`
	Queue        string        `json:"queue"`
	Attempt      int           `json:"attempt"`
	SinceSeconds float64       `json:"since_seconds"`
	ForSeconds   float64       `json:"for_seconds"`
	Progress     *progressView `json:"progress,omitempty"`
}

func viewReply(r *stem.Reply) replyView {
	v := replyView{Worker: r.Name, ID: r.Worker, OK: r.Err == "", Error: r.Err, Revoked: r.Count, InHand: r.HeldCount}
	if s := r.Stats; s != nil {
		v.Stats = &statsView{
			s.Up.Seconds(), s.Slots, s.Running, s.InHand, s.Succeeded, s.Failed, s.Cancelled, s.Retried, s.Snoozed, s.Released,
			s.Paused, s.Stopping, s.Goroutines, s.CPUs, s.HeapBytes, s.SystemBytes, s.GCs, s.Go,
		}
	}
	for _, h := range r.Held {
		v.Tasks = append(v.Tasks, heldView{h.ID, h.Task, h.Queue, h.Attempt, h.Since.Seconds(), h.For.Seconds(), viewProgress(h.Progress)})
	}
	return v
}

func (v replyView) answer() string {
	if v.OK {
		return "ok"
	}
	return v.Error
}

// replyTable lists replies, with more columns before the id.
func replyTable(more ...column[replyView]) table[replyView] {
	columns := []column[replyView]{
		{title: "WORKER", cell: func(v replyView) string { return v.Worker }},
		{title: "ANSWER", cell: replyView.answer, alarm: func(v replyView) bool { return !v.OK }},
	}
	return table[replyView]{
		kind: "replies",
		name: func(v replyView) string { return v.ID },
		columns: append(append(columns, more...),
			column[replyView]{title: "ID", cell: func(v replyView) string { return v.ID }, wide: true}),
	}
}

// numbers makes a column of what a worker's stats have.
func numbers(title string, wide bool, of func(*statsView) string) column[replyView] {
	return column[replyView]{title: title, wide: wide, cell: func(v replyView) string {
		if v.Stats == nil {
			return ""
		}
		return of(v.Stats)
	}}
}

// command gives an order to workers and shows their replies. One that does not obey is an error, and so is one that does not reply.
func (p *program) command(ctx context.Context, s *ops.Service, workers someWorkers, c stem.Command, t table[replyView]) error {
	replies, err := s.Command(ctx, p.by(), ops.Order{Workers: workers, Command: c, Timeout: p.flags.timeout})
	var silent *ops.SilentError
	if err != nil && !errors.As(err, &silent) {
		return err
	}
	if len(replies) == 0 && err == nil {
		return timedOutf("no worker replied to %s", c.Verb)
	}
	views := make([]replyView, len(replies))
	var refused []string
	for i := range replies {
		views[i] = viewReply(&replies[i])
		if replies[i].Err != "" {
			refused = append(refused, fmt.Sprintf("worker %s: %s", replies[i].Name, replies[i].Err))
		}
	}
	if len(refused) > 0 {
		err = errors.Join(refusedf("%s", strings.Join(refused, "\n")), err)
	}
	if len(views) == 0 {
		return err
	}
	return errors.Join(t.print(p.printer, views, ""), err)
}
