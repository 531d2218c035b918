package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// bootTime is how long the checks at the start may take.
	bootTime = 10 * time.Second
	// migrationTime is how long the migration of an empty schema may take: other starters may be at it.
	migrationTime = time.Minute
	// mostSkew is what two clocks may be apart before an operator hears of it.
	mostSkew = 2 * time.Second
)

// facts are what a server says of itself, and what the connection to it shows.
type facts struct {
	server                               string // its address
	user, database                       string
	number                               int // of its version, such as 150006
	version, encoding                    string
	standby                              bool
	readOnly, readOnlySource             string
	isolation                            string // of transactions that do not ask for one
	synchronous, standbys                string // synchronous_commit, synchronous_standby_names
	fsync, fullPageWrites                string
	left                                 int           // connections that it would still let in
	skew                                 time.Duration // by how much its clock is ahead of ours at least; negative where it is behind
	pooled                               bool          // the connection is to a pooler, which has the ones to the server
	sets                                 bool          // the store sets parameters of its connections
	prepares, local, encrypted, verified bool          // of the connection
}

// readCommitted is the isolation at which no statement of the store fails because others have been faster.
const readCommitted = "read committed"

// finding is what an operator should know of the server: what is so, and what to do about it.
type finding struct {
	code, text, remedy string
	args               []any
	info               bool // no reason to worry
}

// line is the finding as it is logged.
func (f *finding) line() string {
	if f.remedy == "" {
		return "stem: postgres: " + f.text
	}
	return "stem: postgres: " + f.text + ": " + f.remedy
}

// boot looks at the server before anything is kept there. What would lose tasks or break them is an error, what an
// operator should know is logged, once. The pool will open that many connections, and may be the store's own.
func boot(ctx context.Context, conn *pgx.Conn, cfg Config, opens int, own bool) (*facts, error) {
	f, err := ask(ctx, conn)
	if err == nil {
		err = f.refuse()
	}
	if err != nil {
		return nil, err
	}
	steps, err := load(files)
	if err != nil {
		return nil, err
	}
	if err := steps.ready(ctx, conn, cfg.Schema, !cfg.NoMigration); err != nil {
		return nil, err
	}
	f.sets = own && !f.pooled
	tell(ctx, cfg, f.findings(opens))
	return f, nil
}

// ErrNoTables: the schema is empty, and the configuration wants that to be an error (see [Config].NoMigration).
var ErrNoTables = errors.New("there are no tables of Stem there: is it the right database? (stem migrate up makes them, and so does a worker that starts)")

// ready migrates an empty schema, if it may, and is an error if the program cannot work with another.
func (s steps) ready(ctx context.Context, conn *pgx.Conn, schema string, mayMigrate bool) error {
	bounded, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	is, err := look(bounded, conn, schema)
	if err != nil {
		return err
	}
	if !is.migrated {
		if !mayMigrate {
			return fmt.Errorf("postgres: schema %s: %w", quote(schema), ErrNoTables)
		}
		migrating, cancel := context.WithTimeout(ctx, migrationTime)
		defer cancel()
		return s.migrate(migrating, conn, schema)
	}
	if err := is.suits(s.version()); err != nil {
		return err
	}
	return is.missingRights(bounded, conn, s.relations())
}

// tell logs findings.
func tell(ctx context.Context, cfg Config, findings []finding) {
	for _, f := range findings {
		if f.info {
			cfg.Logger.InfoContext(ctx, f.line(), f.args...)
		} else {
			cfg.Logger.WarnContext(ctx, f.line(), f.args...)
		}
	}
}

// factsSQL has a server tell what every user may know.
const factsSQL = `
SELECT current_user::text, current_database()::text, current_setting('server_version_num')::int, current_setting('server_version'),
	current_setting('server_encoding'), pg_is_in_recovery(), current_setting('transaction_read_only'),
	(SELECT source FROM pg_settings WHERE name = 'default_transaction_read_only'),
	current_setting('default_transaction_isolation'), current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), current_setting('fsync'), current_setting('full_page_writes'),
	current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
		- coalesce(current_setting('reserved_connections', true)::int, 0) - (SELECT sum(numbackends) FROM pg_stat_database)::int,
	pg_backend_pid(), clock_timestamp()`

// ask has a server tell the facts.
func ask(ctx context.Context, conn *pgx.Conn) (*facts, error) {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	f := &facts{server: conn.PgConn().Conn().RemoteAddr().String()}
	var backend uint32
	var clock time.Time
	before := time.Now()
	err := conn.QueryRow(ctx, factsSQL, pgx.QueryExecModeExec).Scan(&f.user, &f.database, &f.number, &f.version, &f.encoding, &f.standby, &f.readOnly,
		&f.readOnlySource, &f.isolation, &f.synchronous, &f.standbys, &f.fsync, &f.fullPageWrites, &f.left, &backend, &clock)
	if err != nil {
		return nil, fmt.Errorf("postgres: server %s: %w", f.server, err)
	}
	f.skew = apart(clock, before, time.Now())
	// A pooler makes up the number that a client cancels its statements by.
	f.pooled = backend != conn.PgConn().PID()
	mode := conn.Config().DefaultQueryExecMode
	f.prepares = mode == pgx.QueryExecModeCacheStatement || mode == pgx.QueryExecModeDescribeExec
	f.look(conn)
	return f, nil
}

