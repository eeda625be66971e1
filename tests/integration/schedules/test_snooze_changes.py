"""What a pause, an edit and a cancel do to an occurrence that was moved."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.schedules.world import World

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


async def test_a_moved_occurrence_is_skipped_by_a_pause(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.snooze(task, span=HOUR)
    await world.pause(task)
    await world.wake("2026-11-22T10:00")
    assert await world.claim() == []
    await world.resume(task)
    await world.wake("2026-11-23T09:00")
    assert await world.history(task) == ["paused 22 09:00", "queued 23 09:00"]


async def test_a_moved_occurrence_is_canceled_with_its_task(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.snooze(task, span=HOUR)
    await world.cancel(task)
    await world.at("2026-11-22T10:00")
    assert await world.claim() == []
    assert await world.history(task) == ["canceled 22 09:00 at 22 10:00"]


async def test_a_moved_occurrence_runs_with_the_edit_that_came_after(world: World) -> None:
    task = await world.schedule("0 9 * * *", overlap="allow")
    await world.snooze(task, span=HOUR)
    await world.update(task, title="Another", priority=9, overlap="queue")
    await world.at("2026-11-22T10:00")
    (claimed,) = await world.claim()
    assert claimed.definition["title"] == "Another"
    queued = await world.facts("SELECT priority, serial FROM ordinaut.due_work")
    assert dict(queued) == {"priority": 9, "serial": True}


async def test_a_moved_occurrence_to_come_is_none_any_more_with_another_schedule(
    world: World,
) -> None:
    task = await world.schedule("0 9 * * *", max_runs=2)
    await world.snooze(task, span=HOUR)
    await world.update(task, schedule_expr="0 9,12 * * *")
    assert (await world.get(task)).runs_started == 0
    await world.wake("2026-11-22T09:00")
    assert await world.history(task) == ["queued 22 09:00"]


async def test_a_moved_occurrence_whose_time_passed_is_superseded_by_another_schedule(
    world: World,
) -> None:
    task = await world.schedule("0 9 * * *")
    await world.snooze(task, span=HOUR)
    await world.at("2026-11-22T09:30")
    await world.update(task, schedule_expr="0 12 * * *")
    await world.wake("2026-11-22T12:00")
    assert await world.history(task) == ["superseded 22 09:00", "queued 22 12:00"]
