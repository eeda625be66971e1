"""Tasks and runs put straight into PostgreSQL, many at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from ordinaut_mcp.domain.decision import NewRun
from ordinaut_mcp.domain.run import RunId, RunKind
from ordinaut_mcp.domain.task import Task, TaskDefinition
from ordinaut_mcp.domain.zone import TZDATA_VERSION
from ordinaut_mcp.store.pool import Pool, rows, transaction
from ordinaut_mcp.store.slots import make_runs
from ordinaut_mcp.store.tasks import PostgresTasks
from tests.contract.worlds import OWNER, a_write
from tests.doubles.definitions import a_definition


async def a_task(
    pool: Pool, definition: TaskDefinition | None = None, *, next_run_at: datetime | None = None
) -> Task:
    """A task of the local agent, due at `next_run_at` (None: no slot to come)."""
    write = a_write(definition or a_definition())
    write = replace(write, next_run_at=next_run_at, tz_version=TZDATA_VERSION)
    return await PostgresTasks(pool).put(OWNER, key=None, decide=lambda _, __: write)


async def due_runs(pool: Pool, task: Task, count: int, *, serial: bool = False) -> list[RunId]:
    """Runs of the task that are due now."""
    now = await PostgresTasks(pool).now()
    origin = {"id": task.id, "generation": task.generation, "owner": task.owner}
    wanted = [
        NewRun(
            slot_key=f"manual:{uuid4()}",
            kind=RunKind.MANUAL,
            scheduled_for=now,
            due_at=now,
            priority=5,
            serial=serial,
        )
        for _ in range(count)
    ]
    async with transaction(pool) as connection:
        made = await make_runs(connection, [(origin, run) for run in wanted])
    return sorted(RunId(run["run_id"]) for run in made)


async def look(pool: Pool, question: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """What a question to the database brings."""
    async with pool.connection() as connection:
        return [tuple(found.values()) for found in await rows(connection, question, parameters)]


async def change(pool: Pool, statement: str, **parameters: Any) -> None:
    """Put the database into a state that no caller could bring about."""
    async with pool.connection() as connection:
        await connection.execute(statement.encode(), parameters)
