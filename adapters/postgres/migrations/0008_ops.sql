-- What operators ask for: queues, tasks and dead letters page by page, and changes of tasks that wait. The Postgres side of
-- ops.go, ops_tasks.go, ops_change.go and ops_letters.go.
--
-- Nothing here looks at more than a bounded number of rows, whatever lies in the tables, and what only reads sees all of its answer in
-- one snapshot. Instants are as in 0001.

-- after gives the line of a queue and priority behind a place, in its order. The planner writes it into the statements that call it.
CREATE FUNCTION {schema}.after_1(p_queue text, p_priority integer, p_due timestamptz, p_seq bigint)
RETURNS TABLE (place tid, due timestamptz, seq bigint)
LANGUAGE sql STABLE AS $$
    SELECT k.ctid, k.due, k.seq FROM {schema}.task k
    WHERE k.priority = p_priority AND k.queue = p_queue COLLATE "C" AND k.holder IS NULL AND (k.due, k.seq) > (p_due, p_seq)
    ORDER BY k.due, k.seq
$$;

-- later finds what is due later, of all priorities, by when that is: at most p_most rows behind a place. The ten lines are
-- merged as they are read, so that no more of them is read than is answered.
CREATE FUNCTION {schema}.later_1(p_now timestamptz, p_queue text, p_due timestamptz, p_seq bigint, p_most integer) RETURNS tid[]
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
DECLARE
    v_due timestamptz := greatest(p_due, p_now);
    v_seq bigint := CASE WHEN p_due > p_now THEN p_seq ELSE 9223372036854775807 END;
BEGIN
    RETURN ARRAY(
        SELECT a.place FROM (
            SELECT * FROM {schema}.after_1(p_queue, 0, v_due, v_seq)
            UNION ALL SELECT * FROM {schema}.after_1(p_queue, 1, v_due, v_seq)
            UNION ALL SELECT * FROM {schema}.after_1(p_queue, 2, v_due, v_seq)
            UNION ALL SELECT * FROM {schema}.after_1(p_queue, 3, v_due, v_seq)
            UNION ALL SELECT * FROM {schema}.after_1(p_queue, 4, v_due, v_seq)
            UNION ALL SELECT * FROM {schema}.after_1(p_queue, 5, v_due, v_seq)
            UNION ALL SELECT * FROM {schema}.after_1(p_queue, 6, v_due, v_seq)
            UNION ALL SELECT * FROM {schema}.after_1(p_queue, 7, v_due, v_seq)
            UNION ALL SELECT * FROM {schema}.after_1(p_queue, 8, v_due, v_seq)
            UNION ALL SELECT * FROM {schema}.after_1(p_queue, 9, v_due, v_seq)) a
        ORDER BY a.due, a.seq LIMIT p_most);
END
$$;

-- ready finds what is due, higher priorities first: at most p_most rows behind a place, NULL for all.
CREATE FUNCTION {schema}.ready_1(p_now timestamptz, p_queue text, p_priority integer, p_due timestamptz, p_seq bigint, p_most integer) RETURNS tid[]
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
DECLARE
    v_rows tid[] := '{}';
    v_due  timestamptz := p_due;
BEGIN
    FOR v_priority IN REVERSE coalesce(p_priority, 9)..0 LOOP
        EXIT WHEN cardinality(v_rows) >= p_most;
        v_rows := v_rows || ARRAY(
            SELECT a.place FROM {schema}.after_1(p_queue, v_priority, coalesce(v_due, '-infinity'), coalesce(p_seq, 0)) a
            WHERE a.due <= p_now ORDER BY a.due, a.seq LIMIT p_most - cardinality(v_rows));
        v_due := NULL; -- the next line from its beginning
    END LOOP;
    RETURN v_rows;
END
$$;

-- held finds what is on loan, of whichever queue, by session: at most p_most rows behind a place.
CREATE FUNCTION {schema}.held_1(p_holder integer, p_seq bigint, p_most integer) RETURNS tid[]
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
BEGIN
    RETURN ARRAY(
        SELECT k.ctid FROM {schema}.task k WHERE k.holder > 0 AND (k.holder, k.seq) > (coalesce(p_holder, 0), coalesce(p_seq, 0))
        ORDER BY k.holder, k.seq LIMIT p_most);
