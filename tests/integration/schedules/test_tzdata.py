"""Another release of tzdata: what was computed with the old one is computed anew."""

from __future__ import annotations

from typing import LiteralString

import pytest

from ordinaut_mcp.domain.rezone import recompute
from ordinaut_mcp.domain.task import Task, TaskStatus
from ordinaut_mcp.domain.zone import TZDATA_VERSION
from tests.integration.schedules.running import scheduling
from tests.integration.schedules.world import World, instant

pytestmark = pytest.mark.anyio

ZONE = "Europe/Chisinau"
"""Two hours ahead of UTC in these tests; the old release will have said otherwise."""
OLD: LiteralString = "UPDATE ordinaut.task SET tz_version = '2019a'"
NEXT: LiteralString = "UPDATE ordinaut.task SET tz_version = '2019a', next_run_at = %(at)s"
FIRED: LiteralString = """
    UPDATE ordinaut.task
    SET tz_version = '2019a', next_run_at = %(at)s, last_slot_at = %(last)s,
        last_slot_local = %(local)s
"""


async def rezone(world: World) -> int:
    return await world.slots.rezone(recompute, tz_version=TZDATA_VERSION, limit=200)


async def fired(world: World, task: Task, last: str, local: str, following: str) -> None:
    """The old release named these instants."""
    del task
    await world.execute(FIRED, at=instant(following), last=instant(last), local=f"{local}")


async def test_the_next_slot_is_where_the_local_time_is_now(world: World) -> None:
    task = await world.schedule("0 9 * * *", timezone=ZONE)
    await world.execute(NEXT, at=instant("2026-11-23T06:00"))
    assert await rezone(world) == 1
    assert await world.next(task) == "23 07:00"
    assert (await world.get(task)).tz_version == TZDATA_VERSION
    assert await rezone(world) == 0


async def test_what_fired_by_local_time_never_fires_again(world: World) -> None:
    """The old release said +3: 09:00 was 06:00 in UTC, and comes once more at 07:00."""
    task = await world.schedule("0 9 * * *", timezone=ZONE)
    await world.at("2026-11-23T06:30")
    await fired(world, task, "2026-11-23T06:00", "2026-11-23T09:00", "2026-11-24T06:00")
    await rezone(world)
    assert await world.next(task) == "24 07:00"
    await world.wake("2026-11-23T07:00")
    assert await world.history(task) == []


async def test_what_has_not_fired_is_not_lost_when_its_instant_has_passed(world: World) -> None:
    """The old release said +1: 09:00 would come at 08:00 in UTC, and was at 07:00."""
    task = await world.schedule("0 9 * * *", timezone=ZONE)
    await world.at("2026-11-23T07:30")
    await fired(world, task, "2026-11-22T08:00", "2026-11-22T09:00", "2026-11-23T08:00")
    await rezone(world)
    await world.tick()
    assert await world.history(task) == ["queued 23 07:00"]
    assert await world.next(task) == "24 07:00"


async def test_of_a_dense_rule_no_slot_is_skipped_or_repeated_by_local_time(world: World) -> None:
    task = await world.schedule("FREQ=SECONDLY;INTERVAL=5", timezone=ZONE)
    await world.at("2026-11-23T12:00")
    await fired(world, task, "2026-11-23T12:00", "2026-11-23T14:00", "2026-11-23T12:00:05")
    await rezone(world)
    assert await world.next(task) == "23 12:00:05"


async def test_a_local_time_in_a_new_gap_is_followed_by_the_next_one(world: World) -> None:
    """The old release had no clock change: half past three was an ordinary time."""
    task = await world.schedule("*/10 * * * *", timezone=ZONE)
    await fired(world, task, "2027-03-28T01:30", "2027-03-28T03:30", "2027-03-28T01:40")
    await rezone(world)
    assert await world.next(task) == "28 01:00"


async def test_intervals_do_not_know_local_times(world: World) -> None:
    task = await world.schedule("every 7m", timezone=ZONE)
    await world.execute(NEXT, at=instant("2026-11-22T09:03"))
    await rezone(world)
    assert await world.next(task) == "22 09:03"


