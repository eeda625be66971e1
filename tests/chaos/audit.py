"""A log of every write, kept by triggers in the campaign's own database."""

from __future__ import annotations

from typing import Final, LiteralString

AUDIT: Final[LiteralString] = """
    CREATE SCHEMA chaos;
    CREATE TABLE chaos.written (
        id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        transaction    bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
        at             timestamptz NOT NULL DEFAULT clock_timestamp(),
        who            text DEFAULT nullif(current_setting('chaos.who', true), ''),
        source         text NOT NULL,
        op             text NOT NULL,
        run_id         bigint,
        key            text,
        place          integer,
        epoch          bigint,
        old_epoch      bigint,
        state          text,
        old_state      text,
        process_id     bigint,
        old_process_id bigint,
        digest         text,
        old_digest     text,
        old_run_id     bigint
    );
    CREATE FUNCTION chaos.write_down() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        source text := TG_ARGV[0];
        n jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
        o jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
        r jsonb := coalesce(n, o);
        about text := CASE source WHEN 'due_work' THEN 'lease_until' ELSE 'output' END;
        place text := CASE source WHEN 'due_work' THEN 'max_concurrent' ELSE 'place' END;
    BEGIN
        INSERT INTO chaos.written (source, op, run_id, key, place, epoch, old_epoch, state,
                                   old_state, process_id, old_process_id, digest, old_digest,
                                   old_run_id)
        VALUES (
            source, left(TG_OP, 1),
            (CASE source WHEN 'run' THEN r ->> 'id' WHEN 'permit' THEN n ->> 'run_id'
                  ELSE r ->> 'run_id' END)::bigint,
            CASE source
                WHEN 'step' THEN r ->> 'path'
                WHEN 'permit' THEN (r ->> 'owner') || ' ' || (r ->> 'key')
                WHEN 'due_work' THEN (r ->> 'owner') || ' ' || (r ->> 'concurrency_key') END,
            (r ->> place)::integer,
            (n ->> 'epoch')::bigint, (o ->> 'epoch')::bigint,
            n ->> 'state', o ->> 'state',
            (n ->> CASE source WHEN 'process' THEN 'id' ELSE 'process_id' END)::bigint,
            (o ->> 'process_id')::bigint,
            md5(n ->> about), md5(o ->> about), (o ->> 'run_id')::bigint
        );
        RETURN NULL;
    END $$;
    CREATE TRIGGER chaos AFTER INSERT OR UPDATE OR DELETE ON ordinaut.due_work
        FOR EACH ROW EXECUTE FUNCTION chaos.write_down('due_work');
    CREATE TRIGGER chaos AFTER INSERT OR UPDATE OR DELETE ON ordinaut.step
        FOR EACH ROW EXECUTE FUNCTION chaos.write_down('step');
    CREATE TRIGGER chaos AFTER INSERT OR UPDATE OR DELETE ON ordinaut.run
        FOR EACH ROW EXECUTE FUNCTION chaos.write_down('run');
    CREATE TRIGGER chaos AFTER INSERT OR UPDATE OR DELETE ON ordinaut.permit
        FOR EACH ROW EXECUTE FUNCTION chaos.write_down('permit');
    CREATE TRIGGER chaos AFTER INSERT ON ordinaut.process
        FOR EACH ROW EXECUTE FUNCTION chaos.write_down('process');
"""
"""A row's lock is held from before its line here until the commit: the ids of the lines of one
row have the order of the transactions that wrote it."""
