package postgres

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

//go:embed migrations
var files embed.FS

// DB is what a schema is migrated on: a *pgx.Conn, a *pgxpool.Pool, or a pgx.Tx with which the migration is committed
// or rolled back.
type DB interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Migrate brings the schema of the database of a URL to the version of this program, as [MigrateDB] does.
func Migrate(ctx context.Context, url string, cfg Config) error {
	target, err := parseURL(url, cfg)
	if err != nil {
		return err
	}
	conn, err := dial(ctx, target.pool.ConnConfig)
	if err != nil {
		return err
	}
	defer hangUp(conn)
	return MigrateDB(ctx, conn, target.cfg)
}

// MigrateDB brings the schema to the version of this program: it makes what there is not yet, in one transaction under an
// advisory lock, so that of many who call it at once one does it and the others find it done. What is there already costs one
// query. It works through PgBouncer. Programs of one version back go on working, unless the changelog says otherwise: migrate
// first, then deploy. A user without the rights is an error that names them.
func MigrateDB(ctx context.Context, db DB, cfg Config) error {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	steps, err := load(files)
	if err != nil {
		return err
	}
	return steps.migrate(ctx, db, cfg.Schema)
}

// SchemaVersion looks at the schema of the database of a URL: what it is called, its version, 0 where there is none yet, and the
// version to which [Migrate] brings it. It changes nothing.
func SchemaVersion(ctx context.Context, url string, cfg Config) (name string, version, latest int, err error) {
	target, err := parseURL(url, cfg)
	if err != nil {
		return "", 0, 0, err
	}
	cfg = target.cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return "", 0, 0, err
	}
	steps, err := load(files)
	if err != nil {
		return "", 0, 0, err
	}
	conn, err := dial(ctx, target.pool.ConnConfig)
	if err != nil {
		return "", 0, 0, err
	}
	defer hangUp(conn)
	is, err := look(ctx, conn, cfg.Schema)
	return cfg.Schema, is.version, steps.version(), err
}

// MigrationSQL gives what [Migrate] runs, for people with a migrator of their own, who run it in a transaction. It may be run
// again, and on a schema of any version up to this program's.
func MigrationSQL(schema string) (string, error) {
	cfg := Config{Schema: schema}.withDefaults()
	if err := cfg.validate(); err != nil {
		return "", err
	}
	steps, err := load(files)
	if err != nil {
		return "", err
	}
	return steps.script(cfg.Schema), nil
}

// step is one migration.
type step struct {
	version int
	name    string
	needs   int // the least version of programs that can work with the schema after it
	sql     string
}

// steps are all of them, in order.
type steps []step

var (
	fileName  = regexp.MustCompile(`^([0-9]{4})_([a-z0-9_]+)\.sql$`)
	needsLine = regexp.MustCompile(`^-- needs: ([0-9]+)\n`)
)

