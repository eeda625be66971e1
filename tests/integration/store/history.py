"""History put straight into PostgreSQL: runs, steps, events and permits of any age."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ordinaut_mcp.store.pool import Pool
from tests.integration.store.stored import change, look

A_RUN = """
    WITH slot AS (
        INSERT INTO ordinaut.slot (task_id, key, run_id)
        VALUES (%(task)s, coalesce(%(slot)s::text, 'manual::' || gen_random_uuid()),
                nextval('ordinaut.run_id'))
        RETURNING run_id
    ), run AS (
        INSERT INTO ordinaut.run (id, created_at, task_id, generation, owner, kind, state,
                                  scheduled_for, due_at)
        SELECT run_id, ordinaut.now(), %(task)s, 1, 'local', 'manual',
               CASE WHEN %(unfinished)s THEN 'queued' ELSE 'succeeded' END,
               ordinaut.now(), ordinaut.now() FROM slot
    ), step AS (
        INSERT INTO ordinaut.step (run_id, run_created_at, path, position, uses, state, attempt,
                                   epoch, started_at)
        SELECT run_id, ordinaut.now(), 'a', 0, 'value.set', 'succeeded', 1, 1, ordinaut.now()
        FROM slot
    ), work AS (
        INSERT INTO ordinaut.due_work (run_id, run_created_at, task_id, owner, run_at, priority,
                                       state, generation, kind, scheduled_for)
        SELECT run_id, ordinaut.now(), %(task)s, 'local', ordinaut.now(), 5, 'waiting', 1,
               'manual', ordinaut.now() FROM slot WHERE %(unfinished)s
    )
    SELECT run_id FROM slot
"""
FINISH = """
    WITH done AS (DELETE FROM ordinaut.due_work WHERE run_id = %(run)s)
    UPDATE ordinaut.run SET state = 'succeeded' WHERE id = %(run)s
"""
SEND_AGAIN = """
    WITH again AS (UPDATE ordinaut.run SET state = 'queued' WHERE id = %(run)s RETURNING *)
    INSERT INTO ordinaut.due_work (run_id, run_created_at, task_id, owner, run_at, priority, state)
    SELECT id, created_at, task_id, owner, ordinaut.now(), 5, 'queued' FROM again
"""
AN_EVENT = """
    INSERT INTO ordinaut.outbox (shard, owner, topic, batch)
    VALUES (0, 'local', 'run.succeeded', %(batch)s) RETURNING id
"""


async def a_run(
    pool: Pool, task: int, *, unfinished: bool = False, slot: datetime | None = None
) -> int:
    """A run of now with one step, finished or waiting; `slot` is the instant that made it."""
    key = f"at:{slot.isoformat()}" if slot else None
    [(run,)] = await look(pool, A_RUN, task=task, unfinished=unfinished, slot=key)
    return run


async def finish(pool: Pool, run: int) -> None:
    await change(pool, FINISH, run=run)


async def an_event(pool: Pool, *, batch: int | None) -> int:
    """An event of now; without `batch` nobody has published it."""
    [(event,)] = await look(pool, AN_EVENT, batch=batch)
    return event


async def ids(pool: Pool, table: str, column: str = "id") -> list[Any]:
    """What is there, in order."""
    found = await look(pool, f"SELECT {column} FROM ordinaut.{table} ORDER BY 1")  # noqa: S608
    return [one for (one,) in found]
