-- What limits stand on: turns in buckets, and places of tasks. The Postgres side of limit.go.
--
-- Instants are in microseconds since 1970, by the server's clock, plus an offset that only tests set.

-- Buckets of turns. One whose two times are over is as good as none.
CREATE TABLE {schema}.bucket (
    name    text COLLATE "C" PRIMARY KEY,
    next    bigint NOT NULL, -- when the next turn is due if they are spaced evenly
    penalty bigint NOT NULL  -- until when nobody has one
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 1000, vacuum_truncate = false);
-- The page of it that tidy comes to next.
CREATE SEQUENCE {schema}.bucket_page MINVALUE 0;

-- Who holds places of a task, how many, and when they lapse. One row for each task is what makes a step of it atomic, also
-- where transactions see the rows of others as they were when they began: who has waited for the row is refused then, and asks again.
CREATE TABLE {schema}.place (
    task     text COLLATE "C" PRIMARY KEY,
    sessions text[] NOT NULL,
    counts   integer[] NOT NULL,
    lapses   bigint[] NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

-- instant gives the time.
CREATE FUNCTION {schema}.instant_1(p_offset bigint) RETURNS bigint
LANGUAGE sql VOLATILE AS $$ SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint + p_offset $$;

-- turns takes turns in buckets, of each that is named p_counts many that are alike, and answers for each turn how long it is until then, or
-- NULL where none has to wait. The reckoning is that of limit.State. Buckets are locked in their order, so that two calls never wait
-- for each other.
CREATE FUNCTION {schema}.turns_1(p_offset bigint, p_longest bigint, p_counts integer[], p_buckets text[], p_intervals bigint[], p_tolerances bigint[], p_reserved boolean[])
RETURNS bigint[]
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_now       bigint := {schema}.instant_1(p_offset);
    v_done      text[]; -- buckets of whose turns none has to wait
    v_waits     bigint[];
    v_first     integer; -- of the turns that are alike, among all
    v_bucket    record;
    v_next      bigint;
    v_penalty   bigint;
    v_due       bigint;
    v_turn      integer;
    v_penalized boolean;
    v_changed   boolean;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true); -- a crash of the server gives the turns of its last moments once more
    -- Most limits do not bind: those of whose turns none has to wait take them all here, by one statement. It locks the
    -- others too. What excluded.penalty carries to the condition is how late the bucket may be for that, a time long past.
    WITH taken AS (
        INSERT INTO {schema}.bucket AS b (name, next, penalty)
        SELECT u.name, CASE WHEN u.alike AND u.slack >= 0 THEN v_now + u.span ELSE 0 END, greatest(u.slack, 0)
        FROM (
            SELECT u.name COLLATE "C" AS name, count(*) = 1 AND NOT bool_or(u.reserved) AS alike,
                max(u.count * u.interval) AS span, max(u.tolerance - (u.count - 1) * u.interval) AS slack
            FROM unnest(p_buckets, p_counts, p_intervals, p_tolerances, p_reserved) u(name, count, interval, tolerance, reserved)
            GROUP BY 1 ORDER BY 1) u
        ON CONFLICT (name) DO UPDATE SET next = greatest(b.next, v_now) + excluded.next - v_now
            WHERE excluded.next > 0 AND b.penalty <= v_now AND b.next <= v_now + excluded.penalty
        RETURNING b.name, b.next)
    SELECT array_agg(t.name) INTO v_done FROM taken t WHERE t.next > 0;
    IF cardinality(v_done) = cardinality(p_buckets) THEN
        RETURN NULL;
    END IF;
    FOR v_bucket IN
        SELECT u.name COLLATE "C" AS name, array_agg(u.n::integer ORDER BY u.n) AS turns
        FROM unnest(p_buckets) WITH ORDINALITY u(name, n) WHERE u.name <> ALL (coalesce(v_done, '{}')) GROUP BY 1 ORDER BY 1
    LOOP
        SELECT b.next, b.penalty INTO v_next, v_penalty FROM {schema}.bucket b WHERE b.name = v_bucket.name;
        v_penalized := v_penalty > v_now;
        v_changed := false;
        FOREACH v_turn IN ARRAY v_bucket.turns LOOP
            CONTINUE WHEN p_reserved[v_turn] AND NOT v_penalized;
            v_due := greatest(v_next, v_now);
            IF NOT v_penalized AND v_due + (p_counts[v_turn] - 1) * p_intervals[v_turn] - p_tolerances[v_turn] <= v_now THEN
                v_next := v_due + p_counts[v_turn] * p_intervals[v_turn];
                v_changed := true;
                CONTINUE; -- none of them has to wait
            END IF;
            IF v_waits IS NULL THEN
                v_waits := array_fill(0::bigint, ARRAY[(SELECT sum(u.n)::integer FROM unnest(p_counts) u(n))]);
            END IF;
            v_first := (SELECT coalesce(sum(u.n), 0) FROM unnest(p_counts[:v_turn - 1]) u(n));
            FOR v_at IN v_first + 1..v_first + p_counts[v_turn] LOOP
                v_due := greatest(v_next, v_now);
                IF v_penalized THEN
                    v_due := greatest(v_due, v_penalty + p_tolerances[v_turn]);
                END IF;
                v_waits[v_at] := least(greatest(v_due - p_tolerances[v_turn] - v_now, 0), p_longest);
                IF v_due - p_tolerances[v_turn] - v_now <= p_longest THEN
                    v_next := v_due + p_intervals[v_turn];
                    v_changed := true;
                END IF;
            END LOOP;
        END LOOP;
        IF v_changed THEN
            UPDATE {schema}.bucket b SET next = v_next WHERE b.name = v_bucket.name;
        END IF;
    END LOOP;
    RETURN v_waits;
