"""The `RunQueue` port: who may claim which run, and when."""

from __future__ import annotations

import pytest

from ordinaut_mcp.domain.run import (
    Failed,
    Parked,
    RunState,
    Succeeded,
)
from tests.contract.asking import (
    ANN,
    BOB,
    SECOND,
    WRONG,
    claimed_ids,
    the_lease,
)
from tests.contract.worlds import World
from tests.leasing import settled

pytestmark = pytest.mark.anyio


async def test_a_due_run_is_claimed_once(world: World) -> None:
    run_id = await world.add()

    assert await claimed_ids(world, ANN) == [run_id]
    assert await claimed_ids(world, BOB) == []
    assert (await world.look(run_id)).state is RunState.RUNNING


async def test_a_claim_takes_no_more_than_its_limit(world: World) -> None:
    runs = [await world.add() for _ in range(5)]

    first, second = await claimed_ids(world, limit=3), await claimed_ids(world, limit=3)

    assert (len(first), len(second)) == (3, 2)
    assert sorted(first + second) == sorted(runs)


async def test_a_run_is_not_claimed_before_it_is_due(world: World) -> None:
    run_id = await world.add(due_in=10 * SECOND)

    assert await claimed_ids(world) == []
    await world.move(10 * SECOND)
    assert await claimed_ids(world) == [run_id]


async def test_priority_goes_before_age(world: World) -> None:
    old = await world.add(priority=1)
    await world.move(60 * SECOND)
    urgent, ordinary = await world.add(priority=9), await world.add(priority=5)

    assert await claimed_ids(world, limit=1) == [urgent]
    assert await claimed_ids(world) == [ordinary, old]


async def test_among_equals_the_longest_overdue_goes_first(world: World) -> None:
    later = await world.add(due_in=2 * SECOND)
    sooner = await world.add(due_in=1 * SECOND)
    await world.move(5 * SECOND)

    assert await claimed_ids(world) == [sooner, later]


async def test_serial_runs_of_one_task_go_one_after_another(world: World) -> None:
    first, second = await world.add(serial=True), await world.add(serial=True)
    other = await world.add(task=2, serial=True)

    assert sorted(await claimed_ids(world)) == sorted([first, other])
    assert await claimed_ids(world) == []
    assert (await world.look(second)).state is RunState.QUEUED


async def test_a_serial_run_goes_on_when_the_earlier_one_has_ended(world: World) -> None:
    await world.add(serial=True)
    second = await world.add(serial=True)
    assert await settled(world.queue, await the_lease(world), Succeeded(None))

    assert await claimed_ids(world) == [second]


async def test_a_serial_run_waits_for_the_retries_of_the_earlier_one(world: World) -> None:
    first = await world.add(serial=True)
    await world.add(serial=True)
    await settled(world.queue, await the_lease(world), Failed(WRONG, 5))

    assert await claimed_ids(world) == []
    await world.move(6 * SECOND)
    assert await claimed_ids(world) == [first]


async def test_a_serial_run_waits_while_the_earlier_one_is_parked(world: World) -> None:
    await world.add(serial=True)
    await world.add(serial=True)
    await settled(world.queue, await the_lease(world), Parked(WRONG))

    assert await claimed_ids(world) == []


async def test_a_run_that_was_moved_ahead_lets_the_next_one_begin_and_then_waits_for_it(
    world: World,
) -> None:
    moved = await world.add(serial=True, due_in=10 * SECOND)
    following = await world.add(serial=True)
    lease = await the_lease(world)
    assert lease.run_id == following

    await world.move(10 * SECOND)
    assert await claimed_ids(world) == []
    await settled(world.queue, lease, Succeeded(None))
    assert await claimed_ids(world) == [moved]


async def test_runs_that_are_not_serial_go_side_by_side(world: World) -> None:
    runs = [await world.add(), await world.add()]

    assert await claimed_ids(world) == runs


async def test_the_next_due_instant_is_told_as_a_span(world: World) -> None:
    await world.add(due_in=60 * SECOND)
    await world.add(due_in=20 * SECOND)

    rest = await world.queue.next_due_in()

    assert rest is not None
    assert 19 * SECOND < rest <= 20 * SECOND


async def test_without_queued_work_nothing_is_due(world: World) -> None:
    assert await world.queue.next_due_in() is None


async def test_a_blocked_run_does_not_hide_what_is_due_next(world: World) -> None:
    await world.add(serial=True)
    await world.add(serial=True)
    await the_lease(world)
    await world.move(5 * SECOND)
    await world.add(task=2, due_in=20 * SECOND)

    rest = await world.queue.next_due_in()

    assert rest is not None
    assert 19 * SECOND < rest <= 20 * SECOND
