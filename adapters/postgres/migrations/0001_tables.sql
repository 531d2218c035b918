-- The tables of a store. {schema} stands for the name of its schema, quoted.
--
-- Instants are of the server's clock, plus an offset that only tests set.
-- Durations cross as microseconds.

-- What waits or is on loan: the one table that every task passes through. It is
-- narrow, and nothing of what has ended stays in it.
CREATE TABLE {schema}.task (
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    due         timestamptz NOT NULL DEFAULT clock_timestamp(),
    published   timestamptz, -- NULL: when it became due
    visibility  bigint,   -- how long after its worker was last heard of it may run elsewhere, where it says so
    number      bigint,   -- of its last delivery: the fence
    fingerprint bigint,   -- of the schema of its args; NULL is unknown
    holder      integer,  -- NULL: it waits; 0: set aside, nobody knew its task; else the session that holds it
    size        integer NOT NULL, -- of the payload, in bytes
    failures    integer,  -- these three count verdicts; NULL is 0
    snoozes     integer,
    releases    integer,
    priority    smallint NOT NULL,
    queue       text COLLATE "C" NOT NULL,
    task        text COLLATE "C" NOT NULL,
    marks       jsonb,    -- what the last settlement left for the next delivery
    cut         bigint[], -- the deliveries that were cut short since the last verdict
    -- It never changes, and is last: the WAL of an update leaves out what old and new have in common at both ends.
    envelope    bytea NOT NULL
) WITH (
    -- A claim writes a new version of its row. On the same page that is 90 bytes of WAL, on another one 380, so there is room for all.
    fillfactor = 50,
    -- Dead rows are what slows a queue down, so they go early, without pauses, and the file keeps its length.
    autovacuum_vacuum_scale_factor = 0.0,
    autovacuum_vacuum_threshold = 20000,
    autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false,
    -- What statistics say of a queue is wrong a minute later, and would change plans that are right.
    autovacuum_analyze_threshold = 2147483647,
    toast.autovacuum_vacuum_cost_delay = 0,
    toast.vacuum_truncate = false
);
ALTER TABLE {schema}.task ALTER COLUMN envelope SET STORAGE EXTERNAL;

-- The line of each queue and priority: due first, then as published. The priority comes first since two bytes at the
-- beginning of an entry need no padding.
CREATE INDEX task_line ON {schema}.task (priority, queue, due, seq) WHERE holder IS NULL;
-- What a session holds; settlements find their rows here.
CREATE INDEX task_held ON {schema}.task (holder, seq) WHERE holder > 0;
-- What is set aside, by what a receiver must know. Empty where every task has a worker.
CREATE INDEX task_aside ON {schema}.task (queue, task, fingerprint, priority DESC, due, seq) WHERE holder = 0;
-- What was cut short, so that a settlement that comes late takes that back.
CREATE INDEX task_cut ON {schema}.task (seq) WHERE cut IS NOT NULL;

-- A worker's tenure: its row is the lease of all that it holds.
CREATE TABLE {schema}.session (
    no      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id      text COLLATE "C" NOT NULL UNIQUE,
    lease   bigint NOT NULL,
    lapses  timestamptz NOT NULL,
    leaving boolean NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

-- Delivery numbers never go back, also when the clock does.
CREATE SEQUENCE {schema}.delivery;

-- What is known of queues beside what lies in them; those without a row are not paused.
CREATE TABLE {schema}.queue (
    name   text COLLATE "C" PRIMARY KEY,
    paused boolean NOT NULL DEFAULT false,
    back   bigint NOT NULL DEFAULT 0 -- moves when something comes back to an old place in line
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);

-- Dedupe keys, and the id that stands for each.
CREATE TABLE {schema}.dedupe (
    queue text COLLATE "C" NOT NULL,
    key   text COLLATE "C" NOT NULL,
    id    text COLLATE "C" NOT NULL,
    until timestamptz NOT NULL,
    PRIMARY KEY (queue, key)
);
CREATE INDEX dedupe_until ON {schema}.dedupe (until);

-- Outcomes, and news of tasks under way.
CREATE TABLE {schema}.result (
    id       text COLLATE "C" PRIMARY KEY,
    number   bigint NOT NULL, -- of the delivery that wrote it: its fence
    expires  timestamptz NOT NULL,
    terminal boolean NOT NULL,
    record   bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.05, vacuum_truncate = false);
ALTER TABLE {schema}.result ALTER COLUMN record SET STORAGE EXTERNAL;
-- An index by expiry would cost every result more than the look through the table an hour that it saves: this is
-- the page that tidy comes to next.
CREATE SEQUENCE {schema}.result_page MINVALUE 0;

-- Envelopes that were set aside for good.
CREATE TABLE {schema}.dead_letter (
    queue    text COLLATE "C" NOT NULL,
    at       timestamptz NOT NULL,
    seq      bigint NOT NULL, -- its place in line, in its life
    id       text COLLATE "C" NOT NULL,
    task     text COLLATE "C" NOT NULL,
    reason   text NOT NULL,
    attempt  integer NOT NULL,
    number   bigint NOT NULL,
    marks    jsonb,
    envelope bytea NOT NULL,
    PRIMARY KEY (queue, at, seq)
);

-- Ids that shall not run.
CREATE TABLE {schema}.revocation (
    queue  text COLLATE "C" NOT NULL,
    id     text COLLATE "C" NOT NULL,
    family boolean NOT NULL,
    until  timestamptz NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (queue, id, family)
);

-- Deliveries that a transaction of the user's has completed, until their worker has settled them.
CREATE TABLE {schema}.completion (
    seq         bigint NOT NULL,
    number      bigint NOT NULL,
    holder      integer NOT NULL,
    transaction bigint NOT NULL,
    PRIMARY KEY (seq, number)
);

-- Processes that wait for results: while there is one, settlements are announced.
CREATE TABLE {schema}.waiter (
    id    text COLLATE "C" PRIMARY KEY,
    until timestamptz NOT NULL
);

-- What workers say of themselves. It has no index by time: an announcement then stays on its page.
CREATE TABLE {schema}.worker (
    id    text COLLATE "C" PRIMARY KEY, -- of its session
    seen  timestamptz NOT NULL,
    until timestamptz NOT NULL,
    said  bytea NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 1000);
