"""Backfills: a run for each slot of a past range, once, at a rate of the caller's choice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ordinaut_mcp.domain.task import Task
from ordinaut_mcp.errors import Conflict, InvalidInput, NotFound
from ordinaut_mcp.services.backfills import Backfilled
from tests.integration.schedules.world import World, instant, short

pytestmark = pytest.mark.anyio


async def backfill(world: World, task: Task, since: str, until: str, **more: Any) -> Backfilled:
    given: dict[str, Any] = {"per_minute": 60, "dry_run": False, **more}
    return await world.services.backfills.backfill(
        world.caller, task.name, since=instant(since), until=instant(until), **given
    )


def slots(done: Backfilled) -> list[str]:
    return [short(slot.at) for slot in done.occurrences]


async def test_a_range_is_half_open(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    done = await backfill(world, task, "2026-11-18T09:00", "2026-11-21T09:00")
    assert (slots(done), done.made) == (["18 09:00", "19 09:00", "20 09:00"], 3)


async def test_two_ranges_side_by_side_share_no_slot(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    before = await backfill(world, task, "2026-11-17T00:00", "2026-11-19T09:00")
    after = await backfill(world, task, "2026-11-19T09:00", "2026-11-21T00:00")
    assert slots(before) + slots(after) == ["17 09:00", "18 09:00", "19 09:00", "20 09:00"]
    assert (before.made, after.made) == (2, 2)


async def test_a_dry_run_stores_nothing(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    rows = await world.stored()
    done = await backfill(world, task, "2026-11-18T00:00", "2026-11-20T00:00", dry_run=True)
    assert (slots(done), done.made) == (["18 09:00", "19 09:00"], 0)
    assert await world.stored() == rows


async def test_doing_it_again_makes_none_twice(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await backfill(world, task, "2026-11-18T00:00", "2026-11-20T00:00")
    again = await backfill(world, task, "2026-11-17T00:00", "2026-11-20T00:00")
    assert (slots(again), again.made) == (["17 09:00", "18 09:00", "19 09:00"], 1)
    assert (await world.stored())["due_work"] == 3


async def test_runs_start_at_the_rate_that_was_asked(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await backfill(world, task, "2026-11-21T00:00", "2026-11-21T03:00", per_minute=4)
    assert await world.history(task) == [
        "backfill queued 21 00:00 at 22 08:00",
        "backfill queued 21 01:00 at 22 08:00:15",
        "backfill queued 21 02:00 at 22 08:00:30",
    ]
    assert len(await world.claim()) == 1


async def test_the_past_of_a_task_does_not_touch_its_schedule(world: World) -> None:
    task = await world.schedule("0 9 * * *", max_runs=1)
    await backfill(world, task, "2026-11-18T00:00", "2026-11-20T00:00")
    assert (await world.get(task)).runs_started == 0
    await world.wake("2026-11-22T09:00")
    assert (await world.history(task))[-1] == "queued 22 09:00"


async def test_excluded_slots_are_left_out(world: World) -> None:
    task = await world.schedule("0 9 * * *", exclude=["2026-11-19"])
    done = await backfill(world, task, "2026-11-18T00:00", "2026-11-21T00:00")
    assert slots(done) == ["18 09:00", "20 09:00"]


async def test_a_clock_change_in_the_range_is_followed(world: World) -> None:
    task = await world.schedule("0 9 * * *", timezone="Europe/Chisinau")
    done = await backfill(world, task, "2026-10-24T00:00", "2026-10-27T00:00")
    assert slots(done) == ["24 06:00", "25 07:00", "26 07:00"]


async def test_nothing_before_the_anchor_belongs_to_the_series(world: World) -> None:
    task = await world.schedule("FREQ=DAILY;BYHOUR=9", start_at="2026-11-20T09:00")
    done = await backfill(world, task, "2026-11-01T00:00", "2026-11-22T00:00")
    assert slots(done) == ["20 09:00", "21 09:00"]


async def test_a_completed_task_may_be_backfilled(world: World) -> None:
    task = await world.schedule("0 9 * * *", max_runs=1)
    await world.wake("2026-11-22T09:00")
    await world.work()
    done = await backfill(world, task, "2026-11-18T00:00", "2026-11-19T00:00")
    assert done.made == 1


async def test_a_range_without_slots_is_no_fault(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    done = await backfill(world, task, "2026-11-18T10:00", "2026-11-18T11:00")
    assert (done.occurrences, done.made) == ([], 0)


@pytest.mark.parametrize(
    ("expr", "since", "until", "code"),
    [
        ("0 9 * * *", "2026-11-20T00:00", "2026-11-20T00:00", "out_of_range"),
        ("0 9 * * *", "2026-11-20T00:00", "2026-11-19T00:00", "out_of_range"),
        ("0 9 * * *", "2026-11-20T00:00", "2026-11-22T08:00:01", "out_of_range"),
        ("* * * * *", "2026-11-01T00:00", "2026-11-22T08:00", "too_complex"),
    ],
)
async def test_a_range_that_makes_no_sense_is_refused(
    world: World, expr: str, since: str, until: str, code: str
) -> None:
    task = await world.schedule(expr)
    rows = await world.stored()
    with pytest.raises(InvalidInput) as refused:
        await backfill(world, task, since, until)
    assert (refused.value.code, refused.value.field) == (code, "to")
    assert await world.stored() == rows


async def test_a_range_may_begin_at_the_beginning_of_time(world: World) -> None:
    task = await world.schedule("0 9 22 11 *", start_at="2024-01-01")
    done = await world.services.backfills.backfill(
        world.caller,
        task.name,
        since=datetime.min.replace(tzinfo=UTC),
        until=instant("2026-11-22T00:00"),
        per_minute=60,
        dry_run=True,
    )
    assert slots(done) == ["22 09:00", "22 09:00"]


async def test_a_canceled_task_is_not_backfilled(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.cancel(task)
    with pytest.raises(Conflict):
        await backfill(world, task, "2026-11-18T00:00", "2026-11-19T00:00")


async def test_a_strangers_task_is_not_there(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    stranger = world.stranger
    with pytest.raises(NotFound):
        await backfill(stranger, task, "2026-11-18T00:00", "2026-11-19T00:00")
