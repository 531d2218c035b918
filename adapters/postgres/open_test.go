package postgres_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gostem/gostem/adapters/postgres"
	"github.com/gostem/gostem/internal/testpostgres"
)

func TestTenStoresOpenAnEmptyDatabaseAtOnce(t *testing.T) {
	database := testpostgres.URL(t)
	var starters sync.WaitGroup
	for range 10 {
		starters.Go(func() {
			if err := openURL(t, database, postgres.Config{}); err != nil {
				t.Error(err)
			}
		})
	}
	starters.Wait()
}

func TestASchemaOfAnotherVersionIsRefusedUnlessItIsTheNext(t *testing.T) {
	database := testpostgres.URL(t)
	if err := openURL(t, database, postgres.Config{}); err != nil {
		t.Fatal(err)
	}
	const ahead = `INSERT INTO stem.stem_migration (version, name, needs) SELECT coalesce(max(version), 0) + 1, 'later', coalesce(max(version), 0) + %d FROM stem.stem_migration`
	exec(t, database, fmt.Sprintf(ahead, 0))
	if err := openURL(t, database, postgres.Config{}); err != nil {
		t.Errorf("the next version: %v", err)
	}
	exec(t, database, fmt.Sprintf(ahead, 0))
	wantError(t, openURL(t, database, postgres.Config{}), `schema "stem" of database`, "deploy a newer one")
	wantError(t, onPool(t, newPool(t, database, nil), postgres.Config{}), "deploy a newer one")
}

