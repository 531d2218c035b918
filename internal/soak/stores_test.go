//go:build unix

package soak

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gostem/gostem/adapters/memory"
	"github.com/gostem/gostem/internal/faultnet"
	"github.com/gostem/gostem/internal/faultsite"
	"github.com/gostem/gostem/internal/testpostgres"
	"github.com/gostem/gostem/internal/testredis"
	"github.com/gostem/gostem/stem"
)

// soakMemory soaks the memory store, whose workers are all in this process: of two one is dismissed now and then, and another hired.
func soakMemory(t *testing.T, span time.Duration) {
	here := func(context.Context, string) (faultsite.Store, error) { return new(memory.Store), nil }
	k := &soak{Site: faultsite.New(t, here, "", ""), t: t, span: span}
	k.probes = []probe{k.ownProcess, k.counts}
	o := k.orders()
	hire := func() func() { o.Name += "'"; o.Name = o.Name[max(0, len(o.Name)-8):]; return k.work(o) }
	stop := hire()
	k.faults = []fault{{"a worker leaves", func() { stop(); stop = hire() }}}
	defer func() { stop() }()
	k.run()
}

// soakRedis soaks Redis with an append-only file that is synced at each write: then a server that is killed forgets nothing.
func soakRedis(t *testing.T, span time.Duration) {
	server := testredis.Start(t, testredis.Config{AppendOnly: true, AppendFsync: "always"})
	k := served(t, span, server.Addr(), func(addr string) string { return "redis://" + addr })
	k.probes = []probe{k.ownProcess, k.counts, func() ([]reading, error) { return redisGauges(server, k.kept()) }}
	k.faults = append(k.faults, fault{"the server is killed", func() { server.Kill(); k.harms += 4; server.Restart() }})
	k.run()
}

// soakPostgres soaks PostgreSQL. It is stopped in good order: one that is killed forgets settlements of the last moments, and the ledger could not
// tell those that are made again from stale ones.
func soakPostgres(t *testing.T, span time.Duration) {
	// With the usual minute between two rounds of autovacuum dead rows would grow for the whole of a short run.
	server := testpostgres.Start(t, testpostgres.Config{Settings: []string{"autovacuum_naptime=3s"}})
	own, err := url.Parse(server.URL())
	if err != nil {
		t.Fatal(err)
	}
	k := served(t, span, own.Host, func(addr string) string {
		through := *own
		through.Host = addr
		return through.String()
	})
	k.probes = []probe{k.ownProcess, k.counts, func() ([]reading, error) { return postgresGauges(server, k.kept()) }}
	k.faults = append(k.faults, fault{"the server is restarted", func() { server.Stop(); k.harms += 4; server.Restart() }})
	k.run()
}

// served makes a soak at a server, to which three worker processes come by a proxy, with what can happen to them.
func served(t *testing.T, span time.Duration, addr string, place func(addr string) string) *soak {
	proxy := faultnet.Start(t, addr, uint64(span))
	k := &soak{Site: faultsite.New(t, open, place(proxy.Addr()), place(addr)), t: t, span: span}
	k.Staff(3, k.orders())
	one := func() int { k.harms++; return k.Random.IntN(len(k.Crew)) }
	k.faults = []fault{
		{"a worker is killed", func() { i := one(); k.Crew[i].Close(); k.Crew[i] = k.Hire(k.orders()) }},
		{"a worker sleeps past its lease", func() {
			i := one()
			k.Crew[i].Pause()
			faultsite.Yield(3 * time.Second)
			k.Crew[i].Continue()
		}},
		{"connections are cut", func() { k.harms += len(k.Crew); proxy.Cut() }},
		{"a worker leaves", func() {
			i := k.Random.IntN(len(k.Crew))
			if code := k.Crew[i].Terminate(faultsite.Patience); code != 0 {
				t.Errorf("a worker that leaves: got exit code %d, want 0", code)
			}
			k.Crew[i].Close()
			k.Crew[i] = k.Hire(k.orders())
		}},
	}
	return k
}

