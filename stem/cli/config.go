package cli

import (
	"github.com/spf13/cobra"

	"github.com/gostem/gostem/adapters"
)

// settingView is what holds for a variable, and who said so.
type settingView struct {
	Variable string `json:"variable"`
	Value    string `json:"value"`
	From     string `json:"from"`
}

var settingTable = table[settingView]{
	kind: "settings",
	name: func(v settingView) string { return v.Variable },
	columns: []column[settingView]{
		{title: "VARIABLE", cell: func(v settingView) string { return v.Variable }},
		{title: "VALUE", cell: func(v settingView) string { return v.Value }},
		{title: "FROM", cell: func(v settingView) string { return v.From }},
	},
}

func (p *program) configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: "Show what is configured, and where each value came from",
		Long: `Show what is configured, and where each value came from: flags, the environment, a context, another variable that it follows, or
the default. Passwords are not shown. No store is opened.`,
		Example: "  stem config -o json",
		Args:    wants(0, 0, "none"),
		RunE: func(*cobra.Command, []string) error {
			cfg, err := p.configure()
			if err != nil {
				return err
			}
			var views []settingView
			for _, s := range cfg.Sources() {
				views = append(views, viewSetting(s))
			}
			for _, name := range cfg.Unknown() {
				p.printer.note("%s is no variable that Stem reads.", name)
			}
			return settingTable.print(p.printer, views, "")
		},
	}
}

func viewSetting(s adapters.Source) settingView {
	v := settingView{s.Variable, s.Value, s.From}
	if v.From == "" {
		v.From = "default"
	}
	return v
}
