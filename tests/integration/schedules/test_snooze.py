"""Snoozes: this occurrence moves or is left out, the series stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ordinaut_mcp.domain.task import TaskStatus
from ordinaut_mcp.errors import Conflict, InvalidInput, NotFound
from tests.integration.schedules.world import World, instant

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)


async def test_the_next_occurrence_runs_later_under_its_nominal_time(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    write = await world.snooze(task, span=timedelta(minutes=90))
    assert write.to == instant("2026-11-22T10:30")
    await world.wake("2026-11-22T10:29:59")
    assert await world.claim() == []
    await world.at("2026-11-22T10:30")
    (claimed,) = await world.claim()
    assert claimed.scheduled_for == instant("2026-11-22T09:00")
    await world.finish(claimed)
    await world.wake("2026-11-23T09:00")
    assert await world.history(task) == ["succeeded 22 09:00 at 22 10:30", "queued 23 09:00"]


async def test_it_may_be_moved_to_an_instant(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.snooze(task, until=instant("2026-11-22T18:00"))
    assert await world.history(task) == ["queued 22 09:00 at 22 18:00"]
    assert await world.next(task) == "23 09:00"


async def test_it_may_be_moved_to_an_earlier_instant(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.snooze(task, until=instant("2026-11-22T08:10"))
    await world.wake("2026-11-22T08:10")
    await world.work()
    await world.wake("2026-11-22T09:00")
    assert await world.history(task) == ["succeeded 22 09:00 at 22 08:10"]


async def test_it_may_be_moved_again_and_again(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    for minute in (15, 30, 45):
        write = await world.snooze(task, span=timedelta(minutes=15))
        assert write.to == instant(f"2026-11-22T09:{minute}")
    assert await world.history(task) == ["queued 22 09:00 at 22 09:45"]
    assert await world.next(task) == "23 09:00"


@pytest.mark.parametrize("expr", ["2026-11-22T09:00", "in 60 minutes"])
async def test_what_happens_only_once_may_be_moved_again_and_again(world: World, expr: str) -> None:
    task = await world.schedule(expr)
    await world.snooze(task, span=HOUR)
    await world.snooze(task, span=HOUR)
    await world.wake("2026-11-22T11:00")
    await world.work()
    assert await world.history(task) == ["succeeded 22 09:00 at 22 11:00"]
    assert (await world.get(task)).status is TaskStatus.COMPLETED
    with pytest.raises(Conflict):
        await world.snooze(task, span=HOUR)


async def test_the_last_run_of_max_runs_may_be_moved_again_and_again(world: World) -> None:
    task = await world.schedule("0 9 * * *", max_runs=1)
    await world.snooze(task, span=HOUR)
    await world.snooze(task, span=HOUR)
    for day in (22, 23):
        await world.wake(f"2026-11-{day}T11:00")
        await world.work()
    assert await world.history(task) == ["succeeded 22 09:00 at 22 11:00"]


async def test_one_that_is_due_and_not_taken_moves_from_now_on(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.at("2026-11-22T09:20")
    write = await world.snooze(task, span=HOUR)
    assert write.to == instant("2026-11-22T10:20")
    await world.tick()
    assert await world.history(task) == ["queued 22 09:00 at 22 10:20"]


async def test_one_that_is_moved_does_not_keep_out_the_next(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.snooze(task, span=timedelta(minutes=90))
    await world.wake("2026-11-22T10:00")
    await world.work()
    await world.wake("2026-11-22T10:30")
    await world.work()
    await world.wake("2026-11-22T11:00")
    assert await world.history(task) == [
        "succeeded 22 09:00 at 22 10:30",
        "succeeded 22 10:00",
        "queued 22 11:00",
    ]


async def test_one_that_is_moved_waits_for_a_later_one_that_runs(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.snooze(task, span=timedelta(minutes=90))
    await world.wake("2026-11-22T10:00")
    (later,) = await world.claim()
    await world.at("2026-11-22T10:30")
    assert await world.claim() == []
    await world.finish(later)
    (moved,) = await world.claim()
    assert moved.scheduled_for == instant("2026-11-22T09:00")
    assert await world.history(task) == ["running 22 09:00 at 22 10:30", "succeeded 22 10:00"]


async def test_one_that_is_moved_upon_the_next_leaves_a_row_for_that(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.snooze(task, span=HOUR)
    await world.wake("2026-11-22T10:00")
    assert await world.history(task) == ["queued 22 09:00 at 22 10:00", "overlap 22 10:00"]


async def test_of_a_moved_one_and_the_next_the_sooner_is_moved(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.snooze(task, span=timedelta(minutes=90))
    await world.snooze(task, span=timedelta(minutes=10))
    assert await world.history(task) == [
        "queued 22 09:00 at 22 10:30",
        "queued 22 10:00 at 22 10:10",
    ]


async def test_the_next_ones_may_be_left_out(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    write = await world.snooze(task, skip=2)
    assert write.to == instant("2026-11-24T09:00")
    for day in (22, 23, 24):
        await world.wake(f"2026-11-{day}T09:00")
    assert await world.history(task) == ["snoozed 22 09:00 to 23 09:00 x2", "queued 24 09:00"]


async def test_leaving_out_counts_what_would_have_run(world: World) -> None:
    task = await world.schedule("0 9 * * *", exclude=["2026-11-23", "2026-11-25"])
    write = await world.snooze(task, skip=2)
    assert write.to == instant("2026-11-26T09:00")
    await world.wake("2026-11-26T09:00")
    assert await world.history(task) == [
        "snoozed 22 09:00 to 24 09:00 x2",
        "excluded 23 09:00",
        "excluded 25 09:00",
        "queued 26 09:00",
    ]


async def test_excluded_slots_around_a_moved_one_are_told(world: World) -> None:
    task = await world.schedule("0 9 * * *", exclude=["2026-11-22", "2026-11-24"])
    await world.snooze(task, span=HOUR)
    await world.wake("2026-11-23T10:00")
    await world.work()
    await world.wake("2026-11-25T09:00")
    assert await world.history(task) == [
        "excluded 22 09:00",
        "succeeded 23 09:00 at 23 10:00",
        "excluded 24 09:00",
        "queued 25 09:00",
    ]


async def test_a_moved_one_is_the_first_to_be_left_out(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.snooze(task, span=HOUR)
    await world.snooze(task, skip=1)
    await world.wake("2026-11-22T10:00")
    await world.wake("2026-11-23T09:00")
    assert await world.history(task) == ["snoozed 22 09:00", "queued 23 09:00"]


async def test_a_moved_one_and_those_after_it_may_be_left_out(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.snooze(task, span=HOUR)
    await world.snooze(task, skip=3)
    await world.wake("2026-11-25T09:00")
    assert await world.history(task) == [
        "snoozed 22 09:00",
        "snoozed 23 09:00 to 24 09:00 x2",
        "queued 25 09:00",
    ]


async def test_the_only_one_may_be_left_out_after_it_was_moved(world: World) -> None:
    task = await world.schedule("in 60 minutes")
    await world.snooze(task, span=HOUR)
    with pytest.raises(InvalidInput) as refused:
        await world.snooze(task, skip=2)
    assert (refused.value.code, refused.value.field) == ("out_of_range", "skip")
    await world.snooze(task, skip=1)
    await world.wake("2026-11-22T10:00")
    assert await world.history(task) == ["snoozed 22 09:00"]
    assert (await world.get(task)).runs_started == 0


async def test_leaving_out_all_that_is_to_come_completes_the_task(world: World) -> None:
    task = await world.schedule("0 9 * * *", end_at="2026-11-23")
    with pytest.raises(InvalidInput) as refused:
        await world.snooze(task, skip=3)
    assert "Only 2 occurrences are to come" in refused.value.message
    assert await world.history(task) == []
    await world.snooze(task, skip=2)
    assert (await world.get(task)).status is TaskStatus.COMPLETED
    assert await world.history(task) == ["snoozed 22 09:00 to 23 09:00 x2"]


async def test_a_run_by_hand_is_never_moved(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.run_now(task)
    await world.snooze(task, span=HOUR)
    assert await world.history(task) == ["manual queued 22 08:00", "queued 22 09:00 at 22 10:00"]


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        ({}, "conflicting_arguments", "for_seconds"),
        ({"span": HOUR, "skip": 1}, "conflicting_arguments", "for_seconds"),
        ({"until": instant("2026-11-22T07:59")}, "in_the_past", "until"),
        ({"until": instant("2027-11-24T00:00")}, "too_far", "until"),
        ({"span": timedelta(days=367)}, "too_far", "for_seconds"),
    ],
)
async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    world: World, request_: dict[str, object], code: str, field: str
) -> None:
    task = await world.schedule("0 9 * * *")
    rows = await world.stored()
    with pytest.raises(InvalidInput) as refused:
        await world.snooze(task, **request_)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert (await world.stored(), await world.next(task)) == (rows, "22 09:00")


async def test_a_paused_task_is_not_snoozed(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.pause(task)
    with pytest.raises(Conflict):
        await world.snooze(task, span=HOUR)


async def test_a_task_that_is_not_there_is_not_snoozed(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    stranger = world.stranger
    with pytest.raises(NotFound):
        await stranger.snooze(task, span=HOUR)
    assert await world.history(task) == []
