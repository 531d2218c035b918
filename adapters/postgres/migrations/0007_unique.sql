-- Unique keys: who holds them, and how they are taken and let go. The Postgres side of unique.go.

-- A key goes with the settlement that ends its task; one with a time is swept when that is over.
CREATE TABLE {schema}.unique_key (
    queue       text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL, -- of the task that holds it
    above       text COLLATE "C" NOT NULL, -- the ids above that one, with spaces between them
    state       smallint NOT NULL DEFAULT 0, -- 0: it is queued, 1: it runs, 2: it has succeeded, and the key is held for its time
    replaceable boolean NOT NULL,
    priority    smallint NOT NULL,
    till        timestamptz, -- NULL: until it is let go
    expires     timestamptz, -- when it is too late for the task to start
    due         timestamptz, -- of a task that was published with a delay
    PRIMARY KEY (queue, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000, vacuum_truncate = false);
CREATE INDEX unique_key_till ON {schema}.unique_key (till) WHERE till IS NOT NULL;

-- Tasks that have let their key go while a transaction of the user's, still open, held its row: it was about to take the key over. If that
-- rolls back, the row still names the task, and says nothing any more.
CREATE TABLE {schema}.unique_left (
    queue text COLLATE "C" NOT NULL,
    key   text COLLATE "C" NOT NULL,
    id    text COLLATE "C" NOT NULL,
    PRIMARY KEY (queue, key, id)
);

-- revoked_for tells why a task is revoked, itself or with a family of those above it; NULL where it is not.
CREATE FUNCTION {schema}.revoked_for_1(p_now timestamptz, p_queue text, p_id text, p_above text) RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT r.reason FROM {schema}.revocation r
    WHERE r.queue = p_queue COLLATE "C" AND r.until > p_now
      AND (r.id = p_id COLLATE "C" OR r.family AND r.id = ANY (string_to_array(p_above, ' ') COLLATE "C")) LIMIT 1
$$;

-- hold takes a unique key for a task that is published. It answers nothing where the key was free, else the id that holds it, and
-- whether that task is replaced. No lock is taken on the key of a task that stays: who settles that does not wait for the caller.
-- p_span and p_expiry are in microseconds, NULL for none.
CREATE FUNCTION {schema}.hold_1(p_offset bigint, p_queue text, p_key text, p_id text, p_above text,
    p_span bigint, p_expiry bigint, p_replace boolean, p_priority smallint, OUT holder text, OUT replaced boolean)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_now   timestamptz;
    v_other record;
BEGIN
    LOOP
        v_now := clock_timestamp() + p_offset * interval '1 microsecond';
        INSERT INTO {schema}.unique_key (queue, key, id, above, replaceable, priority, till, expires)
        VALUES (p_queue, p_key, p_id, p_above, p_replace, p_priority, v_now + p_span * interval '1 microsecond', v_now + p_expiry * interval '1 microsecond')
        ON CONFLICT (queue, key) DO NOTHING;
        IF FOUND THEN
            RETURN;
        END IF;
        SELECT u.id, u.state, u.priority, u.due, u.replaceable AND u.state = 0 AND p_replace AND u.id <> p_id AS yields,
            (u.till IS NULL OR u.till > v_now)
            AND NOT EXISTS (SELECT FROM {schema}.unique_left l WHERE l.queue = u.queue AND l.key = u.key AND l.id = u.id) AND (u.state = 2
                OR (u.state = 1 OR u.expires IS NULL OR u.expires > v_now) AND {schema}.revoked_for_1(v_now, u.queue, u.id, u.above) IS NULL) AS stands
        INTO v_other FROM {schema}.unique_key u WHERE u.queue = p_queue COLLATE "C" AND u.key = p_key COLLATE "C";
        CONTINUE WHEN NOT FOUND; -- it was let go in between
        IF v_other.stands AND NOT v_other.yields THEN
            holder := v_other.id;
            replaced := false;
            RETURN;
        END IF;
        UPDATE {schema}.unique_key u SET id = p_id, above = p_above, state = 0, replaceable = p_replace, priority = p_priority,
            till = v_now + p_span * interval '1 microsecond', expires = v_now + p_expiry * interval '1 microsecond', due = NULL
        WHERE u.queue = p_queue COLLATE "C" AND u.key = p_key COLLATE "C" AND u.id = v_other.id AND u.state = v_other.state;
        CONTINUE WHEN NOT FOUND; -- somebody else was quicker, or it has started
        IF v_other.stands THEN
            holder := v_other.id;
            replaced := true;
            INSERT INTO {schema}.revocation AS r (queue, id, family, until, reason)
            VALUES (p_queue, v_other.id, false, v_now + interval '7 days', 'replaced by ' || p_id)
            ON CONFLICT (queue, id, family) DO UPDATE SET until = greatest(r.until, excluded.until), reason = excluded.reason;
            -- It has waited for its time long enough. Its row is found by when it is due, and by its id in the envelope.
            IF v_other.due > v_now THEN
                UPDATE {schema}.task k SET due = v_now
                WHERE k.holder IS NULL AND k.priority = v_other.priority AND k.queue = p_queue COLLATE "C" AND k.due = v_other.due
                  AND position(convert_to(v_other.id, 'UTF8') IN k.envelope) > 0;
            END IF;
        END IF;
        RETURN;
    END LOOP;
END
$$;

-- publish_unique stores envelopes some of which are unique, in order. It answers for each that was not merely stored its place, an id, and
-- 1 where it is a duplicate of that, 2 where that holds its unique key, 3 where it replaces that. What it is given is what
-- publish_1 is, and: the unique keys (NULL for none), what hold_1 wants to know of each.
CREATE FUNCTION {schema}.publish_unique_1(
    p_offset bigint, p_ids text[], p_keys text[], p_windows bigint[], p_delays bigint[], p_prints bigint[], p_sizes integer[],
    p_priorities smallint[], p_queues text[], p_tasks text[], p_visibilities bigint[], p_envelopes bytea[],
    p_uniques text[], p_spans bigint[], p_expiries bigint[], p_replaces boolean[], p_aboves text[])
RETURNS TABLE (place integer, id text, kind integer)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_now      timestamptz;
    v_one      record;
    v_hold     record;
    v_at       integer;
    v_twice    integer[] := '{}';
    v_delays   bigint[] := p_delays;
    v_first    text;
    -- What is refused for its unique key leaves its dedupe key to the next, so with both the order of the batch is that of the keys. Then
    -- two calls can wait for each other; the server ends one of them, and that is made again.
    v_both     boolean := EXISTS (SELECT FROM unnest(p_keys, p_uniques) u(dedupe, key) WHERE u.dedupe IS NOT NULL AND u.key IS NOT NULL);
BEGIN
    FOR v_one IN
        SELECT u.n::integer AS n, u.id, u.dedupe, u.span, u.key, u.queue
        FROM unnest(p_ids, p_keys, p_windows, p_uniques, p_queues) WITH ORDINALITY u(id, dedupe, span, key, queue, n)
        WHERE u.dedupe IS NOT NULL OR u.key IS NOT NULL
        ORDER BY CASE WHEN v_both THEN u.n END, u.queue COLLATE "C", u.key IS NOT NULL, coalesce(u.key, u.dedupe) COLLATE "C", u.n
    LOOP
        IF v_one.dedupe IS NOT NULL THEN
            SELECT d.id INTO v_first FROM {schema}.dedupe_1(p_offset, ARRAY[v_one.id], ARRAY[v_one.dedupe], ARRAY[v_one.span], ARRAY[v_one.queue]) d;
            IF FOUND THEN
                v_twice := v_twice || v_one.n;
                RETURN QUERY SELECT v_one.n - 1, v_first, 1;
                CONTINUE;
            END IF;
        END IF;
        CONTINUE WHEN v_one.key IS NULL;
        SELECT h.holder, h.replaced INTO v_hold FROM {schema}.hold_1(p_offset, v_one.queue, v_one.key, v_one.id, p_aboves[v_one.n],
            p_spans[v_one.n], p_expiries[v_one.n], p_replaces[v_one.n], p_priorities[v_one.n]) h;
        CONTINUE WHEN v_hold.holder IS NULL;
        IF v_hold.replaced THEN
            v_at := array_position(p_ids, v_hold.holder);
            IF v_at IS NOT NULL THEN
                v_delays[v_at] := 0; -- it is of this batch, and not stored yet
            END IF;
            RETURN QUERY SELECT v_one.n - 1, v_hold.holder, 3;
        ELSE
            v_twice := v_twice || v_one.n;
            DELETE FROM {schema}.dedupe d WHERE d.queue = v_one.queue COLLATE "C" AND d.key = v_one.dedupe COLLATE "C" AND d.id = v_one.id;
            RETURN QUERY SELECT v_one.n - 1, v_hold.holder, 2;
        END IF;
    END LOOP;
    v_now := clock_timestamp() + p_offset * interval '1 microsecond';
    INSERT INTO {schema}.task (due, published, fingerprint, size, priority, queue, task, visibility, envelope)
    SELECT v_now + u.delay * interval '1 microsecond', CASE WHEN u.delay > 0 THEN v_now END, u.print, u.size, u.priority, u.queue, u.task, u.visibility, u.envelope
    FROM unnest(v_delays, p_prints, p_sizes, p_priorities, p_queues, p_tasks, p_visibilities, p_envelopes) WITH ORDINALITY
        u(delay, print, size, priority, queue, task, visibility, envelope, n)
    WHERE u.n <> ALL (v_twice) ORDER BY u.n;
    -- Only of those that may be replaced while they wait for their time must anybody know when that is.
    FOR v_one IN
        SELECT u.queue, u.key, u.id, u.delay FROM unnest(p_queues, p_uniques, p_ids, v_delays, p_replaces) WITH ORDINALITY u(queue, key, id, delay, replace, n)
        WHERE u.key IS NOT NULL AND u.replace AND u.delay > 0 AND u.n <> ALL (v_twice)
    LOOP
        UPDATE {schema}.unique_key u SET due = v_now + v_one.delay * interval '1 microsecond'
        WHERE u.queue = v_one.queue COLLATE "C" AND u.key = v_one.key COLLATE "C" AND u.id = v_one.id;
    END LOOP;
END
$$;

-- keep does what the ends of deliveries mean for their unique keys, as far as they hold them: 1 lets one go, 5 too and
-- takes the revocation back of a task that was replaced and is cancelled now, 2 keeps it though the task is
-- done, 3 notes that the task does not run any more, 4 that it runs. It waits for nobody, and answers the places of those
-- keys whose rows others hold: publishes in transactions of the user's, which may be open for long. What they let go is noted.
CREATE FUNCTION {schema}.keep_1(p_queues text[], p_keys text[], p_ids text[], p_whats smallint[]) RETURNS integer[]
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_free  integer[];
    v_rows  tid[];
    v_whats smallint[];
    v_busy  integer[];
BEGIN
    SELECT array_agg(x.n), array_agg(x.place), array_agg(x.what) INTO v_free, v_rows, v_whats FROM (
        SELECT k.n::integer AS n, u.ctid AS place, k.what FROM unnest(p_queues, p_keys, p_ids, p_whats) WITH ORDINALITY k(queue, key, id, what, n)
        JOIN {schema}.unique_key u ON u.queue = k.queue COLLATE "C" AND u.key = k.key COLLATE "C" AND u.id = k.id
        FOR UPDATE OF u SKIP LOCKED) x;
    IF v_whats && '{1,5}'::smallint[] THEN
        DELETE FROM {schema}.unique_key u USING unnest(v_rows, v_whats) k(place, what) WHERE k.what IN (1, 5) AND u.ctid = k.place;
    END IF;
    IF 5 = ANY (p_whats) THEN
        DELETE FROM {schema}.revocation r WHERE r.ctid = ANY (ARRAY(
            SELECT r.ctid FROM unnest(p_queues, p_ids, p_whats) k(queue, id, what)
            JOIN {schema}.revocation r ON r.queue = k.queue COLLATE "C" AND r.id = k.id COLLATE "C" AND NOT r.family
            WHERE k.what = 5 AND r.reason LIKE 'replaced by %' FOR UPDATE OF r SKIP LOCKED));
    END IF;
    IF v_whats && '{2,3,4}'::smallint[] THEN
        UPDATE {schema}.unique_key u SET state = CASE k.what WHEN 2 THEN 2 WHEN 3 THEN 0 ELSE 1 END
        FROM unnest(v_rows, v_whats) k(place, what) WHERE k.what IN (2, 3, 4) AND u.ctid = k.place;
    END IF;
    IF cardinality(v_free) = cardinality(p_keys) THEN
        RETURN '{}';
    END IF;
    -- Those that are left hold nothing, or others hold their rows. Rows that were deleted here are not seen.
    SELECT coalesce(array_agg(k.n), '{}') INTO v_busy FROM unnest(p_queues, p_keys, p_ids) WITH ORDINALITY k(queue, key, id, n)
    JOIN {schema}.unique_key u ON u.queue = k.queue COLLATE "C" AND u.key = k.key COLLATE "C" AND u.id = k.id
    WHERE k.n <> ALL (coalesce(v_free, '{}'));
    IF v_busy <> '{}' THEN
        INSERT INTO {schema}.unique_left (queue, key, id) SELECT p_queues[n], p_keys[n], p_ids[n] FROM unnest(v_busy) n WHERE p_whats[n] IN (1, 5)
        ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING;
    END IF;
    RETURN v_busy;
END
$$;

-- settle_unique is settle_1 for a batch in which some have unique keys, and keeps these: p_uniques and p_whats say which, NULL for none, and
-- what becomes of each (see keep_1).
CREATE FUNCTION {schema}.settle_unique_1(
    p_offset bigint, p_careful boolean, p_holders integer[], p_seqs bigint[], p_numbers bigint[],
    p_verdicts smallint[], p_delays bigint[], p_marks text[], p_reasons text[], p_ids text[],
    p_results text[], p_terminals boolean[], p_keeps bigint[], p_records bytea[],
    p_spots tid[], p_fresh boolean, p_queues text[], p_uniques text[], p_tasks text[], p_whats smallint[])
RETURNS TABLE (place integer, code integer)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v_one     record;
    v_refused integer[] := '{}';
BEGIN
    FOR v_one IN SELECT s.place, s.code FROM {schema}.settle_1(p_offset, p_careful, p_holders, p_seqs, p_numbers, p_verdicts, p_delays,
        p_marks, p_reasons, p_ids, p_results, p_terminals, p_keeps, p_records, p_spots, p_fresh) s
    LOOP
        v_refused := v_refused || v_one.place + 1;
        RETURN QUERY SELECT v_one.place, v_one.code;
    END LOOP;
    PERFORM {schema}.keep_1(array_agg(u.queue), array_agg(u.key), array_agg(u.id), array_agg(u.what))
    FROM unnest(p_queues, p_uniques, p_tasks, p_whats) WITH ORDINALITY u(queue, key, id, what, n)
    WHERE u.key IS NOT NULL AND u.n <> ALL (v_refused)
    HAVING count(*) > 0;
END
$$;

-- started notes that unique tasks are about to run, and answers the places of those that must not: with the reason with which they
-- were revoked, or none where a transaction that is open is about to take the key over. It looks for revocations once more when it has the
-- keys: who has replaced a task meanwhile had revoked it by then.
CREATE FUNCTION {schema}.started_1(p_offset bigint, p_queues text[], p_uniques text[], p_ids text[], p_whats smallint[], p_aboves text[])
RETURNS TABLE (place integer, reason text)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v_now    timestamptz := clock_timestamp() + p_offset * interval '1 microsecond';
    v_starts integer[];
    v_busy   integer[];
BEGIN
    SELECT array_agg(u.n), {schema}.keep_1(array_agg(u.queue), array_agg(u.key), array_agg(u.id), array_agg(u.what)) INTO v_starts, v_busy
    FROM unnest(p_queues, p_uniques, p_ids, p_whats, p_aboves) WITH ORDINALITY u(queue, key, id, what, above, n)
    WHERE {schema}.revoked_for_1(v_now, u.queue, u.id, u.above) IS NULL
    HAVING count(*) > 0;
    -- A key whose time is over is nobody's any more: who holds its row is about to take it over, as all may, or tidies up.
    v_busy := ARRAY(SELECT v_starts[b] FROM unnest(v_busy) b JOIN {schema}.unique_key u
        ON u.queue = p_queues[v_starts[b]] COLLATE "C" AND u.key = p_uniques[v_starts[b]] COLLATE "C" AND u.id = p_ids[v_starts[b]]
        WHERE u.till IS NULL OR u.till > v_now);
    RETURN QUERY SELECT x.n::integer - 1, x.reason FROM (
        SELECT u.n, {schema}.revoked_for_1(v_now, u.queue, u.id, u.above) AS reason
        FROM unnest(p_queues, p_ids, p_aboves) WITH ORDINALITY u(queue, id, above, n) OFFSET 0) x
    WHERE x.reason IS NOT NULL OR x.n = ANY (v_busy);
END
$$;