// look tells who can read what passes over a connection.
func (f *facts) look(conn *pgx.Conn) {
	switch addr := conn.PgConn().Conn().RemoteAddr().(type) {
	case *net.UnixAddr:
		f.local = true
	case *net.TCPAddr:
		f.local = addr.IP.IsLoopback()
	}
	_, f.encrypted = conn.PgConn().Conn().(*tls.Conn)
	c := conn.Config().TLSConfig
	f.verified = f.encrypted && c != nil && (!c.InsecureSkipVerify || c.VerifyPeerCertificate != nil) // that of verify-ca
}

// apart tells by how much a clock is ahead of ours that was read between two instants, at least. It is negative where it is
// behind, and 0 where it may be right.
func apart(clock, before, after time.Time) time.Duration {
	switch {
	case clock.After(after):
		return clock.Sub(after)
	case clock.Before(before):
		return clock.Sub(before)
	default:
		return 0
	}
}

// refuse tells why the store must not be kept on a server.
func (f *facts) refuse() error {
	switch {
	case f.number < 130000:
		return fmt.Errorf("postgres: server %s is version %s, want 13 or newer", f.server, f.version)
	case f.encoding != "UTF8":
		return fmt.Errorf("postgres: database %s on server %s has the encoding %s, want UTF8: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
			quote(f.database), f.server, f.encoding)
	case f.standby:
		return fmt.Errorf("postgres: server %s is a standby, which takes no writes: connect to its primary, or name all servers in the URL, with target_session_attrs=read-write",
			f.server)
	case f.readOnly == "on":
		return fmt.Errorf("postgres: server %s takes no writes from user %s in database %s: default_transaction_read_only is on, by the setting of: %s",
			f.server, quote(f.user), quote(f.database), f.readOnlySource)
	}
	return nil
}

// findings tells what an operator should know of a server, whose pool will open that many connections.
func (f *facts) findings(opens int) []finding {
	fs := []finding{f.durability()}
	warn := func(code, text, remedy string, args ...any) {
		fs = append(fs, finding{code: code, text: text, remedy: remedy, args: append(args, "server", f.server)})
	}
	if f.pooled {
		fs = append(fs, finding{"pooler", "the connection is one to a pooler, where nobody can listen: workers and who waits for results ask now and then", "",
			[]any{"server", f.server}, true})
		if f.prepares {
			warn("pooler", "statements are prepared, and a pooler may lose them (PgBouncer before 1.21, or with max_prepared_statements = 0)",
				"unless yours keeps them, set DefaultQueryExecMode: pgx.QueryExecModeCacheDescribe in the config of the pool")
		}
	} else if f.left < opens {
		warn("connections", "the server has few connections left for what the pool may open", "raise max_connections, or put PgBouncer before it", "left", max(f.left, 0), "pool", opens)
	}
	if f.isolation != readCommitted && !f.sets {
		warn("isolation", "transactions fail where others have been faster, and are asked for again, which costs", "the pool's connections should have default_transaction_isolation = 'read committed'",
			"isolation", f.isolation)
	}
	if f.skew > mostSkew || f.skew < -mostSkew {
		warn("clock", "the server's clock is not this machine's: delays and leases go by the server's, At and ExpiresAt by the one where they are called",
			"set both by NTP", "ahead", f.skew.Round(time.Millisecond))
	}
	switch {
	case f.local || f.verified:
	case f.encrypted:
		warn("tls", "nobody has looked whether the server is the one that it says it is", "sslmode=verify-full in the URL, and its authority's certificate as sslrootcert")
	default:
		warn("tls", "everybody on the way can read and change what is sent to the server", "sslmode=verify-full in the URL")
	}
	return fs
}

// durability tells what a server would lose.
func (f *facts) durability() finding {
	args := []any{"server", f.server, "version", f.version}
	say := func(class, text, remedy string, info bool) finding {
		return finding{"durability", text, remedy, append(args, "durability", class), info}
	}
	switch {
	case f.synchronous == "off":
		return say("memory", "the server acknowledges what it has not written yet (synchronous_commit = off): when it is killed, the tasks of the last moments are lost",
			"ALTER DATABASE "+quote(f.database)+" RESET synchronous_commit, or where else it is set", false)
	case f.fsync == "off" || f.fullPageWrites == "off":
		return say("process-crash safe", "the server keeps what it has acknowledged when it is killed, but when the power fails the whole database may be unusable",
			"fsync = on and full_page_writes = on in postgresql.conf", false)
	case f.standbys != "" && f.synchronous != "local":
		return say("node-loss safe", "the server and its standbys keep every write (synchronous_standby_names, synchronous_commit = "+f.synchronous+")", "", true)
	default:
		return say("power-loss safe", "the server keeps every write on disk", "", true)
	}
}
