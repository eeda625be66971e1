"""Schedulers side by side: every slot becomes one run, and a broken task stops nobody."""

from __future__ import annotations

from datetime import datetime, timedelta

import anyio
import pytest

from ordinaut_mcp.domain.materialise import account_for
from ordinaut_mcp.domain.task import Overlap, Policies
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.scheduler import Scheduler
from ordinaut_mcp.store.pool import Pool
from ordinaut_mcp.store.slots import PostgresSlots
from ordinaut_mcp.store.tasks import PostgresTasks
from tests.contract.worlds import OWNER
from tests.doubles.definitions import a_definition
from tests.integration.store.stored import a_task, change, look
from tests.moving import move

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)
EVERY_MINUTE = a_definition(
    expr="* * * * *", policies=Policies(misfire="all", overlap=Overlap.ALLOW)
)
SLOTS = "SELECT task_id, scheduled_for FROM ordinaut.run WHERE state = 'queued' ORDER BY 1, 2"


async def next_minute(pool: Pool) -> datetime:
    now = await PostgresTasks(pool).now()
    return now.replace(second=0, microsecond=0) + MINUTE


async def test_four_schedulers_over_fifty_tasks_leave_no_gap_and_no_double(pool: Pool) -> None:
    first = await next_minute(pool)
    tasks = [(await a_task(pool, EVERY_MINUTE, next_run_at=first)).id for _ in range(50)]
    slots, taken = PostgresSlots(pool), list[int]()

    async def schedule() -> None:
        while due := await slots.materialise(account_for, limit=7):
            taken.append(due)

    with anyio.fail_after(30):
        for _ in range(3):
            await move(pool, 4 * MINUTE)
            async with anyio.create_task_group() as schedulers:
                for _ in range(4):
                    schedulers.start_soon(schedule)
            # A scheduler that met only locked tasks has left; nothing is left for long.
            await schedule()

    due = {task: [first + number * MINUTE for number in range(12)] for task in tasks}
    made: dict[int, list[datetime]] = {task: [] for task in tasks}
    for task, instant in await look(pool, SLOTS):
        made[task].append(instant)
    assert made == due
    assert len(taken) > 4


async def test_a_task_whose_definition_is_broken_is_paused_and_its_neighbours_fire(
    pool: Pool,
) -> None:
    first = await next_minute(pool)
    tasks = [await a_task(pool, EVERY_MINUTE, next_run_at=first) for _ in range(3)]
    broken = tasks[1]
    statement = "UPDATE ordinaut.task_revision SET definition = '{}' WHERE task_id = %(id)s"
    await change(pool, statement, id=broken.id)
    await move(pool, MINUTE)
    clockwork, rung = Clockwork(), anyio.Event()
    scheduler = Scheduler(PostgresSlots(pool), clockwork, on_runs=rung.set)

    with anyio.fail_after(10), clockwork.running():
        async with anyio.create_task_group() as loops:
            loops.start_soon(scheduler.run)
            await rung.wait()
            loops.cancel_scope.cancel()

    assert await look(pool, SLOTS) == [(tasks[0].id, first), (tasks[2].id, first)]
    [(status, note)] = await look(
        pool, "SELECT status, note FROM ordinaut.task WHERE id = %(id)s", id=broken.id
    )
    assert status == "paused"
    assert "cannot be computed" in note


async def test_a_slot_that_is_there_already_makes_no_second_run(pool: Pool) -> None:
    first = await next_minute(pool)
    task = await a_task(pool, EVERY_MINUTE, next_run_at=first)
    slots = PostgresSlots(pool)
    await move(pool, MINUTE)
    await slots.materialise(account_for, limit=10)
    # As if a scheduler had died between the slot and the advance, in another version of this code.
    await change(pool, "UPDATE ordinaut.task SET next_run_at = %(first)s", first=first)

    assert await slots.materialise(account_for, limit=10) == 1

    assert await look(pool, SLOTS) == [(task.id, first)]


async def test_a_task_that_is_locked_by_an_edit_is_left_alone(pool: Pool) -> None:
    await a_task(pool, EVERY_MINUTE, next_run_at=await next_minute(pool))
    await move(pool, MINUTE)
    async with pool.connection() as connection, connection.transaction():
        await connection.execute("SELECT id FROM ordinaut.task FOR UPDATE")

        with anyio.fail_after(5):
            assert await PostgresSlots(pool).materialise(account_for, limit=10) == 0


async def test_the_next_slot_is_told_as_a_span(pool: Pool) -> None:
    slots = PostgresSlots(pool)
    assert await slots.next_due_in() is None
    now = await PostgresTasks(pool).now()
    await a_task(pool, next_run_at=now + 90 * MINUTE)
    await a_task(pool, next_run_at=now + 30 * MINUTE)

    rest = await slots.next_due_in()

    assert rest is not None
    assert 29 * MINUTE < rest <= 30 * MINUTE


async def test_a_paused_task_is_not_due(pool: Pool) -> None:
    task = await a_task(pool, EVERY_MINUTE, next_run_at=await next_minute(pool))
    await change(pool, "UPDATE ordinaut.task SET status = 'paused'")
    await move(pool, MINUTE)

    assert await PostgresSlots(pool).materialise(account_for, limit=10) == 0
    assert await PostgresSlots(pool).next_due_in() is None
    assert (await PostgresTasks(pool).get(OWNER, task.name)).status == "paused"
