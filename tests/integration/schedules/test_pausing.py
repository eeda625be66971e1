"""Pausing, resuming and canceling, with what that means for the slots in between."""

from __future__ import annotations

import pytest

from ordinaut_mcp.domain.task import TaskStatus
from ordinaut_mcp.errors import Conflict
from tests.integration.schedules.world import World

pytestmark = pytest.mark.anyio


async def test_slots_of_a_pause_are_one_row_when_it_ends(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.pause(task, "on holiday")
    await world.wake("2026-11-22T11:30")
    assert await world.history(task) == []
    assert (await world.get(task)).note == "on holiday"
    resumed = await world.resume(task)
    assert (resumed.status, resumed.note) == (TaskStatus.ACTIVE, None)
    assert await world.history(task) == ["paused 22 09:00 to 22 11:00 x3"]
    await world.wake("2026-11-22T12:00")
    assert (await world.history(task))[1:] == ["queued 22 12:00"]


async def test_a_long_pause_of_a_dense_schedule_is_one_row(world: World) -> None:
    task = await world.schedule("every 1s")
    await world.pause(task)
    await world.at("2026-12-22T08:00")
    await world.resume(task)
    assert await world.history(task) == ["paused 22 08:00:01 to 22 08:00 x2592000"]
    assert await world.next(task) == "22 08:00:01"


async def test_a_pause_without_slots_leaves_no_trace(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.pause(task)
    await world.at("2026-11-22T08:59")
    await world.resume(task)
    await world.wake("2026-11-22T09:00")
    assert await world.history(task) == ["queued 22 09:00"]


async def test_resuming_exactly_at_a_slot_skips_that_slot(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.pause(task)
    await world.at("2026-11-22T09:00")
    await world.resume(task)
    await world.tick()
    assert await world.history(task) == ["paused 22 09:00"]


async def test_excluded_slots_keep_their_own_reason_in_a_pause(world: World) -> None:
    task = await world.schedule("0 * * * *", exclude=["2026-11-22T10:00"])
    await world.pause(task)
    await world.at("2026-11-22T11:30")
    await world.resume(task)
    assert await world.history(task) == ["paused 22 09:00", "excluded 22 10:00", "paused 22 11:00"]


async def test_a_series_that_ended_in_a_pause_is_completed(world: World) -> None:
    task = await world.schedule("2026-11-22T09:00")
    await world.pause(task)
    await world.at("2026-11-22T10:00")
    assert (await world.resume(task)).status is TaskStatus.COMPLETED
    assert await world.history(task) == ["paused 22 09:00"]


async def test_pausing_again_changes_the_note_alone(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.pause(task, "one")
    assert (await world.pause(task)).note == "one"
    assert (await world.pause(task, "two")).note == "two"
    assert (await world.get(task)).status is TaskStatus.PAUSED


async def test_a_task_may_begin_paused(world: World) -> None:
    task = await world.schedule("0 * * * *", paused=True)
    await world.wake("2026-11-22T09:30")
    await world.resume(task)
    assert await world.history(task) == ["paused 22 09:00"]


async def test_resuming_what_is_active_changes_nothing(world: World) -> None:
    task = await world.schedule("0 * * * *")
    assert await world.resume(task) == task


async def test_a_pause_does_not_take_back_what_runs(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.wake("2026-11-22T09:00")
    (running,) = await world.claim()
    await world.pause(task)
    await world.finish(running)
    assert await world.history(task) == ["succeeded 22 09:00"]


async def test_a_pause_holds_what_its_jitter_holds_back(world: World) -> None:
    task = await world.schedule("0 * * * *", jitter_seconds=600, max_runs=5)
    await world.wake("2026-11-22T09:00")
    await world.pause(task)
    await world.wake("2026-11-22T09:30")
    assert await world.claim() == []
    assert await world.history(task) == ["paused 22 09:00"]
    assert (await world.get(task)).runs_started == 0


async def test_a_canceled_task_accounts_for_what_was_due_and_not_taken(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.at("2026-11-22T10:30")
    canceled = await world.cancel(task)
    assert (canceled.status, canceled.next_run_at) == (TaskStatus.CANCELED, None)
    await world.wake("2026-11-22T11:00")
    assert await world.history(task) == ["canceled 22 09:00 to 22 10:00 x2"]


async def test_a_cancel_ends_what_is_queued_and_lets_what_runs_finish(world: World) -> None:
    task = await world.schedule("0 * * * *", overlap="queue")
    await world.wake("2026-11-22T09:00")
    (running,) = await world.claim()
    await world.wake("2026-11-22T10:00")
    await world.cancel(task)
    await world.finish(running)
    assert await world.history(task) == ["succeeded 22 09:00", "canceled 22 10:00"]


async def test_canceling_a_paused_task_tells_of_its_pause(world: World) -> None:
    task = await world.schedule("0 * * * *")
    await world.pause(task)
    await world.at("2026-11-22T10:30")
    await world.cancel(task)
    assert await world.history(task) == ["paused 22 09:00 to 22 10:00 x2"]


async def test_a_canceled_task_tells_nothing_of_what_would_have_come(world: World) -> None:
    excluded = ["2026-11-22", "2026-11-23", "2026-11-24"]
    task = await world.schedule("0 9 * * *", exclude=excluded, end_at="2026-12-24")
    await world.at("2026-11-23T10:00")
    await world.cancel(task)
    assert await world.history(task) == ["excluded 22 09:00 to 23 09:00 x2"]


async def test_a_single_time_that_was_due_is_accounted_for_by_a_cancel(world: World) -> None:
    task = await world.schedule("in 90 minutes")
    await world.at("2026-11-22T09:30:00.7")
    await world.cancel(task)
    assert await world.history(task) == ["canceled 22 09:30"]


async def test_a_canceled_task_can_neither_be_resumed_nor_paused(world: World) -> None:
    """Behaviour 9."""
    task = await world.schedule("0 * * * *")
    await world.cancel(task)
    for change in (world.resume, world.pause, world.snooze_an_hour, world.run_now):
        with pytest.raises(Conflict) as refused:
            await change(task)
        assert refused.value.field == "task"
    assert (await world.get(task)).status is TaskStatus.CANCELED


async def test_canceling_again_changes_nothing(world: World) -> None:
    task = await world.schedule("0 * * * *")
    canceled = await world.cancel(task)
    await world.at("2026-11-23T08:00")
    assert await world.cancel(task) == canceled
