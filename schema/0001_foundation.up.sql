-- The foundation: who asks, what and when, the promise "once", the queue, the history, the journal.
-- Every row that belongs to someone carries its owner. Instants are timestamptz; JSON is what
-- domain/clean.py let through.



-- The database's now, in one place, so that tests can move it. Inlined by the planner.
CREATE FUNCTION ordinaut.now() RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT pg_catalog.now() $$;
COMMENT ON FUNCTION ordinaut.now() IS 'The only clock that due-ness and leases are decided by.';

CREATE TABLE ordinaut.agent (
    name       text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9_-]{0,62}$'),
    created_at timestamptz NOT NULL DEFAULT ordinaut.now()
);
COMMENT ON TABLE ordinaut.agent IS 'Who may ask. Over stdio the local user''s agent.';

CREATE TABLE ordinaut.task (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner        text NOT NULL REFERENCES ordinaut.agent (name),
    key          text,
    title        text NOT NULL,
    status       text NOT NULL CHECK (status IN ('active', 'paused', 'completed', 'canceled')),
    note         text,
    tags         text[] NOT NULL DEFAULT '{}',
    generation   integer NOT NULL DEFAULT 1,
    next_run_at  timestamptz,
    tz_version   text NOT NULL,
    runs_started integer NOT NULL DEFAULT 0,
    last_slot_at timestamptz,
    last_slot_local timestamp,
    pipeline_digest text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT ordinaut.now(),
    updated_at   timestamptz NOT NULL DEFAULT ordinaut.now(),
    UNIQUE (owner, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01);
COMMENT ON TABLE ordinaut.task IS 'What is to be done, for whom. What was asked is in task_revision.';
COMMENT ON COLUMN ordinaut.task.key IS 'The caller''s own name for it; unique for each owner.';
COMMENT ON COLUMN ordinaut.task.status IS 'active: fires; paused: its slots are skipped, visibly; completed: nothing to come; canceled: for good.';
COMMENT ON COLUMN ordinaut.task.generation IS '+1 with each edit; names the revision that holds now.';
COMMENT ON COLUMN ordinaut.task.next_run_at IS 'The first slot that is not accounted for yet; NULL: none to come.';
COMMENT ON COLUMN ordinaut.task.tz_version IS 'The tzdata release that next_run_at was computed with.';
COMMENT ON COLUMN ordinaut.task.runs_started IS 'Schedule runs that were started; max_runs counts them.';
COMMENT ON COLUMN ordinaut.task.last_slot_at IS 'The newest slot that is accounted for.';
COMMENT ON COLUMN ordinaut.task.last_slot_local IS 'Its local time as it was then: after a change of tzdata nothing fires again by local time.';
COMMENT ON COLUMN ordinaut.task.pipeline_digest IS 'sha256 of the pipeline and its params: two tasks that do the same.';
CREATE INDEX task_due ON ordinaut.task (next_run_at)
    WHERE status = 'active' AND next_run_at IS NOT NULL;
COMMENT ON INDEX ordinaut.task_due IS 'The scheduler''s question: what is due, and when next.';
CREATE INDEX task_same_work ON ordinaut.task (owner, pipeline_digest, next_run_at)
    WHERE status = 'active';
COMMENT ON INDEX ordinaut.task_same_work IS 'Conflicts: another task of the owner that does the same in the same minute.';
CREATE INDEX task_coming ON ordinaut.task (owner, next_run_at)
    WHERE status IN ('active', 'paused');
COMMENT ON INDEX ordinaut.task_coming IS 'The agenda: an owner''s next slots.';
CREATE INDEX task_stale_zone ON ordinaut.task (tz_version) WHERE status IN ('active', 'paused');
COMMENT ON INDEX ordinaut.task_stale_zone IS 'What was computed with another tzdata release.';
CREATE INDEX task_recent ON ordinaut.task (owner, id DESC);
COMMENT ON INDEX ordinaut.task_recent IS 'list_tasks, newest first.';

CREATE TABLE ordinaut.task_revision (
    task_id    bigint NOT NULL REFERENCES ordinaut.task (id) ON DELETE CASCADE,
    generation integer NOT NULL,
    request    jsonb NOT NULL,
    definition jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT ordinaut.now(),
    PRIMARY KEY (task_id, generation)
);
COMMENT ON TABLE ordinaut.task_revision IS 'Each edit of a task; a run keeps the revision that it began with.';
COMMENT ON COLUMN ordinaut.task_revision.request IS 'What the caller asked, as text; edits are merged over it.';
COMMENT ON COLUMN ordinaut.task_revision.definition IS 'What it means: the compiled schedule with its anchors, the pipeline, the policies.';

CREATE SEQUENCE ordinaut.run_id;

CREATE TABLE ordinaut.slot (
    task_id bigint NOT NULL REFERENCES ordinaut.task (id) ON DELETE CASCADE,
    key     text NOT NULL,
    run_id  bigint NOT NULL,
    PRIMARY KEY (task_id, key)
);
COMMENT ON TABLE ordinaut.slot IS 'The promise "once": one row for each instant, event or caller''s key that became a run.';
COMMENT ON COLUMN ordinaut.slot.key IS 'at:<instant> | manual:<caller''s key or uuid> | event:<id> | backfill:<instant>.';

CREATE TABLE ordinaut.run (
    id            bigint NOT NULL,
    created_at    timestamptz NOT NULL,
    task_id       bigint NOT NULL,
    generation    integer NOT NULL,
    owner         text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('schedule', 'manual', 'event', 'backfill')),
    state         text NOT NULL CHECK (state IN ('queued', 'succeeded', 'failed', 'canceled', 'skipped')),
    reason        text,
    scheduled_for timestamptz NOT NULL,
    due_at        timestamptz NOT NULL,
    skipped_until timestamptz,
    skipped_count bigint,
    skipped_is_exact boolean,
    params        jsonb NOT NULL DEFAULT '{}',
    started_at    timestamptz,
    finished_at   timestamptz,
    attempt       integer NOT NULL DEFAULT 0,
    error         jsonb,
    output        jsonb,
    executed      boolean,
    verified      boolean,
    delivered     boolean,
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
COMMENT ON TABLE ordinaut.run IS 'Every occurrence until retention ends. While a run is unfinished its state is in due_work and here says queued.';
COMMENT ON COLUMN ordinaut.run.state IS 'queued: not finished, see due_work; succeeded; failed: for good, a dead letter; canceled; skipped: an occurrence that never ran.';
COMMENT ON COLUMN ordinaut.run.reason IS 'Why it was skipped or canceled.';
COMMENT ON COLUMN ordinaut.run.scheduled_for IS 'The instant that the schedule names; never moved.';
COMMENT ON COLUMN ordinaut.run.due_at IS 'When it should start: after snooze and jitter.';
COMMENT ON COLUMN ordinaut.run.skipped_until IS 'The last slot of a stretch that was skipped for one reason.';
COMMENT ON COLUMN ordinaut.run.skipped_count IS 'How many slots this row accounts for.';
COMMENT ON COLUMN ordinaut.run.skipped_is_exact IS 'False: there were at least so many; a long stretch is not counted one by one.';
CREATE INDEX run_recent ON ordinaut.run (owner, id DESC);
COMMENT ON INDEX ordinaut.run_recent IS 'list_runs, newest first.';
CREATE INDEX run_of_task ON ordinaut.run (task_id, id DESC);
COMMENT ON INDEX ordinaut.run_of_task IS 'The runs of one task, newest first.';

CREATE TABLE ordinaut.step (
    run_id         bigint NOT NULL,
    run_created_at timestamptz NOT NULL,
    path           text NOT NULL,
    position       integer NOT NULL,
    uses           text NOT NULL,
    state          text NOT NULL
        CHECK (state IN ('running', 'waiting', 'succeeded', 'failed', 'skipped', 'unknown')),
    attempt        integer NOT NULL,
    epoch          bigint NOT NULL,
    input          jsonb,
    output         jsonb,
    error          jsonb,
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz,
    PRIMARY KEY (run_id, path, run_created_at)
) PARTITION BY RANGE (run_created_at);
COMMENT ON TABLE ordinaut.step IS 'The journal: the rendered input before the call, the output after it. A succeeded step is never called again.';
COMMENT ON COLUMN ordinaut.step.state IS 'running: the call may have been sent; waiting: for a person, an event or a time; succeeded: never called again; failed; skipped: its condition did not hold; unknown: sent, and nobody knows what came of it.';
COMMENT ON COLUMN ordinaut.step.path IS 'The step''s id; with its run it derives the idempotency key.';
COMMENT ON COLUMN ordinaut.step.epoch IS 'The lease under which it was written.';

CREATE TABLE ordinaut.due_work (
    run_id         bigint PRIMARY KEY,
    run_created_at timestamptz NOT NULL,
    task_id        bigint NOT NULL REFERENCES ordinaut.task (id) ON DELETE CASCADE,
    owner          text NOT NULL,
    run_at         timestamptz NOT NULL,
    priority       smallint NOT NULL,
    state          text NOT NULL CHECK (state IN ('queued', 'running', 'retrying', 'waiting')),
    serial         boolean NOT NULL DEFAULT false,
    attempt        integer NOT NULL DEFAULT 0,
    failures       integer NOT NULL DEFAULT 0,
    crashes        integer NOT NULL DEFAULT 0,
    epoch          bigint NOT NULL DEFAULT 0,
    process_id     bigint,
    lease_until    timestamptz,
    started_at     timestamptz,
    error          jsonb,
    cancel_reason  text
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000);
COMMENT ON TABLE ordinaut.due_work IS 'Unfinished runs only: the queue. A finished run leaves it in the statement that writes run.';
COMMENT ON COLUMN ordinaut.due_work.state IS 'queued: due at run_at; running: leased; retrying: failed or lost, due again at run_at; waiting: for a person, an event or a time, and claimed by nobody.';
COMMENT ON COLUMN ordinaut.due_work.serial IS 'Not before every earlier unfinished run of its task.';
COMMENT ON COLUMN ordinaut.due_work.failures IS 'Attempts that failed; max_retries counts them.';
COMMENT ON COLUMN ordinaut.due_work.crashes IS 'Leases that expired; three make a dead letter.';
COMMENT ON COLUMN ordinaut.due_work.epoch IS 'The fence: +1 with each claim, never lowered.';
COMMENT ON COLUMN ordinaut.due_work.lease_until IS 'Renewed by heartbeats; therefore in no index.';
COMMENT ON COLUMN ordinaut.due_work.error IS 'Why the last attempt failed, or why it waits.';
COMMENT ON COLUMN ordinaut.due_work.cancel_reason IS 'Somebody asked for the end of this running run; its worker settles it.';
CREATE INDEX due_work_claim ON ordinaut.due_work (priority DESC, run_at, run_id)
    WHERE state IN ('queued', 'retrying');
COMMENT ON INDEX ordinaut.due_work_claim IS 'The claim: highest priority first, then the longest overdue.';
CREATE INDEX due_work_next ON ordinaut.due_work (run_at) WHERE state IN ('queued', 'retrying');
COMMENT ON INDEX ordinaut.due_work_next IS 'When the next run is due.';
CREATE INDEX due_work_running ON ordinaut.due_work (process_id) WHERE state = 'running';
COMMENT ON INDEX ordinaut.due_work_running IS 'The reaper''s question, and a worker''s own leases.';
CREATE INDEX due_work_of_task ON ordinaut.due_work (task_id, run_id);
COMMENT ON INDEX ordinaut.due_work_of_task IS 'Overlap: the unfinished runs of a task.';

CREATE INDEX due_work_of_owner ON ordinaut.due_work (owner, run_at, run_id);
COMMENT ON INDEX ordinaut.due_work_of_owner IS 'The agenda: an owner''s unfinished runs.';

CREATE TABLE ordinaut.process (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host         text NOT NULL,
    pid          integer NOT NULL,
    roles        text[] NOT NULL,
    version      text NOT NULL,
    tzdata       text NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT ordinaut.now(),
    heartbeat_at timestamptz NOT NULL DEFAULT ordinaut.now(),
    stopped_at   timestamptz
);
COMMENT ON TABLE ordinaut.process IS 'Who is alive: a new row at each start of a runtime process.';

CREATE TABLE ordinaut.tool_server (
    name       text PRIMARY KEY,
    state      text NOT NULL CHECK (state IN ('starting', 'ready', 'failed', 'removed')),
    error      text,
    changed_at timestamptz NOT NULL DEFAULT ordinaut.now()
);
COMMENT ON TABLE ordinaut.tool_server IS 'The tool servers of the tools file, as the runtime found them.';
COMMENT ON COLUMN ordinaut.tool_server.state IS 'starting: its first catalog is still coming up; ready; failed: it is tried again; removed: no longer in the tools file.';

CREATE TABLE ordinaut.tool (
    server        text NOT NULL REFERENCES ordinaut.tool_server (name) ON DELETE CASCADE,
    name          text NOT NULL,
    description   text NOT NULL,
    input_schema  jsonb NOT NULL,
    output_schema jsonb,
    hints         jsonb NOT NULL,
    digest        text NOT NULL,
    PRIMARY KEY (server, name)
);
COMMENT ON TABLE ordinaut.tool IS 'The catalog: what steps may use, with schemas and digests.';

-- Monthly partitions, by creation. The default partition only catches a clock that jumped far.
CREATE FUNCTION ordinaut.ensure_partitions(until timestamptz) RETURNS integer
    LANGUAGE plpgsql AS $$
DECLARE
    month   date := date_trunc('month', ordinaut.now() AT TIME ZONE 'UTC')::date;
    parent  text;
    child   text;
    created integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('ordinaut.ensure_partitions', 0));
    WHILE month <= (until AT TIME ZONE 'UTC')::date LOOP
        FOREACH parent IN ARRAY ARRAY['run', 'step'] LOOP
            child := parent || to_char(month, '_YYYY_MM');
            IF to_regclass('ordinaut.' || child) IS NULL THEN
                BEGIN
                    EXECUTE format(
                        'CREATE TABLE ordinaut.%I PARTITION OF ordinaut.%I FOR VALUES FROM (%L) TO (%L)',
                        child, parent,
                        month::timestamp AT TIME ZONE 'UTC',
                        (month + interval '1 month')::timestamp AT TIME ZONE 'UTC');
                    created := created + 1;
                EXCEPTION WHEN check_violation THEN
                    NULL; -- the default partition holds rows of this month; they stay there
                END;
            END IF;
        END LOOP;
        month := (month + interval '1 month')::date;
    END LOOP;
    RETURN created;
END $$;
COMMENT ON FUNCTION ordinaut.ensure_partitions(timestamptz) IS 'Creates what is missing up to the month of `until`; safe to call at any time, by anyone.';

CREATE TABLE ordinaut.run_default PARTITION OF ordinaut.run DEFAULT;
CREATE TABLE ordinaut.step_default PARTITION OF ordinaut.step DEFAULT;
SELECT ordinaut.ensure_partitions(ordinaut.now() + interval '2 months');
