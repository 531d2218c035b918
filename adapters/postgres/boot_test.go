package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
)

// said collects what a store logs.
type said struct{ bytes.Buffer }

func (s *said) config() postgres.Config {
	return postgres.Config{Logger: slog.New(slog.NewTextHandler(s, nil))}
}

// warnings gives the warnings alone.
func (s *said) warnings() []string {
	var lines []string
	for line := range strings.Lines(s.String()) {
		if strings.Contains(line, "level=WARN") {
			lines = append(lines, line)
		}
	}
	return lines
}

// openURL opens a store of a URL and closes it.
func openURL(t *testing.T, url string, cfg postgres.Config) error {
	t.Helper()
	store, err := postgres.Open(t.Context(), url, cfg)
	if err != nil {
		return err
	}
	return store.Close()
}

// newPool makes a pool that ends with the test.
func newPool(t testing.TB, url string, adjust func(*pgxpool.Config)) *pgxpool.Pool {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	if adjust != nil {
		adjust(cfg)
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// onPool opens a store on a pool and closes it.
func onPool(t *testing.T, pool *pgxpool.Pool, cfg postgres.Config) error {
	t.Helper()
	store, err := postgres.New(t.Context(), pool, cfg)
	if err != nil {
		return err
	}
	return store.Close()
}

func TestTheDurabilityClassIsToldOnce(t *testing.T) {
	for _, tt := range []struct {
		promise, want string
		settings      []string
		warns         bool
	}{
		{"as it comes", `durability="power-loss safe"`, nil, false},
		{"acknowledged before it is written", "durability=memory", []string{"synchronous_commit=off"}, true},
		{"never synced", `durability="process-crash safe"`, []string{"fsync=off"}, true},
		{"pages torn", `durability="process-crash safe"`, []string{"full_page_writes=off"}, true},
	} {
		t.Run(tt.promise, func(t *testing.T) {
			var log said
			s := testpostgres.Start(t, testpostgres.Config{Settings: tt.settings})
			if err := openURL(t, s.URL(), log.config()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(log.String(), "durability="); got != 1 || !strings.Contains(log.String(), tt.want) {
				t.Errorf("got %d times a class in\n%s\nwant it once, with %s", got, log.String(), tt.want)
			}
			if got := log.warnings(); len(got) > 0 != tt.warns {
				t.Errorf("got the warnings %q, want some: %v", got, tt.warns)
			}
		})
	}
}

func TestAServerWhoseStandbyHasEveryWriteIsNodeLossSafe(t *testing.T) {
	primary := testpostgres.Start(t, testpostgres.Config{})
	standby := primary.Standby(t)
	primary.Set("synchronous_standby_names", "*")
	for commit, want := range map[string]string{"on": `durability="node-loss safe"`, "remote_write": `durability="node-loss safe"`, "local": `durability="power-loss safe"`} {
		primary.Set("synchronous_commit", commit)
		var log said
		if err := openURL(t, primary.URL(), log.config()); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), want) {
			t.Errorf("synchronous_commit %s: got\n%s\nwant %s", commit, log.String(), want)
		}
	}

	// The standby takes no writes; a URL that names both finds the primary.
	wantError(t, openURL(t, standby.URL(), postgres.Config{}), standby.Addr()+" is a standby", "connect to its primary", "target_session_attrs=read-write")
	both := strings.Replace(primary.URL(), primary.Addr(), standby.Addr()+","+primary.Addr(), 1) + "&target_session_attrs=read-write"
	if err := openURL(t, both, postgres.Config{}); err != nil {
		t.Errorf("both servers, as the error says: %v", err)
	}
	primary.Kill()
	standby.Promote()
	if err := openURL(t, both, postgres.Config{}); err != nil {
		t.Errorf("after the failover: %v", err)
	}
}

func TestAServerThatTakesNoWritesIsRefused(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{})
	want := []string{s.Addr() + " takes no writes", "default_transaction_read_only is on"}
	s.Set("default_transaction_read_only", "on")
	wantError(t, openURL(t, s.URL(), postgres.Config{}), append(want, "by the setting of: configuration file")...)
	s.Set("default_transaction_read_only", "off")
	exec(t, s.URL(), "ALTER ROLE postgres SET default_transaction_read_only = on")
	wantError(t, openURL(t, s.URL(), postgres.Config{}), append(want, "by the setting of: user")...)
}

