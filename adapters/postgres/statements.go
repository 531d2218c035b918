package postgres

import (
	"strconv"
	"strings"
	"sync"
)

// statements are what a store asks of the server, for its schema.
type statements struct {
	publish, publishOne, publishKeyed, publishUnique             string
	settleUnique, started, keep                                  string
	claim, extend, settle, save, complete                        string
	load, await, tidy, count                                     string
	pause, revoke, revoked, deadLetters, waiter, notWaiter       string
	announce, workers                                            string
	post, commands, lastCommand, reply, replies                  string
	turns, penalize, places, tidyLimits, readBuckets, readPlaces string
	queues, gauge, list, change, letters, removeLetters          string
	record, annotate                                             string
}

// statementsBySchema keeps what was made: a program has one schema or a few, and makes a Transaction for each of its own.
var statementsBySchema sync.Map

func statementsOf(schema string) statements {
	if made, ok := statementsBySchema.Load(schema); ok {
		return made.(statements)
	}
	made := newStatements(schema)
	statementsBySchema.Store(schema, made)
	return made
}

func newStatements(schema string) statements {
	named := func(sql string) string { return strings.ReplaceAll(sql, "{schema}", quote(schema)) }
	return statements{
		publish: named(`INSERT INTO {schema}.task (due, published, fingerprint, size, priority, queue, task, visibility, envelope)
SELECT c.now + u.delay * interval '1 microsecond', CASE WHEN u.delay > 0 THEN c.now END, u.print, u.size, u.priority, u.queue, u.task, u.visibility, u.envelope
FROM (SELECT clock_timestamp() + $1::bigint * interval '1 microsecond') c(now),
unnest($2::bigint[], $3::bigint[], $4::int[], $5::smallint[], $6::text[], $7::text[], $8::bigint[], $9::bytea[])
u(delay, print, size, priority, queue, task, visibility, envelope)`),
		publishOne: named(`INSERT INTO {schema}.task (due, published, fingerprint, size, priority, queue, task, visibility, envelope)
SELECT c.now + $2::bigint * interval '1 microsecond', CASE WHEN $2::bigint > 0 THEN c.now END, $3::bigint, $4::int, $5::smallint, $6::text, $7::text, $8::bigint, $9::bytea
FROM (SELECT clock_timestamp() + $1::bigint * interval '1 microsecond') c(now)`),
		publishKeyed: named(`SELECT place, id FROM {schema}.publish_1($1::bigint, $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
$7::int[], $8::smallint[], $9::text[], $10::text[], $11::bigint[], $12::bytea[])`),
		publishUnique: named(`SELECT place, id, kind FROM {schema}.publish_unique_1($1::bigint, $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
$7::int[], $8::smallint[], $9::text[], $10::text[], $11::bigint[], $12::bytea[], $13::text[], $14::bigint[], $15::bigint[], $16::bool[], $17::text[])`),
		settleUnique: named(`SELECT place, code FROM {schema}.settle_unique_1($1::bigint, $2::bool, $3::int[], $4::bigint[], $5::bigint[],
$6::smallint[], $7::bigint[], $8::text[], $9::text[], $10::text[],
$11::text[], $12::bool[], $13::bigint[], $14::bytea[], $15::tid[], $16::bool, $17::text[], $18::text[], $19::text[], $20::smallint[])`),
		started: named(`SELECT place, reason FROM {schema}.started_1($1::bigint, $2::text[], $3::text[], $4::text[], $5::smallint[], $6::text[])`),
		keep:    named(`SELECT {schema}.keep_1($1::text[], $2::text[], $3::text[], $4::smallint[])`),
		claim: named(`SELECT place, seq, number, due, published, priority, cuts, failures, snoozes, releases, marks, envelope, note, spot FROM {schema}.claim_1($1::bigint, $2::text, $3::bigint, $4::bool,
$5::text[], $6::text[], $7::bigint[], $8::int, $9::bigint, $10::bigint, $11::bigint[], $12::bigint[], $13::bigint[], $14::bool, $15::bigint[], $16::bigint[], $17::text[], $18::int[])`),
		extend: named(`SELECT place, lost FROM {schema}.extend_1($1::bigint, $2::text, $3::bigint, $4::bool, $5::int[], $6::bigint[], $7::bigint[])`),
		settle: named(`SELECT place, code FROM {schema}.settle_1($1::bigint, $2::bool, $3::int[], $4::bigint[], $5::bigint[],
$6::smallint[], $7::bigint[], $8::text[], $9::text[], $10::text[],
$11::text[], $12::bool[], $13::bigint[], $14::bytea[], $15::tid[], $16::bool)`),
		save:     named(`SELECT place FROM {schema}.save_1($1::bigint, $2::text[], $3::bigint[], $4::bool[], $5::bigint[], $6::bytea[])`),
		complete: named(`SELECT {schema}.complete_1($1::bigint, $2::int, $3::bigint, $4::bigint, $5::text, $6::bool, $7::bigint, $8::bytea)`),
		load: named(`SELECT u.n::int - 1, r.expires > clock_timestamp() + $1::bigint * interval '1 microsecond', r.record
FROM unnest($2::text[]) WITH ORDINALITY u(id, n) JOIN {schema}.result r ON r.id = u.id COLLATE "C"`),
		await: named(`SELECT r.id, r.expires > clock_timestamp() + $1::bigint * interval '1 microsecond', r.record
FROM {schema}.result r WHERE r.id = ANY ($2::text[]) AND r.terminal`),
		tidy:  named(`SELECT {schema}.tidy_1($1::bigint, $2::int, $3::bigint)`),
		count: named(`SELECT kind, task, print, n FROM {schema}.count_1($1::bigint, $2::text, $3::bigint)`),
		pause: named(`INSERT INTO {schema}.queue AS q (name, paused) VALUES ($1::text, $2::bool) ON CONFLICT (name) DO UPDATE SET paused = excluded.paused`),
		revoke: named(`INSERT INTO {schema}.revocation AS r (queue, id, family, until, reason)
VALUES ($2::text, $3::text, $4::bool, clock_timestamp() + $1::bigint * interval '1 microsecond' + $5::bigint * interval '1 microsecond', $6::text)
ON CONFLICT (queue, id, family) DO UPDATE SET until = greatest(r.until, excluded.until), reason = excluded.reason`),
		revoked: named(`SELECT r.queue, r.id, r.family, r.reason FROM {schema}.revocation r
WHERE r.until > clock_timestamp() + $1::bigint * interval '1 microsecond' AND r.queue = ANY ($2::text[]) AND r.id = ANY ($3::text[])`),
		deadLetters: named(`SELECT id, task, reason, attempt, number, at, marks::text, envelope FROM {schema}.dead_letter WHERE queue = $1::text ORDER BY at DESC, seq DESC LIMIT $2::bigint`),
		waiter: named(`INSERT INTO {schema}.waiter (id, until) VALUES ($2::text, clock_timestamp() + ($1::bigint + $3::bigint) * interval '1 microsecond')
ON CONFLICT (id) DO UPDATE SET until = excluded.until`),
		notWaiter: named(`DELETE FROM {schema}.waiter WHERE id = $1::text`),
		// Some of those whose time is over go at each call.
		announce: named(`WITH c AS MATERIALIZED (SELECT clock_timestamp() + $1::bigint * interval '1 microsecond' AS now),
gone AS (DELETE FROM {schema}.worker w WHERE w.ctid = ANY (ARRAY(
    SELECT o.ctid FROM {schema}.worker o, c WHERE o.until <= c.now AND o.id <> $2::text COLLATE "C" LIMIT 20 FOR UPDATE OF o SKIP LOCKED)))
INSERT INTO {schema}.worker AS w (id, seen, until, said)
SELECT $2::text, c.now, c.now + $3::bigint * interval '1 microsecond', $4::bytea FROM c
ON CONFLICT (id) DO UPDATE SET seen = excluded.seen, until = excluded.until, said = excluded.said`),
		workers: named(`SELECT id, seen, said FROM {schema}.worker WHERE until > clock_timestamp() + $1::bigint * interval '1 microsecond'`),
		post:    named(`SELECT {schema}.post_1($1::bigint, $2::bigint, $3::bytea, $4::text)`),
		reply:   named(`SELECT {schema}.reply_1($1::bigint, $2::text, $3::bigint, $4::bytea)`),
		commands: named(`SELECT seq, said FROM {schema}.command
WHERE seq > $2::bigint AND until > clock_timestamp() + $1::bigint * interval '1 microsecond' ORDER BY seq LIMIT ` + strconv.Itoa(mostHeard)),
		lastCommand: named(`SELECT coalesce(max(seq), 0) FROM {schema}.command`),
		replies: named(`SELECT seq, said FROM {schema}.reply
WHERE command = $3::text COLLATE "C" AND seq > $2::bigint AND until > clock_timestamp() + $1::bigint * interval '1 microsecond' ORDER BY seq LIMIT ` + strconv.Itoa(mostHeard)),
		turns: named(`SELECT {schema}.turns_1($1::bigint, $2::bigint, $3::int[], $4::text[], $5::bigint[], $6::bigint[], $7::bool[])`),
		penalize: named(`INSERT INTO {schema}.bucket AS b (name, next, penalty) VALUES ($2::text, 0, {schema}.instant_1($1::bigint) + $3::bigint)
ON CONFLICT (name) DO UPDATE SET penalty = greatest(b.penalty, excluded.penalty)`),
		places: named(`SELECT place, held, free FROM {schema}.places_1($1::bigint, $2::text, $3::bigint, $4::text[], $5::int[], $6::int[])`),
		readBuckets: named(`SELECT u.n, greatest(b.next - c.now, 0), greatest(b.penalty - c.now, 0)
FROM {schema}.instant_1($1::bigint) c(now), unnest($2::text[]) WITH ORDINALITY u(name, n) JOIN {schema}.bucket b ON b.name = u.name COLLATE "C"`),
		readPlaces: named(`SELECT u.n, h.session, h.n, h.lapses - c.now
FROM {schema}.instant_1($1::bigint) c(now), unnest($2::text[]) WITH ORDINALITY u(task, n) JOIN {schema}.place p ON p.task = u.task COLLATE "C",
unnest(p.sessions, p.counts, p.lapses) h(session, n, lapses) WHERE h.lapses > c.now ORDER BY u.n, h.session COLLATE "C"`),
		tidyLimits: named(`SELECT FROM {schema}.tidy_limits_1($1::bigint)`),
		queues:     named(`SELECT {schema}.queues_1($1::text, $2::int)`),
		gauge:      named(`SELECT oldest, retrying FROM {schema}.gauge_1($1::bigint, $2::text)`),
		list: named(`SELECT what, n, place, seq, holder, number, due, published, priority, print, task, cuts, failures, snoozes, releases, session, lapses, marks, envelope, now
FROM {schema}.list_1($1::bigint, $2::text, $3::text, $4::text, $5::bytea, $6::bigint, $7::int, $8::int, $9::bigint,
$10::int, $11::text, $12::bigint, $13::int, $14::timestamptz, $15::bigint)`),
		change: named(`SELECT place, code FROM {schema}.change_1($1::bigint, $2::bool, $3::text[], $4::bigint[], $5::bool[], $6::text[], $7::text[], $8::text[], $9::smallint[])`),
		letters: named(`SELECT what, n, seq, id, task, reason, attempt, number, at, marks, envelope
FROM {schema}.letters_1($1::text, $2::text, $3::text, $4::timestamptz, $5::timestamptz, $6::int, $7::int, $8::bigint, $9::timestamptz, $10::bigint)`),
		removeLetters: named(`SELECT {schema}.remove_letters_1($1::text, $2::timestamptz[], $3::bigint[])`),
		record: named(`SELECT c.now, r.record FROM {schema}.result r, (SELECT clock_timestamp() + $1::bigint * interval '1 microsecond') c(now)
WHERE r.id = $2::text COLLATE "C" AND r.expires > c.now`),
		annotate: named(`UPDATE {schema}.result r SET record = $3::bytea WHERE r.id = $1::text COLLATE "C" AND r.record = $2::bytea RETURNING true`),
	}
}
