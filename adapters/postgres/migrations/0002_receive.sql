-- What workers ask for: to be lent tasks, and to keep them. The functions are the
-- Postgres side of receive.go and extend.go, in one round trip each; the number in a name
-- is the version of its arguments, so that an older program finds its own.
--
-- Their plans are pinned: on a table that is empty today and holds millions tomorrow the
-- planner would change its mind at the worst time.

-- known tells whether a receiver can run a task; p_tasks is NULL for one that can run all, and a print is NULL
-- where all schemas are read.
CREATE FUNCTION {schema}.known_1(p_tasks text[], p_prints bigint[], p_task text, p_print bigint) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT p_tasks IS NULL OR EXISTS (
        SELECT FROM unnest(p_tasks, p_prints) u(task, print)
        WHERE u.task = p_task COLLATE "C" AND (u.print IS NULL OR p_print IS NULL OR u.print = p_print))
$$;

-- within tells of rows in their order, and of those that p_known names, which are within the bounds of their tasks.
CREATE FUNCTION {schema}.within_1(p_bounded text[], p_mosts integer[], p_rows tid[], p_known boolean[]) RETURNS boolean[]
LANGUAGE plpgsql AS $$
BEGIN
    RETURN ARRAY(
        SELECT u.known AND (u.most IS NULL OR u.nth <= u.most) FROM (
            SELECT r.n, r.known, b.most, count(*) FILTER (WHERE r.known) OVER (PARTITION BY k.task ORDER BY r.n) AS nth
            FROM unnest(p_rows, p_known) WITH ORDINALITY r(ctid, known, n)
            JOIN {schema}.task k ON k.ctid = r.ctid
            LEFT JOIN unnest(p_bounded, p_mosts) b(task, most) ON b.task = k.task) u
        ORDER BY u.n);
END
$$;

-- left gives what is left of the bounds of tasks when rows have been lent.
CREATE FUNCTION {schema}.left_1(p_bounded text[], p_mosts integer[], p_lent tid[]) RETURNS integer[]
LANGUAGE plpgsql AS $$
BEGIN
    RETURN ARRAY(
        SELECT b.most - (SELECT count(*) FROM unnest(p_lent) l(ctid) JOIN {schema}.task k ON k.ctid = l.ctid WHERE k.task = b.task)::integer
        FROM unnest(p_bounded, p_mosts) WITH ORDINALITY b(task, most, n) ORDER BY b.n);
END
$$;

-- claim lends due envelopes to a session.
--
-- p_offset      what tests add to the clock, in microseconds
-- p_bytes       how many bytes of payload, NULL for any
-- p_age         the time in which a priority rises by one, in microseconds, 0 for never
-- p_backs       for each queue, its "back" when the bounds were good
-- p_dues, p_seqs  ten for each queue, by priority: nothing at or before this place is looked at; dues in
--               microseconds since 2000
-- p_recover     look first for what the session holds and p_held does not name
-- p_bounded, p_mosts  tasks of which no more than so many are lent, NULL for none
--
-- It answers one row for each envelope, and then one with place -1: the session's number in seq,
-- 1 in number if anything is revoked, the time in due, the next time in published when something becomes due, and in
-- note for each queue its flags (1 paused, 2 looked from the start, 4 set something aside, 8 there may be more) and its "back". The spot
-- is where the row lies now, for who settles it.
CREATE FUNCTION {schema}.claim_1(
    p_offset bigint, p_session text, p_lease bigint, p_leaving boolean,
    p_queues text[], p_tasks text[], p_prints bigint[],
    p_max integer, p_bytes bigint, p_age bigint,
    p_backs bigint[], p_dues bigint[], p_seqs bigint[],
    p_recover boolean, p_held bigint[], p_numbers bigint[], p_bounded text[], p_mosts integer[])