END
$$;

-- aside finds what is set aside, in the order of its index: at most p_most rows behind a place, NULL for all. One part after the other
-- goes on where the one before ends: the same task, schema and priority, then lower priorities, further schemas, those without a
-- schema, further tasks.
CREATE FUNCTION {schema}.aside_1(p_queue text, p_task text, p_print bigint, p_priority integer, p_due timestamptz, p_seq bigint, p_most integer) RETURNS tid[]
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
BEGIN
    RETURN ARRAY(
        (SELECT k.ctid FROM {schema}.task k
        WHERE k.queue = p_queue COLLATE "C" AND k.holder = 0 AND k.task = p_task COLLATE "C" AND k.fingerprint = p_print AND k.priority = p_priority AND (k.due, k.seq) > (p_due, p_seq)
        ORDER BY k.due, k.seq LIMIT p_most)
        UNION ALL
        (SELECT k.ctid FROM {schema}.task k
        WHERE k.queue = p_queue COLLATE "C" AND k.holder = 0 AND k.task = p_task COLLATE "C" AND k.fingerprint = p_print AND k.priority < p_priority
        ORDER BY k.priority DESC, k.due, k.seq LIMIT p_most)
        UNION ALL
        (SELECT k.ctid FROM {schema}.task k
        WHERE k.queue = p_queue COLLATE "C" AND k.holder = 0 AND k.task = p_task COLLATE "C" AND k.fingerprint > p_print
        ORDER BY k.fingerprint, k.priority DESC, k.due, k.seq LIMIT p_most)
        UNION ALL
        (SELECT k.ctid FROM {schema}.task k
        WHERE k.queue = p_queue COLLATE "C" AND k.holder = 0 AND k.task = p_task COLLATE "C" AND k.fingerprint IS NULL AND p_print IS NOT NULL
        ORDER BY k.priority DESC, k.due, k.seq LIMIT p_most)
        UNION ALL
        (SELECT k.ctid FROM {schema}.task k
        WHERE k.queue = p_queue COLLATE "C" AND k.holder = 0 AND k.task = p_task COLLATE "C" AND k.fingerprint IS NULL AND p_print IS NULL AND k.priority = p_priority AND (k.due, k.seq) > (p_due, p_seq)
        ORDER BY k.due, k.seq LIMIT p_most)
        UNION ALL
        (SELECT k.ctid FROM {schema}.task k
        WHERE k.queue = p_queue COLLATE "C" AND k.holder = 0 AND k.task = p_task COLLATE "C" AND k.fingerprint IS NULL AND p_print IS NULL AND k.priority < p_priority
        ORDER BY k.priority DESC, k.due, k.seq LIMIT p_most)
        UNION ALL
        (SELECT k.ctid FROM {schema}.task k
        WHERE k.queue = p_queue COLLATE "C" AND k.holder = 0 AND k.task > coalesce(p_task, '') COLLATE "C"
        ORDER BY k.task, k.fingerprint, k.priority DESC, k.due, k.seq LIMIT p_most)
        LIMIT p_most);
END
$$;

-- list answers a page of the tasks of a queue. p_state is 'ready', 'running', 'delayed', 'retrying' or 'unknown'; p_after and what follows it is the
-- place behind which it begins, as the last row of the page before tells it, NULL for the first page.
--
-- p_task         only tasks of this name, NULL for all
-- p_head, p_at   only those with these bytes at the beginning of the envelope, where its id stands, or with this seq; NULL for all
-- p_limit, p_look, p_bytes  how many are answered, how many are looked at for that, and how long all envelopes are together, at most; one is
--                answered however long it is
--
-- It answers the rows of the page in order, with 1 in what, and behind them without envelopes: those that do not fit in any more, with 0, or
-- the last that was looked at where it is not wanted, with -1. In n it tells how many were looked at up to there.
CREATE FUNCTION {schema}.list_1(
    p_offset bigint, p_queue text, p_state text, p_task text, p_head bytea, p_at bigint,
    p_limit integer, p_look integer, p_bytes bigint,
    p_after_holder integer, p_after_task text, p_after_print bigint, p_after_priority integer, p_after_due timestamptz, p_after_seq bigint)
