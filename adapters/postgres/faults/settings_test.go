//go:build unix

package faults_test

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/ledger"
	"github.com/gostem/gostem/internal/testpostgres"
)

// Whatever isolation a database gives to those who do not ask for one, tasks run: what the server refuses because others have been faster
// is asked for again.
func TestEveryIsolationWillDo(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"repeatable read", "serializable"} {
		for what, place := range map[string]string{"a pool of the store's": "", "a pool of the user's": onPool} {
			t.Run(level+", "+what, func(t *testing.T) {
				t.Parallel()
				own := database.URL(t)
				query(t, own, fmt.Sprintf("ALTER DATABASE %s SET default_transaction_isolation = '%s'", name(t, own), level))
				underBooked(t, place+own, ledger.Expected{}, func(s *faultsite.Site) { s.Progress(100) })
			})
		}
	}
}

// name gives the name of the database of a URL.
func name(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/")
}

// Somebody locks what tasks lie in: all rows, or the table. Where statements may take only so long they end with that; workers and
// clients ask again, and go on when the lock is gone.
func TestSomebodyHoldsALock(t *testing.T) {
	t.Parallel()
	for _, timeout := range []string{"0", "200ms"} {
		for what, lock := range map[string]string{
			"all rows":  "SELECT FROM stem.task FOR UPDATE",
			"the table": "LOCK TABLE stem.task IN ACCESS EXCLUSIVE MODE",
		} {
			t.Run(what+", statement_timeout = "+timeout, func(t *testing.T) {
				t.Parallel()
				own := database.URL(t)
				underBooked(t, own, ledger.Expected{}, func(s *faultsite.Site) {
					query(t, own, fmt.Sprintf("ALTER DATABASE %s SET statement_timeout = '%s'", name(t, own), timeout))
					query(t, own, "SET statement_timeout = 0; "+terminate) // what connects anew has it, but for us
					for range 3 {
						s.Progress(1 + s.Random.IntN(20))
						query(t, own, "SET statement_timeout = 0; BEGIN; "+lock+"; SELECT pg_sleep(1); COMMIT")
					}
				})
			})
		}
	}
}

// A server takes no writes for a while, and says so to who enqueues.
func TestAServerIsReadOnlyForAWhile(t *testing.T) {
	t.Parallel()
	server := testpostgres.Start(t, testpostgres.Config{})
	underBooked(t, server.URL(), ledger.Expected{}, func(s *faultsite.Site) {
		server.Set("default_transaction_read_only", "on")
		_, err := faultsite.Chore.Via(s.Client).Enqueue(t.Context(), "1ms")
		var refused *pgconn.PgError
		if !errors.As(err, &refused) || refused.Code != "25006" {
			t.Errorf("an enqueue: got %v, want the error 25006, read_only_sql_transaction", err)
		}
		faultsite.Yield(2 * time.Second)
		server.Set("default_transaction_read_only", "off")
	})
}

// A primary is killed under load and its synchronous standby takes over: clients and workers find it, as the URL names both. Nothing is lost
// that was acknowledged.
func TestAStandbyTakesOver(t *testing.T) {
	t.Parallel()
	primary := testpostgres.Start(t, testpostgres.Config{})
	standby := primary.Standby(t)
	primary.Set("synchronous_standby_names", "*")
	both := strings.Replace(primary.URL(), primary.Addr(), primary.Addr()+","+standby.Addr(), 1) + "&target_session_attrs=read-write"
	underBooked(t, both, ledger.Expected{Duplicates: 2 * faultsite.InHand}, func(s *faultsite.Site) {
		s.Progress(1 + s.Random.IntN(100))
		primary.Kill()
		standby.Promote()
		s.Crashed()
		s.Progress(100)
	})
}