RETURNS TABLE (place integer, seq bigint, number bigint, due timestamptz, published timestamptz,
    priority integer,
    cuts integer, failures integer, snoozes integer, releases integer, marks text, envelope bytea, note bigint[], spot tid)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now    timestamptz := clock_timestamp() + p_offset * interval '1 microsecond';
    v_me     integer;
    v_lapses timestamptz;
    v_number bigint;
    v_sequence regclass;
    v_last   bigint; -- the last number that anybody took
    v_off    text;
    v_aside  boolean;
    v_left   integer := p_max;
    v_most   integer;
    v_bytes  bigint := p_bytes;
    v_lent   integer := 0;
    v_notes  bigint[] := '{}';
    v_flags  integer;
    v_queue  text;
    v_paused boolean;
    v_back   bigint;
    v_behind text[]; -- queues to which something came back
    v_order  smallint[];
    v_lapsed integer[];
    v_robbed integer[];
    v_next   timestamptz;
    v_mosts  integer[] := p_mosts;
    v_spent  text[] := '{}'; -- tasks of which no more may be lent
    v_again  boolean; -- something came back to the line
    -- what one look at the line has found, in order
    v_rows   tid[];
    v_sizes  integer[];
    v_known  boolean[];
    v_all    boolean;
    v_size   bigint;
    v_some   tid[];