RETURNS TABLE (what integer, n integer, place text, seq bigint, holder integer, number bigint, due timestamptz, published timestamptz, priority integer,
    print bigint, task text, cuts integer, failures integer, snoozes integer, releases integer, session text, lapses timestamptz,
    marks text, envelope bytea, now timestamptz)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now  timestamptz := clock_timestamp() + p_offset * interval '1 microsecond';
    v_rows tid[];
BEGIN
    v_rows := CASE p_state
        WHEN 'ready' THEN {schema}.ready_1(v_now, p_queue, p_after_priority, p_after_due, p_after_seq, p_look)
        WHEN 'running' THEN {schema}.held_1(p_after_holder, p_after_seq, p_look)
        WHEN 'unknown' THEN {schema}.aside_1(p_queue, p_after_task, p_after_print, p_after_priority, p_after_due, p_after_seq, p_look)
        ELSE {schema}.later_1(v_now, p_queue, p_after_due, p_after_seq, p_look) END;
    RETURN QUERY
    SELECT y.what, y.n::integer, y.place::text, k.seq, k.holder, k.number, k.due, coalesce(k.published, k.due), k.priority::integer, k.fingerprint, k.task,
        coalesce(cardinality(k.cut), 0), k.failures, k.snoozes, k.releases, s.id, s.lapses + coalesce(k.visibility - s.lease, 0) * interval '1 microsecond',
        k.marks::text, CASE WHEN y.what = 1 THEN k.envelope END, v_now
    FROM (
        SELECT x.n, x.place, CASE
            WHEN NOT x.wanted THEN -1
            WHEN count(*) FILTER (WHERE x.wanted) OVER line = 1 THEN 1
            WHEN count(*) FILTER (WHERE x.wanted) OVER line <= p_limit AND sum(x.length) FILTER (WHERE x.wanted) OVER line <= p_bytes THEN 1
            ELSE 0 END AS what
        FROM (
            SELECT r.n, r.place, octet_length(t.envelope) AS length,
                t.queue = p_queue COLLATE "C" AND (p_task IS NULL OR t.task = p_task COLLATE "C")
                AND (p_head IS NULL OR t.seq IS NOT DISTINCT FROM p_at OR position(p_head IN substring(t.envelope FOR 256)) > 0)
                AND (p_state NOT IN ('delayed', 'retrying') OR (coalesce(t.failures, 0) > 0) = (p_state = 'retrying')) AS wanted
            FROM unnest(v_rows) WITH ORDINALITY r(place, n) JOIN {schema}.task t ON t.ctid = r.place) x
        WINDOW line AS (ORDER BY x.n)) y
    JOIN {schema}.task k ON k.ctid = y.place LEFT JOIN {schema}.session s ON s.no = k.holder
    WHERE y.what >= 0 OR y.n = cardinality(v_rows)
    ORDER BY y.n LIMIT p_limit + 1;
END
$$;

-- queues answers the names of queues behind one, in order, at most p_most: of those that hold anything (of what is on loan the first
-- two thousand are looked at), and of those that were paused or whose tasks came back once.
CREATE FUNCTION {schema}.queues_1(p_after text, p_most integer) RETURNS SETOF text
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_last text COLLATE "C" := p_after;
    v_held text[] COLLATE "C" := ARRAY(
        SELECT DISTINCT h.queue FROM (SELECT k.queue FROM {schema}.task k WHERE k.holder > 0 ORDER BY k.holder, k.seq LIMIT 2000) h);
