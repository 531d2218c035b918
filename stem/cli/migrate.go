package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gostem/gostem/adapters"
)

// schemaView is what is shown of the schema of a store.
type schemaView struct {
	Store   string `json:"store"`
	Schema  string `json:"schema"`
	Version int    `json:"version"`
	Latest  int    `json:"latest"`
}

var schemaTable = table[schemaView]{
	kind: "schemas: none of these stores has one",
	name: func(v schemaView) string { return v.Schema },
	columns: []column[schemaView]{
		{title: "SCHEMA", cell: func(v schemaView) string { return v.Schema }},
		{title: "VERSION", cell: func(v schemaView) string { return number(v.Version) }, alarm: func(v schemaView) bool { return v.Version < v.Latest }},
		{title: "LATEST", cell: func(v schemaView) string { return number(v.Latest) }},
		{title: "STORE", cell: func(v schemaView) string { return v.Store }},
	},
}

func (p *program) migrateCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:   "migrate",
		Short: "See and bring up to date the tables of PostgreSQL",
		Long: `See and bring up to date the tables of PostgreSQL. Programs make and alter them themselves when they open a store, unless their
user may not: migrate is for another user to do it before. Redis and the memory have nothing to migrate.`,
		Example: "  stem migrate status",
	},
		p.migration("status", "Show which version the tables have, and change nothing", (*adapters.Config).Schemas),
		p.migration("up", "Bring the tables to the version of this program", (*adapters.Config).Migrate),
		&cobra.Command{
			Use:     "sql",
			Short:   "Write the SQL that migrate up runs, for a migrator of one's own",
			Long:    "Write the SQL that migrate up runs, for a migrator of one's own. It is to be run in a transaction, and may be run again. No store is asked.",
			Example: "  stem migrate sql --namespace stem > stem.sql",
			Args:    wants(0, 0, "none"),
			RunE: func(*cobra.Command, []string) error {
				cfg, err := p.configure()
				if err != nil {
					return err
				}
				sql, err := cfg.MigrationSQL()
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(p.stdout, sql)
				return err
			},
		})
}

// migration is a command that does something with the schemas of the stores, and shows them then.
func (p *program) migration(use, short string, do func(*adapters.Config, context.Context) ([]adapters.Schema, error)) *cobra.Command {
	return &cobra.Command{
		Use:     use,
		Short:   short,
		Example: "  stem migrate " + use + " --broker postgres://localhost/app",
		Args:    wants(0, 0, "none"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.configure()
			if err != nil {
				return err
			}
			if p.stores = cfg; p.value("STEM_BROKER_URL") == "" {
				return usagef("no broker is named: say --broker, set STEM_BROKER_URL or make a context (%s context set --help)", p.cfg.Name)
			}
			ctx, cancel := p.bounded(cmd.Context(), patience)
			defer cancel()
			schemas, err := do(&cfg, ctx)
			if err != nil {
				return err
			}
			views := make([]schemaView, len(schemas))
			for i, s := range schemas {
				views[i] = schemaView{s.Store, s.Name, s.Version, s.Latest}
			}
			return schemaTable.print(p.printer, views, "")
		},
	}
}
