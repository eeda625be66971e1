"""Tasks in PostgreSQL: made, changed, looked up; each statement filters on the owner."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, LiteralString

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from ordinaut_mcp.domain.decision import TaskWrite
from ordinaut_mcp.domain.run import TaskId
from ordinaut_mcp.domain.task import Task, TaskDefinition, TaskStatus, no_such_task, task_number
from ordinaut_mcp.errors import OrdinautError
from ordinaut_mcp.ports import Decide, DecideStatus, TaskFilter
from ordinaut_mcp.store import moved, slots
from ordinaut_mcp.store.cancels import end_waiting
from ordinaut_mcp.store.pool import Connection, Pool, connected, row, rows, transaction

NOW: Final[LiteralString] = "SELECT ordinaut.now() AS now"
KNOW_AGENT: Final[LiteralString] = """
    INSERT INTO ordinaut.agent (name) VALUES (%(owner)s) ON CONFLICT DO NOTHING
"""
BY_ID: Final[LiteralString] = """
    SELECT t.*, r.request, r.definition
    FROM ordinaut.task t
    JOIN ordinaut.task_revision r ON r.task_id = t.id AND r.generation = t.generation
    WHERE t.id = %(id)s AND t.owner = %(owner)s
"""
BY_KEY: Final[LiteralString] = """
    SELECT t.*, r.request, r.definition
    FROM ordinaut.task t
    JOIN ordinaut.task_revision r ON r.task_id = t.id AND r.generation = t.generation
    WHERE t.owner = %(owner)s AND t.key = %(key)s
"""
LOCK_BY_ID: Final[LiteralString] = """
    SELECT id FROM ordinaut.task WHERE id = %(id)s AND owner = %(owner)s FOR UPDATE
"""
LOCK_BY_KEY: Final[LiteralString] = """
    SELECT id FROM ordinaut.task WHERE owner = %(owner)s AND key = %(key)s FOR UPDATE
"""
# Two callers may make one key at the same moment: the second waits here for the first to
# commit, gets no row, and then finds the task.
CREATE: Final[LiteralString] = """
    INSERT INTO ordinaut.task (owner, key, title, status, note, tags, next_run_at, tz_version,
                               pipeline_digest)
    VALUES (%(owner)s, %(key)s, %(title)s, %(status)s, %(note)s, %(tags)s, %(next_run_at)s,
            %(tz_version)s, %(pipeline_digest)s)
    ON CONFLICT (owner, key) DO NOTHING
    RETURNING id, generation
"""
CHANGE: Final[LiteralString] = """
    UPDATE ordinaut.task
    SET title = %(title)s, status = %(status)s, note = %(note)s, tags = %(tags)s,
        next_run_at = %(next_run_at)s, tz_version = %(tz_version)s,
        pipeline_digest = %(pipeline_digest)s,
        runs_started = %(runs_started)s, generation = generation + 1, updated_at = ordinaut.now()
    WHERE id = %(id)s
    RETURNING id, generation
"""
REVISE: Final[LiteralString] = """
    INSERT INTO ordinaut.task_revision (task_id, generation, request, definition)
    VALUES (%(id)s, %(generation)s, %(request)s, %(definition)s)
"""
SET_STATUS: Final[LiteralString] = """
    UPDATE ordinaut.task
    SET status = %(status)s, note = %(note)s, next_run_at = %(next_run_at)s,
        updated_at = ordinaut.now()
    WHERE id = %(id)s
"""
QUEUED: Final[LiteralString] = """
    SELECT run_id FROM ordinaut.due_work
    WHERE task_id = %(id)s AND state IN ('queued', 'retrying', 'waiting')
    ORDER BY run_id
    FOR UPDATE
"""
LIST: Final[LiteralString] = """
    SELECT t.*, r.request, r.definition
    FROM ordinaut.task t
    JOIN ordinaut.task_revision r ON r.task_id = t.id AND r.generation = t.generation
    WHERE t.owner = %(owner)s
      AND (%(before)s::bigint IS NULL OR t.id < %(before)s)
      AND (%(status)s::text IS NULL OR t.status = %(status)s)
      AND (%(tag)s::text IS NULL OR %(tag)s = ANY (t.tags))
      AND (%(query)s::text IS NULL
           OR strpos(lower(t.title), lower(%(query)s)) > 0
           OR strpos(lower(coalesce(t.key, '')), lower(%(query)s)) > 0)
    ORDER BY t.id DESC
    LIMIT %(limit)s
