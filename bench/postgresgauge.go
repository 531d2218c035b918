package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// postgresGauge asks pg_stat_statements and the operating system, on a connection of its own.
type postgresGauge struct {
	conn   *pgx.Conn
	server int // process
}

func newPostgresGauge(ctx context.Context, c cell) (gauge, error) {
	conn, err := pgx.Connect(ctx, c.Addr)
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(ctx, "SET ROLE gauge")
	return &postgresGauge{conn, c.PID}, err
}

func (g *postgresGauge) read(ctx context.Context) (reading, error) {
	cpu, memory := g.processes()
	r := reading{cpu: cpu, peak: memory, byCommand: make(map[string][2]float64)}
	rows, err := g.conn.Query(ctx, `SELECT query, calls, total_exec_time * 1000 FROM pg_stat_statements
		WHERE userid <> 'gauge'::regrole AND calls > 0`)
	if err != nil {
		return r, err
	}
	var statement string
	var calls, usec float64
	_, err = pgx.ForEachRow(rows, []any{&statement, &calls, &usec}, func() error {
		name := headOf(statement)
		sum := r.byCommand[name]
		r.byCommand[name] = [2]float64{sum[0] + calls, sum[1] + usec}
		r.commands += int64(calls)
		return nil
	})
	if err != nil {
		return r, err
	}
	err = g.conn.QueryRow(ctx, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&r.wal)
	return r, err
}

// headOf names a statement by what it begins with.
func headOf(statement string) string {
	const most = 100
	words := strings.Join(strings.Fields(statement), " ")
	return words[:min(len(words), most)]
}

// stored is what all tables take, with their indexes.
func (g *postgresGauge) stored(ctx context.Context) (bytes int64, err error) {
	err = g.conn.QueryRow(ctx, `SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
		WHERE relkind = 'r' AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)`).Scan(&bytes)
	return bytes, err
}

// processes sums what the server's processes have used, user and system, those that have ended included, and the memory that those
// have for themselves which live. Both are 0 where the system does not tell as Linux does.
func (g *postgresGauge) processes() (cpu time.Duration, memory float64) {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", g.server, g.server))
	ticks := ticksOf(strconv.Itoa(g.server), true)
	own := strconv.Itoa(int(g.conn.PgConn().PID()))
	for _, child := range strings.Fields(string(children)) {
		if child != own {
			ticks += ticksOf(child, false)
			memory += mebibytes(child, "RssAnon")
		}
	}
	return time.Duration(ticks) * time.Second / 100, memory // USER_HZ
}

// ticksOf reads the time of a process, and perhaps that of its children that have ended.
func ticksOf(pid string, ended bool) (ticks int64) {
	stat, _ := os.ReadFile("/proc/" + pid + "/stat")
	const utime, stime, cutime, cstime = 11, 12, 13, 14 // after the name, which may contain blanks
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) <= cstime {
		return 0 // it has just ended
	}
	last := stime
	if ended {
		last = cstime
	}
	for _, f := range fields[utime : last+1] {
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return ticks
}