func TestADatabaseThatIsNotUTF8IsRefused(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{})
	for _, encoding := range []string{"LATIN1", "SQL_ASCII"} {
		name := strings.ToLower(encoding)
		exec(t, s.URL(), "CREATE DATABASE "+name+" ENCODING '"+encoding+"' TEMPLATE template0")
		wantError(t, openURL(t, strings.Replace(s.URL(), "/postgres?", "/"+name+"?", 1), postgres.Config{}), `database "`+name+`"`, "has the encoding "+encoding+", want UTF8")
	}
}

func TestAServerWithFewConnectionsLeftIsToldOf(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{Settings: []string{"max_connections=10", "superuser_reserved_connections=3", "max_wal_senders=0"}})
	for size, want := range map[int]int{2: 0, 7: 1} {
		var log said
		cfg := log.config()
		cfg.PoolSize = size
		if err := openURL(t, s.URL(), cfg); err != nil {
			t.Fatal(err)
		}
		if got := log.warnings(); len(got) != want || want > 0 && !strings.Contains(got[0], "pool=7") {
			t.Errorf("a pool of %d: got the warnings %q, want %d", size, got, want)
		}
	}
	for range 7 {
		connect(t, s.URL())
	}
	exec(t, s.URL(), "CREATE ROLE app LOGIN PASSWORD 'secret'")
	wantError(t, openURL(t, as(t, s.URL(), "app", "secret"), postgres.Config{}), "postgres: connect as user app: ", "SQLSTATE 53300")
}

func TestAnIsolationThatCostsIsNotTheStoresOrIsToldOf(t *testing.T) {
	t.Parallel()
	database := testpostgres.URL(t)
	exec(t, database, "ALTER DATABASE "+pgx.Identifier{value(t, database, "SELECT current_database()")}.Sanitize()+" SET default_transaction_isolation = 'serializable'")
	var log said
	store, err := postgres.Open(t.Context(), database, log.config())
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if got, err := store.Ask(t.Context(), "SELECT current_setting('transaction_isolation')"); err != nil || got != "read committed" || len(log.warnings()) > 0 {
		t.Errorf("a pool of the store's: got %s, %v, warnings %q, want read committed and none", got, err, log.warnings())
	}
	if err := onPool(t, newPool(t, database, nil), log.config()); err != nil {
		t.Fatal(err)
	}
	if got := log.warnings(); len(got) != 1 || !strings.Contains(got[0], "isolation=serializable") {
		t.Errorf("a pool of the user's: got the warnings %q, want that of the isolation", got)
	}
}

func TestBehindAPoolerNothingIsPreparedAndNobodyListens(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{})
	b := testpostgres.Bounce(t, s.URL(), "default_pool_size=2")
	for _, tt := range []struct {
		url     string
		mode    pgx.QueryExecMode
		listens bool
	}{
		{s.URL(), pgx.QueryExecModeCacheStatement, true},
		{b.URL(s.URL()), pgx.QueryExecModeCacheDescribe, false},
		{b.URL(s.URL()) + "&default_query_exec_mode=exec", pgx.QueryExecModeExec, false},
		{b.URL(s.URL()) + "&default_query_exec_mode=cache_statement", pgx.QueryExecModeCacheStatement, false},
	} {
		var log said
		store, err := postgres.Open(t.Context(), tt.url, log.config())
		if err != nil {
			t.Fatal(err)
		}
		if store.Mode() != tt.mode || store.Listens() != tt.listens || strings.Contains(log.String(), "one to a pooler") == tt.listens {
			t.Errorf("got mode %v, listens %v, want %v, %v, and that it is told:\n%s", store.Mode(), store.Listens(), tt.mode, tt.listens, log.String())
		}
		if got := log.warnings(); len(got) > 0 {
			t.Errorf("got the warnings %q, want none", got)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}

	// The mode of a pool is its owner's, who is told.
	for mode, want := range map[pgx.QueryExecMode]int{pgx.QueryExecModeCacheStatement: 1, pgx.QueryExecModeCacheDescribe: 0} {
		var log said
		pool := newPool(t, b.URL(s.URL()), func(cfg *pgxpool.Config) { cfg.ConnConfig.DefaultQueryExecMode = mode })
		if err := onPool(t, pool, log.config()); err != nil {
			t.Fatal(err)
		}
		if got := log.warnings(); len(got) != want || want > 0 && !strings.Contains(got[0], "QueryExecModeCacheDescribe") {
			t.Errorf("a pool with mode %v: got the warnings %q, want %d", mode, got, want)
		}
	}
}

