"""Permits and processes that nobody needs go; whoever comes back at that moment loses nothing."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta

import anyio
import pytest

from ordinaut_mcp.domain.limit import Limit
from ordinaut_mcp.domain.run import ProcessId
from ordinaut_mcp.store.permits import make_permits
from ordinaut_mcp.store.pool import Connection, Pool, new_pool, rows
from ordinaut_mcp.store.processes import PostgresProcesses
from ordinaut_mcp.store.retention import COLD_PERMITS, HOLD_COLD, REMOVE_COLD, PostgresRetention
from tests.integration.store.stored import a_task, change, look
from tests.integration.store.test_retention import waiting_for_a_lock
from tests.moving import move

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
PERMITS = "SELECT place, run_id FROM ordinaut.permit WHERE key = 'key:a' ORDER BY place"
A_LIMIT = [("local", Limit(key="key:a", places=2))]
NEEDING = """
    INSERT INTO ordinaut.due_work (run_id, run_created_at, task_id, owner, run_at, priority, state,
                                   concurrency_key, max_concurrent, needs_permit)
    VALUES (%(run)s, ordinaut.now(), %(task)s, 'local', ordinaut.now(), 5, %(state)s, 'key:a', 2,
            %(needs)s)
"""
HEARTBEATS = "UPDATE ordinaut.process SET heartbeat_at = ordinaut.now() WHERE id = ANY (%(ids)s)"


@pytest.fixture
async def other(database: str) -> AsyncGenerator[Connection, None]:
    """A connection of somebody else."""
    async with new_pool(database, largest=1) as pool, pool.connection() as connection:
        yield connection


async def cold_permits(pool: Pool) -> int:
    """Two free places that nobody has used for long; the id of a task."""
    task = await a_task(pool)
    async with pool.connection() as connection, connection.transaction():
        await make_permits(connection, A_LIMIT)
    await move(pool, 11 * MINUTE)
    return task.id


async def needing(
    connection: Connection, task: int, *, run: int = 1, state: str = "queued", needs: bool = True
) -> None:
    parameters = {"run": run, "task": task, "state": state, "needs": needs}
    await connection.execute(NEEDING.encode(), parameters)


async def held_places(connection: Connection, cold: list[tuple[str, str, int]]) -> list[int]:
    found = await rows(connection, HOLD_COLD, columns(cold))
    return [one["place"] for one in found]


def columns(cold: list[tuple[str, str, int]]) -> dict[str, list[object]]:
    owners, keys, places = zip(*cold, strict=True)
    return {"owners": list(owners), "keys": list(keys), "places": list(places)}


async def the_cold(pool: Pool) -> list[tuple[str, str, int]]:
    return [(one[0], one[1], one[2]) for one in await look(pool, COLD_PERMITS, limit=10)]


async def test_free_permits_of_a_key_that_nobody_has_go_after_ten_minutes(pool: Pool) -> None:
    retention = PostgresRetention(pool, batch=1)
    await cold_permits(pool)
    await move(pool, -2 * MINUTE)
    assert await retention.sweep_permits() == 0

    await move(pool, 2 * MINUTE)
    assert await retention.sweep_permits() == 2
    assert await look(pool, PERMITS) == []


@pytest.mark.parametrize("state", ["queued", "retrying", "running", "waiting"])
async def test_permits_stay_while_somebody_unfinished_has_the_key(pool: Pool, state: str) -> None:
    task = await cold_permits(pool)
    async with pool.connection() as connection:
        await needing(connection, task, state=state, needs=state != "running")

    assert await PostgresRetention(pool).sweep_permits() == 0
    assert await look(pool, PERMITS) == [(1, None), (2, None)]


async def test_whoever_is_about_to_queue_a_run_keeps_the_janitor_away(
    pool: Pool, other: Connection
) -> None:
    task = await cold_permits(pool)
    async with other.transaction():
        await make_permits(other, A_LIMIT)
        assert await PostgresRetention(pool).sweep_permits() == 0
        await needing(other, task)

    assert await look(pool, PERMITS) == [(1, None), (2, None)]
    assert await PostgresRetention(pool).sweep_permits() == 0


async def test_a_run_that_was_queued_since_the_janitor_looked_is_seen(
    pool: Pool, other: Connection
) -> None:
    task = await cold_permits(pool)
    cold = await the_cold(pool)
    async with other.transaction():
        await make_permits(other, A_LIMIT)
        await needing(other, task)
    async with other.transaction():
        assert await held_places(other, cold) == [1, 2]
        await other.execute(REMOVE_COLD, columns(cold))

    assert await look(pool, PERMITS) == [(1, None), (2, None)]


async def test_a_run_that_was_claimed_since_the_janitor_looked_keeps_all_places(
    pool: Pool, other: Connection
) -> None:
    task = await cold_permits(pool)
    cold = await the_cold(pool)
    async with other.transaction():
        await needing(other, task, state="running", needs=False)
        await other.execute(b"UPDATE ordinaut.permit SET run_id = 1 WHERE place = 1")
    async with other.transaction():
        assert await held_places(other, cold) == [2]
        await other.execute(REMOVE_COLD, columns(cold[1:]))

    assert await look(pool, PERMITS) == [(1, 1), (2, None)]


async def test_a_run_that_parked_since_the_janitor_looked_finds_its_places_again(
    pool: Pool, other: Connection
) -> None:
    task = await cold_permits(pool)
    cold = await the_cold(pool)
    await needing(other, task, state="waiting")
    await change(pool, "UPDATE ordinaut.permit SET freed_at = ordinaut.now() WHERE place = 1")
    async with other.transaction():
        assert await held_places(other, cold) == [2]
        await other.execute(REMOVE_COLD, columns(cold[1:]))

    assert await look(pool, PERMITS) == [(1, None), (2, None)]


async def test_whoever_comes_while_the_janitor_removes_makes_the_permits_anew(
    pool: Pool, other: Connection
) -> None:
    task = await cold_permits(pool)
    cold = await the_cold(pool)

    async def queue() -> None:
        async with pool.connection() as connection, connection.transaction():
            await make_permits(connection, A_LIMIT)
            await needing(connection, task)

    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks, other.transaction():
            await held_places(other, cold)
            tasks.start_soon(queue)
            await waiting_for_a_lock(pool)
            assert (await other.execute(REMOVE_COLD, columns(cold))).rowcount == 2

    assert await look(pool, PERMITS) == [(1, None), (2, None)]
    assert await look(pool, "SELECT run_id FROM ordinaut.due_work") == [(1,)]


async def registered(pool: Pool, count: int) -> list[ProcessId]:
    store = PostgresProcesses(pool)
    return [
        await store.register(roles=["worker"], version="1", tzdata="2026f") for _ in range(count)
    ]


async def test_a_process_that_is_silent_for_a_week_goes_at_the_second_look(pool: Pool) -> None:
    task = await a_task(pool)
    dead, stopped, awake, working = await registered(pool, 4)
    await PostgresProcesses(pool).leave(stopped)
    retention = PostgresRetention(pool)
    await move(pool, 8 * DAY)
    await change(
        pool,
        """INSERT INTO ordinaut.due_work (run_id, run_created_at, task_id, owner, run_at, priority,
                                          state, process_id)
           VALUES (1, ordinaut.now(), %(task)s, 'local', ordinaut.now(), 5, 'running', %(id)s)""",
        task=task.id,
        id=working,
    )

    assert await retention.sweep_processes(()) == (0, {dead, stopped, awake})
    # The machine had slept: one of them wakes up and says so.
    await change(pool, HEARTBEATS, ids=[awake])
    assert await retention.sweep_processes({dead, stopped, awake}) == (2, frozenset())
    assert await look(pool, "SELECT id FROM ordinaut.process ORDER BY id") == [(awake,), (working,)]


async def test_a_process_of_this_week_is_remembered(pool: Pool) -> None:
    await registered(pool, 1)
    await move(pool, 6 * DAY)

    assert await PostgresRetention(pool).sweep_processes(()) == (0, frozenset())
