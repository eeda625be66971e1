"""Another task that does the same in the same minute is told, and found by an index."""

from __future__ import annotations

from typing import Any

import pytest

from ordinaut_mcp.store.slots import DUE, NEXT
from ordinaut_mcp.store.tasks import COMING, CONFLICTS
from tests.integration.schedules.plans import crowd, plan
from tests.integration.schedules.world import STEP, World, instant

pytestmark = pytest.mark.anyio

SAME = "'Probe' (task_1) does the same in the same minute."


async def warnings(world: World, expr: str, **request: Any) -> list[str]:
    plain = {"title": "Second", "schedule_expr": expr, "pipeline": [STEP]}
    saved = await world.services.tasks.schedule(world.caller, {**plain, **request})
    return list(saved.warnings)


@pytest.mark.parametrize(
    ("expr", "request_"),
    [
        ("0 9 * * *", {}),
        ("0 9 * * *", {"dry_run": True}),
        ("FREQ=DAILY;BYHOUR=9;BYMINUTE=0;BYSECOND=30", {}),
        ("in 60 minutes", {}),
        ("0 8,9 * * *", {"timezone": "Etc/GMT"}),
    ],
)
async def test_another_task_with_the_same_work_in_the_same_minute_is_told(
    world: World, expr: str, request_: dict[str, Any]
) -> None:
    await world.schedule("0 9 * * *")
    assert SAME in await warnings(world, expr, **request_)


@pytest.mark.parametrize(
    ("expr", "request_"),
    [
        ("1 9 * * *", {}),
        ("0 9 * * *", {"params": {"a": 1}}),
        ("0 9 * * *", {"pipeline": [{**STEP, "with": {"value": 2}}]}),
        ("0 9 * * *", {"exclude": ["2026-11-22"], "end_at": "2026-11-23"}),
    ],
)
async def test_other_work_and_other_minutes_are_no_conflict(
    world: World, expr: str, request_: dict[str, Any]
) -> None:
    await world.schedule("0 9 * * *")
    assert SAME not in await warnings(world, expr, **request_)


async def test_tasks_of_others_and_tasks_that_rest_are_no_conflict(world: World) -> None:
    stranger = world.stranger
    await stranger.schedule("0 9 * * *")
    paused = await world.schedule("0 9 * * *")
    await world.pause(paused)
    assert await warnings(world, "0 9 * * *") == []


async def test_a_task_is_no_conflict_of_its_own(world: World) -> None:
    task = await world.schedule("0 9 * * *", key="k")
    saved = await world.services.tasks.update(world.caller, task.name, {"title": "Another"})
    assert saved.warnings == []


async def test_conflicts_are_found_by_their_index(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await crowd(world.pool, 3000)
    scans = await plan(
        world.pool,
        CONFLICTS,
        owner=task.owner,
        digest=task.pipeline_digest,
        id=task.id,
        minutes=[instant("2026-11-22T09:00"), instant("2026-11-23T09:00")],
    )
    # By owner, work and minute, or by the minute alone; never through all that there is.
    assert {"Function Scan None"} < set(scans)
    assert set(scans) - {"Function Scan None"} <= {
        "Index Scan task_same_work",
        "Index Scan task_due",
    }


async def test_what_is_due_and_what_is_next_is_found_by_its_index(world: World) -> None:
    task = await world.schedule("0 9 * * *")
    await crowd(world.pool, 3000)
    await world.at("2026-11-22T09:01")
    assert "Index Scan task_due" in await plan(world.pool, DUE, limit=200)
    assert "Index Only Scan task_due" in await plan(world.pool, NEXT)
    coming = await plan(
        world.pool, COMING, owner=task.owner, until=instant("2026-11-22T09:10"), limit=21
    )
    assert "Index Scan task_coming" in coming