BEGIN
    -- An assignment costs less than a statement, and there are as few of those as there can be: what comes alone should not
    -- take a millisecond.
    v_off := set_config('synchronous_commit', 'off', true); -- a crash of the server repeats, and loses nothing
    IF p_bounded IS NOT NULL THEN
        v_spent := ARRAY(SELECT b.task FROM unnest(p_bounded, v_mosts) b(task, most) WHERE b.most <= 0);
    END IF;
    SELECT s.no, s.lapses, d.tableoid, d.last_value, floor(extract(epoch FROM v_now) * 2048000)::bigint,
        -- those that have lapsed and hold something that this receiver may take: were others among them, they would keep it from
        -- these for as long as they hold theirs
        (SELECT array_agg(o.no) FROM (
            SELECT o.no FROM {schema}.session o
            WHERE o.lapses <= v_now AND o.id <> p_session AND ( -- no join: whatever is held, one probe
                SELECT k.seq FROM {schema}.task k WHERE k.holder = o.no AND k.holder > 0 AND k.queue = ANY (p_queues)
                  AND (k.visibility IS NULL OR o.lapses + (k.visibility - o.lease) * interval '1 microsecond' <= v_now)
                  AND k.task <> ALL (v_spent) AND {schema}.known_1(p_tasks, p_prints, k.task, k.fingerprint)
                  AND NOT EXISTS (SELECT FROM {schema}.queue q WHERE q.name = k.queue AND q.paused)
                LIMIT 1) IS NOT NULL
            LIMIT 16) o)
    INTO v_me, v_lapses, v_sequence, v_last, v_number, v_lapsed
    FROM {schema}.delivery d LEFT JOIN {schema}.session s ON s.id = p_session;
    IF v_number <= v_last THEN
        -- The clock has gone back. Until it has caught up one call after the other takes numbers for all that it could lend.
        PERFORM pg_advisory_xact_lock(1937007982::bigint << 32 | v_sequence::oid::bigint);
        SELECT d.last_value + 1 INTO v_number FROM {schema}.delivery d;
        v_last := setval(v_sequence, v_number + p_max);
    END IF;
    IF v_me IS NULL OR v_lapses <= v_now THEN
        INSERT INTO {schema}.session AS s (id, lease, lapses, leaving)
        VALUES (p_session, p_lease, v_now + p_lease * interval '1 microsecond', p_leaving)
        ON CONFLICT (id) DO UPDATE SET lease = excluded.lease, lapses = excluded.lapses, leaving = excluded.leaving
        RETURNING s.no INTO v_me;
    END IF;

    IF p_recover THEN
        SELECT array_agg(x.ctid), array_agg(x.size) INTO v_rows, v_sizes FROM (
            SELECT k.ctid, k.size FROM {schema}.task k
            WHERE k.holder = v_me AND k.holder > 0 AND k.queue = ANY (p_queues)
              AND k.task <> ALL (v_spent) AND {schema}.known_1(p_tasks, p_prints, k.task, k.fingerprint)
              AND NOT EXISTS (SELECT FROM {schema}.queue q WHERE q.name = k.queue AND q.paused)
              AND NOT EXISTS (SELECT FROM unnest(p_held, p_numbers) h(seq, number) WHERE h.seq = k.seq AND h.number = k.number)
            ORDER BY k.due, k.seq LIMIT v_left
            FOR UPDATE OF k SKIP LOCKED) x;
        IF p_bounded IS NOT NULL AND v_rows IS NOT NULL THEN
            SELECT array_agg(r.ctid ORDER BY r.n), array_agg(r.size ORDER BY r.n) INTO v_rows, v_sizes
            FROM unnest(v_rows, v_sizes, {schema}.within_1(p_bounded, v_mosts, v_rows, array_fill(true, ARRAY[cardinality(v_rows)]))) WITH ORDINALITY r(ctid, size, known, n)
            WHERE r.known;
        END IF;
        SELECT array_agg(c.ctid ORDER BY c.n), count(*), max(c.sum) INTO v_some, v_lent, v_size FROM (
            SELECT u.ctid, u.n, sum(u.size) OVER (ORDER BY u.n) AS sum FROM unnest(v_rows, v_sizes) WITH ORDINALITY u(ctid, size, n)) c
        WHERE v_bytes IS NULL OR c.n = 1 OR c.sum <= v_bytes;
        IF v_lent > 0 THEN
            IF p_bounded IS NOT NULL THEN
                v_mosts := {schema}.left_1(p_bounded, v_mosts, v_some);
                v_spent := ARRAY(SELECT b.task FROM unnest(p_bounded, v_mosts) b(task, most) WHERE b.most <= 0);
            END IF;
            RETURN QUERY UPDATE {schema}.task k SET number = greatest(k.number + 1, v_number + c.n)
                FROM unnest(v_some) WITH ORDINALITY c(ctid, n) WHERE k.ctid = c.ctid
                RETURNING array_position(p_queues, k.queue) - 1, k.seq, k.number, k.due, k.published, k.priority::integer,
                    coalesce(cardinality(k.cut), 0), k.failures, k.snoozes, k.releases, k.marks::text, k.envelope, NULL::bigint[], k.ctid;
            v_left := v_left - v_lent;
            v_bytes := v_bytes - v_size;
            IF v_lent < cardinality(v_rows) THEN
                v_left := 0; -- the next one stays next
            END IF;
        END IF;
    END IF;

    FOR v_at IN 1..cardinality(p_queues) LOOP
        v_queue := p_queues[v_at];
        v_flags := 0;
        v_again := false;
        SELECT q.paused, q.back, EXISTS (SELECT FROM {schema}.task k WHERE k.queue = v_queue AND k.holder = 0)
        INTO v_paused, v_back, v_aside FROM (SELECT) one LEFT JOIN {schema}.queue q ON q.name = v_queue;
        IF v_paused THEN
            v_notes := v_notes || 1::bigint || coalesce(v_back, 0);
            CONTINUE;
        END IF;
        IF p_backs[v_at] IS DISTINCT FROM coalesce(v_back, 0) THEN
            v_flags := 2;
        END IF;

        -- What was set aside and is known here goes back in line, to its old place.
        IF v_left > 0 AND v_aside THEN
            IF p_tasks IS NULL THEN
                SELECT array_agg(x.ctid) INTO v_some FROM (
                    SELECT k.ctid FROM {schema}.task k WHERE k.queue = v_queue AND k.holder = 0 AND k.task <> ALL (v_spent)
                    ORDER BY k.queue, k.task, k.fingerprint, k.priority DESC, k.due, k.seq LIMIT 500
                    FOR UPDATE SKIP LOCKED) x;
            ELSE
                -- Each of the three finds its place in the index, so that nothing is stepped over that stays aside.
                SELECT array_agg(x.ctid) INTO v_some FROM (
                    SELECT r.ctid FROM (
                        SELECT DISTINCT u.task, u.print, least(b.most, 500) AS most FROM unnest(p_tasks, p_prints) u(task, print)
                        LEFT JOIN unnest(p_bounded, v_mosts) b(task, most) ON b.task = u.task) u
                    -- Where priorities may rise, those of each are looked at.
                    CROSS JOIN LATERAL (SELECT 0 AS least, 9 AS most WHERE p_age = 0 UNION ALL SELECT g.n, g.n FROM generate_series(0, 9) g(n) WHERE p_age > 0) p
                    CROSS JOIN LATERAL (
                        SELECT a.ctid FROM (
                            SELECT k.ctid FROM {schema}.task k
                            WHERE k.queue = v_queue AND k.holder = 0 AND k.task = u.task COLLATE "C" AND u.print IS NULL
                              AND k.priority BETWEEN p.least AND p.most
                            ORDER BY k.queue, k.task, k.fingerprint, k.priority DESC, k.due, k.seq LIMIT u.most
                            FOR UPDATE SKIP LOCKED) a
                        UNION ALL
                        SELECT a.ctid FROM (
                            SELECT k.ctid FROM {schema}.task k
                            WHERE k.queue = v_queue AND k.holder = 0 AND k.task = u.task COLLATE "C" AND k.fingerprint = u.print
                              AND k.priority BETWEEN p.least AND p.most
                            ORDER BY k.queue, k.task, k.fingerprint, k.priority DESC, k.due, k.seq LIMIT u.most
                            FOR UPDATE SKIP LOCKED) a
                        UNION ALL
                        SELECT a.ctid FROM (
                            SELECT k.ctid FROM {schema}.task k
                            WHERE k.queue = v_queue AND k.holder = 0 AND k.task = u.task COLLATE "C" AND k.fingerprint IS NULL AND u.print IS NOT NULL
                              AND k.priority BETWEEN p.least AND p.most
                            ORDER BY k.queue, k.task, k.fingerprint, k.priority DESC, k.due, k.seq LIMIT u.most
                            FOR UPDATE SKIP LOCKED) a) r
                    LIMIT 500) x;
            END IF;
            IF v_some IS NOT NULL THEN
                UPDATE {schema}.task k SET holder = NULL FROM unnest(v_some) c(ctid) WHERE k.ctid = c.ctid;
                v_again := true;
                v_flags := v_flags | 2;
            END IF;
        END IF;

        v_order := '{9,8,7,6,5,4,3,2,1,0}';
        IF p_age > 0 AND v_left > 0 THEN
            SELECT array_agg(h.priority ORDER BY h.rank DESC, h.priority DESC) INTO v_order FROM (
                SELECT o.priority, o.priority + coalesce(floor(extract(epoch FROM v_now - least(
                    (SELECT k.due FROM {schema}.task k
                     WHERE k.queue = v_queue AND k.priority = o.priority AND k.holder IS NULL AND k.due <= v_now
                       AND k.task <> ALL (v_spent) AND {schema}.known_1(p_tasks, p_prints, k.task, k.fingerprint)
                     ORDER BY k.due, k.seq LIMIT 1),
                    (SELECT min(k.due) FROM {schema}.session s JOIN {schema}.task k ON k.holder = s.no AND k.holder > 0
                     WHERE s.no = ANY (v_lapsed) AND k.queue = v_queue AND k.priority = o.priority
                       AND (k.visibility IS NULL OR s.lapses + (k.visibility - s.lease) * interval '1 microsecond' <= v_now)
                       AND k.task <> ALL (v_spent) AND {schema}.known_1(p_tasks, p_prints, k.task, k.fingerprint))
                )) * 1000000 / p_age), 0) AS rank
                FROM unnest(v_order) o(priority)) h;
        END IF;

        FOR v_look IN 1..8 LOOP
            EXIT WHEN v_left <= 0;
            v_most := CASE WHEN v_look = 1 THEN v_left ELSE greatest(v_left, 500) END; -- who asks for one must get past thousands
            v_robbed := NULL;
            IF v_lapsed IS NOT NULL THEN
                -- Sessions that this receiver could take something from are held fast: they cannot be renewed meanwhile.
                SELECT array_agg(x.no) INTO v_robbed FROM (
                    SELECT s.no FROM {schema}.session s
                    WHERE s.no = ANY (v_lapsed) AND s.lapses <= v_now AND (
                        SELECT k.seq FROM {schema}.task k WHERE k.holder = s.no AND k.holder > 0 AND k.queue = v_queue
                          AND (k.visibility IS NULL OR s.lapses + (k.visibility - s.lease) * interval '1 microsecond' <= v_now)
                          AND k.task <> ALL (v_spent) AND {schema}.known_1(p_tasks, p_prints, k.task, k.fingerprint)
                        LIMIT 1) IS NOT NULL
                    FOR UPDATE OF s SKIP LOCKED) x;
            END IF;
            IF v_robbed IS NULL THEN
                SELECT array_agg(x.ctid), array_agg(x.size), array_agg(x.known), bool_and(x.known), sum(x.size)
                INTO v_rows, v_sizes, v_known, v_all, v_size
                FROM (
                    -- known_1, in place, and without a query where the first of the name will do: this is done for every task.
                    SELECT r.ctid, r.size, CASE WHEN p_tasks IS NULL THEN true
                        WHEN coalesce(p_prints[r.known] = r.fingerprint, r.known IS NOT NULL) THEN true
                        WHEN r.known IS NULL THEN false
                        ELSE {schema}.known_1(p_tasks, p_prints, r.task, r.fingerprint) END AS known
                    FROM unnest(v_order) o(priority)
                    CROSS JOIN LATERAL (
                        SELECT k.ctid, k.size, k.task, k.fingerprint, array_position(p_tasks, k.task) AS known FROM {schema}.task k
                        WHERE k.queue = v_queue AND k.priority = o.priority AND k.holder IS NULL AND k.due <= v_now
                          AND (k.due, k.seq) > (
                            CASE WHEN v_flags & 2 > 0 THEN '-infinity'
                            ELSE timestamptz '2000-01-01 00:00:00Z' + p_dues[(v_at - 1) * 10 + o.priority + 1] * interval '1 microsecond' END,
                            p_seqs[(v_at - 1) * 10 + o.priority + 1])
                        ORDER BY k.due, k.seq LIMIT v_most
                        FOR UPDATE SKIP LOCKED) r
                    LIMIT v_most) x;
            ELSE
                -- Rare: with what lapsed sessions hold, each at its place.
                SELECT array_agg(x.ctid), array_agg(x.size), array_agg(x.known), bool_and(x.known), sum(x.size)
                INTO v_rows, v_sizes, v_known, v_all, v_size
                FROM (
                    SELECT k.ctid, k.size, {schema}.known_1(p_tasks, p_prints, k.task, k.fingerprint) AS known
                    FROM (
                        SELECT l.ctid, l.holder, row_number() OVER (ORDER BY l.ord, l.due, l.seq) AS n FROM (
                            SELECT r.*, o.ord FROM unnest(v_order) WITH ORDINALITY o(priority, ord)
                            CROSS JOIN LATERAL (
                                SELECT k.ctid, k.holder, k.due, k.seq FROM {schema}.task k
                                WHERE k.queue = v_queue AND k.priority = o.priority AND k.holder IS NULL AND k.due <= v_now
                                ORDER BY k.due, k.seq LIMIT v_most) r
                            UNION ALL
                            (SELECT k.ctid, k.holder, k.due, k.seq, array_position(v_order, k.priority) AS ord
                             FROM {schema}.session s JOIN {schema}.task k ON k.holder = s.no AND k.holder > 0
                             WHERE s.no = ANY (v_robbed) AND k.queue = v_queue
                               AND (k.visibility IS NULL OR s.lapses + (k.visibility - s.lease) * interval '1 microsecond' <= v_now)
                               AND k.task <> ALL (v_spent) AND {schema}.known_1(p_tasks, p_prints, k.task, k.fingerprint)
                             ORDER BY ord, k.due, k.seq LIMIT 200)) l) c
                    JOIN {schema}.task k ON k.ctid = c.ctid
                    WHERE k.holder IS NOT DISTINCT FROM c.holder
                    ORDER BY c.n LIMIT v_most -- of those that nobody else holds fast: a transaction of the user's may, for long
                    FOR UPDATE OF k SKIP LOCKED) x;
            END IF;
            EXIT WHEN v_rows IS NULL;
            IF cardinality(v_rows) >= v_most THEN
                v_flags := v_flags | 8;
            END IF;
            IF p_bounded IS NOT NULL THEN
                v_known := {schema}.within_1(p_bounded, v_mosts, v_rows, v_known);
                v_all := true = ALL (v_known);
            END IF;

            v_some := v_rows;
            IF NOT v_all OR cardinality(v_rows) > v_left OR v_size > v_bytes AND (cardinality(v_rows) > 1 OR v_lent > 0) THEN
                SELECT array_agg(c.ctid ORDER BY c.n), max(c.sum) INTO v_some, v_size FROM (
                    SELECT u.ctid, u.n, sum(u.size) OVER (ORDER BY u.n) AS sum, row_number() OVER (ORDER BY u.n) AS nth
                    FROM unnest(v_rows, v_sizes, v_known) WITH ORDINALITY u(ctid, size, known, n) WHERE u.known) c
                WHERE c.nth <= v_left AND (v_bytes IS NULL OR c.sum <= v_bytes OR c.nth = 1 AND v_lent = 0);
            END IF;
            IF NOT v_all THEN
                UPDATE {schema}.task k SET holder = 0 -- but what a lapsed session holds stays its own
                FROM unnest(v_rows, v_known) c(ctid, known) WHERE k.ctid = c.ctid AND NOT c.known AND k.holder IS NULL;
                v_flags := v_flags | 4;
            END IF;
            IF v_some IS NOT NULL THEN
                IF p_bounded IS NOT NULL THEN
                    v_mosts := {schema}.left_1(p_bounded, v_mosts, v_some);
                    v_spent := ARRAY(SELECT b.task FROM unnest(p_bounded, v_mosts) b(task, most) WHERE b.most <= 0);
                END IF;
                RETURN QUERY UPDATE {schema}.task k
                    SET holder = v_me, number = greatest(k.number + 1, v_number + v_lent + c.n),
                        cut = CASE WHEN k.holder IS NULL OR (SELECT s.leaving FROM {schema}.session s WHERE s.no = k.holder) THEN k.cut ELSE k.cut || k.number END
                    FROM unnest(v_some) WITH ORDINALITY c(ctid, n) WHERE k.ctid = c.ctid
                    RETURNING v_at - 1, k.seq, k.number, k.due, k.published, k.priority::integer,
                        coalesce(cardinality(k.cut), 0), k.failures, k.snoozes, k.releases, k.marks::text, k.envelope, NULL::bigint[], k.ctid;
                v_lent := v_lent + cardinality(v_some);
                v_left := v_left - cardinality(v_some);
                v_bytes := v_bytes - v_size;
            END IF;
            IF coalesce(cardinality(v_some), 0) < (SELECT count(*) FROM unnest(v_known) u WHERE u) THEN
                v_left := 0; -- the next one stays next: no smaller one overtakes it
                v_flags := v_flags | 8;
            END IF;
            EXIT WHEN v_all;
        END LOOP;
        IF v_left > 0 AND v_rows IS NOT NULL AND NOT v_all THEN
            v_left := 0; -- behind what was set aside there may be more, and later queues wait for it
            v_flags := v_flags | 8;
        END IF;
        IF v_again AND v_left <= 0 THEN -- else all of it has been lent
            v_behind := v_behind || v_queue;
        END IF;
        v_notes := v_notes || v_flags::bigint || coalesce(v_back, 0);
    END LOOP;

    IF v_behind IS NOT NULL THEN
        -- In their order, whatever that of the request is, so that two calls never wait for each other.
        INSERT INTO {schema}.queue AS q (name, back) SELECT DISTINCT u.name COLLATE "C", 1 FROM unnest(v_behind) u(name) ORDER BY 1
            ON CONFLICT (name) DO UPDATE SET back = q.back + 1;
    END IF;
    IF v_lent > 0 THEN
        IF v_last < v_number THEN
            v_last := setval(v_sequence, v_number + v_lent);
        END IF;
        v_number := CASE WHEN EXISTS (SELECT FROM {schema}.revocation) THEN 1 END;
    ELSE
        v_number := NULL;
        SELECT min(r.due) INTO v_next FROM unnest(p_queues) q(name) CROSS JOIN generate_series(0, 9) p(priority)
        CROSS JOIN LATERAL (
            SELECT k.due FROM {schema}.task k
            WHERE k.queue = q.name AND k.priority = p.priority::smallint AND k.holder IS NULL AND k.due > v_now
            ORDER BY k.due, k.seq LIMIT 1) r;
    END IF;
    RETURN QUERY SELECT -1, v_me::bigint, v_number, v_now, v_next, 0, 0, 0, 0, 0, NULL::text, NULL::bytea, v_notes, NULL::tid;