BEGIN
    FOR v_n IN 1..p_most LOOP
        SELECT min(x.queue) INTO v_last FROM (
            SELECT (SELECT k.queue FROM {schema}.task k WHERE k.priority = p.priority AND k.holder IS NULL AND k.queue > v_last ORDER BY k.queue LIMIT 1)
            FROM unnest('{0,1,2,3,4,5,6,7,8,9}'::smallint[]) p(priority)
            UNION ALL (SELECT k.queue FROM {schema}.task k WHERE k.holder = 0 AND k.queue > v_last ORDER BY k.queue LIMIT 1)
            UNION ALL (SELECT d.queue FROM {schema}.dead_letter d WHERE d.queue > v_last ORDER BY d.queue LIMIT 1)
            UNION ALL (SELECT q.name FROM {schema}.queue q WHERE q.name > v_last ORDER BY q.name LIMIT 1)
            UNION ALL (SELECT min(h.queue COLLATE "C") FROM unnest(v_held) h(queue) WHERE h.queue COLLATE "C" > v_last)) x(queue);
        EXIT WHEN v_last IS NULL;
        RETURN NEXT v_last;
    END LOOP;
END
$$;

-- gauge measures a queue: for how long, in microseconds, the oldest of those has been due that are next of their priorities (NULL
-- where there is none), and how many of the ten thousand that are due first are so after a failure.
CREATE FUNCTION {schema}.gauge_1(p_offset bigint, p_queue text, OUT oldest bigint, OUT retrying integer)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
DECLARE
    v_now  timestamptz := clock_timestamp() + p_offset * interval '1 microsecond';
    v_rows tid[] := {schema}.later_1(v_now, p_queue, v_now, 0, 10000); -- in a query it would be called twice: once more to plan that
BEGIN
    SELECT (extract(epoch FROM v_now - min(a.due)) * 1000000)::bigint INTO oldest
    FROM generate_series(0, 9) p(priority)
    CROSS JOIN LATERAL (
        SELECT a.due FROM {schema}.after_1(p_queue, p.priority, '-infinity', 0) a WHERE a.due <= v_now ORDER BY a.due, a.seq LIMIT 1) a;
    SELECT count(*) INTO retrying
    FROM unnest(v_rows) r(place) JOIN {schema}.task k ON k.ctid = r.place
    WHERE k.failures > 0;
END
$$;

-- change makes tasks due now that wait for their time, or deletes tasks that wait. Each is found by where its row was when it was listed, which is
-- elsewhere after any change, and by its seq; p_laters tells that it was due later then. A row that others hold is not waited for.
-- With what is deleted the unique keys are let go that are given (see keep_1), NULL for none.
--
-- It answers the places of those that it has left alone, with a code: 1 it is not there any more, or not as it was; 2 somebody holds the row.
CREATE FUNCTION {schema}.change_1(
    p_offset bigint, p_delete boolean, p_rows text[], p_seqs bigint[], p_laters boolean[],
    p_queues text[], p_uniques text[], p_ids text[], p_whats smallint[])
RETURNS TABLE (place integer, code integer)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now  timestamptz := clock_timestamp() + p_offset * interval '1 microsecond';
    v_rows tid[] := p_rows::tid[];
    v_mine tid[];
    v_done integer[];
BEGIN
    SELECT coalesce(array_agg(x.ctid), '{}'), coalesce(array_agg(x.n), '{}') INTO v_mine, v_done FROM (
        SELECT k.ctid, r.n::integer AS n FROM unnest(v_rows, p_seqs, p_laters) WITH ORDINALITY r(place, seq, later, n)
        JOIN {schema}.task k ON k.ctid = r.place
        WHERE k.seq = r.seq AND (k.holder IS NULL AND (k.due > v_now) = r.later OR k.holder = 0 AND NOT r.later)
        FOR UPDATE OF k SKIP LOCKED) x;
    IF p_delete THEN
        DELETE FROM {schema}.task k USING unnest(v_mine) m(place) WHERE k.ctid = m.place;
        PERFORM {schema}.keep_1(array_agg(u.queue), array_agg(u.key), array_agg(u.id), array_agg(u.what))
        FROM unnest(p_queues, p_uniques, p_ids, p_whats) WITH ORDINALITY u(queue, key, id, what, n)
        WHERE u.key IS NOT NULL AND u.n = ANY (v_done)
        HAVING count(*) > 0;
    ELSE
        UPDATE {schema}.task k SET due = v_now FROM unnest(v_mine) m(place) WHERE k.ctid = m.place;
    END IF;
    RETURN QUERY SELECT r.n::integer - 1, CASE WHEN EXISTS (
            SELECT FROM {schema}.task k WHERE k.ctid = r.place AND k.seq = r.seq AND (k.holder IS NULL AND (k.due > v_now) = r.later OR k.holder = 0 AND NOT r.later)) THEN 2
        ELSE 1 END
    FROM unnest(v_rows, p_seqs, p_laters) WITH ORDINALITY r(place, seq, later, n) WHERE r.n <> ALL (v_done) ORDER BY 1;
