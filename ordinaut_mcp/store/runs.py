"""Runs in PostgreSQL as callers see them: ordered by hand, looked up, listed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg.rows import DictRow

from ordinaut_mcp.domain.decision import NewRun
from ordinaut_mcp.domain.run import (
    Run,
    RunId,
    RunKind,
    RunState,
    StepRecord,
    TaskId,
    no_such_run,
    run_name,
)
from ordinaut_mcp.domain.task import Task
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.ports import Ordered, RunFilter
from ordinaut_mcp.store.journal import step_record
from ordinaut_mcp.store.pool import Pool, connected, row, rows, transaction
from ordinaut_mcp.store.slots import make_runs

FIND_SLOT: Final[LiteralString] = """
    SELECT s.run_id, r.params
    FROM ordinaut.slot s JOIN ordinaut.run r ON r.id = s.run_id
    WHERE s.task_id = %(task_id)s AND s.key = %(slot_key)s
"""
# The queue knows how an unfinished run is doing, its own row knows the rest.
GET: Final[LiteralString] = """
    SELECT r.id, r.task_id, v.definition ->> 'title' AS title,
           v.definition #>> '{schedule,timezone}' AS timezone, r.kind,
           coalesce(d.state, r.state) AS state, r.reason, r.scheduled_for, r.due_at,
           coalesce(d.started_at, r.started_at) AS started_at, r.finished_at,
           coalesce(d.attempt, r.attempt) AS attempt, coalesce(d.error, r.error) AS error,
           r.executed, r.verified, r.delivered, r.skipped_until, r.skipped_count,
           r.skipped_is_exact, r.output,
           v.definition -> 'pipeline' AS pipeline
    FROM ordinaut.run r
    JOIN ordinaut.task_revision v ON v.task_id = r.task_id AND v.generation = r.generation
    LEFT JOIN ordinaut.due_work d ON d.run_id = r.id
    WHERE r.owner = %(owner)s AND r.id = %(id)s
"""
STEPS: Final[LiteralString] = """
    SELECT * FROM ordinaut.step WHERE run_id = %(id)s ORDER BY position, path
"""
LIST: Final[LiteralString] = """
    SELECT r.id, r.task_id, v.definition ->> 'title' AS title,
           v.definition #>> '{schedule,timezone}' AS timezone, r.kind,
           coalesce(d.state, r.state) AS state, r.reason, r.scheduled_for, r.due_at,
           coalesce(d.started_at, r.started_at) AS started_at, r.finished_at,
           coalesce(d.attempt, r.attempt) AS attempt, coalesce(d.error, r.error) AS error,
           r.executed, r.verified, r.delivered, r.skipped_until, r.skipped_count,
           r.skipped_is_exact
    FROM ordinaut.run r
    JOIN ordinaut.task_revision v ON v.task_id = r.task_id AND v.generation = r.generation
    LEFT JOIN ordinaut.due_work d ON d.run_id = r.id
    WHERE r.owner = %(owner)s
      AND (%(before)s::bigint IS NULL OR r.id < %(before)s)
      AND (%(task_id)s::bigint IS NULL OR r.task_id = %(task_id)s)
      AND (%(state)s::text IS NULL OR coalesce(d.state, r.state) = %(state)s)
      AND (%(since)s::timestamptz IS NULL OR r.scheduled_for >= %(since)s)
      AND (%(until)s::timestamptz IS NULL OR r.scheduled_for < %(until)s)
    ORDER BY r.id DESC
    LIMIT %(limit)s
"""


UNFINISHED: Final[LiteralString] = """
    SELECT r.id, r.task_id, v.definition ->> 'title' AS title,
           v.definition #>> '{schedule,timezone}' AS timezone, r.kind, d.state, r.reason,
           r.scheduled_for, r.due_at, d.started_at, r.finished_at, d.attempt, d.error,
           r.executed, r.verified, r.delivered, r.skipped_until, r.skipped_count,
           r.skipped_is_exact
    FROM ordinaut.due_work d
    JOIN ordinaut.run r ON r.id = d.run_id AND r.created_at = d.run_created_at
    JOIN ordinaut.task_revision v ON v.task_id = r.task_id AND v.generation = r.generation
    WHERE d.owner = %(owner)s
    ORDER BY d.run_at, d.run_id
    LIMIT %(limit)s
"""


class PostgresRuns:
    """The `RunStore` port over PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def order(self, task: Task, run: NewRun) -> Ordered:
        """Queue one run; the same slot key gives the same run."""
        origin = {"id": task.id, "generation": task.generation, "owner": task.owner}
        place = {"task_id": task.id, "slot_key": run.slot_key}
        async with transaction(self._pool) as connection:
            made = await make_runs(connection, [(origin, run)])
            # With the slot taken, its run is older than this transaction.
            found = await row(connection, FIND_SLOT, place)
        if found is None:
            raise OrdinautError("The run could not be ordered.", hint="Call again.")
        return Ordered(run_id=RunId(found["run_id"]), made=bool(made), params=found["params"])

    async def order_all(self, task: Task, wanted: Sequence[NewRun]) -> int:
        """Queue runs whose slots are new; how many were made."""
        origin = {"id": task.id, "generation": task.generation, "owner": task.owner}
        async with transaction(self._pool) as connection:
            return len(await make_runs(connection, [(origin, run) for run in wanted]))

    async def unfinished(self, owner: str, *, limit: int) -> Sequence[Run]:
        """The owner's unfinished runs, those that are due first at the top."""
        parameters = {"owner": owner, "limit": limit}
        async with connected(self._pool) as connection:
            return [_run(found, ()) for found in await rows(connection, UNFINISHED, parameters)]

    async def get(self, owner: str, run_id: RunId) -> Run:
        """One run with its steps."""
        async with connected(self._pool) as connection:
            found = await row(connection, GET, {"owner": owner, "id": run_id})
            if found is None:
                raise no_such_run(run_name(run_id))
            journal = await rows(connection, STEPS, {"id": run_id})
        return _run(found, tuple(map(step_record, journal)))

    async def list(self, owner: str, wanted: RunFilter) -> Sequence[Run]:
        """The owner's runs without their steps, newest first."""
        parameters = {
            "owner": owner,
            "task_id": wanted.task_id,
            "state": wanted.state,
            "since": wanted.since,
            "until": wanted.until,
            "before": wanted.before,
            "limit": wanted.limit,
        }
        async with connected(self._pool) as connection:
            return [_run(found, ()) for found in await rows(connection, LIST, parameters)]


def _run(found: DictRow, steps: tuple[StepRecord, ...]) -> Run:
    return Run(
        id=RunId(found["id"]),
        task_id=TaskId(found["task_id"]),
        title=found["title"],
        timezone=found["timezone"],
        kind=RunKind(found["kind"]),
        state=RunState(found["state"]),
        reason=found["reason"],
        scheduled_for=found["scheduled_for"],
        due_at=found["due_at"],
        started_at=found["started_at"],
        finished_at=found["finished_at"],
        attempt=found["attempt"],
        error=found["error"],
        executed=found["executed"],
        verified=found["verified"],
        delivered=found["delivered"],
        output=found.get("output"),
        skipped_until=found["skipped_until"],
        skipped_count=found["skipped_count"],
        skipped_is_exact=found["skipped_is_exact"],
        steps=steps,
        pipeline=found.get("pipeline") or (),
    )
