-- dedupe takes dedupe keys (NULL for none), and answers the places of those that others have, with the ids that stand. The keys are taken in
-- their order, so that two calls never wait for each other; windows are in microseconds.
CREATE FUNCTION {schema}.dedupe_1(p_offset bigint, p_ids text[], p_keys text[], p_windows bigint[], p_queues text[])
RETURNS TABLE (place integer, id text)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz;
    v_key record;
    v_id  text;
BEGIN
    FOR v_key IN
        SELECT u.n::integer AS n, u.id, u.key, u.span, u.queue FROM unnest(p_ids, p_keys, p_windows, p_queues) WITH ORDINALITY u(id, key, span, queue, n)
        WHERE u.key IS NOT NULL ORDER BY u.queue COLLATE "C", u.key COLLATE "C", u.n
    LOOP
        LOOP
            v_id := NULL;
            v_now := clock_timestamp() + p_offset * interval '1 microsecond';
            INSERT INTO {schema}.dedupe AS d (queue, key, id, until)
            VALUES (v_key.queue, v_key.key, v_key.id, v_now + v_key.span * interval '1 microsecond')
            ON CONFLICT (queue, key) DO UPDATE SET id = excluded.id, until = excluded.until WHERE d.until <= v_now
            RETURNING d.id INTO v_id;
            EXIT WHEN v_id IS NOT NULL; -- it is ours
            SELECT d.id INTO v_id FROM {schema}.dedupe d WHERE d.queue = v_key.queue AND d.key = v_key.key;
            IF v_id IS NOT NULL THEN
                RETURN QUERY SELECT v_key.n - 1, v_id;
                EXIT;
            END IF; -- else it has expired and was swept in between
        END LOOP;
    END LOOP;
END
$$;

-- publish stores envelopes some of which have dedupe keys, in order, and answers for each its place and the id that stands
-- where that is another envelope's. p_keys is NULL where there is no key; p_windows and p_delays are in microseconds.
CREATE FUNCTION {schema}.publish_1(
    p_offset bigint, p_ids text[], p_keys text[], p_windows bigint[], p_delays bigint[], p_prints bigint[], p_sizes integer[],
    p_priorities smallint[], p_queues text[], p_tasks text[], p_visibilities bigint[], p_envelopes bytea[])
RETURNS TABLE (place integer, id text)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_now   timestamptz;
    v_key   record;
    v_twice integer[] := '{}';
BEGIN
    FOR v_key IN SELECT d.place, d.id FROM {schema}.dedupe_1(p_offset, p_ids, p_keys, p_windows, p_queues) d LOOP
        v_twice := v_twice || v_key.place + 1;
        RETURN QUERY SELECT v_key.place, v_key.id;
    END LOOP;
    v_now := clock_timestamp() + p_offset * interval '1 microsecond';
    INSERT INTO {schema}.task (due, published, fingerprint, size, priority, queue, task, visibility, envelope)
    SELECT v_now + u.delay * interval '1 microsecond', CASE WHEN u.delay > 0 THEN v_now END, u.print, u.size, u.priority, u.queue, u.task, u.visibility, u.envelope
    FROM unnest(p_delays, p_prints, p_sizes, p_priorities, p_queues, p_tasks, p_visibilities, p_envelopes) WITH ORDINALITY
        u(delay, print, size, priority, queue, task, visibility, envelope, n)
    WHERE u.n <> ALL (v_twice) ORDER BY u.n;
END
$$;
