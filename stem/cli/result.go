package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// resultView is what is shown of what became of a task.
type resultView struct {
	ID            string          `json:"id"`
	Task          string          `json:"task"`
	Queue         string          `json:"queue"`
	State         string          `json:"state"`
	Value         json.RawMessage `json:"value,omitempty"`
	Failure       *failureView    `json:"failure,omitempty"`
	Progress      *progressView   `json:"progress,omitempty"`
	Attempt       int             `json:"attempt"`
	Interruptions int             `json:"interruptions,omitempty"`
	Worker        string          `json:"worker,omitempty"`
	WaitedSeconds float64         `json:"waited_seconds"`
	RanSeconds    float64         `json:"ran_seconds"`
	ReplayCount   int             `json:"replay_count,omitempty"`
	ReplayedAs    string          `json:"replayed_as,omitempty"`
	LastReplayAt  *time.Time      `json:"last_replay_at,omitempty"`
	History       []attemptView   `json:"history,omitempty"`
}

// failureView tells why a task did not succeed.
type failureView struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Stack   string `json:"stack,omitempty"`
}

// progressView is what a handler has reported last.
type progressView struct {
	Percent float64           `json:"percent"`
	Message string            `json:"message,omitempty"`
	Data    map[string]string `json:"data,omitempty"`
	At      time.Time         `json:"at"`
}

func viewProgress(r *stem.ProgressReport) *progressView {
	if r == nil {
		return nil
	}
	return &progressView{r.Percent, r.Message, r.Data, r.At.UTC()}
}

// text gives a report as people read it, "" for none.
func (v *progressView) text() string {
	if v == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%g %% %s", v.Percent, v.Message))
}

// attemptView is an attempt that failed.
type attemptView struct {
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Worker  string    `json:"worker,omitempty"`
	Kind    string    `json:"kind"`
	Message string    `json:"message"`
}

func (p *program) viewResult(s *ops.Service, r *stem.Result) *resultView {
	v := &resultView{
		ID: r.ID, Task: r.Task, Queue: r.Queue, State: string(r.State), Value: s.ShowResult(r.Task, r.Payload),
		Attempt: r.Attempt, Interruptions: r.Interruptions, Worker: r.Worker, WaitedSeconds: r.Waited.Seconds(), RanSeconds: r.Ran.Seconds(),
		History: viewHistory(r.History),
	}
	if f := r.Failure; f != nil {
		v.Failure = &failureView{string(f.Kind), f.Message, f.Stack}
	}
	v.Progress = viewProgress(r.Progress)
	if replays := r.Replays; replays != nil {
		v.ReplayCount, v.ReplayedAs, v.LastReplayAt = replays.Count, replays.As, moment(replays.At)
	}
	return v
}

func viewHistory(attempts []stem.AttemptRecord) (views []attemptView) {
	for _, a := range attempts {
		views = append(views, attemptView{a.Attempt, a.At.UTC(), a.Worker, string(a.Kind), a.Message})
	}
	return views
}

// detail gives the result as people read it.
func (v *resultView) detail() detail {
	d := detail{name: v.ID}
	d.field("ID", v.ID)
	d.field("Task", v.Task)
	d.field("Queue", v.Queue)
	v.fields(&d)
	return d
}

// fields adds what a result tells beside whose it is.
func (v *resultView) fields(d *detail) {
	d.field("State", v.State)
	d.block("Value", readable(v.Value))
	if v.Failure != nil {
		d.field("Failure", v.Failure.Kind+": "+v.Failure.Message)
	}
	d.field("Progress", v.Progress.text())
	d.field("Attempt", number(v.Attempt))
	d.field("Worker", v.Worker)
	d.field("Waited", age(seconds(v.WaitedSeconds)))
	d.field("Ran", age(seconds(v.RanSeconds)))
	if v.ReplayCount > 0 {
		d.field("Replayed", fmt.Sprintf("%d times, the last at %s as %s", v.ReplayCount, instantCell(v.LastReplayAt), v.ReplayedAs))
	}
	d.sections = append(d.sections, history(v.History))
	if v.Failure != nil && v.Failure.Stack != "" {
		d.sections = append(d.sections, section{"Stack", [][]string{{strings.ReplaceAll(v.Failure.Stack, "\t", "    ")}}})
	}
}

func history(attempts []attemptView) section {
	s := section{title: "Failed attempts"}
	for _, a := range attempts {
		s.rows = append(s.rows, []string{number(a.Attempt), stamp(a.At), a.Worker, escape(a.Kind + ": " + a.Message)})
	}
	return s
}

// readable gives JSON with lines of its own.
func readable(value json.RawMessage) string {
	if len(value) == 0 {
		return ""
	}
	return string(indentJSON(value))
}
