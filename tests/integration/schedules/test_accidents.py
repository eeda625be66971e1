"""What happened to users of other schedulers, replayed from the first call to the last row."""

from __future__ import annotations

import anyio
import pytest

from ordinaut_mcp.domain.task import TaskStatus
from ordinaut_mcp.errors import InvalidInput
from tests.integration.schedules.running import schedulers, scheduling
from tests.integration.schedules.world import World

pytestmark = pytest.mark.anyio


async def test_claude_code_82517_a_daily_task_fires_once_with_several_windows_open(
    world: World,
) -> None:
    """Four windows schedule the same and run a scheduler each, for a month."""
    async with anyio.create_task_group() as windows:
        for _ in range(4):
            windows.start_soon(lambda: world.schedule("0 9 * * *", key="daily"))
    task = await world.services.tasks.get(world.caller, "daily")
    async with schedulers(world.pool, 4) as running:
        for day in range(22, 31):
            await world.at(f"2026-11-{day}T09:00")
            for one in running:
                one.wake()
            for one in running:
                await one.quiet()
            await world.work()
    assert await world.history(task[0]) == [f"succeeded {day} 09:00" for day in range(22, 31)]


async def test_claude_code_82360_a_past_single_time_does_not_roll_to_next_year(
    world: World,
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await world.schedule("2026-11-21T09:00")
    assert refused.value.code == "in_the_past"
    assert "it is now Sun 22 Nov 2026, 08:00" in refused.value.message
    assert set((await world.stored()).values()) == {0}


async def test_codex_35602_a_slot_is_not_consumed_without_a_run(world: World) -> None:
    """The machine wakes for a moment: the slot is taken, and its worker never starts it."""
    task = await world.schedule("0 9 * * *")
    async with scheduling(world.pool) as darkly_awake:
        await world.at("2026-11-22T09:00")
        await darkly_awake.look()
    await world.at("2026-11-22T13:00")
    async with scheduling(world.pool) as awake:
        await awake.quiet()
    await world.work()
    assert await world.history(task) == ["succeeded 22 09:00"]
    (run,) = await world.runs(task)
    assert run.lateness_ms == 4 * 3600 * 1000


async def test_openclaw_46287_a_restart_does_not_replay_a_backlog(world: World) -> None:
    """Fifty-two tasks of every five minutes, three days without a runtime, then three starts."""
    for number in range(52):
        await world.schedule("*/5 * * * *", title=f"Agent {number}")
    await world.at("2026-11-25T08:02")
    for _ in range(3):
        async with scheduling(world.pool) as restarted:
            await restarted.quiet()
    rows = await world.stored()
    assert (rows["due_work"], rows["run"]) == (52, 104)
    task = (await world.services.tasks.get(world.caller, "task_1"))[0]
    assert await world.history(task) == ["late 22 08:05 to 25 07:55 x863", "queued 25 08:00"]


async def test_hermes_111212_a_friday_run_does_not_start_on_sunday(world: World) -> None:
    task = await world.schedule("0 16 * * 5", timezone="Europe/Chisinau")
    await world.wake("2026-11-29T08:06")
    assert await world.history(task) == ["late 27 14:00"]
    assert await world.next(task) == "04 14:00"


async def test_hermes_agent_107485_an_excluded_slot_takes_nothing_with_it(world: World) -> None:
    """The place moves on past the excluded slot, and the run before it is not lost for that."""
    task = await world.schedule("0 9 * * *", exclude=["2026-11-23"])
    await world.wake("2026-11-22T09:00")
    assert await world.next(task) == "24 09:00"
    # The runtime dies before a worker took the run, and is away over the excluded day.
    await world.wake("2026-11-23T20:00")
    await world.work()
    await world.wake("2026-11-24T09:00")
    assert await world.history(task) == [
        "succeeded 22 09:00",
        "excluded 23 09:00",
        "queued 24 09:00",
    ]
    assert (await world.get(task)).status is TaskStatus.ACTIVE
