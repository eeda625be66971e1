"""Any number of schedulers on one database: no slot twice, none lost. The minute is in bench/."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import anyio
import pytest

from ordinaut_mcp.domain.materialise import account_for
from ordinaut_mcp.store.pool import Pool
from tests.integration.schedules.ledger import assert_each_once, ledger
from tests.integration.schedules.running import Running, schedulers
from tests.integration.schedules.world import SET, World, instant, new_world

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
TASKS = 40


async def made(world: World, **request: str) -> None:
    for number in range(TASKS):
        overlap = "allow" if number % 2 else "skip"
        await world.schedule("every 1s", title=f"Every second {number}", overlap=overlap, **request)


async def settled(running: list[Running]) -> None:
    """All have looked, and found nothing more to do."""
    for one in running:
        one.wake()
    for one in running:
        await one.quiet()


async def test_schedulers_that_wake_at_once_take_each_slot_once(world: World) -> None:
    random, now = Random(3), instant("2026-11-22T08:00")
    await made(world)
    async with schedulers(world.pool, 4) as running:
        await settled(running)
        for _ in range(20):
            now += SECOND * random.choice([1, 1, 1, 2, 5])
            await world.execute(SET, at=now)
            await settled(running)
    tasks = await ledger(world.pool)
    assert len(tasks) == TASKS
    for rows in tasks.values():
        assert_each_once(rows, every=SECOND, first=instant("2026-11-22T08:00:01"), last=now)


async def test_schedulers_side_by_side_for_some_seconds_of_a_real_clock(
    pool: Pool, clean_environment: None
) -> None:
    del clean_environment
    world = new_world(pool)
    start = (await world.services.tasks.now()).replace(microsecond=0) + 2 * SECOND
    last = start + 5 * SECOND
    await made(world, start_at=start.isoformat(), end_at=last.isoformat())
    async with schedulers(pool, 4) as running:
        for one in running:
            await one.ended()
    tasks = await ledger(pool)
    assert len(tasks) == TASKS
    for rows in tasks.values():
        assert_each_once(rows, every=SECOND, first=start, last=last)


async def test_two_steps_at_the_same_moment_share_the_tasks(world: World) -> None:
    for _ in range(10):
        await world.schedule("0 9 * * *")
    await world.at("2026-11-22T09:00")
    taken = list[int]()

    async def step() -> None:
        taken.append(await world.slots.materialise(account_for, limit=200))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(step)
    assert sum(taken) == 10
    assert (await world.stored())["due_work"] == 10
