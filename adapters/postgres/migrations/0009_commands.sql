-- What operators say to workers, and what these reply. The Postgres side of command.go.
--
-- Who reads goes on behind the last number that it has seen, so numbers must become visible in their order: each is taken under a
-- lock that is held until the commit.

CREATE TABLE {schema}.command (
    seq   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    until timestamptz NOT NULL,
    said  bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE {schema}.reply (
    command text COLLATE "C" NOT NULL, -- the id
    seq     bigint GENERATED ALWAYS AS IDENTITY,
    until   timestamptz NOT NULL,
    said    bytea NOT NULL,
    PRIMARY KEY (command, seq)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

-- post keeps a command for a time, and announces it. Of those whose time is over some go.
CREATE FUNCTION {schema}.post_1(p_offset bigint, p_for bigint, p_said bytea, p_channel text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz := clock_timestamp() + p_offset * interval '1 microsecond';
BEGIN
    PERFORM pg_advisory_xact_lock(1937007983::bigint << 32 | d.tableoid::bigint) FROM {schema}.delivery d;
    DELETE FROM {schema}.command c WHERE c.ctid = ANY (ARRAY(
        SELECT o.ctid FROM {schema}.command o WHERE o.until <= v_now LIMIT 100 FOR UPDATE SKIP LOCKED));
    INSERT INTO {schema}.command (until, said) VALUES (v_now + p_for * interval '1 microsecond', p_said);
    PERFORM pg_notify(p_channel, ''); -- inside: commands are few, and nobody waits behind them
END
$$;

-- reply keeps a reply to a command for a time. Of those whose time is over some go.
CREATE FUNCTION {schema}.reply_1(p_offset bigint, p_command text, p_for bigint, p_said bytea) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz := clock_timestamp() + p_offset * interval '1 microsecond';
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true); -- a reply that a crash takes is one that did not come
    PERFORM pg_advisory_xact_lock(1937007984::bigint << 32 | (d.tableoid::bigint # hashtext(p_command)::bigint & 4294967295)) FROM {schema}.delivery d;
    DELETE FROM {schema}.reply r WHERE r.ctid = ANY (ARRAY(
        SELECT o.ctid FROM {schema}.reply o WHERE o.until <= v_now LIMIT 100 FOR UPDATE SKIP LOCKED));
    INSERT INTO {schema}.reply (command, until, said) VALUES (p_command, v_now + p_for * interval '1 microsecond', p_said);
END
$$;
