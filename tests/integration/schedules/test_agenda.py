"""The agenda: what is to come across all tasks of a caller, with its ghosts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ordinaut_mcp.domain.run import Failed
from ordinaut_mcp.services.agenda import Agenda
from tests.integration.schedules.world import World, instant, short
from tests.leasing import settled

pytestmark = pytest.mark.anyio


async def look(world: World, hours: float = 24, limit: int = 20) -> Agenda:
    return await world.services.agenda.get(world.caller, span=timedelta(hours=hours), limit=limit)


async def lines(world: World, hours: float = 24, limit: int = 20) -> list[str]:
    """`09:00 scheduled Probe`, a line for each row."""
    agenda = await look(world, hours, limit)
    return [f"{short(row.at)} {row.state} {row.title}" for row in agenda.entries]


async def test_all_tasks_stand_in_one_order(world: World) -> None:
    await world.schedule("0 */2 * * *", title="Even")
    await world.schedule("30 9,11 * * *", title="Half")
    await world.schedule("in 90 minutes", title="Once")
    assert await lines(world, hours=4) == [
        "22 09:30 scheduled Half",
        "22 09:30 scheduled Once",
        "22 10:00 scheduled Even",
        "22 11:30 scheduled Half",
        "22 12:00 scheduled Even",
    ]


async def test_the_end_of_the_span_is_inclusive(world: World) -> None:
    await world.schedule("0 9 * * *")
    assert await lines(world, hours=1) == ["22 09:00 scheduled Probe"]
    assert await lines(world, hours=0.99) == []


async def test_more_than_the_limit_is_told(world: World) -> None:
    await world.schedule("0 * * * *")
    whole, part = await look(world, hours=3, limit=3), await look(world, hours=4, limit=3)
    assert (len(whole.entries), whole.truncated) == (3, False)
    assert (len(part.entries), part.truncated) == (3, True)


async def test_a_caller_sees_own_tasks_only(world: World) -> None:
    stranger = world.stranger
    await stranger.schedule("0 9 * * *", title="Theirs")
    await stranger.schedule("0 9 * * *", title="Running")
    await stranger.wake("2026-11-22T09:00")
    await world.schedule("0 10 * * *", title="Mine")
    assert await lines(world) == ["22 10:00 scheduled Mine"]


async def test_a_snoozed_occurrence_stands_where_it_runs(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.snooze(task, span=timedelta(minutes=90))
    (row, _) = (await look(world, hours=48)).entries
    assert (row.at, row.state) == (instant("2026-11-22T10:30"), "snoozed")
    assert row.scheduled_for == instant("2026-11-22T09:00")
    assert row.run == "run_1"


async def test_an_occurrence_that_was_moved_forward_is_a_snoozed_one(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await world.snooze(task, until=instant("2026-11-22T08:30"))
    assert await lines(world) == ["22 08:30 snoozed Probe"]


async def test_a_paused_task_leaves_ghosts_with_its_note(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.pause(task, "on holiday")
    await world.at("2026-11-22T10:30")
    agenda = await look(world, hours=2)
    assert [(short(row.at), row.state, row.note) for row in agenda.entries] == [
        ("22 11:00", "paused", "on holiday"),
        ("22 12:00", "paused", "on holiday"),
    ]


async def test_an_excluded_occurrence_is_a_ghost_with_its_reason(world: World) -> None:
    await world.schedule("0 9 * * *", exclude=["2026-11-22"])
    agenda = await look(world, hours=48)
    assert [(short(row.at), row.state, row.note) for row in agenda.entries] == [
        ("22 09:00", "excluded", "2026-11-22 is excluded"),
        ("23 09:00", "scheduled", None),
    ]


async def test_what_is_due_and_not_taken_is_late(world: World) -> None:
    await world.schedule("0 9 * * *", title="Untold", exclude=["2026-11-21"])
    await world.at("2026-11-22T09:05")
    assert await lines(world, hours=1) == ["22 09:00 late Untold"]
    await world.tick()
    await world.at("2026-11-22T09:10")
    (row,) = (await look(world, hours=1)).entries
    assert (row.state, row.run) == ("late", "run_1")
    assert row.note == "due, and not yet taken by a worker"


async def test_an_excluded_occurrence_that_passed_is_not_late(world: World) -> None:
    await world.schedule("0 9 * * *", exclude=["2026-11-22"])
    await world.at("2026-11-22T09:05")
    assert await lines(world, hours=1) == ["22 09:00 excluded Probe"]


async def test_unfinished_runs_say_what_they_are_doing(world: World) -> None:
    await world.schedule("0 9 * * *", title="Runs")
    await world.wake("2026-11-22T09:00")
    (claimed,) = await world.claim()
    assert await lines(world, hours=1) == ["22 09:00 running Runs"]
    failed = Failed({"code": "x", "message": "x"}, retry_in_seconds=600)
    assert await settled(world.queue, claimed.lease, failed)
    assert await lines(world, hours=1) == ["22 09:00 retrying Runs"]


async def test_a_run_that_rests_between_attempts_stands_where_it_was_due(world: World) -> None:
    await world.schedule("0 9 * * *", title="First")
    await world.schedule("30 9 * * *", title="Second")
    await world.wake("2026-11-22T09:00")
    (claimed,) = await world.claim()
    await world.at("2026-11-22T09:10")
    failed = Failed({"code": "x", "message": "x"}, retry_in_seconds=3600)
    assert await settled(world.queue, claimed.lease, failed)
    await world.wake("2026-11-22T09:30")
    assert await lines(world, hours=1) == ["22 09:00 retrying First", "22 09:30 queued Second"]


async def test_runs_by_hand_and_for_the_past_are_not_snoozed_ones(world: World) -> None:
    task = await world.schedule("0 * * * *", end_at="2026-11-22T09:00")
    await world.services.backfills.backfill(
        world.caller,
        task.name,
        since=instant("2026-11-22T00:00"),
        until=instant("2026-11-22T02:00"),
        per_minute=1,
        dry_run=False,
    )
    await world.run_now(task)
    assert await lines(world, hours=0.5) == [
        "22 08:00 queued Probe",
        "22 08:00 queued Probe",
        "22 08:01 queued Probe",
    ]


async def test_no_more_is_shown_than_max_runs_allows(world: World) -> None:
    await world.schedule("0 * * * *", max_runs=3, exclude=["2026-11-22T10:00"])
    await world.wake("2026-11-22T09:00")
    await world.work()
    assert await lines(world) == ["22 11:00 scheduled Probe", "22 12:00 scheduled Probe"]


async def test_tasks_that_are_paused_for_long_hide_no_others(world: World) -> None:
    for number in range(12):
        task = await world.schedule("0 9 23 * *", title=f"Monthly {number}")
        await world.pause(task)
    await world.at("2026-11-25T08:00")
    for number in range(3):
        await world.schedule("0 9 * * *", title=f"Daily {number}")
    agenda = await look(world, limit=3)
    assert [row.title for row in agenda.entries] == ["Daily 0", "Daily 1", "Daily 2"]
    assert not agenda.truncated


async def test_there_may_be_nothing_to_come(world: World) -> None:
    agenda = await look(world)
    assert (agenda.entries, agenda.truncated) == ([], False)
    assert agenda.until - agenda.now == timedelta(hours=24)