// counts reads the queue. A backlog comes with each fault, and goes.
func (k *soak) counts() ([]reading, error) {
	c, err := k.Store.CountQueue(context.Background(), stem.DefaultQueue)
	return []reading{
		{"tasks ready", float64(c.Ready), 20},
		{"tasks delayed", float64(c.Delayed), 20},
		{"tasks on loan", float64(c.Running), 20},
		{"dead letters", float64(c.Dead), 0},
	}, err
}

var usedMemory = regexp.MustCompile(`(?m)^used_memory:(\d+)`)

// redisGauges reads a server. Its clients' buffers come and go. A session that has lapsed is looked at for three minutes more, in which a dozen
// workers leave or are killed, and of each that was killed there is a key for a week.
func redisGauges(server *testredis.Server, kept float64) ([]reading, error) {
	var readings []reading
	var errs []error
	number := func(name string, slack float64, command ...string) {
		n, err := server.Do(command...)
		value, _ := n.(int64)
		readings, errs = append(readings, reading{name, float64(value), slack}), append(errs, err)
	}
	info, err := server.Do("INFO", "memory")
	errs = append(errs, err)
	if text, _ := info.(string); usedMemory.MatchString(text) {
		bytes, err := strconv.ParseFloat(usedMemory.FindStringSubmatch(text)[1], 64)
		readings, errs = append(readings, reading{"memory of Redis, kB", bytes / 1e3, 300 + kept}), append(errs, err)
	}
	number("keys", 50+kept, "DBSIZE")
	number("entries in the stream", 20, "XLEN", "stem:{default}:0")
	number("fields of the queue's state", 24, "HLEN", "stem:{default}:state")
	number("entries with a life of their own", 20, "HLEN", "stem:{default}:life")
	number("sessions that may lapse", 12, "ZCARD", "stem:{default}:lapses")
	number("workers known", 12, "HLEN", "stem:{%workers}:said")
	pending, err := server.Do("XPENDING", "stem:{default}:0", "stem")
	if all, _ := pending.([]any); len(all) > 0 {
		n, _ := all[0].(int64)
		readings = append(readings, reading{"entries pending", float64(n), 20})
	} else {
		errs = append(errs, fmt.Errorf("XPENDING answers %v, %v", pending, err))
	}
	consumers, err := server.Do("XINFO", "CONSUMERS", "stem:{default}:0", "stem")
	all, _ := consumers.([]any)
	return append(readings, reading{"consumers", float64(len(all)), 12}), errors.Join(append(errs, err)...)
}

// tables asks for the rows of each table, in the order of their names.
const tables = `SELECT 'rows of ' || c.relname, (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM stem.%I', c.relname), false, true, '')))[1]::text
FROM pg_class c WHERE c.relnamespace = 'stem'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY c.relname`

// forget deletes results that have expired. The store does so as well, but remembers them for ten minutes, and is content when it has seen
// the whole of a large table within 50.
const forget = "DELETE FROM stem.result WHERE expires < now()"

// postgresGauges reads a database. Rows that expire are swept now and then, and what is dead until autovacuum comes is some hundreds of rows;
// tables grow by pages until their free space is enough.
func postgresGauges(server *testpostgres.Server, kept float64) ([]reading, error) {
	if _, err := server.Query(forget); err != nil {
		return nil, err
	}
	rows, err := server.Query(tables)
	if err != nil {
		return nil, err
	}
	whole, err := server.Query(`SELECT 'dead rows', sum(n_dead_tup) FROM pg_stat_user_tables WHERE schemaname = 'stem'
		UNION ALL SELECT 'tables and indexes, kB', sum(pg_total_relation_size(oid)) / 1000 FROM pg_class WHERE relnamespace = 'stem'::regnamespace AND relkind = 'r'
		UNION ALL SELECT 'connections', count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'`)
	if err != nil {
		return nil, err
	}
	var readings []reading
	for _, row := range append(rows, whole...) {
		value, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", row[0], err)
		}
		readings = append(readings, reading{row[0], value, slackOf(row[0], kept)})
	}
	return readings, nil
}

// slackOf says what a gauge of PostgreSQL may grow by at any level.
func slackOf(name string, kept float64) float64 {
	switch {
	case name == "dead rows":
		return 500 + kept
	case strings.HasPrefix(name, "tables"):
		return 1000 + kept
	case name == "rows of dedupe", name == "rows of result":
		return 50 + kept
	default:
		return 50
	}
}
