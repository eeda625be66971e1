"""Snoozes in PostgreSQL: an occurrence becomes a run that starts later, and can move again."""

from __future__ import annotations

from typing import Any, Final, LiteralString

from psycopg.rows import DictRow

from ordinaut_mcp.domain.decision import MovedRun, SnoozeWrite
from ordinaut_mcp.domain.run import RunId
from ordinaut_mcp.domain.snoozing import Snooze
from ordinaut_mcp.domain.task import Task, no_such_task
from ordinaut_mcp.store import moved, slots, tasks
from ordinaut_mcp.store.pool import Connection, Pool, row, transaction

# Only a run that waits for its time alone: what retries or runs has begun.
MOVED: Final[LiteralString] = """
    SELECT d.run_id, r.scheduled_for, r.due_at
    FROM ordinaut.due_work d
    JOIN ordinaut.run r ON r.id = d.run_id AND r.created_at = d.run_created_at
    WHERE d.task_id = %(task_id)s AND d.state = 'queued' AND d.run_at > ordinaut.now()
      AND r.kind = 'schedule'
    ORDER BY d.run_at
    LIMIT 1
    FOR UPDATE OF d
"""
MOVE_AGAIN: Final[LiteralString] = """
    WITH moved AS (
        UPDATE ordinaut.due_work SET run_at = %(to)s
        WHERE run_id = %(run_id)s AND state = 'queued'
        RETURNING run_id, run_created_at
    )
    UPDATE ordinaut.run r SET due_at = %(to)s
    FROM moved WHERE r.id = moved.run_id AND r.created_at = moved.run_created_at
"""
ADVANCE: Final[LiteralString] = """
    UPDATE ordinaut.task
    SET next_run_at = %(next_run_at)s, status = %(status)s,
        runs_started = runs_started + %(runs)s, updated_at = ordinaut.now(),
        last_slot_at = coalesce(%(last_slot_at)s, last_slot_at),
        last_slot_local = coalesce(%(last_slot_local)s, last_slot_local)
    WHERE id = %(task_id)s
"""


class PostgresSnoozes:
    """The `SnoozeStore` port over PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def snooze(
        self, owner: str, reference: str, *, decide: Snooze
    ) -> tuple[Task, SnoozeWrite]:
        """Move or leave out the next occurrence of one task."""
        async with transaction(self._pool) as connection:
            task = await tasks.locked(connection, owner, reference)
            if task is None:
                raise no_such_task(reference)
            found = await row(connection, MOVED, {"task_id": task.id})
            write = decide(task, _moved(found) if found else None, await tasks.now(connection))
            await _write(connection, task, write)
            return await tasks.by_id(connection, owner, task.id), write


async def _write(connection: Connection, task: Task, write: SnoozeWrite) -> None:
    skips = write.skips
    if write.moved is not None:
        if not skips:
            await connection.execute(MOVE_AGAIN, {"run_id": write.moved.run_id, "to": write.to})
            return
        # The first of them is the moved one's, which has its row already.
        await moved.skip_moved(connection, task, write.moved.run_id)
        skips = skips[1:]
    origin = {"id": task.id, "generation": task.generation, "owner": task.owner}
    made = await slots.make_runs(connection, [(origin, write.run)] if write.run else [])
    await slots.write_skips(connection, task, skips)
    parameters: dict[str, Any] = {
        "task_id": task.id,
        "next_run_at": write.next_run_at,
        "status": write.status,
        "runs": len(made),
        "last_slot_at": write.last_slot_at,
        "last_slot_local": write.last_slot_local,
    }
    await connection.execute(ADVANCE, parameters)


def _moved(found: DictRow) -> MovedRun:
    return MovedRun(
        run_id=RunId(found["run_id"]),
        scheduled_for=found["scheduled_for"],
        due_at=found["due_at"],
    )
