"""Our tasks and runs, many at once: through the services where it can be, else by SQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final, LiteralString
from uuid import uuid4

import psycopg

from ordinaut_mcp.app.services import services_over
from ordinaut_mcp.config import Settings
from ordinaut_mcp.domain.decision import NewRun
from ordinaut_mcp.domain.rings import WORK
from ordinaut_mcp.domain.run import RunKind
from ordinaut_mcp.domain.task import Task
from ordinaut_mcp.ports import TaskFilter
from ordinaut_mcp.services.caller import Caller
from ordinaut_mcp.services.desk import Services
from ordinaut_mcp.store.bell import PostgresBell
from ordinaut_mcp.store.pool import Pool, new_pool
from ordinaut_mcp.store.runs import PostgresRuns

LOCAL: Final = Caller("local")
NEVER: Final = "0 0 1 1 *"
NO_OP: Final = {"id": "a", "uses": "value.set", "with": {"value": 1}}
CHUNK: Final = 2_000

# Copies of one task, each with a revision of its own; `every` moves the next slot of each copy.
COPY: Final[LiteralString] = """
    WITH copy AS (
        INSERT INTO ordinaut.task (owner, title, status, tags, next_run_at, tz_version,
                                   pipeline_digest)
        SELECT t.owner, t.title || ' ' || n, t.status, t.tags, t.next_run_at, t.tz_version,
               md5(n::text)
        FROM ordinaut.task t, generate_series(1, %(count)s) AS n
        WHERE t.id = %(id)s
        RETURNING id, generation
    )
    INSERT INTO ordinaut.task_revision (task_id, generation, request, definition)
    SELECT copy.id, copy.generation, r.request, r.definition
    FROM copy, ordinaut.task_revision r
    WHERE r.task_id = %(id)s AND r.generation = 1
"""


@asynccontextmanager
async def over(url: str) -> AsyncGenerator[tuple[Services, Pool], None]:
    """The services over a database."""
    async with new_pool(url, largest=4) as pool:
        yield services_over(pool, Settings(timezone="UTC")), pool


async def scheduled(url: str, request: Mapping[str, Any]) -> Task:
    """One task, asked for as a caller asks."""
    async with over(url) as (services, _):
        return (await services.tasks.schedule(LOCAL, {"title": "Bench", **request})).task


async def tasks_to_run(url: str, pipeline: Sequence[Mapping[str, Any]], count: int) -> None:
    """Tasks whose own slots never come while the bench runs."""
    async with over(url) as (services, _):
        for number in range(count):
            request = {
                "title": f"Bench {number}",
                "schedule_expr": NEVER,
                "pipeline": list(pipeline),
            }
            await services.tasks.schedule(LOCAL, request)


async def order_of_all(url: str, runs: int) -> None:
    """Runs of all stored tasks in turns, due at once."""
    async with over(url) as (services, pool):
        tasks = await services.tasks.list(LOCAL, TaskFilter(limit=200))
        left = runs
        while left > 0:
            for task in tasks:
                many = min(CHUNK, -(-runs // len(tasks)), left)
                await _ordered(services, pool, task, many)
                left -= many


async def order_at_once(url: str, task: Task, runs: int, *, due_in: float = 0) -> None:
    """Runs of one task that come in sight in one instant, as one transaction; rings the bell."""
    async with over(url) as (services, pool):
        await _ordered(services, pool, task, runs, due_in=due_in)
        await PostgresBell(pool).ring(WORK)


async def _ordered(
    services: Services, pool: Pool, task: Task, runs: int, *, due_in: float = 0
) -> None:
    now = await services.tasks.now()
    due = now + timedelta(seconds=due_in)
    wanted = [
        NewRun(
            slot_key=f"manual::{uuid4()}",
            kind=RunKind.MANUAL,
            scheduled_for=now,
            due_at=due,
            priority=5,
        )
        for _ in range(runs)
    ]
    await PostgresRuns(pool).order_all(task, wanted)


def copy(url: str, task: Task, count: int) -> None:
    """So many copies of a task, by one statement."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(COPY, {"id": task.id, "count": count})
        connection.execute("ANALYZE ordinaut.task, ordinaut.task_revision")
