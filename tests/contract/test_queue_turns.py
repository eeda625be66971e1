"""The `RunQueue` port: whose turn it is. Priority is worth waiting, and owners take turns."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ordinaut_mcp.domain.run import Succeeded
from tests.contract.asking import SECOND, claimed, claimed_ids
from tests.contract.worlds import World
from tests.leasing import settled

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)


async def test_a_step_of_priority_is_worth_five_minutes_of_waiting(world: World) -> None:
    just_short = await world.add(priority=5, due_in=SECOND)
    await world.move(5 * MINUTE)
    urgent = await world.add(priority=6)

    assert await claimed_ids(world) == [urgent, just_short]


async def test_what_waited_five_minutes_longer_goes_before_one_step_of_priority(
    world: World,
) -> None:
    patient = await world.add(priority=5)
    await world.move(5 * MINUTE + SECOND)
    urgent = await world.add(priority=6)

    assert await claimed_ids(world) == [patient, urgent]


async def test_the_highest_priority_waits_for_the_lowest_after_forty_minutes(world: World) -> None:
    lowest = await world.add(priority=1)
    await world.move(39 * MINUTE)
    before = await world.add(priority=9)
    await world.move(2 * MINUTE)
    after = await world.add(priority=9)

    assert await claimed_ids(world, limit=3) == [before, lowest, after]


async def test_under_a_stream_of_urgent_runs_an_ordinary_one_begins_within_forty_minutes(
    world: World,
) -> None:
    lowest = await world.add(priority=1)
    served: list[int] = []
    while lowest not in served and len(served) < 45:
        await world.add(priority=9)
        [run] = await claimed(world, limit=1)
        served.append(run.lease.run_id)
        await settled(world.queue, run.lease, Succeeded(None))
        await world.move(MINUTE)

    assert 40 <= len(served) <= 42


async def test_an_owner_with_one_run_is_among_the_first_beside_one_with_a_hundred(
    world: World,
) -> None:
    for _ in range(100):
        await world.add(owner="crowd")
    await world.move(SECOND)
    alone = await world.add(owner="alone")

    assert alone in await claimed_ids(world, limit=2)


async def test_priorities_are_an_owners_own_and_do_not_push_others_aside(world: World) -> None:
    for _ in range(10):
        await world.add(owner="pushy", priority=9)
    modest = await world.add(owner="modest", priority=1)

    assert modest in await claimed_ids(world, limit=2)


async def test_claims_one_by_one_serve_the_owners_in_turn(world: World) -> None:
    for owner in ("cat", "ann", "bob"):
        for _ in range(3):
            await world.add(owner=owner)

    served = [(await claimed(world, limit=1))[0].owner for _ in range(9)]

    assert served == ["ann", "bob", "cat"] * 3


async def test_whoever_is_served_alone_loses_nothing(world: World) -> None:
    runs = [await world.add(owner="ann") for _ in range(5)]

    assert await claimed_ids(world, limit=5) == runs


async def test_owners_whose_runs_are_still_to_come_take_no_share_of_a_claim(
    world: World, request: pytest.FixtureRequest
) -> None:
    for owner in ("bob", "cat", "dan"):
        await world.add(owner=owner, due_in=MINUTE)
    runs = [await world.add(owner="ann") for _ in range(8)]

    assert await claimed_ids(world, limit=8) == runs


async def test_nobody_is_forgotten_behind_fifty_owners_whose_runs_are_still_to_come(
    world: World, request: pytest.FixtureRequest
) -> None:
    for number in range(50):
        await world.add(owner=f"later-{number}", due_in=60 * MINUTE)
    due = await world.add(owner="zoe")

    served = [run for _ in range(5) for run in await claimed_ids(world)]

    assert served == [due]