"""


# By the index on (owner, pipeline_digest, next_run_at): never a scan of the owner's tasks.
CONFLICTS: Final[LiteralString] = """
    SELECT t.id, t.title
    FROM unnest(%(minutes)s::timestamptz[]) AS m (minute)
    CROSS JOIN LATERAL (
        SELECT o.id, o.title FROM ordinaut.task o
        WHERE o.owner = %(owner)s AND o.pipeline_digest = %(digest)s AND o.status = 'active'
          AND o.next_run_at >= m.minute AND o.next_run_at < m.minute + interval '1 minute'
          AND o.id <> %(id)s
        ORDER BY o.next_run_at
        LIMIT 5
    ) AS t
    LIMIT 5
"""
COMING: Final[LiteralString] = """
    SELECT t.*, r.request, r.definition
    FROM ordinaut.task t
    JOIN ordinaut.task_revision r ON r.task_id = t.id AND r.generation = t.generation
    WHERE t.owner = %(owner)s AND t.status IN ('active', 'paused')
      AND t.next_run_at <= %(until)s
    ORDER BY t.next_run_at
    LIMIT %(limit)s
"""


class PostgresTasks:
    """The `TaskStore` port over PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def now(self) -> datetime:
        """The database's now."""
        async with connected(self._pool) as connection:
            return await now(connection)

    async def put(self, owner: str, *, key: str | None, decide: Decide) -> Task:
        """Make or change the owner's task with that key (None: always a new one)."""
        async with transaction(self._pool) as connection:
            await connection.execute(KNOW_AGENT, {"owner": owner})
            before = await locked(connection, owner, key) if key else None
            if before is None:
                made = await _create(connection, owner, key, decide)
                if made is not None:
                    return made
                before = await locked(connection, owner, key or "")
            return await _edit(connection, before, decide)

    async def edit(self, owner: str, reference: str, *, decide: Decide) -> Task:
        """Change one task."""
        async with transaction(self._pool) as connection:
            before = await locked(connection, owner, reference)
            if before is None:
                raise no_such_task(reference)
            return await _edit(connection, before, decide)

    async def set_status(self, owner: str, reference: str, *, decide: DecideStatus) -> Task:
        """Change one task's status, with what that means for its slots and its queued runs."""
        async with transaction(self._pool) as connection:
            before = await locked(connection, owner, reference)
            if before is None:
                raise no_such_task(reference)
            wanted = decide(before, await now(connection))
            if wanted is None:
                return before
            fields = {
                "status": wanted.status,
                "note": wanted.note,
                "next_run_at": wanted.next_run_at,
            }
            await connection.execute(SET_STATUS, {"id": before.id, **fields})
            await slots.write_skips(connection, before, wanted.skips)
            if wanted.status is TaskStatus.PAUSED:
                await moved.pause_moved(connection, before)
            if wanted.cancel_queued:
                queued = [
                    one["run_id"] for one in await rows(connection, QUEUED, {"id": before.id})
                ]
                await end_waiting(connection, queued, reason="task_canceled")
            return await by_id(connection, owner, before.id)

    async def get(self, owner: str, reference: str) -> Task:
        """One task, by id or key."""
        async with connected(self._pool) as connection:
            found = await _find(connection, owner, reference)
        if found is None:
            raise no_such_task(reference)
        return found

    async def list(self, owner: str, wanted: TaskFilter) -> Sequence[Task]:
        """The owner's tasks, newest first."""
        parameters = {
            "owner": owner,
            "status": wanted.status,
            "tag": wanted.tag,
            "query": wanted.query,
            "before": wanted.before,
            "limit": wanted.limit,
        }
        async with connected(self._pool) as connection:
            return [_task(found) for found in await rows(connection, LIST, parameters)]

    async def coming(self, owner: str, *, until: datetime, limit: int) -> Sequence[Task]:
        """The owner's tasks with a slot up to `until`, the soonest first; paused ones, too."""
        parameters = {"owner": owner, "until": until, "limit": limit}
        async with connected(self._pool) as connection:
            return [_task(found) for found in await rows(connection, COMING, parameters)]

    async def conflicts(self, task: Task, minutes: Sequence[datetime]) -> Sequence[tuple[int, str]]:
        """Other active tasks of the owner that do the same in one of these minutes: id, title."""
        parameters = {
            "owner": task.owner,
            "id": task.id,
            "digest": task.pipeline_digest,
            "minutes": list(minutes),
        }
        async with connected(self._pool) as connection:
            found = await rows(connection, CONFLICTS, parameters)
        return sorted({(one["id"], one["title"]) for one in found})


