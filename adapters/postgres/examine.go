package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gostem/gostem/stem/ops"
)

var _ ops.Examiner = (*Store)(nil)

const (
	// longSnapshot is how old a snapshot may be that keeps dead rows from being removed before an operator hears of it, in seconds.
	longSnapshot = 300
	// manyDeadRows is how many dead rows of a table are worth a word, where they are more than the live ones.
	manyDeadRows = 10_000
)

// Examine looks at the server as the checks at the start do, and at what makes its tables slow.
func (s *Store) Examine(ctx context.Context) ([]ops.Finding, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	ctx, cancel := bound(ctx)
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, s.failed("examine", err)
	}
	defer conn.Release()
	f, err := ask(ctx, conn.Conn())
	if err != nil {
		return nil, s.failed("examine", err)
	}
	f.sets = s.owned && !f.pooled
	all := asErrors("server", f.refuse())
	all = append(all, s.examineSchema(ctx, conn.Conn())...)
	found := f.findings(1)
	tables, err := s.examineTables(ctx, conn.Conn(), longSnapshot)
	if err != nil {
		return nil, s.failed("examine", err)
	}
	for _, f := range append(found, tables...) {
		all = append(all, f.shown())
	}
	return all, nil
}

// examineSchema looks at version and rights.
func (s *Store) examineSchema(ctx context.Context, conn *pgx.Conn) []ops.Finding {
	steps, err := load(files)
	if err != nil {
		return asErrors("schema", err)
	}
	is, err := look(ctx, conn, s.cfg.Schema)
	if err != nil {
		return asErrors("schema", err)
	}
	all := asErrors("schema", is.suits(steps.version()))
	all = append(all, asErrors("rights", is.missingRights(ctx, conn, steps.relations()))...)
	return append(all, ops.Finding{Level: ops.LevelInfo, Code: "schema", What: fmt.Sprintf("postgres: schema %s has version %d", quote(is.schema), is.version)})
}

// asErrors makes findings of what a store is refused for at the start; none of nil. Such an error has its remedy in it.
func asErrors(code string, err error) []ops.Finding {
	if err == nil {
		return nil
	}
	return []ops.Finding{{Level: ops.LevelError, Code: code, What: err.Error()}}
}

// shown is the finding as operators see it.
func (f *finding) shown() ops.Finding {
	o := ops.Finding{Level: ops.LevelWarning, Code: f.code, What: "postgres: " + f.text, Remedy: f.remedy}
	if f.info {
		o.Level = ops.LevelInfo
	}
	for i := 0; i+1 < len(f.args); i += 2 {
		o.What += fmt.Sprintf("; %v: %v", f.args[i], f.args[i+1])
	}
	return o
}

// vacuumSQL tells whether autovacuum works, and the age in seconds of the oldest snapshot in this database and whose it is: the
// session's own is left out. Others' are seen by everybody, what they run only by some.
const vacuumSQL = `
SELECT current_setting('autovacuum'), coalesce(age, 0), coalesce(pid, 0), coalesce(name, '')
FROM (SELECT) AS one LEFT JOIN (
	SELECT extract(epoch FROM clock_timestamp() - xact_start)::bigint AS age, pid, application_name AS name
	FROM pg_stat_activity
	WHERE backend_xmin IS NOT NULL AND datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
	ORDER BY xact_start LIMIT 1) AS oldest ON true`

// tablesSQL tells of the tables of schema $1: whether autovacuum is off for one, and its live and dead rows by the statistics.
const tablesSQL = `
SELECT c.relname::text, coalesce(c.reloptions @> ARRAY['autovacuum_enabled=false'] OR c.reloptions @> ARRAY['autovacuum_enabled=off'], false),
	coalesce(t.n_live_tup, 0), coalesce(t.n_dead_tup, 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_stat_all_tables t ON t.relid = c.oid
WHERE n.nspname = $1::text AND c.relkind = 'r'
ORDER BY 1`

// examineTables finds what keeps dead rows, which every claim has to step over. Snapshots are looked at that are as old, in seconds.
func (s *Store) examineTables(ctx context.Context, conn *pgx.Conn, old int64) (fs []finding, err error) {
	warn := func(code, text, remedy string) { fs = append(fs, finding{code: code, text: text, remedy: remedy}) }
	var vacuum, name string
	var age, pid int64
	if err := conn.QueryRow(ctx, vacuumSQL, pgx.QueryExecModeExec).Scan(&vacuum, &age, &pid, &name); err != nil {
		return nil, err
	}
	if vacuum == "off" {
		warn("autovacuum", "autovacuum is off: tables grow, and claims get slower", "ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf();")
	}
	if age >= old {
		warn("snapshot", fmt.Sprintf("a transaction of %q (pid %d) has been open for %v: nothing that has been settled since can be removed", name, pid, time.Duration(age)*time.Second),
			fmt.Sprintf("end it: SELECT pg_terminate_backend(%d); and set idle_in_transaction_session_timeout", pid))
	}
	rows, err := conn.Query(ctx, tablesSQL, pgx.QueryExecModeExec, s.cfg.Schema)
	if err != nil {
		return nil, err
	}
	var table string
	var off bool
	var live, dead int64
	_, err = pgx.ForEachRow(rows, []any{&table, &off, &live, &dead}, func() error {
		relation := quote(s.cfg.Schema) + "." + quote(table)
		if off {
			warn("autovacuum", "autovacuum is off for table "+relation, "ALTER TABLE "+relation+" RESET (autovacuum_enabled);")
		}
		if dead >= manyDeadRows && dead > live {
			warn("bloat", fmt.Sprintf("table %s has %d dead rows beside %d live ones", relation, dead, live), "look for what keeps autovacuum from it, then VACUUM "+relation+";")
		}
		return nil
	})
	return fs, err
}
