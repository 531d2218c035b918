package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/gostem/gostem/adapters"
)

// contextFile is what $STEM_CONFIG or ~/.config/stem/config.yaml holds: named stores.
type contextFile struct {
	Current  string                  `json:"current,omitempty"`
	Contexts map[string]storeContext `json:"contexts,omitempty"`
}

// storeContext is the stores of one name.
type storeContext struct {
	Broker  string `json:"broker,omitempty"`
	Backend string `json:"backend,omitempty"`
	// Namespace is what keys of Redis begin with, and the schema of PostgreSQL.
	Namespace string `json:"namespace,omitempty"`
}

// contextPath says where the file is.
func contextPath() (string, error) {
	if path := os.Getenv("STEM_CONFIG"); path != "" {
		return path, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", usagef("no place for contexts: %w: set STEM_CONFIG to a file", err)
	}
	return filepath.Join(dir, "stem", "config.yaml"), nil
}

// readContexts reads the file. One that is not there is empty; a home that is not there too.
func readContexts() (contextFile, error) {
	var file contextFile
	path, err := contextPath()
	if err != nil {
		return file, nil
	}
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return file, nil
	case err != nil:
		return file, usagef("contexts: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.DisallowUnknownField()); err != nil {
		// What yaml says quotes the file, and that has passwords.
		return file, usagef("contexts: %s cannot be read: want current: NAME and contexts: {NAME: {broker: URL, backend: URL}}", path)
	}
	return file, nil
}

// write replaces the file, for its owner alone: URLs may have passwords.
func (f contextFile) write() error {
	path, err := contextPath()
	if err != nil {
		return err
	}
	line, err := marshal(f)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("contexts: %w", err)
	}
	draft, err := os.CreateTemp(filepath.Dir(path), ".stem-")
	if err != nil {
		return fmt.Errorf("contexts: %w", err)
	}
	defer os.Remove(draft.Name()) // nothing, once it is renamed
	if err := errors.Join(writeYAML(draft, line), draft.Sync(), draft.Close()); err != nil {
		return fmt.Errorf("contexts: %w", err)
	}
	if err := os.Rename(draft.Name(), path); err != nil {
		return fmt.Errorf("contexts: %w", err)
	}
	return nil
}

// unknown says that there is no such context, and which there are.
func (f contextFile) unknown(name string) error {
	if len(f.Contexts) == 0 {
		return notFoundf("no context %s: there is none", name)
	}
	return notFoundf("no context %s: there are %s", name, strings.Join(slices.Sorted(maps.Keys(f.Contexts)), ", "))
}

// contextView is what is shown of a context, without secrets.
type contextView struct {
	Name      string `json:"name"`
	Current   bool   `json:"current"`
	Broker    string `json:"broker"`
	Backend   string `json:"backend,omitempty"`
	Namespace string `json:"namespace,omitempty"`
}

func (f contextFile) view(name string) contextView {
	c := f.Contexts[name]
	v := contextView{Name: name, Current: name == f.Current, Broker: adapters.MaskURL(c.Broker), Namespace: c.Namespace}
	if c.Backend != "" {
		v.Backend = adapters.MaskURL(c.Backend)
	}
	return v
}

var contextTable = table[contextView]{
	kind: "contexts",
	name: func(c contextView) string { return c.Name },
	columns: []column[contextView]{
		{title: "CURRENT", cell: func(c contextView) string { return map[bool]string{true: "*"}[c.Current] }},
		{title: "NAME", cell: func(c contextView) string { return c.Name }},
		{title: "BROKER", cell: func(c contextView) string { return c.Broker }},
		{title: "BACKEND", cell: func(c contextView) string { return c.Backend }},
		{title: "NAMESPACE", cell: func(c contextView) string { return c.Namespace }},
	},
}

func (p *program) contextCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "context",
		Short: "Name stores, and choose among them",
		Long: `Name stores, and choose among them.

Contexts lie in the file of STEM_CONFIG, or in stem/config.yaml of the user's configuration, for its owner alone. The current
one is used where neither flags nor the environment name a store. One that is chosen with --context goes before the environment.`,
		Example: `  stem context set staging --broker redis://staging:6379/0
  stem context use staging`,
	}, p.contextList(), p.contextShow(), p.contextSet(), p.contextUse(), p.contextDelete())
}

