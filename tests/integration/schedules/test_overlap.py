"""A slot that comes while an earlier run of its task is unfinished."""

from __future__ import annotations

import pytest

from ordinaut_mcp.domain.run import Cancelled, Failed, Parked
from ordinaut_mcp.store.cancels import PostgresCancels
from tests.integration.schedules.world import WORKER, World, instant
from tests.leasing import settled

pytestmark = pytest.mark.anyio


async def test_it_is_skipped_and_the_next_one_runs(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.wake("2026-11-22T09:00")
    (running,) = await world.claim()
    await world.wake("2026-11-22T10:00")
    await world.finish(running)
    await world.wake("2026-11-22T11:00")
    assert await world.history(task) == [
        "succeeded 22 09:00",
        "overlap 22 10:00",
        "queued 22 11:00",
    ]


async def test_a_run_that_nobody_took_yet_counts_as_unfinished(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.wake("2026-11-22T09:00")
    await world.wake("2026-11-22T10:00")
    assert await world.history(task) == ["queued 22 09:00", "overlap 22 10:00"]


@pytest.mark.parametrize("waits", [True, False])
async def test_runs_that_wait_or_are_tried_again_count_as_unfinished(
    world: World, *, waits: bool
) -> None:
    task = await world.schedule("0 * * * *")
    await world.wake("2026-11-22T09:00")
    (running,) = await world.claim()
    error = {"code": "x", "message": "x"}
    outcome = Parked(error) if waits else Failed(error, retry_in_seconds=7200)
    assert await settled(world.queue, running.lease, outcome)
    await world.wake("2026-11-22T10:00")
    state = "waiting" if waits else "retrying"
    assert await world.history(task) == [f"{state} 22 09:00", "overlap 22 10:00"]


async def test_a_long_run_leaves_one_row_for_all_that_it_kept_out(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.wake("2026-11-22T09:00")
    (running,) = await world.claim()
    for hour in (10, 11, 12):
        await world.wake(f"2026-11-22T{hour}:00")
    assert await world.history(task) == [
        "running 22 09:00",
        "overlap 22 10:00 to 22 12:00 x3",
    ]
    await world.finish(running)
    await world.wake("2026-11-22T13:00")
    await world.wake("2026-11-22T14:00")
    assert (await world.history(task))[2:] == ["queued 22 13:00", "overlap 22 14:00"]


async def test_what_was_slept_through_and_overlaps_is_one_row(world: World) -> None:
    task = await world.schedule("0 * * * *", misfire="all")
    await world.wake("2026-11-22T09:00")
    await world.wake("2026-11-22T14:30")
    assert await world.history(task) == [
        "queued 22 09:00",
        "overlap 22 10:00 to 22 14:00 x5",
    ]


async def test_an_excluded_slot_parts_two_rows(world: World) -> None:
    task = await world.schedule("0 * * * *", misfire="all", exclude=["2026-11-22T12:00"])
    await world.wake("2026-11-22T09:00")
    await world.wake("2026-11-22T13:30")
    assert await world.history(task) == [
        "queued 22 09:00",
        "overlap 22 10:00 to 22 11:00 x2",
        "excluded 22 12:00",
        "overlap 22 13:00",
    ]


async def test_an_excluded_slot_ahead_parts_two_rows_as_well(world: World) -> None:
    task = await world.schedule("0 * * * *", exclude=["2026-11-22T11:00"])
    for hour in (9, 10, 11, 12):
        await world.wake(f"2026-11-22T{hour:02}:00")
    assert await world.history(task) == [
        "queued 22 09:00",
        "overlap 22 10:00",
        "excluded 22 11:00",
        "overlap 22 12:00",
    ]


async def test_with_queue_it_waits_for_the_earlier_run(world: World) -> None:
    task = await world.schedule("0 * * * *", overlap="queue")
    await world.wake("2026-11-22T09:00")
    (first,) = await world.claim()
    await world.wake("2026-11-22T10:00")
    assert await world.claim() == []
    await world.finish(first)
    (second,) = await world.claim()
    assert second.scheduled_for == instant("2026-11-22T10:00")
    assert await world.history(task) == ["succeeded 22 09:00", "running 22 10:00"]


async def test_with_allow_both_run_at_once(world: World) -> None:
    task = await world.schedule("0 * * * *", overlap="allow")
    await world.wake("2026-11-22T09:00")
    await world.claim()
    await world.wake("2026-11-22T10:00")
    await world.claim()
    assert await world.history(task) == ["running 22 09:00", "running 22 10:00"]


async def test_with_cancel_running_an_older_one_that_waits_ends_at_once(world: World) -> None:
    task = await world.schedule("0 * * * *", overlap="cancel_running")
    await world.wake("2026-11-22T09:00")
    await world.wake("2026-11-22T10:00")
    assert await world.history(task) == ["canceled 22 09:00", "queued 22 10:00"]
    assert [run.reason for run in await world.runs(task)] == ["overlap", None]


async def test_with_cancel_running_an_older_one_that_runs_makes_room(world: World) -> None:
    task = await world.schedule("0 * * * *", overlap="cancel_running")
    await world.wake("2026-11-22T09:00")
    (older,) = await world.claim()
    await world.wake("2026-11-22T10:00")
    assert await PostgresCancels(world.pool).wanted(WORKER) == {older.lease.run_id: "overlap"}
    assert await world.claim() == []
    assert await settled(world.queue, older.lease, Cancelled("overlap"))
    await world.work()
    assert await world.history(task) == ["canceled 22 09:00", "succeeded 22 10:00"]


async def test_with_cancel_running_a_run_by_hand_is_left_alone(world: World) -> None:
    task = await world.schedule("0 * * * *", overlap="cancel_running")
    await world.run_now(task)
    await world.wake("2026-11-22T09:00")
    assert await world.history(task) == ["manual queued 22 08:00", "queued 22 09:00"]


async def test_a_run_by_hand_does_not_use_up_the_slot(world: World) -> None:
    """Behaviour 8."""
    task = await world.schedule("0 * * * *")
    await world.at("2026-11-22T08:59")
    await world.run_now(task)
    await world.wake("2026-11-22T09:00")
    assert await world.history(task) == ["manual queued 22 08:59", "queued 22 09:00"]


async def test_the_slot_waits_for_a_run_by_hand_that_is_under_way(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.at("2026-11-22T08:59")
    await world.run_now(task)
    (by_hand,) = await world.claim()
    await world.wake("2026-11-22T09:00")
    assert await world.claim() == []
    await world.finish(by_hand)
    await world.work()
    assert await world.history(task) == ["manual succeeded 22 08:59", "succeeded 22 09:00"]


async def test_a_run_by_hand_starts_beside_an_unfinished_one(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.wake("2026-11-22T09:00")
    await world.claim()
    await world.run_now(task)
    (by_hand,) = await world.claim()
    assert by_hand.kind == "manual"


async def test_a_backfill_does_not_keep_slots_out(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.services.backfills.backfill(
        world.caller,
        task.name,
        since=instant("2026-11-22T00:00"),
        until=instant("2026-11-22T03:00"),
        per_minute=60,
        dry_run=False,
    )
    await world.wake("2026-11-22T09:00")
    assert "queued 22 09:00" in await world.history(task)
