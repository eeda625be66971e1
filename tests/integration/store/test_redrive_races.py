"""Runs that several callers send on at one moment, or whose task is just being canceled."""

from __future__ import annotations

import anyio
import pytest

from ordinaut_mcp.domain.pausing import cancel
from ordinaut_mcp.domain.run import (
    Failed,
    RunState,
)
from ordinaut_mcp.errors import Conflict
from ordinaut_mcp.store.pool import Pool, row, transaction
from ordinaut_mcp.store.runs import PostgresRuns
from ordinaut_mcp.store.tasks import PostgresTasks
from tests.contract.worlds import OWNER
from tests.integration.store.sent_on import FAILED_B, WRONG, a_run, send
from tests.integration.store.stored import look

pytestmark = pytest.mark.anyio

WAITS = """
    SELECT count(*) AS waiting FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


async def until_somebody_waits(pool: Pool, how_many: int = 1) -> None:
    async with pool.connection() as connection:
        while ((await row(connection, WAITS)) or {"waiting": 0})["waiting"] < how_many:
            await anyio.lowlevel.checkpoint()


async def test_of_many_that_send_one_run_again_one_does(pool: Pool) -> None:
    run_id, _ = await a_run(pool, Failed(WRONG), FAILED_B)
    outcomes: list[str] = []

    async def try_it() -> None:
        try:
            await send(pool, run_id, "a")
            outcomes.append("sent")
        except Conflict as error:
            outcomes.append(error.message)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as callers, transaction(pool) as other:
            await other.execute("SELECT FROM ordinaut.run FOR UPDATE")
            for _ in range(4):
                callers.start_soon(try_it)
            await until_somebody_waits(pool, 4)

    told = f"run_{run_id} is queued already and will start."
    assert sorted(outcomes) == sorted(["sent", told, told, told])
    assert await look(pool, "SELECT redrive, events FROM ordinaut.due_work") == [(1, 2)]


async def test_a_task_that_is_canceled_at_that_moment_starts_nothing(pool: Pool) -> None:
    run_id, _ = await a_run(pool, Failed(WRONG), FAILED_B)
    [(task_id,)] = await look(pool, "SELECT id FROM ordinaut.task")
    refused: list[str] = []

    async def try_it() -> None:
        try:
            await send(pool, run_id)
        except Conflict as error:
            refused.append(error.message)

    with anyio.fail_after(20):
        async with anyio.create_task_group() as callers, transaction(pool) as canceling:
            await canceling.execute("SELECT FROM ordinaut.task FOR UPDATE")
            callers.start_soon(try_it)
            await until_somebody_waits(pool)
            await canceling.execute("UPDATE ordinaut.task SET status = 'canceled'")

    assert refused == [
        f"task_{task_id} of run_{run_id} is canceled: nothing of it starts any more."
    ]
    assert (await PostgresRuns(pool).get(OWNER, run_id)).state is RunState.FAILED


async def test_a_run_that_was_sent_again_is_canceled_with_its_task(pool: Pool) -> None:
    run_id, _ = await a_run(pool, Failed(WRONG), FAILED_B)
    await send(pool, run_id, "a")
    [(task_id,)] = await look(pool, "SELECT id FROM ordinaut.task")

    await PostgresTasks(pool).set_status(OWNER, f"task_{task_id}", decide=cancel)

    run = await PostgresRuns(pool).get(OWNER, run_id)
    assert (run.state, run.reason) == (RunState.CANCELED, "task_canceled")
