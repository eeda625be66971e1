"""The queue in PostgreSQL: claims, leases and their fences.

Every write after the claim is guarded by (run, epoch, running). Zero rows: the lease was lost,
and what the former holder wanted to write is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Final, LiteralString

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from ordinaut_mcp.domain.run import (
    ClaimedRun,
    Lease,
    Outcome,
    ProcessId,
    RunId,
    RunKind,
    StepRecord,
    TaskId,
)
from ordinaut_mcp.store import journal, settlement
from ordinaut_mcp.store.journal import step_record
from ordinaut_mcp.store.pool import Connection, Pool, connected, row, rows, transaction

log = logging.getLogger(__name__)

# SKIP LOCKED lets workers claim side by side. Raising `epoch` here is what fences the former
# holder. A serial run waits until every earlier unfinished run of its task has left the table,
# and for a later one that was begun while it was moved ahead.
CLAIM: Final[LiteralString] = """
    WITH due AS (
        SELECT d.run_id
        FROM ordinaut.due_work d
        WHERE d.state IN ('queued', 'retrying') AND d.run_at <= ordinaut.now()
          AND NOT (d.serial AND EXISTS (
              SELECT FROM ordinaut.due_work e
              WHERE e.task_id = d.task_id
                AND (e.run_id > d.run_id AND e.serial AND e.state = 'running'
                     OR e.run_id < d.run_id
                        AND NOT (e.state = 'queued' AND e.run_at > ordinaut.now()))))
        ORDER BY d.priority DESC, d.run_at, d.run_id
        LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    )
    UPDATE ordinaut.due_work d
    SET state       = 'running',
        attempt     = d.attempt + 1,
        epoch       = d.epoch + 1,
        process_id  = %(process)s,
        lease_until = ordinaut.now() + %(lease_for)s,
        started_at  = coalesce(d.started_at, ordinaut.now())
    FROM due
    WHERE d.run_id = due.run_id
    RETURNING d.run_id, d.run_created_at, d.task_id, d.owner, d.attempt, d.failures, d.crashes,
              d.epoch, d.started_at, d.priority, d.run_at
"""
LOAD: Final[LiteralString] = """
    SELECT r.id, r.kind, r.scheduled_for, r.params, t.key, v.definition
    FROM unnest(%(ids)s::bigint[], %(created)s::timestamptz[]) AS c (id, created_at)
    JOIN ordinaut.run r ON r.id = c.id AND r.created_at = c.created_at
    JOIN ordinaut.task t ON t.id = r.task_id
    JOIN ordinaut.task_revision v ON v.task_id = r.task_id AND v.generation = r.generation
"""
RENEW: Final[LiteralString] = """
    UPDATE ordinaut.due_work d
    SET lease_until = ordinaut.now() + %(lease_for)s
    FROM unnest(%(ids)s::bigint[], %(epochs)s::bigint[]) AS h (run_id, epoch)
    WHERE d.run_id = h.run_id AND d.epoch = h.epoch AND d.state = 'running'
      AND d.process_id = %(process)s
    RETURNING d.run_id
"""
# What has been due for longer was not claimed for a reason: it waits for an earlier run of its
# task. It must not hide what is due next.
NEXT: Final[LiteralString] = """
    SELECT min(run_at) - ordinaut.now() AS wait
    FROM ordinaut.due_work
    WHERE state IN ('queued', 'retrying') AND run_at > ordinaut.now() - interval '1 second'
"""
# The predicate stands in the UPDATE itself: a renewal that came in between is seen.
REAP: Final[LiteralString] = """
    UPDATE ordinaut.due_work d
    SET state = 'retrying', crashes = crashes + 1, process_id = NULL, lease_until = NULL,
        run_at = ordinaut.now() + crashes * interval '1 second', error = %(error)s
    WHERE d.state = 'running' AND d.lease_until < ordinaut.now()
      AND d.crashes + 1 < %(crashes_allowed)s AND d.cancel_reason IS NULL
    RETURNING d.run_id
"""
BURY: Final[LiteralString] = """
    WITH dead AS (
        DELETE FROM ordinaut.due_work d
        WHERE d.state = 'running' AND d.lease_until < ordinaut.now()
          AND (d.crashes + 1 >= %(crashes_allowed)s OR d.cancel_reason IS NOT NULL)
        RETURNING run_id, run_created_at, started_at, attempt, cancel_reason
    ), left_open AS (
        UPDATE ordinaut.step s SET state = 'unknown', finished_at = ordinaut.now()
        FROM dead
        WHERE s.run_id = dead.run_id AND s.run_created_at = dead.run_created_at
          AND s.state = 'running'
    )
    UPDATE ordinaut.run r
    SET state = CASE WHEN dead.cancel_reason IS NULL THEN 'failed' ELSE 'canceled' END,
        reason = dead.cancel_reason, started_at = dead.started_at,
        finished_at = ordinaut.now(), attempt = dead.attempt, error = %(error)s,
        executed = CASE WHEN dead.cancel_reason IS NULL THEN false END
    FROM dead
    WHERE r.id = dead.run_id AND r.created_at = dead.run_created_at
    RETURNING r.id
