-- Back to one queue without limits. Events that were not published yet are lost with the outbox.
DROP TABLE ordinaut.outbox, ordinaut.relay_shard, ordinaut.setting, ordinaut.permit;
DROP SEQUENCE ordinaut.event_id;
DROP FUNCTION ordinaut.told(integer, text, jsonb);
ALTER TABLE ordinaut.tool_server DROP COLUMN found_by;
ALTER TABLE ordinaut.process DROP COLUMN backend_pid, DROP COLUMN backend_started_at;
ALTER TABLE ordinaut.run DROP COLUMN epoch, DROP COLUMN redrive, DROP COLUMN events;
DROP INDEX ordinaut.due_work_running;
CREATE INDEX due_work_running ON ordinaut.due_work (process_id) WHERE state = 'running';
COMMENT ON INDEX ordinaut.due_work_running IS 'The reaper''s question, and a worker''s own leases.';
DROP INDEX ordinaut.due_work_next;
CREATE INDEX due_work_next ON ordinaut.due_work (run_at) WHERE state IN ('queued', 'retrying');
COMMENT ON INDEX ordinaut.due_work_next IS 'When the next run is due.';
DROP INDEX ordinaut.due_work_limited;
DROP INDEX ordinaut.due_work_claim;
ALTER TABLE ordinaut.due_work
    DROP COLUMN generation, DROP COLUMN kind, DROP COLUMN scheduled_for, DROP COLUMN params,
    DROP COLUMN redrive, DROP COLUMN events, DROP COLUMN concurrency_key,
    DROP COLUMN max_concurrent, DROP COLUMN needs_permit;
CREATE INDEX due_work_claim ON ordinaut.due_work (priority DESC, run_at, run_id)
    WHERE state IN ('queued', 'retrying');
COMMENT ON INDEX ordinaut.due_work_claim IS 'The claim: highest priority first, then the longest overdue.';
-- Monthly partitions, by creation. The default partition only catches a clock that jumped far.
CREATE OR REPLACE FUNCTION ordinaut.ensure_partitions(until timestamptz) RETURNS integer
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