async def now(connection: Connection) -> datetime:
    """The database's now, inside the caller's transaction."""
    found = await row(connection, NOW)
    assert found is not None  # noqa: S101 — a SELECT without FROM has one row
    return found["now"]


async def locked(connection: Connection, owner: str, reference: str) -> Task | None:
    """One task, held until the caller's transaction ends."""
    number = task_number(reference)
    statement = LOCK_BY_KEY if number is None else LOCK_BY_ID
    await connection.execute(statement, {"owner": owner, "id": number, "key": reference})
    return await _find(connection, owner, reference)


async def _find(connection: Connection, owner: str, reference: str) -> Task | None:
    number = task_number(reference)
    statement = BY_KEY if number is None else BY_ID
    found = await row(connection, statement, {"owner": owner, "id": number, "key": reference})
    return _task(found) if found else None


async def by_id(connection: Connection, owner: str, task_id: TaskId) -> Task:
    """One task as it is inside the caller's transaction."""
    found = await row(connection, BY_ID, {"owner": owner, "id": task_id})
    if found is None:
        raise no_such_task(str(task_id))
    return _task(found)


async def _create(
    connection: Connection, owner: str, key: str | None, decide: Decide
) -> Task | None:
    wanted = decide(None, await now(connection))
    if wanted is None:
        raise OrdinautError("A new task needs a definition.")
    made = await row(connection, CREATE, {"owner": owner, "key": key, **_fields(wanted)})
    if made is None:
        return None
    await connection.execute(REVISE, {**made, **_revision(wanted)})
    return await by_id(connection, owner, made["id"])


async def _edit(connection: Connection, before: Task | None, decide: Decide) -> Task:
    if before is None:
        raise OrdinautError("The task vanished while it was made.")
    wanted = decide(before, await now(connection))
    if wanted is None:
        return before
    made = await row(connection, CHANGE, {"id": before.id, **_fields(wanted)})
    await connection.execute(REVISE, {**(made or {}), **_revision(wanted)})
    after = await by_id(connection, before.owner, before.id)
    same = before.definition.schedule == after.definition.schedule
    await moved.revise_moved(connection, after, same_schedule=same)
    await slots.write_skips(connection, before, wanted.skips)
    if wanted.status is TaskStatus.PAUSED:
        await moved.pause_moved(connection, after)
    return after


def _fields(wanted: TaskWrite) -> dict[str, Any]:
    return {
        "title": wanted.title,
        "status": wanted.status,
        "note": wanted.note,
        "tags": list(wanted.tags),
        "next_run_at": wanted.next_run_at,
        "tz_version": wanted.tz_version,
        "runs_started": wanted.runs_started,
        "pipeline_digest": wanted.pipeline_digest,
    }


def _revision(wanted: TaskWrite) -> dict[str, Any]:
    return {"request": Jsonb(dict(wanted.request)), "definition": Jsonb(dict(wanted.definition))}


def _task(found: DictRow) -> Task:
    return Task(
        id=TaskId(found["id"]),
        owner=found["owner"],
        key=found["key"],
        status=TaskStatus(found["status"]),
        note=found["note"],
        tags=tuple(found["tags"]),
        generation=found["generation"],
        next_run_at=found["next_run_at"],
        tz_version=found["tz_version"],
        runs_started=found["runs_started"],
        request=found["request"],
        pipeline_digest=found["pipeline_digest"],
        definition=TaskDefinition.from_dict(found["definition"]),
        created_at=found["created_at"],
        updated_at=found["updated_at"],
    )