func TestTheURLSaysWhatTheConfigDoesNot(t *testing.T) {
	database := testpostgres.URL(t)
	for _, tt := range []struct {
		query   string
		cfg     postgres.Config
		schema  string
		most    int
		listens bool
	}{
		{"", postgres.Config{}, "stem", 4, true},
		{"", postgres.Config{Schema: "mine", PoolSize: 2}, "mine", 2, true},
		{"&schema=the%20other&pool_max_conns=3&poll_only=true", postgres.Config{Schema: "mine", PoolSize: 2}, "the other", 3, false},
		{"&poll_only=false&schema=a%26b", postgres.Config{PollOnly: true}, "a&b", 4, true},
	} {
		store, err := postgres.Open(t.Context(), database+tt.query, tt.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if store.Most() != tt.most || store.Listens() != tt.listens {
			t.Errorf("%q: got %d connections, listens %v, want %d, %v", tt.query, store.Most(), store.Listens(), tt.most, tt.listens)
		}
		if name, err := store.Ask(t.Context(), "SELECT current_setting('application_name')"); err != nil || name != "stem" {
			t.Errorf("%q: got application_name %q, %v, want stem", tt.query, name, err)
		}
		if got := value(t, database, "SELECT count(*) FROM pg_namespace WHERE nspname = $1", tt.schema); got != "1" {
			t.Errorf("%q: there is no schema %q", tt.query, tt.schema)
		}
		for range 2 {
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestURLsThatAreNoneSayWhatIsWanted(t *testing.T) {
	for url, want := range map[string]string{
		"redis://localhost/0":                         "the URL begins with redis:, want postgres or postgresql",
		"":                                            "the URL cannot be read: want postgres://",
		"postgres:localhost":                          "the URL cannot be read",
		"host=localhost user=app":                     "the URL cannot be read",
		"postgres://a:b@c@d:1":                        "special characters escaped",
		"postgres://localhost?sslmode=sometimes":      "the URL: failed to configure TLS (sslmode is invalid)",
		"postgres://localhost:port":                   "the URL: invalid port",
		"postgres://localhost?pool_max_conns=0":       "the URL: pool_max_conns too small",
		"postgres://localhost?poll_only=maybe":        "poll_only in the URL: want true or false",
		"postgres://localhost?schema=":                "schema in the URL: want a name",
		"postgres://localhost?schema=pg_catalog":      "up to 63 bytes of UTF-8 that do not begin with pg_",
		"postgres://localhost?sslrootcert=/no/where":  "no such file",
		testpostgres.URL(t) + "&poolsize=3":           `unrecognized configuration parameter "poolsize"`,
		"postgres://nobody:here@127.0.0.1:1/database": "postgres: connect as user nobody: 127.0.0.1:1",
	} {
		wantError(t, openURL(t, url, postgres.Config{}), want)
		wantError(t, postgres.Migrate(t.Context(), url, postgres.Config{}), want)
	}
	wantError(t, openURL(t, "postgres://localhost", postgres.Config{PoolSize: -1}), "PoolSize")
}

func TestWhoIsNotLetInIsToldWhatToDo(t *testing.T) {
	plain := testpostgres.Start(t, testpostgres.Config{})
	bouncer := testpostgres.Bounce(t, plain.URL())
	encrypted, _ := testpostgres.TLS(t)
	unverified, _, _ := strings.Cut(encrypted, "?")
	for url, want := range map[string]string{
		as(t, plain.URL(), "postgres", "wrong"):                               "password authentication failed for user \"postgres\" (SQLSTATE 28P01): the URL must have this user's password",
		strings.Replace(plain.URL(), "/postgres?", "/nowhere?", 1):            "(SQLSTATE 3D000): make the database with CREATE DATABASE",
		plain.URL() + "&poolsize=3":                                           `"poolsize" (SQLSTATE 42704): leave it out of the URL`,
		bouncer.URL(plain.URL()) + "&poolsize=3":                              "poolsize (SQLSTATE 08P01): leave it out of the URL",
		strings.Replace(plain.URL(), "sslmode=disable", "sslmode=require", 1): "it speaks no TLS: sslmode=disable in the URL",
		unverified + "?sslmode=disable":                                       "no encryption (SQLSTATE 28000): it may let this user in by TLS: sslmode=verify-full",
		unverified + "?sslmode=verify-full":                                   "STEM_TLS_CA_CERT, or use sslrootcert in the URL",
	} {
		wantError(t, openURL(t, url, postgres.Config{}), want)
	}
	if err := openURL(t, encrypted, postgres.Config{}); err != nil {
		t.Errorf("with the server's authority: got %v, want to be let in", err)
	}
}

func TestNoPasswordIsShown(t *testing.T) {
	const secret = "hunter2"
	server := testpostgres.Start(t, testpostgres.Config{})
	var log said
	for _, url := range []string{
		"postgres://user:" + secret + "@" + server.Addr(),                 // refused by the server
		"postgres://user:" + secret + "@127.0.0.1:1",                      // nobody is there
		"postgres://user:" + secret + "@127.0.0.1:port",                   // no port
		"postgres://user:" + secret + "@[::1",                             // no host
		"postgres://user:" + secret + "%zz@127.0.0.1:1",                   // a bad escape
		"postgres://user:" + secret + "/" + secret + "@127.0.0.1",         // not escaped
		"postgres://user:" + secret + "@" + secret + "@127.0.0.1:1",       //
		"postgres://user:12/" + secret + "@127.0.0.1:1",                   // not escaped, and a port before it
		"postgres://user:12?" + secret + "@127.0.0.1:1",                   //
		"postgres://user:12#" + secret + "@127.0.0.1:1",                   //
		"postgres:user:" + secret + "@127.0.0.1:1",                        // no slashes
		"user:" + secret + "@127.0.0.1:1",                                 // no scheme
		secret + "@127.0.0.1:5432",                                        //
		"host=127.0.0.1 port=1 password=" + secret,                        // no URL
		"postgres://user@127.0.0.1:1?password=" + secret + "&sslmode=bad", //
		"postgres://user@127.0.0.1:1?pass%77ord=" + secret,                //
		"postgres://user:" + secret + "@127.0.0.1:1?pool_max_conns=many",  //
		"postgres://user:" + secret + "@127.0.0.1:1?connect_timeout=soon", //
		"postgres://user:" + secret + "@127.0.0.1:1?schema=pg_x",          //
	} {
		for _, err := range []error{openURL(t, url, log.config()), postgres.Migrate(t.Context(), url, log.config())} {
			if err == nil {
				t.Errorf("%s: got no error", url)
				continue
			}
			for ; err != nil; err = unwrap(err) {
				if text := fmt.Sprintf("%v %+v %#v", err, err, err.Error()); strings.Contains(text, secret) {
					t.Errorf("%s: got %s, want no password", url, text)
				}
			}
		}
	}
	if err := openURL(t, server.URL(), log.config()); err != nil {
		t.Fatal(err)
	}
	_, password, _ := strings.Cut(strings.TrimPrefix(server.URL(), "postgres://"), ":")
	if password, _, _ = strings.Cut(password, "@"); strings.Contains(log.String(), secret) || strings.Contains(log.String(), password) {
		t.Errorf("got the log\n%s\nwant no password", log.String())
	}
}

// unwrap gives the error within, if there is one alone.
func unwrap(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return nil
}