// TestWhatAPoolerCannotPrepareRunsAllTheSame has more clients than PgBouncer has connections, so that their statements
// change places.
func TestWhatAPoolerCannotPrepareRunsAllTheSame(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{})
	b := testpostgres.Bounce(t, s.URL(), "default_pool_size=2")
	store, err := postgres.Open(t.Context(), b.URL(s.URL()), postgres.Config{PoolSize: 8})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var clients sync.WaitGroup
	for n := range 8 {
		clients.Go(func() {
			for i := range 50 {
				want := fmt.Sprint(n, i)
				if got, err := store.Ask(t.Context(), "SELECT $1::text", want); err != nil || got != want {
					t.Errorf("got %q, %v, want %q", got, err, want)
					return
				}
			}
		})
	}
	clients.Wait()
}

// elsewhere is a connection that seems to lead to another machine.
type elsewhere struct{ net.Conn }

func (elsewhere) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5432} }

func TestAConnectionThatOthersCanReadIsToldOf(t *testing.T) {
	encrypted, _ := testpostgres.TLS(t)
	verified, err := url.Parse(encrypted)
	if err != nil {
		t.Fatal(err)
	}
	trusting := *verified
	trusting.RawQuery = "sslmode=require"
	authority := *verified
	authority.RawQuery = strings.Replace(verified.RawQuery, "verify-full", "verify-ca", 1)
	for url, want := range map[string]string{
		testpostgres.URL(t): "everybody on the way can read",
		trusting.String():   "nobody has looked whether the server is the one",
		authority.String():  "",
		encrypted:           "",
	} {
		for _, remote := range []bool{false, true} {
			var log said
			pool := newPool(t, url, func(cfg *pgxpool.Config) {
				dial := cfg.ConnConfig.DialFunc
				cfg.ConnConfig.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
					c, err := dial(ctx, network, addr)
					if err == nil && remote {
						c = elsewhere{c}
					}
					return c, err
				}
			})
			if err := onPool(t, pool, log.config()); err != nil {
				t.Fatal(err)
			}
			got := strings.Join(log.warnings(), "")
			if told := remote && want != ""; told != (got != "") || told && !strings.Contains(got, want) {
				t.Errorf("on another machine %v: got the warnings %q, want %q", remote, got, want)
			}
		}
	}
}

func TestMissingRightsToTablesAreNamedWithTheSQLThatGivesThem(t *testing.T) {
	owner := testpostgres.Start(t, testpostgres.Config{}).URL()
	files := upTo(3)
	files["migrations/0003_third.sql"].Data = []byte("CREATE SEQUENCE {schema}.counter;\nCREATE TABLE {schema}.\"other\" (n int);\n")
	if err := postgres.MigrateFiles(t.Context(), connect(t, owner), "my stem", files); err != nil {
		t.Fatal(err)
	}
	exec(t, owner, "CREATE ROLE app LOGIN PASSWORD 'secret'", `GRANT USAGE ON SCHEMA "my stem" TO app`,
		`GRANT SELECT ON "my stem".stem_migration TO app`, `GRANT SELECT, DELETE ON "my stem".one TO app`)
	app := connect(t, as(t, owner, "app", "secret"))
	err := postgres.MissingRights(t.Context(), app, "my stem", files)
	wantError(t, err, `user "app" lacks rights in schema "my stem" of database "postgres" (INSERT, UPDATE on "one"; SELECT, UPDATE on "counter")`,
		`GRANT SELECT, INSERT, UPDATE, DELETE ON "my stem"."one" TO "app"; GRANT SELECT, UPDATE ON SEQUENCE "my stem"."counter" TO "app";`)
	grant(t, owner, err)
	if err := postgres.MissingRights(t.Context(), app, "my stem", files); err != nil {
		t.Errorf("after the grant: %v", err)
	}
}

func TestAServerThatSaysNothingIsGivenUp(t *testing.T) {
	s := testpostgres.Start(t, testpostgres.Config{})
	s.Pause()
	defer s.Continue()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := postgres.Open(ctx, s.URL(), postgres.Config{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}
