"""The `RunQueue` port: limits are exact, keys take turns, and no permit is lost."""

from __future__ import annotations

import pytest

from ordinaut_mcp.domain.limit import Limit
from ordinaut_mcp.domain.run import (
    Cancelled,
    Failed,
    Outcome,
    Parked,
    Released,
    RunId,
    RunState,
    Succeeded,
)
from tests.contract.asking import (
    ANN,
    BOB,
    SECOND,
    TOO_LATE,
    WRONG,
    claimed,
    claimed_ids,
    the_lease,
)
from tests.contract.worlds import OWNER, World
from tests.leasing import settled

pytestmark = pytest.mark.anyio

ONE = Limit(key="key:one", places=1)
TWO = Limit(key="key:two", places=2)
THREE = Limit(key="key:two", places=3)


async def test_no_more_than_the_limit_is_claimed(world: World) -> None:
    runs = [await world.add(limit=TWO) for _ in range(5)]

    first, second = await claimed_ids(world, ANN), await claimed_ids(world, BOB)

    assert (sorted(first), second) == (runs[:2], [])
    assert sorted(await world.holders(TWO.key), key=str) == sorted(first)


async def test_the_next_one_begins_when_one_has_ended(world: World) -> None:
    first, second = await world.add(limit=ONE), await world.add(limit=ONE)
    lease = await the_lease(world)
    assert lease.run_id == first

    await settled(world.queue, lease, Succeeded(1))

    assert await claimed_ids(world) == [second]


@pytest.mark.parametrize(
    "outcome",
    [Succeeded(1), Failed(WRONG), Released(), Parked(WRONG), Cancelled("asked")],
    ids=lambda outcome: type(outcome).__name__,
)
async def test_what_ends_waits_or_is_released_gives_its_permit_back(
    world: World, outcome: Outcome
) -> None:
    await world.add(limit=ONE)

    await settled(world.queue, await the_lease(world), outcome)

    assert await world.holders(ONE.key) == [None]


async def test_a_retrying_run_keeps_its_permit_and_needs_no_other(world: World) -> None:
    first = await world.add(limit=ONE)
    await world.add(limit=ONE)
    await settled(world.queue, await the_lease(world), Failed(WRONG, 5.0))

    assert await world.holders(ONE.key) == [first]
    assert await claimed_ids(world) == []
    await world.move(5 * SECOND)
    assert await claimed_ids(world) == [first]
    assert await world.holders(ONE.key) == [first]


async def test_a_released_run_needs_a_permit_again(world: World) -> None:
    first = await world.add(limit=ONE, priority=1)
    await settled(world.queue, await the_lease(world), Released())
    urgent = await world.add(limit=ONE, priority=9)

    assert await claimed_ids(world) == [urgent]
    assert (await world.look(first)).state is RunState.QUEUED


@pytest.mark.parametrize("outcome", [Parked(WRONG), Failed(WRONG, 60.0), Released()])
async def test_a_canceled_run_gives_its_permit_back(world: World, outcome: Outcome) -> None:
    run_id = await world.add(limit=ONE)
    await settled(world.queue, await the_lease(world), outcome)

    await world.cancels.cancel(OWNER, run_id, reason="asked")

    assert await world.holders(ONE.key) == [None]


async def test_a_reaped_run_keeps_its_permit_and_a_buried_one_gives_it_back(world: World) -> None:
    run_id = await world.add(limit=ONE)
    await the_lease(world)
    await world.move(TOO_LATE)

    await world.queue.reap(crashes_allowed=2)
    assert await world.holders(ONE.key) == [run_id]
    assert await claimed_ids(world) == [run_id]

    await world.move(TOO_LATE)
    await world.queue.reap(crashes_allowed=2)
    assert await world.holders(ONE.key) == [None]


async def test_a_former_holder_cannot_give_the_permit_of_its_successor_back(world: World) -> None:
    run_id = await world.add(limit=ONE)
    former = await the_lease(world, ANN)
    await world.move(TOO_LATE)
    await world.queue.reap(crashes_allowed=3)
    await the_lease(world, BOB)

    assert not await settled(world.queue, former, Succeeded("late"))

    assert await world.holders(ONE.key) == [run_id]


