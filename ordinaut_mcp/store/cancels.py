"""Cancellation in PostgreSQL: what waits ends at once, what runs is ended by its worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString

from ordinaut_mcp.domain.run import ProcessId, RunId, no_such_run, run_name
from ordinaut_mcp.store.pool import Connection, Pool, connected, row, rows, transaction

WANTED: Final[LiteralString] = """
    SELECT run_id, cancel_reason
    FROM ordinaut.due_work
    WHERE process_id = %(process)s AND cancel_reason IS NOT NULL
"""
HOLD: Final[LiteralString] = """
    SELECT run_id FROM ordinaut.due_work WHERE run_id = ANY (%(ids)s) ORDER BY run_id FOR UPDATE
"""
END_WAITING: Final[LiteralString] = """
    WITH gone AS (
        DELETE FROM ordinaut.due_work
        WHERE run_id = ANY (%(ids)s) AND state IN ('queued', 'retrying', 'waiting')
        RETURNING *
    ), left_open AS (
        UPDATE ordinaut.step s SET state = 'unknown', finished_at = ordinaut.now()
        FROM gone
        WHERE s.run_id = gone.run_id AND s.run_created_at = gone.run_created_at
          AND s.state = 'running'
    ), freed AS (
        UPDATE ordinaut.permit p SET run_id = NULL, freed_at = ordinaut.now()
        FROM gone WHERE p.run_id = gone.run_id
    ), told AS (
        INSERT INTO ordinaut.outbox (shard, owner, topic, task_id, run_id, sequence, data)
        SELECT mod(run_id, 8), owner, 'run.canceled', task_id, run_id, events + 1,
               ordinaut.told(attempt, %(reason)s, error)
        FROM gone
    )
    UPDATE ordinaut.run r
    SET state = 'canceled', reason = %(reason)s, finished_at = ordinaut.now(),
        started_at = gone.started_at, attempt = gone.attempt, error = gone.error,
        epoch = gone.epoch, events = gone.events + 1
    FROM gone
    WHERE r.id = gone.run_id AND r.created_at = gone.run_created_at
"""
ASK_RUNNING: Final[LiteralString] = """
    UPDATE ordinaut.due_work SET cancel_reason = %(reason)s
    WHERE run_id = ANY (%(ids)s) AND state = 'running'
"""
OWN: Final[LiteralString] = """
    SELECT id FROM ordinaut.run WHERE id = %(id)s AND owner = %(owner)s
"""
# What was started by hand is nobody's overlap, and a run that was moved ahead of its time has
# not begun.
EARLIER: Final[LiteralString] = """
    SELECT d.run_id
    FROM unnest(%(task_ids)s::bigint[], %(first_runs)s::bigint[]) AS n (task_id, first_run)
    JOIN ordinaut.due_work d ON d.task_id = n.task_id AND d.run_id < n.first_run
    JOIN ordinaut.run r ON r.id = d.run_id AND r.created_at = d.run_created_at
    WHERE r.kind = 'schedule' AND NOT (d.state = 'queued' AND d.run_at > ordinaut.now())
    ORDER BY d.run_id
    FOR UPDATE OF d
"""


class PostgresCancels:
    """The `CancelStore` port over PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def wanted(self, process: ProcessId) -> Mapping[RunId, str]:
        """The running runs of this process that somebody wants ended, each with the reason."""
        async with connected(self._pool) as connection:
            found = await rows(connection, WANTED, {"process": process})
        return {RunId(one["run_id"]): one["cancel_reason"] for one in found}

    async def cancel(self, owner: str, run_id: RunId, *, reason: str) -> None:
        """End one run: at once where it waits, else ask its worker; a finished one stays."""
        async with transaction(self._pool) as connection:
            if await row(connection, OWN, {"id": run_id, "owner": owner}) is None:
                raise no_such_run(run_name(run_id))
            await end(connection, [run_id], reason=reason)


async def end_waiting(connection: Connection, runs: Sequence[int], *, reason: str) -> None:
    """End the runs that wait, inside the caller's transaction, which has locked them."""
    await connection.execute(END_WAITING, {"ids": list(runs), "reason": reason})


async def end(connection: Connection, runs: Sequence[int], *, reason: str) -> None:
    """End unfinished runs inside the caller's transaction; the bell tells their workers."""
    parameters = {"ids": list(runs), "reason": reason}
    # Held first: a run that leaves `running` in between would be missed by both statements.
    await connection.execute(HOLD, parameters)
    await connection.execute(END_WAITING, parameters)
    await connection.execute(ASK_RUNNING, parameters)


async def yield_to_newer(connection: Connection, first_runs: Mapping[int, int]) -> None:
    """End the unfinished runs of these tasks that are older than their first new run."""
    if not first_runs:
        return
    parameters = {"task_ids": list(first_runs), "first_runs": list(first_runs.values())}
    older = await rows(connection, EARLIER, parameters)
    await end(connection, [found["run_id"] for found in older], reason="overlap")
