"""A wish to end a run that meets its worker at the same moment."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest

from ordinaut_mcp.domain.run import ProcessId, RunState
from ordinaut_mcp.store.cancels import PostgresCancels
from ordinaut_mcp.store.pool import Pool, row, transaction
from ordinaut_mcp.store.queue import PostgresQueue
from ordinaut_mcp.store.runs import PostgresRuns
from tests.contract.worlds import OWNER
from tests.integration.store.stored import a_task, due_runs

pytestmark = pytest.mark.anyio

RETRIED = "UPDATE ordinaut.due_work SET state = 'retrying', lease_until = NULL"
WAITS = """
    SELECT count(*) AS waiting FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND datname = current_database()
"""


async def until_somebody_waits(pool: Pool) -> None:
    async with pool.connection() as connection:
        while not ((await row(connection, WAITS)) or {})["waiting"]:
            await anyio.lowlevel.checkpoint()


async def test_a_run_that_is_given_back_while_somebody_wants_it_ended_ends(pool: Pool) -> None:
    [run_id] = await due_runs(pool, await a_task(pool), 1)
    await PostgresQueue(pool).claim(ProcessId(1), limit=1, lease_for=timedelta(minutes=1))

    async def cancel() -> None:
        await PostgresCancels(pool).cancel(OWNER, run_id, reason="asked")

    with anyio.fail_after(20):
        async with anyio.create_task_group() as callers, transaction(pool) as worker:
            await worker.execute(RETRIED)
            callers.start_soon(cancel)
            await until_somebody_waits(pool)

    assert (await PostgresRuns(pool).get(OWNER, run_id)).state is RunState.CANCELED
