"""A scheduler that was stopped over slots: what runs, and which row tells of the others."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.schedules.world import World

pytestmark = pytest.mark.anyio

THREE_SLOTS = [
    ({"misfire": "latest"}, ["late 22 09:00 to 22 10:00 x2", "queued 22 11:00"]),
    ({"misfire": "all"}, ["queued 22 09:00", "queued 22 10:00", "queued 22 11:00"]),
    ({"misfire": "skip"}, ["late 22 09:00 to 22 11:00 x3"]),
    (
        {"misfire": "latest", "max_lateness_seconds": 3600},
        ["late 22 09:00 to 22 10:00 x2", "queued 22 11:00"],
    ),
    ({"misfire": "latest", "max_lateness_seconds": 600}, ["late 22 09:00 to 22 11:00 x3"]),
    (
        {"misfire": "all", "max_lateness_seconds": 5400},
        ["late 22 09:00", "queued 22 10:00", "queued 22 11:00"],
    ),
    ({"misfire": "all", "max_lateness_seconds": 600}, ["late 22 09:00 to 22 11:00 x3"]),
    ({"misfire": "skip", "max_lateness_seconds": 86_400}, ["late 22 09:00 to 22 11:00 x3"]),
]


@pytest.mark.parametrize(("policy", "history"), THREE_SLOTS)
async def test_a_scheduler_stopped_over_three_slots(
    world: World, policy: dict[str, Any], history: list[str]
) -> None:
    task = await world.schedule("0 * * * *", **policy)
    await world.wake("2026-11-22T11:30")
    assert await world.history(task) == history
    assert await world.next(task) == "22 12:00"
    # A second scheduler that starts just now finds nothing more to do.
    await world.tick()
    assert await world.history(task) == history


@pytest.mark.parametrize("expr", ["2026-11-22T09:00", "in 1h"])
async def test_what_happens_only_once_runs_however_late(world: World, expr: str) -> None:
    """Behaviour 6: never silently dropped."""
    task = await world.schedule(expr)
    await world.wake("2026-12-31T23:00")
    assert await world.history(task) == ["queued 22 09:00"]
    assert (await world.get(task)).status == "completed"


@pytest.mark.parametrize("policy", [{"misfire": "skip"}, {"max_lateness_seconds": 60}])
async def test_a_single_time_that_passed_is_recorded_as_late_when_its_policy_says_so(
    world: World, policy: dict[str, Any]
) -> None:
    task = await world.schedule("2026-11-22T09:00", **policy)
    await world.wake("2026-11-22T09:02")
    assert await world.history(task) == ["late 22 09:00"]
    assert (await world.get(task)).status == "completed"


async def test_a_lateness_of_nothing_at_all_may_be_asked(world: World) -> None:
    task = await world.schedule("0 * * * *", max_lateness_seconds=0)
    await world.wake("2026-11-22T11:30")
    assert await world.history(task) == ["late 22 09:00 to 22 11:00 x3"]


async def test_recurring_tasks_forget_what_is_half_a_day_old(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.wake("2026-11-22T21:00:01")
    assert await world.history(task) == ["late 22 09:00"]


async def test_half_a_day_is_not_too_late(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.wake("2026-11-22T21:00")
    assert await world.history(task) == ["queued 22 09:00"]


async def test_catching_up_never_bursts_beyond_a_hundred_runs(world: World) -> None:
    task = await world.schedule("every 1m", misfire="all", max_lateness_seconds=864_000)
    await world.wake("2026-11-23T08:00:30")
    history = await world.history(task)
    assert history[0] == "late 22 08:01 to 23 06:20 x1340"
    assert len(history) == 101
    assert (history[1], history[-1]) == ("queued 23 06:21", "queued 23 08:00")


@pytest.mark.parametrize(
    ("expr", "asleep_until", "late"),
    [
        ("every 1s", "2026-11-25T08:00", "late 22 08:00:01 to 25 07:59:57 x259197"),
        ("FREQ=MINUTELY", "2026-12-22T08:00", "late 22 08:01 to 22 07:58 xat least 2002"),
        ("* * * * *", "2027-11-22T08:00", "late 22 08:01 to 22 07:58 xat least 2002"),
        ("FREQ=SECONDLY", "2027-11-22T08:00", "late 22 08:00:01 to 22 07:59:57 xat least 2002"),
    ],
)
async def test_a_long_sleep_over_a_dense_schedule_is_one_row(
    world: World, expr: str, asleep_until: str, late: str
) -> None:
    task = await world.schedule(expr)
    await world.wake(asleep_until)
    history = await world.history(task)
    assert history[0] == late
    assert len(history) <= 4
    assert all(row.startswith("queued ") for row in history[1:])


@pytest.mark.parametrize("expr", ["every 1s", "FREQ=MINUTELY", "FREQ=SECONDLY"])
async def test_a_long_sleep_with_all_is_a_hundred_runs_and_one_row(world: World, expr: str) -> None:
    task = await world.schedule(expr, misfire="all")
    await world.wake("2027-05-01T12:00")
    rows = await world.stored()
    assert (await world.history(task))[0].startswith("late 22 08:0")
    assert rows["due_work"] <= 102
    assert rows["run"] == rows["due_work"] + 1


async def test_runs_that_were_caught_up_are_done_in_their_order(world: World) -> None:
    await world.schedule("0 * * * *", misfire="all")
    await world.wake("2026-11-22T11:30")
    begun = list[str]()
    while claimed := await world.claim():
        begun += [f"{run.scheduled_for:%H:%M}" for run in claimed]
        await world.finish(*claimed)
    assert begun == ["09:00", "10:00", "11:00"]
