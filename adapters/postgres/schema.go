package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// schemaState is what a database tells of a schema and of what its user may do there.
type schemaState struct {
	schema, user, database        string
	exists, migrated              bool // the schema, its table stem_migration
	createsSchemas, uses, creates bool // rights: in the database, in the schema
	version, needs                int  // the newest step, and the least version of programs that can work with all of them
}

// schemaSQL looks at a schema, without rights to anything in it. $1 is its name.
const schemaSQL = `
SELECT current_user::text, current_database()::text, n.oid IS NOT NULL, m.oid IS NOT NULL,
	has_database_privilege(current_database(), 'CREATE'),
	coalesce(has_schema_privilege(n.oid, 'USAGE'), false),
	coalesce(has_schema_privilege(n.oid, 'CREATE'), false),
	coalesce(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(m.oid, 'SELECT'), false)
FROM (SELECT) AS one
LEFT JOIN pg_namespace n ON n.nspname = $1
LEFT JOIN pg_class m ON m.relnamespace = n.oid AND m.relname = 'stem_migration'`

// look asks how far a schema has been migrated. Its statements are not prepared, so that they pass through any pooler.
func look(ctx context.Context, db DB, schema string) (schemaState, error) {
	is := schemaState{schema: schema}
	var reads bool
	err := db.QueryRow(ctx, schemaSQL, pgx.QueryExecModeExec, schema).
		Scan(&is.user, &is.database, &is.exists, &is.migrated, &is.createsSchemas, &is.uses, &is.creates, &reads)
	if err != nil {
		return is, fmt.Errorf("postgres: look at schema %s: %w", quote(schema), err)
	}
	if !is.migrated {
		return is, nil
	}
	if !reads {
		return is, is.lacks("read the version of", "GRANT USAGE ON SCHEMA %[1]s TO %[2]s; GRANT SELECT ON %[1]s.stem_migration TO %[2]s")
	}
	err = db.QueryRow(ctx, "SELECT coalesce(max(version), 0), coalesce(max(needs), 0) FROM "+quote(schema)+".stem_migration", pgx.QueryExecModeExec).
		Scan(&is.version, &is.needs)
	if err != nil {
		return is, fmt.Errorf("postgres: read the version of schema %s: %w", quote(schema), err)
	}
	return is, nil
}

// mayMigrate tells which right is missing for a migration.
func (is schemaState) mayMigrate() error {
	switch {
	case !is.exists && !is.createsSchemas:
		return is.lacks("create", "GRANT CREATE ON DATABASE %[3]s TO %[2]s; or make the schema for it: CREATE SCHEMA %[1]s AUTHORIZATION %[2]s")
	case is.exists && !(is.uses && is.creates):
		return is.lacks("create tables in", "GRANT USAGE, CREATE ON SCHEMA %[1]s TO %[2]s")
	}
	return nil
}

// lacks tells a missing right, and the SQL that gives it, of schema, user and database.
func (is schemaState) lacks(what, sql string) error {
	return fmt.Errorf("postgres: user %[2]s has no right to %[4]s schema %[1]s in database %[3]s: let its owner run: "+sql+";",
		quote(is.schema), quote(is.user), quote(is.database), what)
}

// suits tells whether programs of a version can work with the schema.
func (is schemaState) suits(version int) error {
	switch {
	case is.version < version:
		return fmt.Errorf("postgres: schema %s of database %s has version %d, and this program wants %d: migrate it first, with postgres.Migrate "+
			"or by the SQL that postgres.MigrationSQL gives", quote(is.schema), quote(is.database), is.version, version)
	case is.needs > version:
		return fmt.Errorf("postgres: schema %s of database %s has version %d, with which programs can work that know version %d or newer, and this one knows %d: deploy a newer one",
			quote(is.schema), quote(is.database), is.version, is.needs, version)
	}
	return nil
}

// missingSQL tells the kinds and names of tables and sequences to which the user lacks a right, and which. $1 is the
// schema's name, $2 the names of what is ours in it.
const missingSQL = `
SELECT c.relkind = 'S', c.relname::text, string_agg(p.name, ', ' ORDER BY p.n)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN unnest(CASE c.relkind WHEN 'S' THEN ARRAY['SELECT', 'UPDATE'] ELSE ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] END) WITH ORDINALITY AS p(name, n)
WHERE n.nspname = $1::text AND c.relname = ANY ($2::text[])
	AND NOT CASE c.relkind WHEN 'S' THEN has_sequence_privilege(c.oid, p.name) ELSE has_table_privilege(c.oid, p.name) END
GROUP BY 1, 2
ORDER BY 1, 2`

// missingRights is an error if the user lacks rights to relations of the schema.
func (is schemaState) missingRights(ctx context.Context, conn *pgx.Conn, relations []string) error {
	rows, err := conn.Query(ctx, missingSQL, pgx.QueryExecModeExec, is.schema, relations)
	if err != nil {
		return fmt.Errorf("postgres: look at the rights of user %s: %w", quote(is.user), err)
	}
	var missing, tables, sequences []string
	var sequence bool
	var name, rights string
	_, err = pgx.ForEachRow(rows, []any{&sequence, &name, &rights}, func() error {
		missing = append(missing, rights+" on "+quote(name))
		relation := quote(is.schema) + "." + quote(name)
		if sequence {
			sequences = append(sequences, relation)
		} else {
			tables = append(tables, relation)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("postgres: look at the rights of user %s: %w", quote(is.user), err)
	}
	if len(missing) == 0 {
		return nil
	}
	var grants []string
	if len(tables) > 0 {
		grants = append(grants, "GRANT SELECT, INSERT, UPDATE, DELETE ON "+strings.Join(tables, ", ")+" TO "+quote(is.user))
	}
	if len(sequences) > 0 {
		grants = append(grants, "GRANT SELECT, UPDATE ON SEQUENCE "+strings.Join(sequences, ", ")+" TO "+quote(is.user))
	}
	return errors.New("postgres: user " + quote(is.user) + " lacks rights in schema " + quote(is.schema) + " of database " + quote(is.database) +
		" (" + strings.Join(missing, "; ") + "): let its owner run: " + strings.Join(grants, "; ") + ";")
}
