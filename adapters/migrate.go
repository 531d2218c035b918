package adapters

import (
	"context"
	"slices"
	"strings"

	"github.com/gostem/gostem/adapters/postgres"
)

// ErrNoTables is what Open answers for a PostgreSQL store without tables where [Config].LookOnly is set.
var ErrNoTables = postgres.ErrNoTables

// Schema is how far the tables of a PostgreSQL store have come.
type Schema struct {
	// Store is its URL, without its password, and Name what the schema is called there.
	Store, Name string
	// Version is the one that it has, 0 where there is none yet, and Latest the one that this program brings it to.
	Version, Latest int
}

// Schemas looks at the schemas of the stores that have one, each once. It changes nothing.
func (c *Config) Schemas(ctx context.Context) ([]Schema, error) {
	return c.schemas(ctx, func(string, postgres.Config) error { return nil })
}

// Migrate brings the schemas of the stores to the version of this program, and answers how far they are then. What
// Open does of itself is for who wants to do it before, as another user.
func (c *Config) Migrate(ctx context.Context) ([]Schema, error) {
	return c.schemas(ctx, func(url string, cfg postgres.Config) error { return postgres.Migrate(ctx, url, cfg) })
}

// MigrationSQL gives what Migrate runs, for people with a migrator of their own (see [postgres.MigrationSQL]).
func (c *Config) MigrationSQL() (string, error) { return postgres.MigrationSQL(c.namespace) }

// schemas does something with each schema, and looks at it then.
func (c *Config) schemas(ctx context.Context, do func(url string, cfg postgres.Config) error) ([]Schema, error) {
	var schemas []Schema
	for i, url := range []string{c.broker, c.backend, c.revocations} {
		scheme, _, _ := strings.Cut(url, ":")
		if scheme != "postgres" && scheme != "postgresql" || slices.Contains([]string{c.broker, c.backend}[:min(i, 2)], url) {
			continue
		}
		to, cfg := c.tls.parameters(url), postgres.Config{Schema: c.namespace, Logger: c.Log}
		if err := do(to, cfg); err != nil {
			return schemas, err
		}
		s := Schema{Store: MaskURL(url)}
		var err error
		if s.Name, s.Version, s.Latest, err = postgres.SchemaVersion(ctx, to, cfg); err != nil {
			return schemas, err
		}
		schemas = append(schemas, s)
	}
	return schemas, nil
}
