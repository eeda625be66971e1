"""The database's now moves forward and back under a scheduler that runs."""

from __future__ import annotations

from datetime import timedelta
from random import Random

import pytest

from ordinaut_mcp.store.pool import Pool
from tests.integration.schedules.ledger import assert_each_once, ledger
from tests.integration.schedules.running import scheduling
from tests.integration.schedules.world import SET, World, instant, new_world
from tests.moving import move

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)


async def test_a_jump_forward_is_a_sleep(world: World) -> None:
    task = await world.schedule("0 * * * *")
    async with scheduling(world.pool) as scheduler:
        await scheduler.quiet()
        await world.at("2026-11-22T12:10")
        await scheduler.look()
    assert await world.history(task) == ["late 22 09:00 to 22 11:00 x3", "queued 22 12:00"]


async def test_after_a_jump_back_nothing_fires_twice(world: World) -> None:
    task = await world.schedule("0 * * * *", overlap="allow")
    async with scheduling(world.pool) as scheduler:
        for hour in (9, 10, 11):
            await world.at(f"2026-11-22T{hour:02}:00")
            await scheduler.look()
        await world.at("2026-11-22T08:30")
        for hour in (9, 10, 11, 12, 13):
            await scheduler.look()
            await world.at(f"2026-11-22T{hour:02}:00")
        await scheduler.look()
    assert await world.history(task) == [f"queued 22 {hour:02}:00" for hour in range(9, 14)]


async def test_a_jump_far_ahead_and_back_keeps_what_was_told(world: World) -> None:
    """Whatever the clock said, a slot that it passed was accounted for then, and is not again."""
    task = await world.schedule("0 9 * * *")
    async with scheduling(world.pool) as scheduler:
        await scheduler.quiet()
        for moment in ("2036-11-22T12:00", "2026-11-22T12:00", "2026-11-23T09:00"):
            await world.at(moment)
            await scheduler.look()
        assert await world.next(task) == "23 09:00"
        assert (await world.get(task)).next_run_at == instant("2036-11-23T09:00")
    history = await world.history(task)
    assert history[-1] == "queued 22 09:00"
    assert history[0].startswith("late 22 09:00 to 21 09:00 x")


async def test_a_scheduler_that_starts_after_a_jump_back_fires_nothing_twice(
    world: World,
) -> None:
    task = await world.schedule("0 * * * *")
    for moment in ("2026-11-22T10:30", "2026-11-22T08:30", "2026-11-22T10:30"):
        await world.at(moment)
        async with scheduling(world.pool) as scheduler:
            await scheduler.quiet()
    assert await world.history(task) == ["late 22 09:00", "queued 22 10:00"]


@pytest.mark.parametrize(("misfire", "overlap"), [("latest", "skip"), ("all", "allow")])
async def test_however_the_clock_jumps_each_second_is_told_once(
    world: World, misfire: str, overlap: str
) -> None:
    random = Random(misfire)
    await world.schedule("every 1s", misfire=misfire, overlap=overlap)
    now = furthest = instant("2026-11-22T08:00")
    async with scheduling(world.pool) as scheduler:
        for _ in range(60):
            await scheduler.look()
            now += timedelta(milliseconds=random.choice([300, 900, 1000, 1700, 95_000, -40_000]))
            furthest = max(furthest, now)
            await world.execute(SET, at=now)
        await scheduler.look()
    (rows,) = (await ledger(world.pool)).values()
    first = instant("2026-11-22T08:00:01")
    last = furthest.replace(microsecond=0)
    assert_each_once(rows, every=SECOND, first=first, last=last)


async def test_a_clock_that_goes_on_may_be_moved_both_ways(
    pool: Pool, clean_environment: None
) -> None:
    del clean_environment
    world = new_world(pool)
    task = await world.schedule("every 1h", overlap="allow")
    async with scheduling(pool) as scheduler:
        await scheduler.quiet()
        for jump in (1, 1, -2, 1, 1, 1):
            await move(pool, timedelta(hours=jump))
            await scheduler.look()
    runs = await world.runs(task)
    assert [run.scheduled_for - task.created_at.replace(microsecond=0) for run in runs] == [
        timedelta(hours=1),
        timedelta(hours=2),
        timedelta(hours=3),
    ]