async def test_keys_take_turns(world: World) -> None:
    other = Limit(key="key:other", places=1)
    for limit in (ONE, other):
        for _ in range(3):
            await world.add(limit=limit)

    served: list[RunId] = []
    for _ in range(6):
        [run] = await claimed(world, limit=1)
        served.append(run.lease.run_id)
        await world.move(SECOND)
        await settled(world.queue, run.lease, Succeeded(1))

    # The first three runs are of one key, the last three of the other.
    first = served[0] > 3
    assert [run > 3 for run in served] == [first, not first] * 3


async def test_under_one_key_priority_and_waiting_decide(world: World) -> None:
    ordinary = await world.add(limit=ONE, priority=5)
    urgent = await world.add(limit=ONE, priority=9)

    [run] = await claimed(world)
    assert run.lease.run_id == urgent
    await settled(world.queue, run.lease, Succeeded(1))
    assert await claimed_ids(world) == [ordinary]


async def test_under_one_key_with_two_limits_each_is_held_to_its_own(world: World) -> None:
    wide = [await world.add(limit=THREE) for _ in range(3)]
    strict = Limit(key=THREE.key, places=1)
    narrow = await world.add(limit=strict)

    held = {run.lease.run_id: run.lease for run in await claimed(world)}
    assert sorted(held) == wide
    [first, *_] = await world.holders(THREE.key)
    assert first is not None
    later = next(lease for run, lease in held.items() if run != first)

    # A place beyond the first is none for the stricter run.
    await settled(world.queue, later, Succeeded(1))
    assert await claimed_ids(world) == []
    await settled(world.queue, held[first], Succeeded(1))
    assert await claimed_ids(world) == [narrow]


async def test_the_stricter_run_does_not_keep_a_wider_one_from_the_places_beyond(
    world: World,
) -> None:
    blocked = [await world.add(limit=Limit(key=THREE.key, places=1)) for _ in range(5)]
    wide = await world.add(limit=THREE)
    first = await claimed_ids(world)
    second = await claimed_ids(world)

    assert sorted([*first, *second]) == [blocked[0], wide]


async def test_keys_of_two_owners_are_two_keys(world: World) -> None:
    mine, theirs = await world.add(limit=ONE), await world.add(limit=ONE, owner="eve")

    assert sorted(await claimed_ids(world)) == [mine, theirs]


async def test_a_full_key_does_not_hold_up_what_has_no_limit(world: World) -> None:
    await world.add(limit=ONE)
    await world.add(limit=ONE)
    free = await world.add()
    await claimed(world, limit=1)

    assert await claimed_ids(world) == [free]


async def test_a_serial_run_that_has_to_wait_takes_no_permit(world: World) -> None:
    await world.add(serial=True)
    await world.add(serial=True, limit=ONE)
    other = await world.add(task=2, limit=ONE)

    assert other in await claimed_ids(world)
    assert await world.holders(ONE.key) == [other]


async def test_a_run_that_retries_under_a_limit_does_not_wait_for_one_that_needs_its_permit(
    world: World,
) -> None:
    snoozed = await world.add(serial=True, limit=ONE, due_in=10 * SECOND)
    following = await world.add(serial=True, limit=ONE)
    await settled(world.queue, await the_lease(world), Failed(WRONG, 20.0))
    await world.move(60 * SECOND)

    served: list[RunId] = []
    for run in [*await claimed(world), *await claimed(world)]:
        served.append(run.lease.run_id)
        await settled(world.queue, run.lease, Succeeded(1))

    assert served[:1] == [following]
    assert await claimed_ids(world) == [snoozed]


async def test_while_paused_nothing_is_claimed_and_what_runs_can_end(world: World) -> None:
    running = await world.add(limit=TWO)
    lease = await the_lease(world)
    await world.add(limit=TWO)
    await world.add()
    await world.pause()

    assert await claimed_ids(world) == []
    assert await world.queue.next_due_in() is None
    assert await settled(world.queue, lease, Succeeded(1))
    assert (await world.look(running)).state is RunState.SUCCEEDED
    assert await world.holders(TWO.key) == [None, None]

    await world.resume()
    assert len(await claimed_ids(world)) == 2
