-- How deliveries end, and where results are kept: the Postgres side of settle.go, result.go and
-- complete.go.

-- save stores results under their fence, and answers the places of those that were refused.
CREATE FUNCTION {schema}.save_1(
    p_offset bigint, p_ids text[], p_numbers bigint[], p_terminals boolean[], p_keeps bigint[], p_records bytea[])
RETURNS TABLE (place integer)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now  timestamptz := clock_timestamp() + p_offset * interval '1 microsecond';
    v_done text[];
BEGIN
    WITH saved AS (
        INSERT INTO {schema}.result AS r (id, number, expires, terminal, record)
        SELECT u.id, u.number, v_now + u.keep * interval '1 microsecond', u.terminal, u.record
        FROM unnest(p_ids, p_numbers, p_keeps, p_terminals, p_records) u(id, number, keep, terminal, record)
        WHERE u.id IS NOT NULL ORDER BY u.id COLLATE "C" -- so that two calls never wait for each other
        ON CONFLICT (id) DO UPDATE
            SET number = excluded.number, expires = excluded.expires, terminal = excluded.terminal, record = excluded.record
            WHERE r.number < excluded.number OR r.number = excluded.number AND NOT r.terminal OR r.expires <= v_now
        RETURNING r.id)
    SELECT array_agg(s.id) INTO v_done FROM saved s;
    IF coalesce(cardinality(v_done), 0) < cardinality(p_ids) THEN
        RETURN QUERY SELECT u.n::integer - 1
            FROM unnest(p_ids, p_numbers, p_records) WITH ORDINALITY u(id, number, record, n)
            WHERE u.id IS NOT NULL AND u.id <> ALL (coalesce(v_done, '{}'))
              AND NOT EXISTS (SELECT FROM {schema}.result r WHERE r.id = u.id COLLATE "C" AND r.number = u.number AND r.record = u.record);
    END IF;
END
$$;

-- settle ends deliveries: 1 ack, 2 retry, 3 snooze, 4 dead-letter, 5 release. p_verdicts and all from there
-- to p_ids are NULL where all are acks; p_results and what follows is NULL where no results are saved. p_spots are where
-- their claims have put the rows. p_fresh says that nobody seems to have saved anything under one of these ids: then that is tried
-- without a look for each.
--
-- It answers the places of those that it did not settle, with a code: 1 the lease is lost, 2 a transaction has
-- completed it, 3 a transaction that is open holds the row. Place -1 ends the answer, with 1 in its code if somebody waits for
-- results, and 2 if they were not fresh.
--
-- Rows are waited for 20 ms at most, then the call fails with 55P03, and the caller asks again with care: then what
-- others hold is left, and the rest is settled.
CREATE FUNCTION {schema}.settle_1(
    p_offset bigint, p_careful boolean,
    p_holders integer[], p_seqs bigint[], p_numbers bigint[],
    p_verdicts smallint[], p_delays bigint[], p_marks text[], p_reasons text[], p_ids text[],
    p_results text[], p_terminals boolean[], p_keeps bigint[], p_records bytea[], p_spots tid[], p_fresh boolean)
