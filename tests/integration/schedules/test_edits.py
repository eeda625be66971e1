"""Edits: they hold at once, keep the place in the series, and leave no slot untold."""

from __future__ import annotations

import pytest

from ordinaut_mcp.domain.task import TaskStatus
from ordinaut_mcp.errors import Conflict
from tests.integration.schedules.world import World

pytestmark = pytest.mark.anyio


async def test_an_edit_keeps_the_place_in_the_series(world: World) -> None:
    await world.at("2026-11-22T08:00:30")
    task = await world.schedule("every 7m")
    await world.wake("2026-11-22T08:07:30")
    await world.at("2026-11-22T08:10")
    edited = await world.update(task, title="Another")
    assert edited.generation == 2
    assert await world.next(task) == "22 08:14:30"


async def test_scheduling_again_with_the_key_keeps_the_place_too(world: World) -> None:
    await world.at("2026-11-22T08:00:30")
    task = await world.schedule("every 7m", key="k")
    await world.at("2026-11-22T08:05")
    again = await world.schedule("every 7m", key="k", title="Another")
    assert (again.id, again.generation) == (task.id, 2)
    assert await world.next(task) == "22 08:07:30"


async def test_a_slot_that_is_due_survives_an_edit_of_something_else(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.at("2026-11-22T09:00:05")
    await world.update(task, title="Another", priority=9)
    await world.tick()
    assert await world.history(task) == ["queued 22 09:00"]
    (claimed,) = await world.claim()
    assert claimed.definition["title"] == "Another"


async def test_another_schedule_supersedes_what_was_due_and_not_taken(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.at("2026-11-22T10:30")
    await world.update(task, schedule_expr="45 * * * *")
    await world.wake("2026-11-22T10:45")
    assert await world.history(task) == [
        "superseded 22 09:00 to 22 10:00 x2",
        "queued 22 10:45",
    ]


async def test_another_schedule_holds_at_once(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.update(task, schedule_expr="0 12 * * *")
    await world.wake("2026-11-22T09:00")
    assert await world.history(task) == []
    assert await world.next(task) == "22 12:00"


async def test_an_edit_of_the_schedule_in_a_pause_tells_of_the_pause(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.pause(task)
    await world.at("2026-11-22T10:30")
    edited = await world.update(task, schedule_expr="45 * * * *")
    assert edited.status is TaskStatus.PAUSED
    assert await world.history(task) == ["paused 22 09:00 to 22 10:00 x2"]


async def test_an_edit_in_a_pause_goes_on_with_the_pause(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.pause(task, "on holiday")
    await world.at("2026-11-22T10:30")
    edited = await world.update(task, title="Another")
    assert (edited.status, edited.note) == (TaskStatus.PAUSED, "on holiday")
    await world.resume(task)
    assert await world.history(task) == ["paused 22 09:00 to 22 10:00 x2"]


async def test_an_edit_may_end_a_pause(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.pause(task)
    await world.at("2026-11-22T10:30")
    edited = await world.update(task, paused=False)
    assert (edited.status, edited.note) == (TaskStatus.ACTIVE, None)
    await world.wake("2026-11-22T11:00")
    assert await world.history(task) == ["paused 22 09:00 to 22 10:00 x2", "queued 22 11:00"]


async def test_an_edit_that_ends_a_pause_after_the_series_completes_the_task(world: World) -> None:
    task = await world.schedule("2026-11-22T09:00")
    await world.pause(task)
    await world.at("2026-11-22T10:00")
    edited = await world.update(task, paused=False)
    assert (edited.status, edited.next_run_at) == (TaskStatus.COMPLETED, None)
    assert await world.history(task) == ["paused 22 09:00"]


async def test_an_edit_may_begin_a_pause(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.update(task, paused=True)
    await world.wake("2026-11-22T10:30")
    await world.resume(task)
    assert await world.history(task) == ["paused 22 09:00 to 22 10:00 x2"]


async def test_a_day_that_is_no_longer_excluded_runs_and_is_told_once(world: World) -> None:
    task = await world.schedule("0 9 * * *", exclude=["2026-11-23", "2026-11-24"])
    await world.wake("2026-11-22T09:00")
    await world.work()
    assert await world.next(task) == "25 09:00"
    await world.update(task, exclude=["2026-11-24"])
    for day in (23, 24, 25):
        await world.wake(f"2026-11-{day}T09:00")
        await world.work()
    assert await world.history(task) == [
        "succeeded 22 09:00",
        "succeeded 23 09:00",
        "excluded 24 09:00",
        "succeeded 25 09:00",
    ]


async def test_the_rest_of_an_excluded_stretch_may_be_taken_back(world: World) -> None:
    task = await world.schedule("0 9 * * *", exclude=["2026-11-23", "2026-11-24"])
    await world.wake("2026-11-22T09:00")
    await world.work()
    await world.at("2026-11-23T12:00")
    await world.update(task, exclude=None)
    await world.wake("2026-11-24T09:00")
    assert await world.history(task) == [
        "succeeded 22 09:00",
        "excluded 23 09:00 to 23 12:00 xat least 1",
        "queued 24 09:00",
    ]


async def test_occurrences_that_were_left_out_come_back_with_another_schedule(
    world: World,
) -> None:
    task = await world.schedule("0 9 * * *")
    await world.snooze(task, skip=3)
    await world.update(task, schedule_expr="0 9,21 * * *")
    await world.wake("2026-11-22T09:00")
    assert await world.history(task) == ["queued 22 09:00"]


async def test_occurrences_that_were_left_out_stay_so_with_the_same_schedule(
    world: World,
) -> None:
    task = await world.schedule("0 9 * * *")
    await world.snooze(task, skip=3)
    await world.update(task, title="Another")
    await world.wake("2026-11-25T09:00")
    assert await world.history(task) == ["snoozed 22 09:00 to 24 09:00 x3", "queued 25 09:00"]


async def test_a_task_made_active_anew_begins_with_what_is_to_come(world: World) -> None:
    request = {"key": "k", "start_at": "2026-11-22T00:00", "max_runs": 1}
    task = await world.schedule("0 9 * * *", **request)
    await world.wake("2026-11-22T09:00")
    await world.work()
    assert (await world.get(task)).status is TaskStatus.COMPLETED
    await world.at("2026-11-24T12:00")
    again = await world.schedule("0 9 * * *", **request)
    assert (again.id, again.status, again.runs_started) == (task.id, TaskStatus.ACTIVE, 0)
    await world.wake("2026-11-25T09:00")
    assert await world.history(task) == ["succeeded 22 09:00", "queued 25 09:00"]


async def test_what_a_canceled_task_had_left_out_comes_back_with_it(world: World) -> None:
    request = {"key": "k", "start_at": "2026-11-22T00:00"}
    task = await world.schedule("0 9 * * *", **request)
    await world.snooze(task, skip=2)
    await world.cancel(task)
    await world.schedule("0 9 * * *", **request)
    await world.wake("2026-11-22T09:00")
    assert await world.history(task) == ["queued 22 09:00"]


async def test_an_edit_over_another_generation_changes_nothing(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.update(task, title="Another")
    rows = await world.stored()
    with pytest.raises(Conflict) as refused:
        await world.update(task, title="Third", expected_generation=1)
    assert refused.value.field == "expected_generation"
    assert (await world.stored(), (await world.get(task)).generation) == (rows, 2)


async def test_the_same_again_changes_nothing(world: World) -> None:
    task = await world.schedule("every 7m", key="k")
    await world.at("2026-11-22T08:05")
    assert await world.schedule("every 7m", key="k") == task


async def test_a_slot_that_fired_does_not_fire_for_an_edit_after_the_clock_went_back(
    world: World,
) -> None:
    task = await world.schedule("0 * * * *", max_runs=3)
    await world.wake("2026-11-22T09:00")
    await world.work()
    await world.at("2026-11-22T08:30")
    await world.update(task, schedule_expr="0 */1 * * *")
    for hour in (9, 10, 11):
        await world.wake(f"2026-11-22T{hour:02}:00")
        await world.work()
    assert await world.history(task) == [
        "succeeded 22 09:00",
        "succeeded 22 10:00",
        "succeeded 22 11:00",
    ]


async def test_a_dry_run_of_an_edit_stores_nothing(world: World) -> None:
    task = await world.schedule("0 * * * *", key="k")
    await world.at("2026-11-22T10:30")
    trial = await world.schedule("45 * * * *", key="k", dry_run=True)
    assert trial.next_run_at is not None
    assert trial.next_run_at.minute == 45
    assert await world.get(task) == task
    assert await world.history(task) == []