END
$$;

-- places lets a session hold places of tasks, of each so many as it wants at most, and answers how many it has and how many are
-- left. Tasks are locked in their order.
CREATE FUNCTION {schema}.places_1(p_offset bigint, p_session text, p_lease bigint, p_tasks text[], p_limits integer[], p_wanted integer[])
RETURNS TABLE (place integer, held integer, free integer)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_one      record;
    v_now      bigint;
    v_places   {schema}.place;
    v_mine     integer;
    v_others   integer;
    v_sessions text[];
    v_counts   integer[];
    v_lapses   bigint[];
    v_grants   boolean := false;
BEGIN
    FOR v_one IN
        SELECT u.task COLLATE "C" AS task, u.most, u.wanted, u.n::integer AS n
        FROM unnest(p_tasks, p_limits, p_wanted) WITH ORDINALITY u(task, most, wanted, n) ORDER BY 1, 4
    LOOP
        LOOP
            SELECT * INTO v_places FROM {schema}.place p WHERE p.task = v_one.task FOR UPDATE;
            EXIT WHEN FOUND;
            INSERT INTO {schema}.place (task, sessions, counts, lapses) VALUES (v_one.task, '{}', '{}', '{}') ON CONFLICT (task) DO NOTHING;
        END LOOP;
        v_now := {schema}.instant_1(p_offset);
        SELECT coalesce(sum(u.n) FILTER (WHERE u.session = p_session), 0), coalesce(sum(u.n) FILTER (WHERE u.session <> p_session), 0),
            coalesce(array_agg(u.session) FILTER (WHERE u.session <> p_session), '{}'),
            coalesce(array_agg(u.n) FILTER (WHERE u.session <> p_session), '{}'),
            coalesce(array_agg(u.lapses) FILTER (WHERE u.session <> p_session), '{}')
        INTO v_mine, v_others, v_sessions, v_counts, v_lapses
        FROM unnest(v_places.sessions, v_places.counts, v_places.lapses) u(session, n, lapses) WHERE u.lapses > v_now;
        place := v_one.n - 1;
        held := least(v_one.wanted, greatest(v_mine, v_one.most - v_others));
        free := greatest(v_one.most - v_others - held, 0);
        IF held > 0 THEN
            v_sessions := v_sessions || p_session;
            v_counts := v_counts || held;
            v_lapses := v_lapses || v_now + p_lease;
        END IF;
        UPDATE {schema}.place p SET sessions = v_sessions, counts = v_counts, lapses = v_lapses WHERE p.task = v_one.task;
        v_grants := v_grants OR held > v_mine;
        RETURN NEXT;
    END LOOP;
    -- A place that is granted must not be forgotten in a crash of the server, or two would have it. What else is forgotten is told again.
    IF NOT v_grants THEN
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
END
$$;

-- tidy_limits deletes what is as good as none: of buckets in a sixteenth of the table, so that a whole one is gone through
-- in that many calls.
CREATE FUNCTION {schema}.tidy_limits_1(p_offset bigint) RETURNS void
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v_now   bigint := {schema}.instant_1(p_offset);
    v_table oid;
    v_pages bigint;
    v_page  bigint;
    v_until bigint;
BEGIN
    SELECT p.tableoid, p.last_value INTO v_table, v_page FROM {schema}.bucket_page p;
    IF NOT pg_try_advisory_xact_lock(1937007983::bigint << 32 | v_table::bigint) THEN
        RETURN; -- another process does it
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);
    v_pages := pg_relation_size(tableoid) / current_setting('block_size')::bigint FROM {schema}.bucket LIMIT 1;
    IF v_pages > 0 THEN
        IF v_page >= v_pages THEN
            v_page := 0;
        END IF;
        v_until := v_page + greatest(v_pages / 16, 256);
        DELETE FROM {schema}.bucket b WHERE b.ctid = ANY (ARRAY(
            SELECT b.ctid FROM {schema}.bucket b
            WHERE b.ctid >= format('(%s,0)', v_page)::tid AND b.ctid < format('(%s,0)', v_until)::tid AND b.next <= v_now AND b.penalty <= v_now
            FOR UPDATE SKIP LOCKED));
        PERFORM setval(v_table::regclass, v_until);
    END IF;
    DELETE FROM {schema}.place p WHERE NOT EXISTS (SELECT FROM unnest(p.lapses) u(lapses) WHERE u.lapses > v_now - 3600000000);
END
$$;