async def test_slots_of_a_pause_do_not_come_back(world: World) -> None:
    task = await world.schedule("0 9 * * *", timezone=ZONE)
    await world.wake("2026-11-23T07:00")
    await world.pause(task)
    await world.at("2026-11-26T12:00")
    await world.resume(task)
    await world.execute(OLD)
    await rezone(world)
    assert await world.next(task) == "27 07:00"


async def test_slots_that_an_edit_ended_a_pause_over_do_not_come_back(world: World) -> None:
    task = await world.schedule("0 9 * * *", timezone=ZONE)
    await world.wake("2026-11-23T07:00")
    await world.pause(task)
    await world.at("2026-11-26T12:00")
    await world.update(task, paused=False)
    await world.execute(OLD)
    await rezone(world)
    assert await world.next(task) == "27 07:00"


async def test_occurrences_that_were_moved_or_left_out_do_not_come_back(world: World) -> None:
    task = await world.schedule("0 9 * * *", timezone=ZONE, exclude=["2026-11-25"])
    await world.snooze_an_hour(task)
    await world.snooze(task, skip=2)
    assert await world.next(task) == "26 07:00"
    await world.execute(OLD)
    await rezone(world)
    assert await world.next(task) == "26 07:00"


async def test_another_schedule_does_not_remember_the_local_times_of_the_old_one(
    world: World,
) -> None:
    task = await world.schedule("0 9 * * *", timezone="Asia/Tokyo")
    await world.wake("2026-11-23T00:00")
    await world.work()
    await world.update(task, schedule_expr="0 20 * * *", timezone="America/New_York")
    assert await world.next(task) == "23 01:00"
    await world.execute(OLD)
    await rezone(world)
    assert await world.next(task) == "23 01:00"


async def test_a_slot_that_was_due_at_an_edit_is_not_lost(world: World) -> None:
    task = await world.schedule("0 9 * * *", timezone=ZONE)
    await world.at("2026-11-23T07:30")
    await world.update(task, title="Another")
    await world.execute(OLD)
    await rezone(world)
    await world.tick()
    assert await world.history(task) == ["queued 23 07:00"]


async def test_a_paused_task_stays_paused(world: World) -> None:
    task = await world.schedule("0 9 * * *", timezone=ZONE)
    await world.pause(task, "on holiday")
    await world.execute(NEXT, at=instant("2026-11-23T06:00"))
    await rezone(world)
    found = await world.get(task)
    assert (found.status, found.note) == (TaskStatus.PAUSED, "on holiday")
    assert await world.next(task) == "23 07:00"


async def test_a_single_time_that_lies_before_its_creation_now_is_parked_visibly(
    world: World,
) -> None:
    """The old release said +1: 09:30 would come at 08:30 in UTC, and the task is of 08:00."""
    task = await world.schedule("2026-11-22T10:30", timezone=ZONE)
    await world.execute(
        "UPDATE ordinaut.task_revision SET definition ="
        " jsonb_set(definition, '{schedule,expr}', '\"2026-11-22T09:30\"')"
    )
    await world.execute(OLD)
    await rezone(world)
    found = await world.get(task)
    assert found.status is TaskStatus.PAUSED
    assert "none of its times is to come any more" in (found.note or "")


async def test_ended_tasks_are_left_alone(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.cancel(task)
    await world.execute(OLD)
    assert await rezone(world) == 0


async def test_a_scheduler_computes_anew_before_anything_fires(world: World) -> None:
    daily = await world.schedule("0 9 * * *", timezone=ZONE)
    await world.at("2026-11-23T06:30")
    # By the old release 09:00 was half an hour ago.
    await world.execute(NEXT, at=instant("2026-11-23T06:00"))
    async with scheduling(world.pool) as scheduler:
        await scheduler.quiet()
        assert await world.next(daily) == "23 07:00"
        assert await world.history(daily) == []
        await world.at("2026-11-23T07:00")
        await scheduler.look()
    assert await world.history(daily) == ["queued 23 07:00"]