END
$$;

-- letters answers a page of the dead letters of a queue, the newest first. p_at and p_seq are the place behind which it begins, NULL for the
-- first; p_since and p_until are bounds of when they were set aside, NULL for none. All else, and what, is as in list_1.
CREATE FUNCTION {schema}.letters_1(
    p_queue text, p_task text, p_id text, p_since timestamptz, p_until timestamptz,
    p_limit integer, p_look integer, p_bytes bigint, p_at timestamptz, p_seq bigint)
RETURNS TABLE (what integer, n integer, seq bigint, id text, task text, reason text, attempt integer, number bigint, at timestamptz, marks text, envelope bytea)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_rows tid[] := ARRAY(
        SELECT d.ctid FROM {schema}.dead_letter d
        WHERE d.queue = p_queue COLLATE "C" AND (d.at, d.seq) < (coalesce(p_at, 'infinity'), coalesce(p_seq, 0))
          AND d.at >= coalesce(p_since, '-infinity') AND d.at < coalesce(p_until, 'infinity')
        ORDER BY d.at DESC, d.seq DESC LIMIT p_look);
BEGIN
    RETURN QUERY
    SELECT y.what, y.n::integer, k.seq, k.id, k.task, k.reason, k.attempt, k.number, k.at, k.marks::text, CASE WHEN y.what = 1 THEN k.envelope END
    FROM (
        SELECT x.n, x.place, CASE
            WHEN NOT x.wanted THEN -1
            WHEN count(*) FILTER (WHERE x.wanted) OVER line = 1 THEN 1
            WHEN count(*) FILTER (WHERE x.wanted) OVER line <= p_limit AND sum(x.length) FILTER (WHERE x.wanted) OVER line <= p_bytes THEN 1
            ELSE 0 END AS what
        FROM (
            SELECT r.n, r.place, octet_length(d.envelope) AS length,
                (p_task IS NULL OR d.task = p_task COLLATE "C") AND (p_id IS NULL OR d.id = p_id COLLATE "C") AS wanted
            FROM unnest(v_rows) WITH ORDINALITY r(place, n) JOIN {schema}.dead_letter d ON d.ctid = r.place) x
        WINDOW line AS (ORDER BY x.n)) y
    JOIN {schema}.dead_letter k ON k.ctid = y.place
    WHERE y.what >= 0 OR y.n = cardinality(v_rows)
    ORDER BY y.n LIMIT p_limit + 1;
END
$$;

-- remove_letters deletes dead letters of a queue by when they were set aside and their seqs, and answers the places of those that were there. They
-- are locked in their order, so that two calls never wait for each other.
CREATE FUNCTION {schema}.remove_letters_1(p_queue text, p_ats timestamptz[], p_seqs bigint[]) RETURNS SETOF integer
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_rows tid[];
    v_ns   integer[];
BEGIN
    SELECT array_agg(x.ctid), array_agg(x.n) INTO v_rows, v_ns FROM (
        SELECT d.ctid, u.n FROM (
            SELECT u.at, u.seq, u.n::integer - 1 AS n FROM unnest(p_ats, p_seqs) WITH ORDINALITY u(at, seq, n) ORDER BY u.at, u.seq) u
        JOIN {schema}.dead_letter d ON d.queue = p_queue COLLATE "C" AND d.at = u.at AND d.seq = u.seq
        FOR UPDATE OF d) x;
    DELETE FROM {schema}.dead_letter d USING unnest(v_rows) r(place) WHERE d.ctid = r.place;
    RETURN QUERY SELECT n FROM unnest(v_ns) n;
END
$$;
