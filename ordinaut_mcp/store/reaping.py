"""Taking runs back from workers that are gone, in PostgreSQL.

A lease that expired is the proof. Where PostgreSQL has seen the end of the connection that a
worker's heartbeat uses, its leases need not be waited for.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, LiteralString

from psycopg.types.json import Jsonb

from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.store.pool import Connection, rows
from ordinaut_mcp.store.settlement import leave_open

# After a restart of the server nothing is known: every connection ended. Of sessions of another
# role not even the start is shown; the pid must do.
CUT_OFF: Final[LiteralString] = """
    SELECT p.id
    FROM ordinaut.process p
    WHERE p.backend_started_at > pg_postmaster_start_time()
      AND EXISTS (SELECT FROM ordinaut.due_work d
                  WHERE d.process_id = p.id)
      AND NOT EXISTS (SELECT FROM pg_stat_activity a
                      WHERE a.pid = p.backend_pid
                        AND coalesce(a.backend_start = p.backend_started_at, true))
"""
# Locking looks at the row anew: a renewal that came in between is seen.
REAP: Final[LiteralString] = """
    WITH expired AS (
        SELECT d.run_id FROM ordinaut.due_work d
        WHERE d.process_id IS NOT NULL AND d.state = 'running'
          AND (d.lease_until < ordinaut.now() OR d.process_id = ANY (%(gone)s::bigint[]))
          AND d.crashes + 1 < %(crashes_allowed)s AND d.cancel_reason IS NULL
        ORDER BY d.run_id
        FOR UPDATE SKIP LOCKED
    ), returned AS (
        UPDATE ordinaut.due_work d
        SET state = 'retrying', crashes = crashes + 1, process_id = NULL, lease_until = NULL,
            run_at = ordinaut.now() + crashes * interval '1 second', error = %(error)s,
            events = d.events + 1
        FROM expired
        WHERE d.run_id = expired.run_id
        RETURNING d.run_id, d.owner, d.task_id, d.events, d.attempt, d.error
    )
    INSERT INTO ordinaut.outbox (shard, owner, topic, task_id, run_id, sequence, data)
    SELECT mod(run_id, 8), owner, 'run.retrying', task_id, run_id, events,
           ordinaut.told(attempt, NULL, error)
    FROM returned
    RETURNING run_id
"""
BURY: Final[LiteralString] = """
    WITH expired AS (
        SELECT d.run_id FROM ordinaut.due_work d
        WHERE d.process_id IS NOT NULL AND d.state = 'running'
          AND (d.lease_until < ordinaut.now() OR d.process_id = ANY (%(gone)s::bigint[]))
          AND (d.crashes + 1 >= %(crashes_allowed)s OR d.cancel_reason IS NOT NULL)
        ORDER BY d.run_id
        FOR UPDATE SKIP LOCKED
    ), dead AS (
        DELETE FROM ordinaut.due_work d USING expired
        WHERE d.run_id = expired.run_id
        RETURNING d.*, CASE WHEN cancel_reason IS NULL THEN 'failed' ELSE 'canceled' END AS ending
    ), freed AS (
        UPDATE ordinaut.permit p SET run_id = NULL, freed_at = ordinaut.now()
        FROM dead WHERE p.run_id = dead.run_id
    ), told AS (
        INSERT INTO ordinaut.outbox (shard, owner, topic, task_id, run_id, sequence, data)
        SELECT mod(run_id, 8), owner, 'run.' || ending, task_id, run_id, events + 1,
               ordinaut.told(attempt, cancel_reason, %(error)s)
        FROM dead
    )
    UPDATE ordinaut.run r
    SET state = dead.ending, reason = dead.cancel_reason, started_at = dead.started_at,
        finished_at = ordinaut.now(), attempt = dead.attempt, error = %(error)s,
        executed = CASE WHEN dead.cancel_reason IS NULL THEN false END,
        epoch = dead.epoch, events = dead.events + 1
    FROM dead
    WHERE r.id = dead.run_id AND r.created_at = dead.run_created_at
    RETURNING r.id, r.created_at
"""
WORKER_LOST: Final = {
    "code": "worker_lost",
    "message": "The worker stopped in the middle of this run; its lease expired.",
    "hint": "Succeeded steps are kept and not called again.",
}


async def cut_off(connection: Connection) -> set[ProcessId]:
    """The processes with running runs whose heartbeat's connection has ended."""
    return {ProcessId(found["id"]) for found in await rows(connection, CUT_OFF)}


async def reap(connection: Connection, *, crashes_allowed: int, gone: Collection[ProcessId]) -> int:
    """Give runs back to the queue, or to the dead letters, in one transaction; how many."""
    parameters = {
        "crashes_allowed": crashes_allowed,
        "error": Jsonb(WORKER_LOST),
        "gone": list(gone),
    }
    returned = await rows(connection, REAP, parameters)
    buried = await rows(connection, BURY, parameters)
    # A statement of its own: it sees what was journalled until the row was locked.
    ids, created = [one["id"] for one in buried], [one["created_at"] for one in buried]
    await leave_open(connection, ids, created)
    return len(returned) + len(buried)
