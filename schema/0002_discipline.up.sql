-- Discipline: what a claim needs stands in the queue's own row, exact limits, fairness, events that
-- are never lost, and a runtime that can be paused.

-- The queue answers a claim alone. NULL in `generation`: written by an older version, ask `run`.
ALTER TABLE ordinaut.due_work
    ADD COLUMN generation integer,
    ADD COLUMN kind text,
    ADD COLUMN scheduled_for timestamptz,
    ADD COLUMN params jsonb,
    ADD COLUMN redrive smallint NOT NULL DEFAULT 0,
    ADD COLUMN events integer NOT NULL DEFAULT 0,
    ADD COLUMN concurrency_key text,
    ADD COLUMN max_concurrent smallint,
    ADD COLUMN needs_permit boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN ordinaut.due_work.generation IS 'The revision that the run began with; NULL: ask run, and kind, scheduled_for and params, too.';
COMMENT ON COLUMN ordinaut.due_work.params IS 'What this run was given over the task''s params; NULL: nothing.';
COMMENT ON COLUMN ordinaut.due_work.redrive IS 'How often the run was sent again by somebody; it enters the keys of the steps called from then on.';
COMMENT ON COLUMN ordinaut.due_work.events IS 'How many events were told of this run: the next one''s sequence is one more.';
COMMENT ON COLUMN ordinaut.due_work.concurrency_key IS 'Whose permits the run needs; NULL: no limit.';
COMMENT ON COLUMN ordinaut.due_work.max_concurrent IS 'The run may take the first so many places under its key.';
COMMENT ON COLUMN ordinaut.due_work.needs_permit IS 'It has a key and holds no permit: it can only be claimed together with one.';

DROP INDEX ordinaut.due_work_claim;
CREATE INDEX due_work_claim ON ordinaut.due_work (owner, priority, run_at, run_id)
    WHERE state IN ('queued', 'retrying') AND NOT needs_permit;
COMMENT ON INDEX ordinaut.due_work_claim IS 'The claim: owners in turn, in each priority what is overdue longest.';
CREATE INDEX due_work_limited ON ordinaut.due_work (owner, concurrency_key, run_at, run_id)
    WHERE state IN ('queued', 'retrying') AND needs_permit;
COMMENT ON INDEX ordinaut.due_work_limited IS 'What waits for a permit, by key.';

-- By state first: an index in the order of run_at alone tempts the planner to look for one owner's
-- work through everybody's.
DROP INDEX ordinaut.due_work_next;
CREATE INDEX due_work_next ON ordinaut.due_work (state, run_at)
    WHERE state IN ('queued', 'retrying');
COMMENT ON INDEX ordinaut.due_work_next IS 'When the next run is due.';

-- Not by state: the writes of workers name the state, and must find their rows by the key, however
-- few the planner believes to be running.
DROP INDEX ordinaut.due_work_running;
CREATE INDEX due_work_running ON ordinaut.due_work (process_id) WHERE process_id IS NOT NULL;
COMMENT ON INDEX ordinaut.due_work_running IS 'The reaper''s question, and a worker''s own leases. Only a running run has a process.';