"""


class PostgresQueue:
    """The `RunQueue` port over PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def claim(
        self, process: ProcessId, *, limit: int, lease_for: timedelta
    ) -> Sequence[ClaimedRun]:
        """Lease up to `limit` due runs to the process, the highest priority first."""
        parameters = {"process": process, "limit": limit, "lease_for": lease_for}
        async with transaction(self._pool) as connection:
            claimed = await rows(connection, CLAIM, parameters)
            return await _loaded(connection, claimed) if claimed else ()

    async def next_due_in(self) -> timedelta | None:
        """Until the next queued run is due by the database's clock; None: nothing is queued."""
        async with connected(self._pool) as connection:
            found = await row(connection, NEXT)
        return found["wait"] if found else None

    async def renew(
        self, process: ProcessId, leases: Sequence[Lease], *, lease_for: timedelta
    ) -> set[RunId]:
        """Extend the leases; the runs whose lease is no longer held."""
        parameters = {
            "process": process,
            "ids": [lease.run_id for lease in leases],
            "epochs": [lease.epoch for lease in leases],
            "lease_for": lease_for,
        }
        async with connected(self._pool) as connection:
            kept = {found["run_id"] for found in await rows(connection, RENEW, parameters)}
        return {lease.run_id for lease in leases if lease.run_id not in kept}

    async def settle(self, lease: Lease, outcome: Outcome) -> bool:
        """Record how the attempt ended; False when the lease is no longer held."""
        async with connected(self._pool) as connection:
            return await settlement.settle(connection, lease, outcome)

    async def begin_step(self, lease: Lease, step: StepRecord) -> bool:
        """Journal the intent before the call; False when the lease is no longer held."""
        async with connected(self._pool) as connection:
            return await journal.begin(connection, lease, step)

    async def finish_step(self, lease: Lease, step: StepRecord) -> bool:
        """Journal the result after the call; False when the lease is no longer held."""
        async with connected(self._pool) as connection:
            return await journal.finish(connection, lease, step)

    async def reap(self, *, crashes_allowed: int) -> int:
        """Return expired leases to the queue, or to the dead letters; how many."""
        parameters = {"crashes_allowed": crashes_allowed, "error": Jsonb(WORKER_LOST)}
        async with connected(self._pool) as connection:
            returned = await rows(connection, REAP, parameters)
            buried = await rows(connection, BURY, parameters)
        return len(returned) + len(buried)


WORKER_LOST: Final = {
    "code": "worker_lost",
    "message": "The worker stopped in the middle of this run; its lease expired.",
    "hint": "Succeeded steps are kept and not called again.",
}


async def _loaded(connection: Connection, claimed: Sequence[DictRow]) -> Sequence[ClaimedRun]:
    which = {
        "ids": [found["run_id"] for found in claimed],
        "created": [found["run_created_at"] for found in claimed],
    }
    details = {found["id"]: found for found in await rows(connection, LOAD, which)}
    again = [found for found in claimed if found["attempt"] > 1 or found["epoch"] > 1]
    journals = await journal.read(connection, again) if again else {}
    for missing in {found["run_id"] for found in claimed} - details.keys():
        # Nobody can execute it; the reaper buries it when its lease has expired often enough.
        log.error("run_%d has due work and no history: it is left to the reaper", missing)
    ordered = sorted(claimed, key=lambda run: (-run["priority"], run["run_at"], run["run_id"]))
    return [
        _claimed(found, details[found["run_id"]], journals.get(found["run_id"], {}))
        for found in ordered
        if found["run_id"] in details
    ]


def _claimed(found: DictRow, details: DictRow, steps: dict[str, StepRecord]) -> ClaimedRun:
    return ClaimedRun(
        lease=Lease(
            run_id=RunId(found["run_id"]), created_at=found["run_created_at"], epoch=found["epoch"]
        ),
        task_id=TaskId(found["task_id"]),
        task_key=details["key"],
        owner=found["owner"],
        kind=RunKind(details["kind"]),
        attempt=found["attempt"],
        failures=found["failures"],
        crashes=found["crashes"],
        scheduled_for=details["scheduled_for"],
        started_at=found["started_at"],
        definition=details["definition"],
        params=details["params"],
        journal=steps,
    )


__all__ = ["PostgresQueue", "step_record"]