RETURNS TABLE (place integer, code integer)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_now   timestamptz := clock_timestamp() + p_offset * interval '1 microsecond';
    v_count integer := cardinality(p_seqs);
    v_mine  integer[]; -- those that may be settled; NULL for all
    v_done  integer[] := '{}';
    v_more  integer[];
    v_busy  integer[] := '{}';
    v_saved integer;
    v_stale integer := 0;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true); -- a crash of the server repeats, and loses nothing
    IF p_careful THEN
        SELECT coalesce(array_agg(x.n), '{}') INTO v_mine FROM (
            SELECT s.n::integer AS n FROM unnest(p_holders, p_seqs, p_numbers) WITH ORDINALITY s(holder, seq, number, n)
            CROSS JOIN LATERAL (
                SELECT FROM {schema}.task k WHERE k.holder = s.holder AND k.holder > 0 AND k.seq = s.seq AND k.number = s.number
                LIMIT 1 FOR UPDATE SKIP LOCKED) k) x;
        SELECT coalesce(array_agg(s.n), '{}') INTO v_busy
        FROM unnest(p_holders, p_seqs, p_numbers) WITH ORDINALITY s(holder, seq, number, n)
        WHERE s.n <> ALL (v_mine)
          AND EXISTS (SELECT FROM {schema}.task k WHERE k.holder = s.holder AND k.holder > 0 AND k.seq = s.seq AND k.number = s.number);
    ELSE
        PERFORM set_config('lock_timeout', '20ms', true);
    END IF;

    -- Nearly all lie where their claims have put them.
    IF p_spots IS NOT NULL AND NOT p_careful THEN
        WITH gone AS (
            DELETE FROM {schema}.task k
            USING unnest(p_holders, p_seqs, p_numbers, p_verdicts, p_spots) WITH ORDINALITY s(holder, seq, number, verdict, spot, n)
            WHERE (s.verdict IS NULL OR s.verdict = 1) AND k.ctid = s.spot AND k.holder = s.holder AND k.seq = s.seq AND k.number = s.number
            RETURNING s.n::integer AS n)
        SELECT coalesce(array_agg(g.n), '{}') INTO v_done FROM gone g;
    END IF;

    -- Each row is looked up by itself. In a plain join the planner walks through all that is held, for each that is settled, if
    -- nothing was held when the statistics were made. The fence is in the outer condition, which is asked again of a row that
    -- has changed meanwhile.
    IF cardinality(v_done) < v_count THEN
        WITH gone AS (
            DELETE FROM {schema}.task k
            USING (
                SELECT s.holder, s.seq, s.number, s.n, (SELECT t.ctid FROM {schema}.task t WHERE t.holder = s.holder AND t.holder > 0 AND t.seq = s.seq) AS place
                FROM unnest(p_holders, p_seqs, p_numbers, p_verdicts) WITH ORDINALITY s(holder, seq, number, verdict, n)
                WHERE (s.verdict IS NULL OR s.verdict = 1) AND (v_mine IS NULL OR s.n = ANY (v_mine)) AND s.n <> ALL (v_done)
                OFFSET 0) s
            WHERE k.ctid = s.place AND k.holder = s.holder AND k.seq = s.seq AND k.number = s.number
            RETURNING s.n::integer AS n)
        SELECT v_done || coalesce(array_agg(g.n), '{}') INTO v_done FROM gone g;
    END IF;

    IF p_verdicts IS NOT NULL THEN
        WITH gone AS (
            DELETE FROM {schema}.task k
            USING (
                SELECT s.holder, s.seq, s.number, s.n, (SELECT t.ctid FROM {schema}.task t WHERE t.holder = s.holder AND t.holder > 0 AND t.seq = s.seq) AS place
                FROM unnest(p_holders, p_seqs, p_numbers, p_verdicts) WITH ORDINALITY s(holder, seq, number, verdict, n)
                WHERE s.verdict = 4 AND (v_mine IS NULL OR s.n = ANY (v_mine))
                OFFSET 0) s
            WHERE k.ctid = s.place AND k.holder = s.holder AND k.seq = s.seq AND k.number = s.number
            RETURNING s.n::integer AS n, k.queue, k.seq, k.number, k.task, k.failures, k.envelope),
        buried AS (
            INSERT INTO {schema}.dead_letter (queue, at, seq, id, task, reason, attempt, number, marks, envelope)
            SELECT g.queue, v_now, g.seq, p_ids[g.n], g.task, p_reasons[g.n], coalesce(g.failures, 0) + 1, g.number, p_marks[g.n]::jsonb, g.envelope
            FROM gone g)
        SELECT array_agg(g.n) INTO v_more FROM gone g;
        v_done := v_done || coalesce(v_more, '{}');

        WITH back AS (
            UPDATE {schema}.task k SET holder = NULL,
                due = CASE WHEN s.verdict = 5 AND s.delay = 0 THEN k.due ELSE v_now + s.delay * interval '1 microsecond' END,
                published = CASE WHEN s.verdict = 5 AND s.delay = 0 THEN k.published ELSE coalesce(k.published, k.due) END,
                failures = CASE WHEN s.verdict = 2 THEN coalesce(k.failures, 0) + 1 ELSE k.failures END,
                snoozes = CASE WHEN s.verdict = 3 THEN coalesce(k.snoozes, 0) + 1 ELSE k.snoozes END,
                releases = CASE WHEN s.verdict = 5 THEN coalesce(k.releases, 0) + 1 ELSE k.releases END,
                marks = CASE WHEN s.verdict = 5 THEN coalesce(s.marks::jsonb, k.marks) ELSE s.marks::jsonb END,
                cut = CASE WHEN s.verdict = 5 THEN k.cut END
            FROM (
                SELECT s.*, (SELECT t.ctid FROM {schema}.task t WHERE t.holder = s.holder AND t.holder > 0 AND t.seq = s.seq) AS place
                FROM unnest(p_holders, p_seqs, p_numbers, p_verdicts, p_delays, p_marks) WITH ORDINALITY s(holder, seq, number, verdict, delay, marks, n)
                WHERE s.verdict IN (2, 3, 5) AND (v_mine IS NULL OR s.n = ANY (v_mine))
                OFFSET 0) s
            WHERE k.ctid = s.place AND k.holder = s.holder AND k.seq = s.seq AND k.number = s.number
            RETURNING s.n::integer AS n, k.queue, s.verdict = 5 AND s.delay = 0 AS restored),
        restored AS (
            INSERT INTO {schema}.queue AS q (name, back)
            SELECT DISTINCT b.queue, 1 FROM back b WHERE b.restored ORDER BY 1
            ON CONFLICT (name) DO UPDATE SET back = q.back + 1)
        SELECT array_agg(b.n) INTO v_more FROM back b;
        v_done := v_done || coalesce(v_more, '{}');
    END IF;

    IF p_results IS NOT NULL THEN
        v_saved := 0;
        -- Nearly all are the first of their id. Two of one id, here or in another call, are a unique_violation, and the
        -- caller asks again with care: ON CONFLICT writes a record more for each row.
        IF p_fresh AND NOT p_careful THEN
            BEGIN
                INSERT INTO {schema}.result (id, number, expires, terminal, record)
                SELECT u.id, u.number, v_now + u.keep * interval '1 microsecond', u.terminal, u.record
                FROM unnest(p_results, p_numbers, p_keeps, p_terminals, p_records) WITH ORDINALITY u(id, number, keep, terminal, record, n)
                WHERE u.id IS NOT NULL AND (cardinality(v_done) = v_count OR u.n = ANY (v_done));
                GET DIAGNOSTICS v_saved = ROW_COUNT;
            EXCEPTION WHEN unique_violation THEN
                v_stale := 2;
            END;
        END IF;
        IF NOT p_careful AND (NOT p_fresh OR v_stale > 0) THEN
            INSERT INTO {schema}.result (id, number, expires, terminal, record)
            SELECT u.id, u.number, v_now + u.keep * interval '1 microsecond', u.terminal, u.record
            FROM unnest(p_results, p_numbers, p_keeps, p_terminals, p_records) WITH ORDINALITY u(id, number, keep, terminal, record, n)
            WHERE u.id IS NOT NULL AND (cardinality(v_done) = v_count OR u.n = ANY (v_done))
              AND (SELECT r.number FROM {schema}.result r WHERE r.id = u.id COLLATE "C") IS NULL;
            GET DIAGNOSTICS v_saved = ROW_COUNT;
        END IF;
        IF v_saved < v_count THEN
            INSERT INTO {schema}.result AS r (id, number, expires, terminal, record)
            SELECT u.id, u.number, v_now + u.keep * interval '1 microsecond', u.terminal, u.record
            FROM unnest(p_results, p_numbers, p_keeps, p_terminals, p_records) WITH ORDINALITY u(id, number, keep, terminal, record, n)
            WHERE u.id IS NOT NULL AND (cardinality(v_done) = v_count OR u.n = ANY (v_done))
              AND NOT EXISTS (SELECT FROM {schema}.result r WHERE r.id = u.id COLLATE "C" AND r.number = u.number AND r.record = u.record)
            ORDER BY u.id COLLATE "C"
            ON CONFLICT (id) DO UPDATE
                SET number = excluded.number, expires = excluded.expires, terminal = excluded.terminal, record = excluded.record
                WHERE r.number < excluded.number OR r.number = excluded.number AND NOT r.terminal OR r.expires <= v_now;
        END IF;
    END IF;

    IF cardinality(v_done) < v_count THEN
        -- Who comes late lives, so what it held was not cut short by a crash.
        UPDATE {schema}.task k SET cut = nullif(array_remove(k.cut, x.number), '{}')
        FROM (
            SELECT k.ctid, s.number FROM unnest(p_seqs, p_numbers) WITH ORDINALITY s(seq, number, n)
            JOIN {schema}.task k ON k.seq = s.seq AND k.cut IS NOT NULL AND s.number = ANY (k.cut)
            WHERE s.n <> ALL (v_done || v_busy)
            FOR UPDATE OF k SKIP LOCKED) x
        WHERE k.ctid = x.ctid;
        RETURN QUERY SELECT x.n::integer - 1, x.code FROM (
            SELECT s.n, CASE
                WHEN s.n = ANY (v_busy) THEN 3
                WHEN EXISTS (SELECT FROM {schema}.completion c WHERE c.seq = s.seq AND c.number = s.number)
                    THEN CASE WHEN coalesce(s.verdict, 1) = 1 THEN 0 ELSE 2 END
                -- This very delivery has done it, and the answer was lost: its record stands.
                WHEN coalesce(s.verdict, 1) IN (1, 4) AND s.result IS NOT NULL AND EXISTS (
                    SELECT FROM {schema}.result r WHERE r.id = s.result COLLATE "C" AND r.number = s.number AND r.record = s.record) THEN 0
                -- It is held as before, and was only written to, by who took an interruption back, while it was looked up: the caller tries again.
                WHEN EXISTS (SELECT FROM {schema}.task k WHERE k.holder = s.holder AND k.holder > 0 AND k.seq = s.seq AND k.number = s.number) THEN 3
                ELSE 1 END AS code
            FROM unnest(p_holders, p_seqs, p_numbers, p_verdicts, p_results, p_records) WITH ORDINALITY s(holder, seq, number, verdict, result, record, n)
            WHERE s.n <> ALL (v_done)) x
        WHERE x.code > 0 ORDER BY 1;
        -- Its worker has been told.
        DELETE FROM {schema}.completion c USING unnest(p_seqs, p_numbers) WITH ORDINALITY s(seq, number, n)
        WHERE c.seq = s.seq AND c.number = s.number AND s.n <> ALL (v_done || v_busy);
    END IF;
    RETURN QUERY SELECT -1, v_stale + CASE WHEN EXISTS (SELECT FROM {schema}.waiter w WHERE w.until > v_now) THEN 1 ELSE 0 END;