END
$$;

-- extend renews a session, and answers the places of what it does not hold any more: in p_nos the session that each
-- was lent to. A row with place -1 ends the answer, with lost true if anything is revoked.
CREATE FUNCTION {schema}.extend_1(
    p_offset bigint, p_session text, p_lease bigint, p_leaving boolean,
    p_nos integer[], p_seqs bigint[], p_numbers bigint[])
RETURNS TABLE (place integer, lost boolean)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := clock_timestamp() + p_offset * interval '1 microsecond';
    v_me  integer;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE {schema}.session s SET lease = p_lease, lapses = v_now + p_lease * interval '1 microsecond', leaving = p_leaving
    WHERE s.id = p_session RETURNING s.no INTO v_me;
    IF v_me IS NULL THEN
        INSERT INTO {schema}.session AS s (id, lease, lapses, leaving)
        VALUES (p_session, p_lease, v_now + p_lease * interval '1 microsecond', p_leaving)
        ON CONFLICT (id) DO UPDATE SET lease = excluded.lease, lapses = excluded.lapses, leaving = excluded.leaving
        RETURNING s.no INTO v_me;
    END IF;
    RETURN QUERY SELECT h.n::integer - 1, true
        FROM unnest(p_nos, p_seqs, p_numbers) WITH ORDINALITY h(no, seq, number, n)
        -- This is looked up for each, whatever the statistics say.
        WHERE (SELECT k.seq FROM {schema}.task k WHERE k.holder = v_me AND k.holder > 0 AND k.seq = h.seq AND k.number = h.number AND h.no = v_me) IS NULL
          AND NOT EXISTS (SELECT FROM {schema}.completion c WHERE c.seq = h.seq AND c.number = h.number AND c.holder = h.no AND h.no = v_me)
        ORDER BY 1;
    RETURN QUERY SELECT -1, EXISTS (SELECT FROM {schema}.revocation);
END
$$;
