package cli

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/internal/nearest"
	"github.com/gostem/gostem/stem"
	"github.com/gostem/gostem/stem/ops"
)

// typeView is what is shown of a task that the program knows.
type typeView struct {
	Task        string          `json:"task"`
	Description string          `json:"description,omitempty"`
	Source      string          `json:"source,omitempty"`
	Aliases     []string        `json:"aliases,omitempty"`
	Tags        []string        `json:"tags,omitempty"`
	Queue       string          `json:"queue"`
	Priority    int             `json:"priority"`
	MaxRetries  int             `json:"max_retries"`
	Timeout     float64         `json:"timeout_seconds,omitempty"`
	Fingerprint string          `json:"fingerprint,omitempty"`
	Args        json.RawMessage `json:"args,omitempty"`
	Result      json.RawMessage `json:"result,omitempty"`
}

func viewType(spec stem.TaskSpec) (typeView, error) {
	e, err := spec.Envelope()
	if err != nil {
		return typeView{}, err
	}
	v := typeView{
		Task: spec.Name, Description: spec.Description, Source: spec.Source, Aliases: spec.Aliases, Tags: spec.Tags,
		Queue: e.Queue, Priority: e.Priority, MaxRetries: e.MaxRetries, Timeout: e.Timeout.Seconds(),
		Args: json.RawMessage(spec.Schema.Args), Result: json.RawMessage(spec.Schema.Result),
	}
	if spec.Schema.Fingerprint != 0 {
		v.Fingerprint = fmt.Sprintf("%016x", spec.Schema.Fingerprint)
	}
	return v, nil
}

var typeTable = table[typeView]{
	kind: "tasks",
	name: func(v typeView) string { return v.Task },
	columns: []column[typeView]{
		{title: "TASK", cell: func(v typeView) string { return v.Task }},
		{title: "QUEUE", cell: func(v typeView) string { return v.Queue }},
		{title: "PRIORITY", cell: func(v typeView) string { return number(v.Priority) }, wide: true},
		{title: "RETRIES", cell: func(v typeView) string { return number(v.MaxRetries) }, wide: true},
		{title: "ALIASES", cell: func(v typeView) string { return strings.Join(v.Aliases, ", ") }, wide: true},
		{title: "SOURCE", cell: func(v typeView) string { return v.Source }, wide: true},
		{title: "DESCRIPTION", cell: func(v typeView) string { return v.Description }},
	},
}

func (v typeView) detail() detail {
	d := detail{name: v.Task}
	d.field("Task", v.Task)
	d.field("Description", v.Description)
	d.field("Source", v.Source)
	d.field("Aliases", strings.Join(v.Aliases, ", "))
	d.field("Tags", strings.Join(v.Tags, ", "))
	d.field("Queue", v.Queue)
	d.field("Priority", number(v.Priority))
	d.field("Max retries", number(v.MaxRetries))
	d.field("Fingerprint", v.Fingerprint)
	for _, s := range []struct {
		title string
		text  json.RawMessage
	}{{"Args", v.Args}, {"Result", v.Result}} {
		if len(s.text) > 0 && json.Valid(s.text) {
			d.sections = append(d.sections, section{s.title, [][]string{{string(indentJSON(s.text))}}})
		}
	}
	return d
}

func (p *program) taskTypes() *cobra.Command {
	return &cobra.Command{
		Use:   "types [TASK]",
		Short: "List the tasks that this program knows, or show the schema of one",
		Long: `List the tasks that this program knows, or show one with the JSON Schema of its args and its result. No store is asked.

The stock command knows none. A program embeds the command with its own tasks:
    os.Exit(cli.Main(ctx, cli.Config{Name: "shop", Registry: &tasks}, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))`,
		Example: `  stem task types
  stem task types mail.send -o json`,
		Args:              wants(0, 1, "no argument, or TASK"),
		ValidArgsFunction: p.completeTask,
		RunE: func(_ *cobra.Command, args []string) error {
			if p.cfg.Registry == nil {
				return ops.ErrNoRegistry
			}
			specs := p.cfg.Registry.Tasks()
			if len(args) > 0 {
				return p.showType(specs, args[0])
			}
			views := make([]typeView, len(specs))
			for i, spec := range specs {
				var err error
				if views[i], err = viewType(spec); err != nil {
					return err
				}
			}
			return typeTable.print(p.printer, views, "")
		},
	}
}

func (p *program) showType(specs []stem.TaskSpec, name string) error {
	i := slices.IndexFunc(specs, func(spec stem.TaskSpec) bool { return spec.Name == name || slices.Contains(spec.Aliases, name) })
	if i < 0 {
		names := make([]string, len(specs))
		for i, spec := range specs {
			names[i] = spec.Name
		}
		if guess := nearest.To(name, names); guess != "" {
			return notFoundf("there is no task called %s: is %s meant?", name, guess)
		}
		return notFoundf("there is no task called %s", name)
	}
	v, err := viewType(specs[i])
	if err != nil {
		return err
	}
	return p.printer.show(v, v.detail())
}
