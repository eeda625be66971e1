"""Bad schedules through the service that stores them: refused, quickly, and nothing is stored."""

from __future__ import annotations

from typing import Any

import pytest

from ordinaut_mcp.errors import InvalidInput, OrdinautError
from ordinaut_mcp.store.pool import Pool
from tests.integration.schedules.world import FREEZE, STEP, World, new_world
from tests.unit.domain.recurrence_cases import bad_schedules, generated

pytestmark = pytest.mark.anyio

CASES = bad_schedules()
REFUSED = [case for case in CASES if case["expect"]["outcome"] == "reject"]
TAKEN = [case for case in CASES if case["expect"]["outcome"] == "accept"]
BEHAVIOUR_4 = [
    "FREQ=INVALID",
    "BYDAY=MO",
    "FREQ=DAILY;INTERVAL=0",
    "FREQ=DAILY;COUNT=5;UNTIL=20270101T000000Z",
    "FREQ=WEEKLY;BYDAY=XX",
    "FREQ=YEARLY;BYMONTH=13",
    "FREQ=WEEKLY;BYDAY=1MO,2TU",
    "",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "0 0 30 2 *",
]


@pytest.fixture
async def strict(pool: Pool, clean_environment: None) -> World:
    """A world whose shortest interval is a minute."""
    del clean_environment
    async with pool.connection() as connection:
        await connection.execute(FREEZE)
    return new_world(pool, min_interval_seconds=60)


def request_of(case: dict[str, Any]) -> dict[str, Any]:
    arguments = {name: generated(value) for name, value in case["input"]["args"].items()}
    return {**arguments, "pipeline": [STEP]}


async def test_every_bad_schedule_is_refused_by_its_field_and_nothing_is_stored(
    strict: World,
) -> None:
    for case in REFUSED:
        expect = case["expect"]
        with pytest.raises(OrdinautError) as refused:
            await strict.services.tasks.schedule(strict.caller, request_of(case))
        codes = [expect["error"]] if isinstance(expect["error"], str) else expect["error"]
        found = (refused.value.code, refused.value.field)
        assert found in [(code, expect["field"]) for code in [*codes, "missing"]], case["id"]
        assert refused.value.hint, case["id"]
        assert set((await strict.stored()).values()) == {0}, case["id"]


async def test_good_zones_are_taken_as_they_are(strict: World) -> None:
    for case in TAKEN:
        saved = await strict.services.tasks.schedule(strict.caller, request_of(case))
        assert saved.task.definition.schedule.timezone == case["input"]["args"]["timezone"]


@pytest.mark.parametrize("zone", ["UTC", "America/Argentina/Buenos_Aires"])
async def test_zones_of_behaviour_4_are_taken(strict: World, zone: str) -> None:
    task = await strict.schedule("0 9 * * *", timezone=zone)
    assert task.definition.schedule.timezone == zone


@pytest.mark.parametrize("expr", BEHAVIOUR_4)
async def test_expressions_of_behaviour_4_are_refused(strict: World, expr: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await strict.schedule(expr)
    assert refused.value.field == "schedule_expr"
    assert set((await strict.stored()).values()) == {0}


@pytest.mark.parametrize("zone", ["Invalid/Timezone", "Bogus/Zone"])
async def test_bad_zones_of_behaviour_4_are_refused(strict: World, zone: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await strict.schedule("0 9 * * *", timezone=zone)
    assert (refused.value.code, refused.value.field) == ("unknown_timezone", "timezone")
    assert set((await strict.stored()).values()) == {0}


async def test_a_bad_edit_leaves_the_task_as_it_is(strict: World) -> None:
    task = await strict.schedule("0 9 * * *", key="k")
    rows = await strict.stored()
    for case in REFUSED:
        arguments = request_of(case)
        # Without the argument an update asks for no change of it.
        change = {name: arguments[name] for name in ("schedule_expr", "schedule_kind", "timezone")}
        if change["schedule_expr"] is None:
            continue
        change["start_at"] = arguments.get("start_at")
        with pytest.raises(OrdinautError):
            await strict.services.tasks.update(strict.caller, "k", change)
    assert await strict.stored() == rows
    assert await strict.get(task) == task