// load reads the files of migrations.
func load(files fs.FS) (steps, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	var all steps
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		s, err := parseStep(strings.TrimPrefix(name, "migrations/"), string(text))
		if err == nil && s.version != len(all)+1 {
			err = fmt.Errorf("number %d, want %d: they have no gaps", s.version, len(all)+1)
		}
		if err != nil {
			return nil, fmt.Errorf("postgres: %s: %w", name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func parseStep(file, text string) (step, error) {
	match := fileName.FindStringSubmatch(file)
	if match == nil {
		return step{}, errors.New("the name is not of the form NNNN_name.sql")
	}
	s := step{name: match[2], sql: text}
	s.version, _ = strconv.Atoi(match[1])
	s.needs = max(s.version-1, 1)
	if head := needsLine.FindStringSubmatch(text); head != nil {
		s.needs, _ = strconv.Atoi(head[1])
	}
	if s.needs < 1 || s.needs > s.version {
		return s, fmt.Errorf("it needs version %d, want 1 to its own", s.needs)
	}
	return s, nil
}

// named gives the statements for a schema. The bodies of functions stand between quotes that are not in its name.
func (s step) named(quoted string) string {
	body := "$$"
	if strings.Contains(quoted, body) {
		body = dollarQuote("body", quoted)
	}
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(s.sql) + "\n") {
		// Comments stay as they are: a name may have several lines.
		code, comment, found := strings.Cut(line, "--")
		b.WriteString(strings.NewReplacer("$$", body, "{schema}", quoted).Replace(code))
		if found {
			b.WriteString("--" + comment)
		}
	}
	return b.String()
}

func (s steps) version() int { return len(s) }

// relations names the tables and sequences that the steps make. Every Open asks, so no regular expression looks for them: it took 13 ms
// under the race detector.
func (s steps) relations() []string {
	var names []string
	for _, step := range s {
		for line := range strings.Lines(step.sql) {
			rest, found := strings.CutPrefix(line, "CREATE TABLE {schema}.")
			if !found {
				rest, found = strings.CutPrefix(line, "CREATE SEQUENCE {schema}.")
			}
			if found {
				name, _, _ := strings.Cut(strings.TrimRight(rest, ";\n"), " ")
				names = append(names, name)
			}
		}
	}
	return names
}

// script is the SQL of all steps. Each statement has a snapshot of its own, so that who had to wait for the lock sees what the
// one before has done.
func (s steps) script(schema string) string {
	quoted := quote(schema)
	var b strings.Builder
	fmt.Fprintf(&b, "SELECT pg_advisory_xact_lock(%d);\n\n", lockOf(schema))
	b.WriteString(block(fmt.Sprintf(`IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = %s) THEN
CREATE SCHEMA %s;
END IF;
CREATE TABLE IF NOT EXISTS %[2]s.stem_migration (
	version    integer PRIMARY KEY,
	name       text NOT NULL,
	needs      integer NOT NULL, -- the least version of programs that can work with the schema
	applied_at timestamptz NOT NULL DEFAULT now()
);`, literal(schema), quoted)))
	for _, step := range s {
		b.WriteString("\n" + block(fmt.Sprintf(`IF NOT EXISTS (SELECT FROM %s.stem_migration WHERE version = %d) THEN
%sINSERT INTO %[1]s.stem_migration (version, name, needs) VALUES (%[2]d, '%[4]s', %[5]d);
END IF;`, quoted, step.version, step.named(quoted), step.name, step.needs)))
	}
	return b.String()
}

// block makes statements an anonymous block, between quotes that are not among them.
func block(statements string) string {
	tag := dollarQuote("stem", statements)
	return "DO " + tag + " BEGIN\n" + statements + "\nEND " + tag + ";\n"
}

// dollarQuote gives a quote that is not in a text.
func dollarQuote(name, text string) string {
	tag := "$" + name + "$"
	for n := 1; strings.Contains(text, tag); n++ {
		tag = fmt.Sprintf("$%s%d$", name, n)
	}
	return tag
}

// quote makes a name an identifier of SQL.
func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// literal makes a text one of SQL, whatever standard_conforming_strings says.
func literal(text string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// lockOf gives the advisory lock of a schema's migration.
func lockOf(schema string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("stem_migration " + schema)) // it never fails
	return int64(h.Sum64())
}

// migrate makes what is not there yet.
func (s steps) migrate(ctx context.Context, db DB, schema string) error {
	is, err := look(ctx, db, schema)
	if err != nil {
		return err
	}
	if is.migrated && is.version >= s.version() {
		return is.suits(s.version())
	}
	if err := is.mayMigrate(); err != nil {
		return err
	}
	_, err = db.Exec(ctx, s.script(schema))
	var refused *pgconn.PgError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused) && refused.Code == "42501": // insufficient_privilege
		return fmt.Errorf("postgres: migrate schema %s: %w: migrate as the user who owns its tables", quote(schema), err)
	case errors.As(err, &refused) && refused.Code == "42P07": // duplicate_table
		return fmt.Errorf("postgres: migrate schema %s: %w, and is not ours: choose a schema that has no tables", quote(schema), err)
	}
	return fmt.Errorf("postgres: migrate schema %s: %w", quote(schema), err)
}
