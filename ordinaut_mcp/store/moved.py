"""What was made ahead of its time, when its task is paused or edited.

A run of the schedule is ahead while it waits for a moved or jittered start; a skip is ahead while
the slots that it tells of are still to come.
"""

from __future__ import annotations

from typing import Any, Final, LiteralString

from ordinaut_mcp.domain.task import Overlap, Task
from ordinaut_mcp.store.permits import make_permits
from ordinaut_mcp.store.pool import Connection

# It stays accounted for, and does not run; nor does it count as started any more.
SKIP_MOVED: Final[LiteralString] = """
    WITH gone AS (
        DELETE FROM ordinaut.due_work d
        USING ordinaut.run r
        WHERE d.task_id = %(task_id)s AND d.state = 'queued' AND d.run_at > ordinaut.now()
          AND r.id = d.run_id AND r.created_at = d.run_created_at AND r.kind = 'schedule'
          AND (%(only)s::bigint IS NULL OR d.run_id = %(only)s)
          AND (NOT %(is_past)s OR r.scheduled_for <= ordinaut.now())
        RETURNING d.*
    ), told AS (
        INSERT INTO ordinaut.outbox (shard, owner, topic, task_id, run_id, sequence, data)
        SELECT mod(run_id, 8), owner, 'run.skipped', task_id, run_id, events + 1,
               ordinaut.told(NULL, %(reason)s, NULL)
        FROM gone
    ), uncounted AS (
        UPDATE ordinaut.task
        SET runs_started = greatest(0, runs_started - (SELECT count(*) FROM gone))
        WHERE id = %(task_id)s
    )
    UPDATE ordinaut.run r
    SET state = 'skipped', reason = %(reason)s, finished_at = ordinaut.now(),
        skipped_until = r.scheduled_for, skipped_count = 1, skipped_is_exact = true,
        events = gone.events + 1
    FROM gone WHERE r.id = gone.run_id AND r.created_at = gone.run_created_at
"""
# It runs with the definition that holds now.
REVISE_MOVED: Final[LiteralString] = """
    WITH revised AS (
        UPDATE ordinaut.due_work d
        SET priority = %(priority)s, serial = %(serial)s, generation = %(generation)s,
            concurrency_key = %(limit_key)s::text, max_concurrent = %(places)s,
            needs_permit = %(limit_key)s::text IS NOT NULL
        FROM ordinaut.run r
        WHERE d.task_id = %(task_id)s AND d.state = 'queued' AND d.run_at > ordinaut.now()
          AND r.id = d.run_id AND r.created_at = d.run_created_at AND r.kind = 'schedule'
        RETURNING d.run_id, d.run_created_at
    )
    UPDATE ordinaut.run r SET generation = %(generation)s
    FROM revised WHERE r.id = revised.run_id AND r.created_at = revised.run_created_at
"""
# With another schedule a slot that is still to come is none any more: its run goes, its slot, too.
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
    ), renewed AS (
        UPDATE ordinaut.task
        SET runs_started = greatest(0, runs_started - (SELECT count(*) FROM gone)),
            last_slot_at = NULL, last_slot_local = NULL
        WHERE id = %(task_id)s
    )
    DELETE FROM ordinaut.run r USING gone
    WHERE r.id = gone.run_id AND r.created_at = gone.run_created_at
"""
# Nor is a slot to come left out by what the schedule was, or where the series begins anew. Such
# rows are among the newest. Where a stretch has begun, what lies behind us is at least one slot.
FORGET_AHEAD: Final[LiteralString] = """
    WITH ahead AS (
        SELECT r.id, r.created_at, r.scheduled_for > ordinaut.now() AS is_void
        FROM ordinaut.task t
        CROSS JOIN LATERAL (
            SELECT * FROM ordinaut.run n WHERE n.task_id = t.id ORDER BY n.id DESC LIMIT 1000
        ) AS r
        WHERE t.id = %(task_id)s AND r.state = 'skipped' AND r.skipped_until > ordinaut.now()
          AND (NOT %(same_schedule)s OR r.skipped_until >= t.next_run_at)
    ), cut AS (
        UPDATE ordinaut.run r
        SET skipped_until = ordinaut.now(), skipped_count = 1, skipped_is_exact = false
        FROM ahead a WHERE r.id = a.id AND r.created_at = a.created_at AND NOT a.is_void
    )
    DELETE FROM ordinaut.run r USING ahead a
    WHERE r.id = a.id AND r.created_at = a.created_at AND a.is_void
"""


async def skip_moved(connection: Connection, task: Task, run_id: int) -> None:
    """Leave out one moved occurrence, inside the transaction of a snooze."""
    await _skip(connection, task, reason="snoozed", only=run_id)


async def pause_moved(connection: Connection, task: Task) -> None:
    """Inside the transaction that pauses a task."""
    await _skip(connection, task, reason="paused")


async def revise_moved(connection: Connection, task: Task, *, same_schedule: bool) -> None:
    """Inside the transaction that edited a task; `task` is what it is now."""
    rules = task.definition.policies
    limit = rules.limit(task.id)
    parameters: dict[str, Any] = {
        "limit_key": limit and limit.key,
        "places": limit and limit.places,
        "task_id": task.id,
        "generation": task.generation,
        "priority": rules.priority,
        "serial": rules.overlap is not Overlap.ALLOW,
        "same_schedule": same_schedule,
    }
    if same_schedule:
        await connection.execute(REVISE_MOVED, parameters)
        await make_permits(connection, [(task.owner, limit)] if limit else [])
    else:
        await _skip(connection, task, reason="superseded", is_past=True)
        await connection.execute(DROP_MOVED, parameters)
    await connection.execute(FORGET_AHEAD, parameters)


async def _skip(
    connection: Connection,
    task: Task,
    *,
    reason: str,
    only: int | None = None,
    is_past: bool = False,
) -> None:
    parameters = {"task_id": task.id, "reason": reason, "only": only, "is_past": is_past}
    await connection.execute(SKIP_MOVED, parameters)
