"""Jitter, `max_runs`, `end_at`, exclusions, and series that end by themselves."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ordinaut_mcp.errors import InvalidInput
from tests.integration.schedules.world import World, short

pytestmark = pytest.mark.anyio


async def test_jitter_delays_the_start_and_never_moves_the_nominal_time(world: World) -> None:
    task = await world.schedule("0 * * * *", jitter_seconds=600)
    await world.wake("2026-11-22T09:00")
    (run,) = await world.runs(task)
    assert short(run.scheduled_for) == "22 09:00"
    # The same slot of the same task always gets the same jitter.
    assert run.due_at - run.scheduled_for == timedelta(seconds=460, microseconds=79_463)
    assert await world.claim() == []


async def test_jitter_never_reaches_the_next_slot(world: World) -> None:
    task = await world.schedule("every 10s", jitter_seconds=86_400, overlap="allow")
    for second in range(10, 60, 10):
        await world.wake(f"2026-11-22T08:00:{second}")
    delays = [run.due_at - run.scheduled_for for run in await world.runs(task)]
    assert len(delays) == 5
    assert len(set(delays)) > 1
    assert all(timedelta(0) <= delay < timedelta(seconds=10) for delay in delays)


async def test_a_run_that_its_jitter_holds_back_is_no_overlap(world: World) -> None:
    task = await world.schedule("every 10s", jitter_seconds=86_400)
    for second in (10, 20, 30):
        await world.wake(f"2026-11-22T08:00:{second}")
        await world.at(f"2026-11-22T08:00:{second + 9}.999")
        await world.work()
    assert [row.split(" at ")[0] for row in await world.history(task)] == [
        "succeeded 22 08:00:10",
        "succeeded 22 08:00:20",
        "succeeded 22 08:00:30",
    ]


async def test_max_runs_ends_the_task(world: World) -> None:
    task = await world.schedule("0 * * * *", max_runs=2)
    for hour in (9, 10, 11, 12):
        await world.wake(f"2026-11-22T{hour:02}:00")
        await world.work()
    assert await world.history(task) == ["succeeded 22 09:00", "succeeded 22 10:00"]
    assert (await world.get(task)).status == "completed"
    assert await world.next(task) is None


async def test_slots_beyond_max_runs_are_not_lost_silently(world: World) -> None:
    task = await world.schedule("0 * * * *", max_runs=2, misfire="all")
    await world.wake("2026-11-22T12:30")
    assert await world.history(task) == [
        "queued 22 09:00",
        "queued 22 10:00",
        "max_runs 22 11:00 to 22 12:00 x2",
    ]
    assert (await world.get(task)).status == "completed"


async def test_an_overlapped_slot_is_no_started_run(world: World) -> None:
    task = await world.schedule("0 * * * *", max_runs=2)
    await world.wake("2026-11-22T09:00")
    (running,) = await world.claim()
    await world.wake("2026-11-22T10:00")
    assert (await world.get(task)).status == "active"
    await world.finish(running)
    await world.wake("2026-11-22T11:00")
    assert await world.history(task) == [
        "succeeded 22 09:00",
        "overlap 22 10:00",
        "queued 22 11:00",
    ]
    assert (await world.get(task)).status == "completed"


async def test_runs_by_hand_do_not_count_towards_max_runs(world: World) -> None:
    task = await world.schedule("0 * * * *", max_runs=1)
    await world.run_now(task)
    await world.work()
    await world.wake("2026-11-22T09:00")
    assert (await world.history(task))[-1] == "queued 22 09:00"


async def test_max_runs_below_what_was_started_ends_the_task_at_the_next_slot(
    world: World,
) -> None:
    task = await world.schedule("0 * * * *")
    for hour in (9, 10):
        await world.wake(f"2026-11-22T{hour:02}:00")
        await world.work()
    await world.update(task, max_runs=1)
    await world.wake("2026-11-22T11:00")
    assert (await world.history(task))[2:] == ["max_runs 22 11:00"]
    assert (await world.get(task)).status == "completed"


async def test_the_end_is_inclusive(world: World) -> None:
    task = await world.schedule("0 * * * *", end_at="2026-11-22T10:00")
    for hour in (9, 10, 11):
        await world.wake(f"2026-11-22T{hour:02}:00")
        await world.work()
    assert await world.history(task) == ["succeeded 22 09:00", "succeeded 22 10:00"]
    assert (await world.get(task)).status == "completed"


async def test_a_date_as_the_end_is_that_whole_day(world: World) -> None:
    task = await world.schedule("0 20 * * *", end_at="2026-11-23")
    for day in (22, 23, 24):
        await world.wake(f"2026-11-{day}T20:00")
        await world.work()
    assert await world.history(task) == ["succeeded 22 20:00", "succeeded 23 20:00"]


async def test_an_excluded_slot_leaves_a_row_and_the_next_one_runs(world: World) -> None:
    task = await world.schedule("0 9 * * *", exclude=["2026-11-23", "2026-11-24"])
    for day in range(22, 26):
        await world.wake(f"2026-11-{day}T09:00")
        await world.work()
    assert await world.history(task) == [
        "succeeded 22 09:00",
        "excluded 23 09:00 to 24 09:00 x2",
        "succeeded 25 09:00",
    ]


async def test_the_very_first_slot_may_be_an_excluded_one(world: World) -> None:
    task = await world.schedule("0 9 * * *", exclude=["2026-11-22"])
    for day in (22, 23):
        await world.wake(f"2026-11-{day}T09:00")
    assert await world.history(task) == ["excluded 22 09:00", "queued 23 09:00"]


async def test_a_count_is_spent_once_in_the_life_of_a_task(world: World) -> None:
    """Behaviour 2: five fires, across restarts."""
    task = await world.schedule("FREQ=DAILY;COUNT=5;BYHOUR=12;BYMINUTE=0")
    for day in range(22, 31):
        await world.wake(f"2026-11-{day}T12:00:00.2")
        await world.work()
    assert await world.history(task) == [f"succeeded {day} 12:00" for day in range(22, 27)]
    assert (await world.get(task)).status == "completed"


async def test_an_interval_of_months_keeps_its_phase_over_a_restart(world: World) -> None:
    """Behaviour 3."""
    await world.at("2024-01-01T08:00")
    task = await world.schedule(
        "FREQ=MONTHLY;INTERVAL=3;BYMONTHDAY=1;BYHOUR=9", start_at="2024-01-01"
    )
    await world.wake("2024-01-01T09:00")
    await world.wake("2024-02-10T10:00")
    found = await world.get(task)
    assert found.next_run_at is not None
    assert found.next_run_at.isoformat() == "2024-04-01T09:00:00+00:00"


async def test_weekdays_at_eight_are_monday_to_friday(world: World) -> None:
    """Behaviour 1."""
    await world.at("2025-06-01T12:00")
    task = await world.schedule("0 8 * * 1-5", timezone="Europe/Chisinau")
    for day in range(1, 10):
        await world.wake(f"2025-06-{day:02}T05:00")
        await world.work()
    assert await world.history(task) == [f"succeeded {day:02} 05:00" for day in (2, 3, 4, 5, 6, 9)]


async def test_a_single_time_in_the_past_is_refused_with_what_time_it_is(world: World) -> None:
    """Behaviour 6."""
    with pytest.raises(InvalidInput) as refused:
        await world.schedule("2026-11-22T07:59")
    assert refused.value.code == "in_the_past"
    assert "it is now Sun 22 Nov 2026, 08:00 in UTC" in refused.value.message
    assert set((await world.stored()).values()) == {0}


async def test_a_task_stored_now_fires_at_the_next_minute(world: World) -> None:
    """Behaviour 7."""
    await world.at("2026-11-22T08:00:59.9")
    task = await world.schedule("* * * * *")
    await world.wake("2026-11-22T08:01")
    assert await world.history(task) == ["queued 22 08:01"]
