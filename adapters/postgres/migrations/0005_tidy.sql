-- tidy deletes what nobody needs any more, at most p_most rows of each kind, and answers whether there may be more. One process does
-- it at a time; the others are told that there is nothing.
CREATE FUNCTION {schema}.tidy_1(p_offset bigint, p_most integer, p_letters bigint) RETURNS boolean
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v_now   timestamptz := clock_timestamp() + p_offset * interval '1 microsecond';
    v_more  boolean := false;
    v_n     bigint;
    v_pages bigint;
    v_page  bigint;
    v_until bigint;
BEGIN
    IF NOT (SELECT pg_try_advisory_xact_lock(1937007981::bigint << 32 | d.tableoid::bigint) FROM {schema}.delivery d) THEN
        RETURN false;
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);
    -- Results are gone through page by page, so that the whole table is seen once in 50 minutes, 256 pages at once. An
    -- outcome that has expired is remembered for ten minutes, so that who asks is told so.
    v_pages := pg_relation_size(tableoid) / current_setting('block_size')::bigint FROM {schema}.result LIMIT 1;
    IF v_pages > 0 THEN
        SELECT p.last_value INTO v_page FROM {schema}.result_page p;
        v_until := CASE WHEN v_pages <= 256 THEN v_pages ELSE v_pages * mod(extract(epoch FROM v_now)::bigint, 3000) / 3000 END;
        IF v_pages <= 256 OR v_page >= v_pages THEN
            v_page := 0;
        END IF;
        IF v_until < v_page THEN
            v_until := v_pages; -- to the end first, then from the beginning
        END IF;
        v_more := v_until - v_page > 256;
        v_until := least(v_until, v_page + 256);
        DELETE FROM {schema}.result r
        WHERE r.ctid >= format('(%s,0)', v_page)::tid AND r.ctid < format('(%s,0)', v_until)::tid AND r.expires <= v_now - interval '10 minutes';
        PERFORM setval(p.tableoid::regclass, v_until) FROM {schema}.result_page p;
    END IF;
    DELETE FROM {schema}.dedupe d WHERE d.ctid = ANY (ARRAY(
        SELECT d.ctid FROM {schema}.dedupe d WHERE d.until <= v_now ORDER BY d.until LIMIT p_most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_n = ROW_COUNT;
    v_more := v_more OR v_n = p_most;
    DELETE FROM {schema}.unique_key u WHERE u.ctid = ANY (ARRAY(
        SELECT u.ctid FROM {schema}.unique_key u WHERE u.till <= v_now ORDER BY u.till LIMIT p_most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_n = ROW_COUNT;
    v_more := v_more OR v_n = p_most;
    DELETE FROM {schema}.unique_key u WHERE u.ctid = ANY (ARRAY(
        SELECT u.ctid FROM {schema}.unique_left l JOIN {schema}.unique_key u ON u.queue = l.queue AND u.key = l.key AND u.id = l.id LIMIT p_most FOR UPDATE OF u SKIP LOCKED));
    DELETE FROM {schema}.unique_left l WHERE l.ctid = ANY (ARRAY(
        SELECT l.ctid FROM {schema}.unique_left l
        WHERE NOT EXISTS (SELECT FROM {schema}.unique_key u WHERE u.queue = l.queue AND u.key = l.key AND u.id = l.id) LIMIT p_most));
    DELETE FROM {schema}.revocation r WHERE r.ctid = ANY (ARRAY(
        SELECT r.ctid FROM {schema}.revocation r WHERE r.until <= v_now LIMIT p_most FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_n = ROW_COUNT;
    v_more := v_more OR v_n = p_most;
    DELETE FROM {schema}.dead_letter d WHERE d.ctid = ANY (ARRAY(
        SELECT o.ctid FROM (SELECT DISTINCT l.queue FROM {schema}.dead_letter l) q
        CROSS JOIN LATERAL (SELECT l.ctid FROM {schema}.dead_letter l WHERE l.queue = q.queue ORDER BY l.at DESC, l.seq DESC OFFSET p_letters LIMIT p_most) o));
    GET DIAGNOSTICS v_n = ROW_COUNT;
    v_more := v_more OR v_n >= p_most;
    -- A session is forgotten a minute after it has lapsed, if it holds nothing.
    DELETE FROM {schema}.session s WHERE s.ctid = ANY (ARRAY(
        SELECT s.ctid FROM {schema}.session s WHERE s.lapses <= v_now - interval '1 minute'
          AND (SELECT k.seq FROM {schema}.task k WHERE k.holder = s.no AND k.holder > 0 LIMIT 1) IS NULL LIMIT p_most FOR UPDATE SKIP LOCKED));
    DELETE FROM {schema}.completion c WHERE c.ctid = ANY (ARRAY(
        SELECT c.ctid FROM {schema}.completion c WHERE NOT EXISTS (SELECT FROM {schema}.session s WHERE s.no = c.holder) LIMIT p_most));
    DELETE FROM {schema}.waiter w WHERE w.until <= v_now;
    RETURN v_more;
END
$$;

-- count answers how many envelopes of a queue are where: a number for each kind, and one row for each schema that is set aside.
-- Each is counted to p_most, and is p_most where there are more.
CREATE FUNCTION {schema}.count_1(p_offset bigint, p_queue text, p_most bigint)
RETURNS TABLE (kind text, task text, print bigint, n bigint)
LANGUAGE plpgsql
SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
#variable_conflict use_column
DECLARE
    v_now timestamptz := clock_timestamp() + p_offset * interval '1 microsecond';
BEGIN
    RETURN QUERY SELECT 'ready', '', 0::bigint, count(*) FROM (
        SELECT FROM unnest('{0,1,2,3,4,5,6,7,8,9}'::smallint[]) p(priority) CROSS JOIN LATERAL (
            SELECT FROM {schema}.task k WHERE k.queue = p_queue COLLATE "C" AND k.priority = p.priority AND k.holder IS NULL AND k.due <= v_now LIMIT p_most) x
        LIMIT p_most) y;
    RETURN QUERY SELECT 'delayed', '', 0::bigint, count(*) FROM (
        SELECT FROM unnest('{0,1,2,3,4,5,6,7,8,9}'::smallint[]) p(priority) CROSS JOIN LATERAL (
            SELECT FROM {schema}.task k WHERE k.queue = p_queue COLLATE "C" AND k.priority = p.priority AND k.holder IS NULL AND k.due > v_now LIMIT p_most) x
        LIMIT p_most) y;
    -- What a lapsed session holds is ready for whoever takes it over.
    RETURN QUERY SELECT CASE WHEN x.lapsed THEN 'lapsed' ELSE 'running' END, '', 0::bigint, count(*) FROM (
        SELECT coalesce(s.lapses <= v_now AND (k.visibility IS NULL OR s.lapses + (k.visibility - s.lease) * interval '1 microsecond' <= v_now), true) AS lapsed
        FROM {schema}.task k LEFT JOIN {schema}.session s ON s.no = k.holder
        WHERE k.holder > 0 AND k.queue = p_queue COLLATE "C" LIMIT p_most) x
        GROUP BY x.lapsed;
    RETURN QUERY SELECT 'dead', '', 0::bigint, count(*) FROM (
        SELECT FROM {schema}.dead_letter d WHERE d.queue = p_queue COLLATE "C" LIMIT p_most) x;
    RETURN QUERY SELECT 'paused', '', 0::bigint, count(*) FROM {schema}.queue q WHERE q.name = p_queue COLLATE "C" AND q.paused;
    RETURN QUERY SELECT 'unknown', x.task, coalesce(x.fingerprint, 0), count(*) FROM (
        SELECT k.task, k.fingerprint FROM {schema}.task k WHERE k.queue = p_queue COLLATE "C" AND k.holder = 0 LIMIT p_most) x
        GROUP BY x.task, x.fingerprint;
END
$$;
