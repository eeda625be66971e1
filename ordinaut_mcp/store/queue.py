"""The queue in PostgreSQL: claims, leases, fences, the journal, and how attempts are settled.

Every write after the claim is guarded by (run, epoch, running). Zero rows: the lease was lost,
and what the former holder wanted to write is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, LiteralString, assert_never

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from ordinaut_mcp.domain.run import (
    Cancelled,
    ClaimedRun,
    Failed,
    Lease,
    Outcome,
    Parked,
    ProcessId,
    Released,
    RunId,
    RunKind,
    StepRecord,
    StepState,
    Succeeded,
    TaskId,
)
from ordinaut_mcp.store.pool import Connection, Pool, connected, row, rows, transaction

# SKIP LOCKED lets workers claim side by side. Raising `epoch` here is what fences the former
# holder. A serial run waits until every earlier unfinished run of its task has left the table.
CLAIM: Final[LiteralString] = """
    WITH due AS (
        SELECT d.run_id
        FROM ordinaut.due_work d
        WHERE d.state IN ('queued', 'retrying') AND d.run_at <= ordinaut.now()
          AND NOT (d.serial AND EXISTS (
              SELECT FROM ordinaut.due_work e WHERE e.task_id = d.task_id AND e.run_id < d.run_id))
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
              d.epoch, d.started_at
"""
LOAD: Final[LiteralString] = """
    SELECT r.id, r.kind, r.scheduled_for, r.params, t.key, v.definition
    FROM unnest(%(ids)s::bigint[], %(created)s::timestamptz[]) AS c (id, created_at)
    JOIN ordinaut.run r ON r.id = c.id AND r.created_at = c.created_at
    JOIN ordinaut.task t ON t.id = r.task_id
    JOIN ordinaut.task_revision v ON v.task_id = r.task_id AND v.generation = r.generation
"""
JOURNAL: Final[LiteralString] = """
    SELECT s.*
    FROM unnest(%(ids)s::bigint[], %(created)s::timestamptz[]) AS c (id, created_at)
    JOIN ordinaut.step s ON s.run_id = c.id AND s.run_created_at = c.created_at
"""
RENEW: Final[LiteralString] = """
    UPDATE ordinaut.due_work d
    SET lease_until = ordinaut.now() + %(lease_for)s
    FROM unnest(%(ids)s::bigint[], %(epochs)s::bigint[]) AS h (run_id, epoch)
    WHERE d.run_id = h.run_id AND d.epoch = h.epoch AND d.state = 'running'
      AND d.process_id = %(process)s
    RETURNING d.run_id
"""
# The journal's guard locks the queue's row, so that a claim by another and this write are in order.
BEGIN_STEP: Final[LiteralString] = """
    WITH held AS (
        SELECT run_id, run_created_at FROM ordinaut.due_work
        WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running' FOR SHARE
    )
    INSERT INTO ordinaut.step AS s (run_id, run_created_at, path, position, uses, state, attempt,
                                    epoch, input, started_at)
    SELECT held.run_id, held.run_created_at, %(path)s, %(position)s, %(uses)s, 'running',
           %(attempt)s, %(epoch)s, %(input)s, clock_timestamp() + (ordinaut.now() - now())
    FROM held
    ON CONFLICT (run_id, path, run_created_at) DO UPDATE
    SET state = 'running', attempt = excluded.attempt, epoch = excluded.epoch,
        input = excluded.input, output = NULL, error = NULL, finished_at = NULL
    WHERE s.state <> 'succeeded'
"""
FINISH_STEP: Final[LiteralString] = """
    WITH held AS (
        SELECT run_id, run_created_at FROM ordinaut.due_work
        WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running' FOR SHARE
    )
    INSERT INTO ordinaut.step AS s (run_id, run_created_at, path, position, uses, state, attempt,
                                    epoch, output, error, started_at, finished_at)
    SELECT held.run_id, held.run_created_at, %(path)s, %(position)s, %(uses)s, %(state)s,
           %(attempt)s, %(epoch)s, %(output)s, %(error)s,
           clock_timestamp() + (ordinaut.now() - now()),
           clock_timestamp() + (ordinaut.now() - now())
    FROM held
    ON CONFLICT (run_id, path, run_created_at) DO UPDATE
    SET state = excluded.state, output = excluded.output, error = excluded.error,
        finished_at = excluded.finished_at
    WHERE s.state <> 'succeeded'
"""
FINISH: Final[LiteralString] = """
    WITH done AS (
        DELETE FROM ordinaut.due_work
        WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running'
        RETURNING run_id, run_created_at, started_at, attempt
    )
    UPDATE ordinaut.run r
    SET state = %(state)s, reason = %(reason)s, started_at = done.started_at,
        finished_at = ordinaut.now(), attempt = done.attempt, output = %(output)s,
        error = %(error)s, executed = %(executed)s, verified = %(verified)s
    FROM done
    WHERE r.id = done.run_id AND r.created_at = done.run_created_at
    RETURNING r.id
"""
RETRY: Final[LiteralString] = """
    UPDATE ordinaut.due_work
    SET state = 'retrying', failures = failures + 1, error = %(error)s, process_id = NULL,
        lease_until = NULL, run_at = ordinaut.now() + %(rest)s
    WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running'
    RETURNING run_id AS id
"""
RELEASE: Final[LiteralString] = """
    UPDATE ordinaut.due_work
    SET state = 'queued', attempt = attempt - 1, process_id = NULL, lease_until = NULL
    WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running'
    RETURNING run_id AS id
"""
PARK: Final[LiteralString] = """
    UPDATE ordinaut.due_work
    SET state = 'waiting', error = %(error)s, process_id = NULL, lease_until = NULL
    WHERE run_id = %(run_id)s AND epoch = %(epoch)s AND state = 'running'
    RETURNING run_id AS id
"""
NEXT: Final[LiteralString] = """
    SELECT min(run_at) - ordinaut.now() AS wait
    FROM ordinaut.due_work WHERE state IN ('queued', 'retrying')
"""
# The predicate stands in the UPDATE itself: a renewal that came in between is seen.
REAP: Final[LiteralString] = """
    UPDATE ordinaut.due_work d
    SET state = 'retrying', crashes = crashes + 1, process_id = NULL, lease_until = NULL,
        run_at = ordinaut.now() + crashes * interval '1 second', error = %(error)s
    WHERE d.state = 'running' AND d.lease_until < ordinaut.now()
      AND d.crashes + 1 < %(crashes_allowed)s
    RETURNING d.run_id
"""
BURY: Final[LiteralString] = """
    WITH dead AS (
        DELETE FROM ordinaut.due_work d
        WHERE d.state = 'running' AND d.lease_until < ordinaut.now()
          AND d.crashes + 1 >= %(crashes_allowed)s
        RETURNING run_id, run_created_at, started_at, attempt
    )
    UPDATE ordinaut.run r
    SET state = 'failed', started_at = dead.started_at, finished_at = ordinaut.now(),
        attempt = dead.attempt, executed = false, error = %(error)s
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
        statement, parameters = _settlement(outcome)
        parameters |= {"run_id": lease.run_id, "epoch": lease.epoch}
        async with connected(self._pool) as connection:
            return await row(connection, statement, parameters) is not None

    async def begin_step(self, lease: Lease, step: StepRecord) -> bool:
        """Journal the intent before the call; False when the lease is no longer held."""
        parameters = {**_place(lease, step), "input": Jsonb(step.input)}
        async with connected(self._pool) as connection:
            return (await connection.execute(BEGIN_STEP, parameters)).rowcount == 1

    async def finish_step(self, lease: Lease, step: StepRecord) -> bool:
        """Journal the result after the call; False when the lease is no longer held."""
        parameters = {
            **_place(lease, step),
            "state": step.state,
            "output": Jsonb(step.output),
            "error": Jsonb(dict(step.error)) if step.error else None,
        }
        async with connected(self._pool) as connection:
            return (await connection.execute(FINISH_STEP, parameters)).rowcount == 1

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


def _settlement(outcome: Outcome) -> tuple[LiteralString, dict[str, Any]]:
    match outcome:
        case Succeeded(output, verified):
            return FINISH, _ending("succeeded", output=output, executed=True, verified=verified)
        case Failed(error, None, verified):
            executed = error.get("code") == "not_verified"
            return FINISH, _ending("failed", error=error, executed=executed, verified=verified)
        case Failed(error, rest, _):
            return RETRY, {"error": Jsonb(dict(error)), "rest": timedelta(seconds=rest or 0)}
        case Released():
            return RELEASE, {}
        case Parked(error):
            return PARK, {"error": Jsonb(dict(error))}
        case Cancelled(reason):
            return FINISH, _ending("canceled", reason=reason)
    assert_never(outcome)


def _ending(
    state: str,
    *,
    reason: str | None = None,
    output: Any = None,
    error: Any = None,
    executed: bool | None = None,
    verified: bool | None = None,
) -> dict[str, Any]:
    return {
        "state": state,
        "reason": reason,
        "output": Jsonb(output),
        "error": Jsonb(dict(error)) if error else None,
        "executed": executed,
        "verified": verified,
    }


def _place(lease: Lease, step: StepRecord) -> dict[str, Any]:
    return {
        "run_id": lease.run_id,
        "epoch": lease.epoch,
        "path": step.path,
        "position": step.position,
        "uses": step.uses,
        "attempt": step.attempt,
    }


async def _loaded(connection: Connection, claimed: Sequence[DictRow]) -> Sequence[ClaimedRun]:
    which = {
        "ids": [found["run_id"] for found in claimed],
        "created": [found["run_created_at"] for found in claimed],
    }
    details = {found["id"]: found for found in await rows(connection, LOAD, which)}
    again = [found for found in claimed if found["attempt"] > 1 or found["epoch"] > 1]
    journals = await _journals(connection, again) if again else {}
    ready = [
        _claimed(found, details[found["run_id"]], journals.get(found["run_id"], {}))
        for found in claimed
    ]
    return sorted(ready, key=lambda run: run.scheduled_for)


async def _journals(
    connection: Connection, claimed: Sequence[DictRow]
) -> dict[int, dict[str, StepRecord]]:
    which = {
        "ids": [found["run_id"] for found in claimed],
        "created": [found["run_created_at"] for found in claimed],
    }
    journals: dict[int, dict[str, StepRecord]] = {}
    for found in await rows(connection, JOURNAL, which):
        journals.setdefault(found["run_id"], {})[found["path"]] = step_record(found)
    return journals


def step_record(found: DictRow) -> StepRecord:
    """One line of the journal, read back."""
    return StepRecord(
        path=found["path"],
        position=found["position"],
        uses=found["uses"],
        state=StepState(found["state"]),
        attempt=found["attempt"],
        input=found["input"],
        output=found["output"],
        error=found["error"],
        started_at=found["started_at"],
        finished_at=found["finished_at"],
    )


def _claimed(found: DictRow, details: DictRow, journal: dict[str, StepRecord]) -> ClaimedRun:
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
        journal=journal,
    )