CREATE TABLE ordinaut.permit (
    owner    text NOT NULL REFERENCES ordinaut.agent (name) ON DELETE CASCADE,
    key      text NOT NULL,
    place    smallint NOT NULL CHECK (place > 0),
    run_id   bigint UNIQUE,
    freed_at timestamptz NOT NULL DEFAULT ordinaut.now(),
    PRIMARY KEY (owner, key, place)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE ordinaut.permit IS 'Exact limits: one row for each place under a key. Whoever runs under the key holds one; it is taken in the claim and given back in the statement that ends or parks the run.';
COMMENT ON COLUMN ordinaut.permit.key IS 'The caller''s concurrency_key as key:<name>, or task:<id> for a task''s own limit.';
COMMENT ON COLUMN ordinaut.permit.run_id IS 'Who holds it; NULL: free. Every write is fenced by the epoch of that run''s due_work.';
COMMENT ON COLUMN ordinaut.permit.freed_at IS 'Keys take turns: the one that was served longest ago comes first.';
CREATE INDEX permit_free ON ordinaut.permit (freed_at) WHERE run_id IS NULL;
COMMENT ON INDEX ordinaut.permit_free IS 'Free places, the longest free first.';

ALTER TABLE ordinaut.run
    ADD COLUMN epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN redrive smallint NOT NULL DEFAULT 0,
    ADD COLUMN events integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN ordinaut.run.epoch IS 'The last epoch of its due_work: a run that is sent again goes on from there, so that epochs only grow.';
COMMENT ON COLUMN ordinaut.run.redrive IS 'How often it was sent again by somebody.';
COMMENT ON COLUMN ordinaut.run.events IS 'How many events were told of it.';

ALTER TABLE ordinaut.process
    ADD COLUMN backend_pid integer,
    ADD COLUMN backend_started_at timestamptz;
COMMENT ON COLUMN ordinaut.process.backend_pid IS 'The server process of its heartbeat''s connection: when PostgreSQL has seen it die, its runs need not wait for their leases.';
COMMENT ON COLUMN ordinaut.process.backend_started_at IS 'With the pid: whether it is still the same connection. Older than the server''s own start: nothing is known.';

ALTER TABLE ordinaut.tool_server ADD COLUMN found_by bigint;
COMMENT ON COLUMN ordinaut.tool_server.found_by IS 'The process that found this state; what a process that is gone was still starting has failed.';

CREATE TABLE ordinaut.setting (
    name       text PRIMARY KEY,
    value      jsonb NOT NULL,
    changed_by text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT ordinaut.now()
);
COMMENT ON TABLE ordinaut.setting IS 'What holds for the whole runtime. `paused`: nothing is materialised and nothing is claimed.';

-- Events are written in the statement that they tell about; the relay copies them to the spine.
CREATE SEQUENCE ordinaut.event_id;
CREATE TABLE ordinaut.outbox (
    id         bigint NOT NULL DEFAULT nextval('ordinaut.event_id'),
    created_at timestamptz NOT NULL DEFAULT ordinaut.now(),
    shard      smallint NOT NULL,
    owner      text NOT NULL,
    topic      text NOT NULL,
    task_id    bigint,
    run_id     bigint,
    sequence   integer,
    data       jsonb NOT NULL DEFAULT '{}',
    batch      bigint,
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
COMMENT ON TABLE ordinaut.outbox IS 'Events, in the transaction of what they tell; kept for a while after they were published, so that a lost Redis can be filled again.';
COMMENT ON COLUMN ordinaut.outbox.shard IS 'Events of one run (or of one task) are in one shard, and in one stream.';
COMMENT ON COLUMN ordinaut.outbox.sequence IS 'Counts the events of one run from 1, without gap.';
COMMENT ON COLUMN ordinaut.outbox.batch IS 'The relay''s batch that it was published with; NULL: not yet.';
CREATE INDEX outbox_unpublished ON ordinaut.outbox (shard, id) WHERE batch IS NULL;
COMMENT ON INDEX ordinaut.outbox_unpublished IS 'The relay''s question: what is to be published.';

CREATE FUNCTION ordinaut.told(attempt integer, reason text, error jsonb) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT jsonb_strip_nulls(jsonb_build_object(
        'attempt', attempt,
        'reason', reason,
        'error', CASE WHEN error IS NOT NULL THEN jsonb_build_object(
            'code', error -> 'code', 'message', left(error ->> 'message', 500),
            'step', error -> 'step') END)) $$;
COMMENT ON FUNCTION ordinaut.told(integer, text, jsonb) IS 'What an event tells of a run: short, whatever the error held.';

CREATE TABLE ordinaut.relay_shard (
    shard       smallint PRIMARY KEY,
    position    bigint NOT NULL DEFAULT 0,
    process_id  bigint,
    lease_until timestamptz
);
COMMENT ON TABLE ordinaut.relay_shard IS 'Who publishes a shard, and how far it is. The stream''s own position tells whether Redis has lost something.';
COMMENT ON COLUMN ordinaut.relay_shard.position IS 'Only grows: odd while the batch of that number is on its way, one more once it is marked.';
INSERT INTO ordinaut.relay_shard (shard) SELECT generate_series(0, 7);

-- Days for the outbox beside the months of runs and steps.
CREATE OR REPLACE FUNCTION ordinaut.ensure_partitions(until timestamptz) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    today   date := (ordinaut.now() AT TIME ZONE 'UTC')::date;
    wanted  record;
    created integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ordinaut.ensure_partitions', 0));
    FOR wanted IN
        SELECT p.parent, p.parent || to_char(m, '_YYYY_MM') AS child, m AS first,
               m + interval '1 month' AS past
        FROM unnest(ARRAY['run', 'step']) AS p (parent),
             generate_series(date_trunc('month', today::timestamp),
                             until AT TIME ZONE 'UTC', interval '1 month') AS m
        UNION ALL
        SELECT 'outbox', 'outbox' || to_char(d, '_YYYY_MM_DD'), d, d + interval '1 day'
        FROM generate_series(today::timestamp,
                             least(until AT TIME ZONE 'UTC', today + interval '7 days'),
                             interval '1 day') AS d
    LOOP
        CONTINUE WHEN to_regclass('ordinaut.' || wanted.child) IS NOT NULL;
        BEGIN
            EXECUTE format(
                'CREATE TABLE ordinaut.%I PARTITION OF ordinaut.%I FOR VALUES FROM (%L) TO (%L)'
                ' WITH (fillfactor = 80)',
                wanted.child, wanted.parent,
                wanted.first AT TIME ZONE 'UTC', wanted.past AT TIME ZONE 'UTC');
            created := created + 1;
        EXCEPTION WHEN check_violation THEN
            NULL; -- the default partition holds rows of that span; they stay there
        END;
    END LOOP;
    RETURN created;
END $$;

CREATE TABLE ordinaut.outbox_default PARTITION OF ordinaut.outbox DEFAULT;
SELECT ordinaut.ensure_partitions(ordinaut.now() + interval '2 months');
DO $$
DECLARE child regclass;
BEGIN
    FOR child IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'ordinaut.run'::regclass LOOP
        EXECUTE format('ALTER TABLE %s SET (fillfactor = 80)', child);
    END LOOP;
END $$;
