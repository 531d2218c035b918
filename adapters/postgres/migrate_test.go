package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
)

// three are the steps of a program of version 3, with which those of version 1 cannot work.
var three = map[string]string{
	"0001_first.sql":  "-- The {schema} of comments stays.\nCREATE TABLE {schema}.one (n int);\nCREATE INDEX one_n ON {schema}.one (n);",
	"0002_second.sql": "ALTER TABLE {schema}.one ADD COLUMN m int;\nCREATE FUNCTION {schema}.two() RETURNS int LANGUAGE sql AS $$ SELECT 2 $$;\n",
	"0003_third.sql":  "INSERT INTO {schema}.one VALUES ({schema}.two(), 3);",
}

// upTo gives the files of a program of a version.
func upTo(version int) fstest.MapFS {
	files := make(fstest.MapFS)
	for name, text := range three {
		if name < fmt.Sprintf("%04d_z", version) {
			files["migrations/"+name] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	return files
}

// connect opens a connection that ends with the test.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// exec runs statements.
func exec(t testing.TB, url string, statements ...string) {
	t.Helper()
	conn := connect(t, url)
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// value asks for one value, as text.
func value(t *testing.T, url, sql string, args ...any) string {
	t.Helper()
	var got any
	if err := connect(t, url).QueryRow(t.Context(), sql, args...).Scan(&got); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return fmt.Sprint(got)
}

// wantError fails the test unless the error has all parts.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("got error %v, want one with %q", err, part)
		}
	}
}