func (p *program) contextList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the contexts",
		Example: "  stem context list",
		Args:    wants(0, 0, "none"),
		RunE: func(*cobra.Command, []string) error {
			file, err := readContexts()
			if err != nil {
				return err
			}
			var views []contextView
			for _, name := range slices.Sorted(maps.Keys(file.Contexts)) {
				views = append(views, file.view(name))
			}
			return contextTable.print(p.printer, views, "")
		},
	}
}

func (p *program) contextShow() *cobra.Command {
	return &cobra.Command{
		Use:     "show [NAME]",
		Short:   "Show a context, the current one unless it is named",
		Example: "  stem context show staging",
		Args:    wants(0, 1, "[NAME]"),
		RunE: func(_ *cobra.Command, args []string) error {
			file, err := readContexts()
			if err != nil {
				return err
			}
			name := strings.Join(append(args, file.Current)[:1], "")
			if name == "" {
				return notFoundf("no context is the current one (%s context use NAME makes it so)", p.cfg.Name)
			}
			if _, ok := file.Contexts[name]; !ok {
				return file.unknown(name)
			}
			view, d := file.view(name), detail{name: name}
			d.field("Name", view.Name)
			d.field("Broker", view.Broker)
			d.field("Backend", view.Backend)
			d.field("Namespace", view.Namespace)
			return p.printer.show(view, d)
		},
	}
}

func (p *program) contextSet() *cobra.Command {
	return &cobra.Command{
		Use:     "set NAME",
		Short:   "Make a context of --broker, --backend and --namespace, or change one",
		Example: "  stem context set prod --broker rediss://prod:6379/0 --backend postgres://prod/stem",
		Args:    wants(1, 1, "NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			return p.changeContexts(func(file *contextFile) error {
				c := file.Contexts[args[0]]
				c.Broker = cmp.Or(p.flags.broker, c.Broker)
				c.Backend = cmp.Or(p.flags.backend, c.Backend)
				c.Namespace = cmp.Or(p.flags.namespace, c.Namespace)
				if _, err := adapters.Configure(c.layer(args[0])); err != nil {
					return err
				}
				if c.Broker == "" {
					return usagef("context %s: want --broker URL", args[0])
				}
				if file.Contexts == nil {
					file.Contexts = make(map[string]storeContext)
				}
				file.Contexts[args[0]] = c
				p.printer.note("Context %s is set.", args[0])
				return nil
			})
		},
	}
}

func (p *program) contextUse() *cobra.Command {
	return &cobra.Command{
		Use:     "use NAME",
		Short:   "Make a context the current one",
		Example: "  stem context use staging",
		Args:    wants(1, 1, "NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			return p.changeContexts(func(file *contextFile) error {
				if _, ok := file.Contexts[args[0]]; !ok {
					return file.unknown(args[0])
				}
				file.Current = args[0]
				p.printer.note("Context %s is the current one.", args[0])
				return nil
			})
		},
	}
}

func (p *program) contextDelete() *cobra.Command {
	return &cobra.Command{
		Use:     "delete NAME",
		Short:   "Forget a context",
		Example: "  stem context delete staging --yes",
		Args:    wants(1, 1, "NAME"),
		RunE: func(_ *cobra.Command, args []string) error {
			return p.changeContexts(func(file *contextFile) error {
				if _, ok := file.Contexts[args[0]]; !ok {
					return file.unknown(args[0])
				}
				if err := p.confirm("forget context %s", args[0]); err != nil {
					return err
				}
				delete(file.Contexts, args[0])
				if file.Current == args[0] {
					file.Current = ""
				}
				p.printer.note("Context %s is forgotten.", args[0])
				return nil
			})
		},
	}
}

// changeContexts reads the file, changes it and writes it.
func (p *program) changeContexts(change func(*contextFile) error) error {
	file, err := readContexts()
	if err != nil {
		return err
	}
	if err := change(&file); err != nil {
		return err
	}
	return file.write()
}
