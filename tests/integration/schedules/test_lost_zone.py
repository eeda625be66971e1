"""A zone that tzdata does not know any more parks its tasks visibly, and never becomes UTC."""

from __future__ import annotations

from datetime import timedelta
from typing import LiteralString

import pytest

from ordinaut_mcp.domain.task import Task, TaskStatus
from ordinaut_mcp.errors import Conflict
from ordinaut_mcp.ports import TaskFilter
from tests.integration.schedules.running import scheduling
from tests.integration.schedules.world import World, instant

pytestmark = pytest.mark.anyio

LOSE_ZONE: LiteralString = """
    UPDATE ordinaut.task_revision
    SET definition = jsonb_set(definition, '{schedule,timezone}', '"Europe/Atlantis"'),
        request = jsonb_set(request, '{timezone}', '"Europe/Atlantis"')
    WHERE task_id = %(id)s
"""
STALE: LiteralString = "UPDATE ordinaut.task SET tz_version = '2019a'"


async def lost(world: World) -> Task:
    """A daily task at nine, in a zone that was there when it was made."""
    task = await world.schedule("0 9 * * *", title="Lost", timezone="Europe/Chisinau")
    await world.execute(LOSE_ZONE, id=task.id)
    return task


async def test_it_is_parked_with_a_note_when_the_scheduler_starts(world: World) -> None:
    task, neighbour = await lost(world), await world.schedule("0 9 * * *")
    await world.execute(STALE)
    async with scheduling(world.pool) as scheduler:
        await scheduler.quiet()
        await world.at("2026-11-23T09:00")
        await scheduler.look()
    found = await world.get(task)
    assert found.status is TaskStatus.PAUSED
    assert "Paused by Ordinaut after an update of tzdata" in (found.note or "")
    assert "'Europe/Atlantis'" in (found.note or "")
    assert await world.history(task) == []
    assert await world.history(neighbour) == ["late 22 09:00", "queued 23 09:00"]


async def test_it_is_parked_when_it_comes_due(world: World) -> None:
    task, neighbour = await lost(world), await world.schedule("0 9 * * *")
    async with scheduling(world.pool) as scheduler:
        await scheduler.quiet()
        await world.at("2026-11-23T09:00")
        await scheduler.look()
    found = await world.get(task)
    assert found.status is TaskStatus.PAUSED
    assert "'Europe/Atlantis'" in (found.note or "")
    assert await world.history(task) == []
    assert await world.history(neighbour) == ["late 22 09:00", "queued 23 09:00"]


async def test_lists_and_the_agenda_still_work(world: World) -> None:
    task = await lost(world)
    await world.schedule("0 9 * * *", title="Neighbour")
    listed = await world.services.tasks.list(world.caller, TaskFilter())
    assert [one.definition.title for one in listed] == ["Neighbour", "Lost"]
    schedule = (await world.get(task)).definition.schedule
    assert (schedule.timezone, schedule.expr) == ("Europe/Atlantis", "0 9 * * *")
    assert "cannot be computed" in schedule.describe()
    agenda = await world.services.agenda.get(world.caller, span=timedelta(hours=24), limit=20)
    assert [row.title for row in agenda.entries] == ["Neighbour"]


async def test_it_is_neither_resumed_nor_moved_nor_backfilled(world: World) -> None:
    task = await lost(world)
    with pytest.raises(Conflict):
        await world.snooze_an_hour(task)
    with pytest.raises(Conflict):
        await world.services.backfills.backfill(
            world.caller,
            task.name,
            since=instant("2026-11-20T00:00"),
            until=instant("2026-11-21T00:00"),
            per_minute=1,
            dry_run=False,
        )
    await world.pause(task)
    with pytest.raises(Conflict, match="cannot be computed") as refused:
        await world.resume(task)
    assert "update_task with timezone" in (refused.value.hint or "")
    with pytest.raises(Conflict, match="cannot be computed"):
        await world.update(task, paused=False)
    assert (await world.get(task)).status is TaskStatus.PAUSED


async def test_another_zone_mends_it(world: World) -> None:
    task = await lost(world)
    await world.pause(task)
    await world.update(task, timezone="Europe/Chisinau", paused=False)
    await world.wake("2026-11-23T07:00")
    assert await world.history(task) == ["queued 23 07:00"]


async def test_its_title_may_change_and_it_may_be_canceled(world: World) -> None:
    task = await lost(world)
    await world.at("2026-11-24T00:00")
    renamed = await world.update(task, title="Another")
    assert renamed.definition.title == "Another"
    assert renamed.definition.schedule.timezone == "Europe/Atlantis"
    assert (await world.cancel(task)).status is TaskStatus.CANCELED


async def test_what_was_ordered_before_still_runs(world: World) -> None:
    task = await world.schedule("0 9 * * *", timezone="Europe/Chisinau")
    await world.wake("2026-11-23T07:00")
    await world.execute(LOSE_ZONE, id=task.id)
    (claimed,) = await world.claim()
    await world.finish(claimed)
    (run,) = await world.runs(task)
    assert (run.state, run.timezone) == ("succeeded", "Europe/Atlantis")
