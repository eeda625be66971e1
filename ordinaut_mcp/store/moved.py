"""Occurrences that were moved ahead of their time, when their task is paused or edited."""

from __future__ import annotations

from typing import Final, LiteralString

from ordinaut_mcp.domain.task import Task
from ordinaut_mcp.store.pool import Connection

# What was moved ahead and is made wrong by a pause: it stays accounted for, and does not run.
PAUSE_MOVED: Final[LiteralString] = """
    WITH gone AS (
        DELETE FROM ordinaut.due_work d
        USING ordinaut.run r
        WHERE d.task_id = %(task_id)s AND d.state = 'queued' AND d.run_at > ordinaut.now()
          AND r.id = d.run_id AND r.created_at = d.run_created_at AND r.kind = 'schedule'
        RETURNING d.run_id, d.run_created_at
    )
    UPDATE ordinaut.run r
    SET state = 'skipped', reason = 'paused', finished_at = ordinaut.now(),
        skipped_until = r.scheduled_for, skipped_count = 1, skipped_is_exact = true
    FROM gone WHERE r.id = gone.run_id AND r.created_at = gone.run_created_at
"""
# What was moved ahead runs with the definition that holds now.
REVISE_MOVED: Final[LiteralString] = """
    UPDATE ordinaut.run r SET generation = %(generation)s
    FROM ordinaut.due_work d
    WHERE d.task_id = %(task_id)s AND d.state = 'queued' AND d.run_at > ordinaut.now()
      AND r.id = d.run_id AND r.created_at = d.run_created_at AND r.kind = 'schedule'
"""
# With another schedule the moved occurrence is none any more: it goes, and its slot with it.
DROP_MOVED: Final[LiteralString] = """
    WITH gone AS (
        DELETE FROM ordinaut.due_work d
        USING ordinaut.run r
        WHERE d.task_id = %(task_id)s AND d.state = 'queued' AND d.run_at > ordinaut.now()
          AND r.id = d.run_id AND r.created_at = d.run_created_at AND r.kind = 'schedule'
        RETURNING d.run_id, d.run_created_at
    ), unslotted AS (
        DELETE FROM ordinaut.slot s USING gone
        WHERE s.task_id = %(task_id)s AND s.run_id = gone.run_id
    )
    DELETE FROM ordinaut.run r USING gone
    WHERE r.id = gone.run_id AND r.created_at = gone.run_created_at
"""


async def pause_moved(connection: Connection, task: Task) -> None:
    """Inside the transaction that pauses a task."""
    await connection.execute(PAUSE_MOVED, {"task_id": task.id})


async def revise_moved(connection: Connection, task: Task, *, same_schedule: bool) -> None:
    """Inside the transaction that edited a task; `task` is what it is now."""
    statement: LiteralString = REVISE_MOVED if same_schedule else DROP_MOVED
    parameters = {"task_id": task.id, "generation": task.generation}
    await connection.execute(statement, parameters)
