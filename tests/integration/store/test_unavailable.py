"""PostgreSQL gone and back: our error and no other, and the same pool goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from datetime import timedelta
from pathlib import Path

import anyio
import psycopg
import pytest
from anyio import to_thread

from ordinaut_mcp.domain.materialise import account_for
from ordinaut_mcp.domain.run import (
    ClaimedRun,
    Outcome,
    ProcessId,
    RunState,
    StepRecord,
    StepState,
    Succeeded,
)
from ordinaut_mcp.embedded.home import Home
from ordinaut_mcp.embedded.postgres import EmbeddedPostgres
from ordinaut_mcp.errors import Unavailable
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.worker import Worker
from ordinaut_mcp.store.catalog import PostgresCatalog
from ordinaut_mcp.store.diagnosis import diagnose
from ordinaut_mcp.store.migrate import migrate
from ordinaut_mcp.store.pool import Pool, new_pool, transaction
from ordinaut_mcp.store.processes import PostgresProcesses
from ordinaut_mcp.store.queue import PostgresQueue
from ordinaut_mcp.store.slots import PostgresSlots
from ordinaut_mcp.store.tasks import PostgresTasks
from tests.contract.worlds import OWNER
from tests.integration.store.stored import a_task, due_runs
from tests.leasing import begun, settled
from tests.unit.runtime.attempts import Waiting

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
ME = ProcessId(1)


@pytest.fixture
def own(folder: Path) -> Generator[EmbeddedPostgres, None, None]:
    """A PostgreSQL that a test may stop."""
    postgres = EmbeddedPostgres(Home(folder))
    try:
        yield postgres
    finally:
        postgres.stop("immediate")


def questions(pool: Pool, run: ClaimedRun) -> Sequence[Callable[[], Awaitable[object]]]:
    """Each port of the store is asked something."""
    queue, slots = PostgresQueue(pool), PostgresSlots(pool)
    step = StepRecord(path="a", position=0, uses="x.y", state=StepState.RUNNING, attempt=1)
    return [
        lambda: queue.claim(ME, limit=1, lease_for=MINUTE),
        lambda: settled(queue, run.lease, Succeeded(None)),
        lambda: begun(queue, run.lease, step),
        lambda: slots.materialise(account_for, limit=1),
        lambda: PostgresTasks(pool).get(OWNER, "task_1"),
        lambda: PostgresCatalog(pool).load(),
        lambda: PostgresProcesses(pool).beat(ME),
    ]


async def test_a_server_that_is_gone_is_unavailable_and_the_pool_recovers(
    own: EmbeddedPostgres,
) -> None:
    url = await to_thread.run_sync(own.start)
    await to_thread.run_sync(migrate, url)
    async with new_pool(url, largest=4) as pool:
        pool.timeout = 0.3
        await due_runs(pool, await a_task(pool), 2)
        [run] = await PostgresQueue(pool).claim(ME, limit=1, lease_for=MINUTE)
        await to_thread.run_sync(own.stop, "immediate")

        with anyio.fail_after(30):
            for ask in questions(pool, run):
                with pytest.raises(Unavailable, match="not reachable; nothing was stored"):
                    await ask()
            with pytest.raises(Unavailable):
                diagnose(url)

        pool.timeout = 20
        assert await to_thread.run_sync(own.start) == url
        with anyio.fail_after(30):
            assert await settled(PostgresQueue(pool), run.lease, Succeeded(None))
            assert len(await PostgresQueue(pool).claim(ME, limit=5, lease_for=MINUTE)) == 1
    assert diagnose(url).version.startswith("18")


async def test_a_run_survives_a_restart_of_postgresql_in_its_middle(own: EmbeddedPostgres) -> None:
    url = await to_thread.run_sync(own.start)
    await to_thread.run_sync(migrate, url)
    begun, may_finish, calls = anyio.Event(), anyio.Event(), list[int]()

    async def execute(claimed: ClaimedRun) -> Outcome:
        calls.append(claimed.attempt)
        begun.set()
        await may_finish.wait()
        return Succeeded("done")

    async with new_pool(url, largest=4) as pool:
        await due_runs(pool, await a_task(pool), 1)
        clockwork = Clockwork()
        worker = Worker(
            ME, PostgresQueue(pool), lambda run, held: Waiting(execute, run, held), clockwork
        )
        with anyio.fail_after(60), clockwork.running():
            async with anyio.create_task_group() as loops:
                loops.start_soon(worker.run)
                await begun.wait()
                await to_thread.run_sync(own.stop, "immediate")
                may_finish.set()
                await to_thread.run_sync(own.start)
                worker.stop()
        async with transaction(pool) as connection:
            rows = await connection.execute("SELECT state, attempt, output FROM ordinaut.run")
            found = await rows.fetchall()

    assert found == [{"state": RunState.SUCCEEDED, "attempt": 1, "output": "done"}]
    assert calls == [1]


async def test_a_database_without_our_schema_says_what_to_do(server: str) -> None:
    async with new_pool(server) as pool:
        with pytest.raises(Unavailable, match="no Ordinaut schema") as refused:
            await PostgresTasks(pool).now()

    assert "ordinaut-mcp migrate" in (refused.value.hint or "")


async def test_an_older_schema_says_what_to_do(pool: Pool) -> None:
    async with transaction(pool) as connection:
        await connection.execute("ALTER TABLE ordinaut.due_work RENAME crashes TO accidents")

    with pytest.raises(Unavailable, match="or an older one"):
        await PostgresQueue(pool).claim(ME, limit=1, lease_for=MINUTE)


async def test_a_server_that_may_only_be_read_is_as_good_as_gone(pool: Pool, database: str) -> None:
    task = await a_task(pool)
    await due_runs(pool, task, 1)
    async with pool.connection() as connection:
        await connection.execute(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET"
            " default_transaction_read_only = on', current_database()); END $$"
        )
    async with new_pool(database) as standby:
        with pytest.raises(Unavailable):
            await PostgresQueue(standby).claim(ME, limit=1, lease_for=MINUTE)


async def test_a_closed_pool_is_unavailable(database: str) -> None:
    async with new_pool(database) as pool:
        pass

    with pytest.raises(Unavailable):
        await PostgresTasks(pool).now()


async def test_a_fault_of_ours_is_not_mistaken_for_an_absence(pool: Pool) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with transaction(pool) as connection:
            await connection.execute("SELECT 1 / 0")