// as gives the URL for another user.
func as(t testing.TB, server, user, password string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

func TestAnySchemaIsMigratedOnceAndFromEachVersion(t *testing.T) {
	for _, schema := range []string{"stem", "We\"ird; DROP SCHEMA public --", "$stem$", "schön", "two\nlines", `back\slash'`, strings.Repeat("s", 63)} {
		t.Run(schema, func(t *testing.T) {
			database := testpostgres.URL(t)
			conn := connect(t, database)
			for _, version := range []int{1, 1, 3, 3} {
				if err := postgres.MigrateFiles(t.Context(), conn, schema, upTo(version)); err != nil {
					t.Fatalf("to version %d: %v", version, err)
				}
			}
			quoted := pgx.Identifier{schema}.Sanitize()
			if got := value(t, database, "SELECT string_agg(version || name || needs, ' ' ORDER BY version) FROM "+quoted+".stem_migration"); got != "1first1 2second1 3third2" {
				t.Errorf("steps: got %s", got)
			}
			if got := value(t, database, "SELECT string_agg(n || ' ' || m, '; ') FROM "+quoted+".one"); got != "2 3" {
				t.Errorf("rows: got %s, want 2 3, of the third step, once", got)
			}
			if got := value(t, database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'public'"); got != "1" {
				t.Error("another schema is gone")
			}
		})
	}
}

func TestTenStartersMigrateOnce(t *testing.T) {
	server := testpostgres.Start(t, testpostgres.Config{})
	bouncer := testpostgres.Bounce(t, server.URL())
	for name, url := range map[string]string{"direct": server.URL(), "through PgBouncer": bouncer.URL(server.URL())} {
		var starters sync.WaitGroup
		start := make(chan struct{})
		for range 10 {
			cfg, err := pgx.ParseConfig(url)
			if err != nil {
				t.Fatal(err)
			}
			cfg.DefaultQueryExecMode = pgx.QueryExecModeExec
			conn, err := pgx.ConnectConfig(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			starters.Go(func() {
				defer conn.Close(context.Background())
				<-start
				if err := postgres.MigrateFiles(t.Context(), conn, name, upTo(3)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		close(start)
		starters.Wait()
		if got := value(t, server.URL(), `SELECT count(*) FROM "`+name+`".one`); got != "1" {
			t.Errorf("%s: got %s rows of the third step, want 1", name, got)
		}
	}
	if locks := value(t, server.URL(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"); locks != "0" {
		t.Errorf("locks that are left: got %s, want none", locks)
	}
}

func TestAStepThatFailsLeavesTheSchemaAsItWas(t *testing.T) {
	database := testpostgres.URL(t)
	conn := connect(t, database)
	if err := postgres.MigrateFiles(t.Context(), conn, "stem", upTo(1)); err != nil {
		t.Fatal(err)
	}
	files := upTo(3)
	files["migrations/0003_third.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE {schema}.three (n int);\nSELECT 1/0;")}
	wantError(t, postgres.MigrateFiles(t.Context(), conn, "stem", files), `postgres: migrate schema "stem": `)
	if got := value(t, database, "SELECT count(*) || ' ' || max(version) FROM stem.stem_migration"); got != "1 1" {
		t.Errorf("steps: got %s, want that one is done, the first", got)
	}
	wantError(t, postgres.Suits(t.Context(), conn, "stem", 3), "version 1, and this program wants 3", "postgres.Migrate", "postgres.MigrationSQL")
}

func TestAMigrationGoesWithTheTransactionOfItsCaller(t *testing.T) {
	database := testpostgres.URL(t)
	conn := connect(t, database)
	tx, err := conn.Begin(t.Context())
	if err == nil {
		err = errors.Join(postgres.MigrateFiles(t.Context(), tx, "stem", upTo(2)), tx.Rollback(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := value(t, database, "SELECT count(*) FROM pg_namespace WHERE nspname = 'stem'"); got != "0" {
		t.Error("rolled back: got a schema, want none")
	}
}

func TestAProgramWorksWithTheSchemaOfTheNextVersionButNotOfTheOneAfter(t *testing.T) {
	conn := connect(t, testpostgres.URL(t))
	if err := postgres.MigrateFiles(t.Context(), conn, "stem", upTo(2)); err != nil {
		t.Fatal(err)
	}
	for _, version := range []int{1, 2} {
		if err := postgres.Suits(t.Context(), conn, "stem", version); err != nil {
			t.Errorf("version 2 of the schema, program of version %d: %v", version, err)
		}
	}
	if err := postgres.MigrateFiles(t.Context(), conn, "stem", upTo(1)); err != nil {
		t.Errorf("a migration by the older program: got %v, want nothing done", err)
	}
	if err := postgres.MigrateFiles(t.Context(), conn, "stem", upTo(3)); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Suits(t.Context(), conn, "stem", 2); err != nil {
		t.Errorf("version 3 of the schema, program of version 2: %v", err)
	}
	want := []string{"has version 3", "version 2 or newer, and this one knows 1"}
	wantError(t, postgres.Suits(t.Context(), conn, "stem", 1), want...)
	wantError(t, postgres.MigrateFiles(t.Context(), conn, "stem", upTo(1)), want...)
}

func TestAStepMayAskForProgramsOfItsOwnVersion(t *testing.T) {
	conn := connect(t, testpostgres.URL(t))
	files := upTo(2)
	files["migrations/0002_second.sql"].Data = append([]byte("-- needs: 2\n"), files["migrations/0002_second.sql"].Data...)
	if err := postgres.MigrateFiles(t.Context(), conn, "stem", files); err != nil {
		t.Fatal(err)
	}
	wantError(t, postgres.Suits(t.Context(), conn, "stem", 1), "version 2 or newer, and this one knows 1")
}

func TestFilesThatAreNoStepsAreErrors(t *testing.T) {
	for name, want := range map[string]string{
		"0005_gap.sql": "number 5, want 4", "0004-dash.sql": "not of the form NNNN_name.sql", "4_short.sql": "not of the form NNNN_name.sql",
	} {
		files := upTo(3)
		files["migrations/"+name] = &fstest.MapFile{}
		wantError(t, postgres.MigrateFiles(t.Context(), nil, "stem", files), name, want)
	}
	files := upTo(3)
	files["migrations/0004_more.sql"] = &fstest.MapFile{Data: []byte("-- needs: 5\n")}
	wantError(t, postgres.MigrateFiles(t.Context(), nil, "stem", files), "it needs version 5, want 1 to its own")
}

// grant runs what an error says that the owner should run.
func grant(t testing.TB, owner string, err error) {
	t.Helper()
	if err == nil {
		t.Fatal("got no error, want one that says what to run")
	}
	_, sql, found := strings.Cut(err.Error(), "let its owner run: ")
	if sql, _, _ = strings.Cut(sql, " or make"); !found {
		t.Fatalf("got error %v, want one that says what to run", err)
	}
	exec(t, owner, sql)
}

func TestAMissingRightIsNamedWithTheSQLThatGivesIt(t *testing.T) {
	owner := testpostgres.Start(t, testpostgres.Config{}).URL()
	exec(t, owner, "CREATE ROLE app LOGIN PASSWORD 'secret'")
	app := as(t, owner, "app", "secret")
	migrate := func(version int) error {
		return postgres.MigrateFiles(t.Context(), connect(t, app), "stem", upTo(version))
	}

	err := migrate(1)
	wantError(t, err, `user "app" has no right to create schema "stem"`, `GRANT CREATE ON DATABASE "`, `CREATE SCHEMA "stem" AUTHORIZATION "app"`)
	exec(t, owner, "CREATE SCHEMA stem") // of the owner's
	err = migrate(1)
	wantError(t, err, "has no right to create tables in", `GRANT USAGE, CREATE ON SCHEMA "stem" TO "app"`)
	grant(t, owner, err)
	if err := migrate(1); err != nil {
		t.Errorf("after the grant: %v", err)
	}

	// What somebody else has made.
	exec(t, owner, "DROP SCHEMA stem CASCADE")
	if err := postgres.MigrateFiles(t.Context(), connect(t, owner), "stem", upTo(1)); err != nil {
		t.Fatal(err)
	}
	err = migrate(1)
	wantError(t, err, "has no right to read the version of schema", "GRANT USAGE ON SCHEMA")
	grant(t, owner, err)
	if err := migrate(1); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
	wantError(t, migrate(2), "GRANT USAGE, CREATE ON SCHEMA")
	exec(t, owner, "GRANT CREATE ON SCHEMA stem TO app")
	wantError(t, migrate(2), "must be owner of table one", "migrate as the user who owns its tables")
}

func TestASchemaWithTablesOfSomebodyElseIsLeftAlone(t *testing.T) {
	database := testpostgres.URL(t)
	exec(t, database, "CREATE TABLE public.one (mine text)")
	wantError(t, postgres.MigrateFiles(t.Context(), connect(t, database), "public", upTo(1)), `"one" already exists`, "choose a schema that has no tables")
	if got := value(t, database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"); got != "1" {
		t.Errorf("got %s tables, want the one that was there", got)
	}
}

func TestTheSQLRunByHandIsTheMigration(t *testing.T) {
	database := testpostgres.Start(t, testpostgres.Config{}).URL()
	sql, err := postgres.MigrationSQL("by hand")
	if err != nil {
		t.Fatal(err)
	}
	exec(t, database, sql, sql)
	// A user without any right but to look finds nothing left to do.
	exec(t, database, "CREATE ROLE app LOGIN PASSWORD 'secret'",
		`GRANT USAGE ON SCHEMA "by hand" TO app`, `GRANT SELECT ON "by hand".stem_migration TO app`)
	if err := postgres.Migrate(t.Context(), as(t, database, "app", "secret")+"&schema=by%20hand", postgres.Config{}); err != nil {
		t.Error(err)
	}
	for _, schema := range []string{"pg_mine", strings.Repeat("s", 64), "a\x00b"} {
		if _, err := postgres.MigrationSQL(schema); err == nil || !strings.Contains(err.Error(), "up to 63 bytes") {
			t.Errorf("schema %q: got %v, want that it can have no such name", schema, err)
		}
	}
}

func TestSchemasMayHaveAnyName(t *testing.T) {
	url := testpostgres.URL(t)
	for _, name := range []string{`a$$b`, `$stem$`, `"quoted".dots`, `{schema}`, `it's -- $1 ü`} {
		if err := openURL(t, url, postgres.Config{Schema: name}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestWhoOnlyLooksMakesNoTables(t *testing.T) {
	url := testpostgres.URL(t)
	if _, err := postgres.Open(t.Context(), url, postgres.Config{NoMigration: true}); !errors.Is(err, postgres.ErrNoTables) {
		t.Errorf("got error %v, want %v", err, postgres.ErrNoTables)
	}
	if _, version, _, err := postgres.SchemaVersion(t.Context(), url, postgres.Config{}); err != nil || version != 0 {
		t.Errorf("got version %d, %v, want none", version, err)
	}
	if err := postgres.Migrate(t.Context(), url, postgres.Config{}); err != nil {
		t.Fatal(err)
	}
	store, err := postgres.Open(t.Context(), url, postgres.Config{NoMigration: true})
	if err != nil {
		t.Fatal(err)
	}
	store.Close()
}
