package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/stem/ops"
)

// taskView is what is shown of a task in a queue.
type taskView struct {
	ID            string     `json:"id"`
	Task          string     `json:"task"`
	Queue         string     `json:"queue"`
	State         string     `json:"state"`
	Priority      int        `json:"priority"`
	Attempt       int        `json:"attempt"`
	MaxRetries    int        `json:"max_retries"`
	Interruptions int        `json:"interruptions,omitempty"`
	Snoozes       int        `json:"snoozes,omitempty"`
	Releases      int        `json:"releases,omitempty"`
	Delivery      int64      `json:"delivery,omitempty"`
	Session       string     `json:"session,omitempty"`
	Published     *time.Time `json:"published,omitempty"`
	Due           *time.Time `json:"due,omitempty"`
	Lapses        *time.Time `json:"lapses,omitempty"`
	Malformed     string     `json:"malformed,omitempty"`

	when string
}

func viewTask(t *ops.Task) taskView {
	v := taskView{
		ID: t.ID, Task: t.Task, Queue: t.Queue, State: string(t.State), Priority: t.Priority, Attempt: t.Attempt,
		MaxRetries: t.MaxRetries, Interruptions: t.Interruptions, Snoozes: t.Snoozes, Releases: t.Releases,
		Delivery: t.Delivery, Session: t.Session, Published: moment(t.Published), Due: moment(t.Due), Lapses: moment(t.Lapses),
		when: when(t),
	}
	if t.Malformed != nil {
		v.Malformed = t.Malformed.Error()
	}
	return v
}

// moment gives an instant as programs read it, nil for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}

// when says since when a task waits, or until when, by the store's clock.
func when(t *ops.Task) string {
	switch {
	case t.State == ops.Running && !t.Lapses.IsZero() && t.Lapses.Before(t.Now):
		return "lapsed " + age(t.Now.Sub(t.Lapses)) + " ago"
	case t.State == ops.Running, t.Due.IsZero():
		return ""
	case t.Due.After(t.Now):
		return "due in " + age(t.Due.Sub(t.Now))
	default:
		return "due for " + age(t.Now.Sub(t.Due))
	}
}

var taskTable = table[taskView]{
	kind: "tasks",
	name: func(v taskView) string { return v.ID },
	columns: []column[taskView]{
		{title: "ID", cell: func(v taskView) string { return v.ID }},
		{title: "TASK", cell: func(v taskView) string { return v.Task }},
		{title: "STATE", cell: func(v taskView) string { return v.State }, alarm: func(v taskView) bool { return v.State == string(ops.Unknown) }},
		{title: "ATTEMPT", cell: func(v taskView) string { return number(v.Attempt) }},
		{title: "WHEN", cell: func(v taskView) string { return v.when }},
		{title: "PRIORITY", cell: func(v taskView) string { return number(v.Priority) }, wide: true},
		{title: "CUT SHORT", cell: func(v taskView) string { return number(v.Interruptions) }, wide: true},
		{title: "PUBLISHED", cell: func(v taskView) string { return instantCell(v.Published) }, wide: true},
		{title: "SESSION", cell: func(v taskView) string { return v.Session }, wide: true},
		{title: "MALFORMED", cell: func(v taskView) string { return v.Malformed }, wide: true},
	},
}

func instantCell(t *time.Time) string {
	if t == nil {
		return ""
	}
	return stamp(*t)
}

func stateNames() string {
	names := make([]string, len(ops.States))
	for i, s := range ops.States {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

func (p *program) taskCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "task",
		Short:   "See tasks and why they wait; retry, revoke and delete them",
		Example: "  stem task list --queue default --state retrying",
	}, p.taskList(), p.taskShow(), p.taskEnqueue(), p.taskWait(), p.taskResult(), p.taskRetry(), p.taskRevoke(), p.taskDelete(), p.taskTypes())
}