END
$$;

-- complete ends a delivery by an ack in the caller's transaction. It answers 0, 1 where the lease is
-- lost, 2 where another transaction has completed it.
CREATE FUNCTION {schema}.complete_1(
    p_offset bigint, p_holder integer, p_seq bigint, p_number bigint,
    p_id text, p_terminal boolean, p_keep bigint, p_record bytea)
RETURNS integer
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_now   timestamptz := clock_timestamp() + p_offset * interval '1 microsecond';
    v_other bigint;
BEGIN
    SELECT c.transaction INTO v_other FROM {schema}.completion c WHERE c.seq = p_seq AND c.number = p_number;
    IF v_other IS NULL THEN
        DELETE FROM {schema}.task k WHERE k.holder = p_holder AND k.holder > 0 AND k.seq = p_seq AND k.number = p_number;
        IF FOUND THEN
            INSERT INTO {schema}.completion (seq, number, holder, transaction) VALUES (p_seq, p_number, p_holder, txid_current());
            IF p_id IS NOT NULL THEN
                INSERT INTO {schema}.result AS r (id, number, expires, terminal, record)
                VALUES (p_id, p_number, v_now + p_keep * interval '1 microsecond', p_terminal, p_record)
                ON CONFLICT (id) DO UPDATE
                    SET number = excluded.number, expires = excluded.expires, terminal = excluded.terminal, record = excluded.record
                    WHERE r.number < excluded.number OR r.number = excluded.number AND NOT r.terminal OR r.expires <= v_now;
            END IF;
            RETURN 0;
        END IF;
        SELECT c.transaction INTO v_other FROM {schema}.completion c WHERE c.seq = p_seq AND c.number = p_number;
    END IF;
    RETURN CASE WHEN v_other IS NULL THEN 1 WHEN v_other = txid_current() THEN 0 ELSE 2 END;
END
$$;
