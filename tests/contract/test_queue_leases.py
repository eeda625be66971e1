"""The `RunQueue` port: leases, and how attempts end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

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
    a_step,
    claimed,
    claimed_ids,
    lost_runs,
    the_lease,
)
from tests.contract.worlds import World
from tests.leasing import begun, settled

pytestmark = pytest.mark.anyio


OUTCOMES: list[Outcome] = [
    Succeeded("late"),
    Failed(WRONG),
    Failed(WRONG, 1.0),
    Released(),
    Parked(WRONG),
    Cancelled("late"),
]


async def test_success_is_recorded_with_its_output(world: World) -> None:
    run_id = await world.add()

    assert await settled(world.queue, await the_lease(world), Succeeded({"n": 1}, verified=True))

    seen = await world.look(run_id)
    assert (seen.state, seen.output, seen.attempt) == (RunState.SUCCEEDED, {"n": 1}, 1)
    assert (seen.executed, seen.verified, seen.error) == (True, True, None)


async def test_a_failure_for_good_is_a_dead_letter(world: World) -> None:
    run_id = await world.add()

    assert await settled(world.queue, await the_lease(world), Failed(WRONG))

    seen = await world.look(run_id)
    assert (seen.state, seen.error, seen.executed) == (RunState.FAILED, "tool_error", False)
    assert await claimed_ids(world) == []


async def test_a_run_that_was_executed_and_not_verified_says_both(world: World) -> None:
    run_id = await world.add()
    error = {"code": "not_verified", "message": "…"}

    await settled(world.queue, await the_lease(world), Failed(error, verified=False))

    seen = await world.look(run_id)
    assert (seen.state, seen.executed, seen.verified) == (RunState.FAILED, True, False)


async def test_a_failure_rests_before_it_is_tried_again_and_counts(world: World) -> None:
    run_id = await world.add()
    await settled(world.queue, await the_lease(world), Failed(WRONG, 7.5))

    seen = await world.look(run_id)
    assert (seen.state, seen.error) == (RunState.RETRYING, "tool_error")
    assert await claimed_ids(world) == []
    await world.move(8 * SECOND)
    [again] = await claimed(world)
    assert (again.lease.run_id, again.attempt, again.failures, again.crashes) == (run_id, 2, 1, 0)


async def test_a_retry_without_rest_is_due_at_once(world: World) -> None:
    run_id = await world.add()
    await settled(world.queue, await the_lease(world), Failed(WRONG, 0.0))

    assert await claimed_ids(world) == [run_id]


async def test_a_released_run_is_free_at_once_and_the_attempt_does_not_count(world: World) -> None:
    run_id = await world.add()
    first = await the_lease(world)

    assert await settled(world.queue, first, Released())

    assert (await world.look(run_id)).state is RunState.QUEUED
    [again] = await claimed(world, BOB)
    assert (again.lease.run_id, again.attempt, again.failures) == (run_id, 1, 0)
    assert again.lease.epoch == first.epoch + 1


async def test_the_start_of_a_run_is_that_of_its_first_attempt(world: World) -> None:
    await world.add()
    [first] = await claimed(world)
    await settled(world.queue, first.lease, Released())
    await world.move(60 * SECOND)

    [again] = await claimed(world)

    assert again.started_at == first.started_at


async def test_a_parked_run_waits_and_is_claimed_by_nobody(world: World) -> None:
    run_id = await world.add()

    assert await settled(world.queue, await the_lease(world), Parked({"code": "outcome_unknown"}))

    seen = await world.look(run_id)
    assert (seen.state, seen.error) == (RunState.WAITING, "outcome_unknown")
    await world.move(timedelta(days=1))
    assert await claimed_ids(world) == []


async def test_a_cancelled_run_says_why(world: World) -> None:
    run_id = await world.add()

    assert await settled(world.queue, await the_lease(world), Cancelled("asked"))

    seen = await world.look(run_id)
    assert (seen.state, seen.reason) == (RunState.CANCELED, "asked")


async def test_a_lease_that_is_renewed_does_not_expire(world: World) -> None:
    await world.add()
    lease = await the_lease(world)
    await world.move(20 * SECOND)

    assert await lost_runs(world, ANN, [lease]) == set()

    await world.move(20 * SECOND)
    assert await world.queue.reap(crashes_allowed=3) == 0


async def test_a_renewal_tells_which_leases_are_lost(world: World) -> None:
    kept, gone, unknown = await world.add(), await world.add(), RunId(10**9)
    leases = {run.lease.run_id: run.lease for run in await claimed(world)}
    await settled(world.queue, leases[gone], Succeeded(None))
    foreign = replace(leases[kept], run_id=unknown)

    lost = await lost_runs(world, ANN, [*leases.values(), foreign])

    assert lost == {gone, unknown}


async def test_a_lease_of_another_process_is_not_renewed(world: World) -> None:
    run_id = await world.add()
    lease = await the_lease(world, ANN)

    assert await lost_runs(world, BOB, [lease]) == {run_id}


async def test_an_expired_lease_comes_back_as_a_retry_that_is_no_failure(world: World) -> None:
    run_id = await world.add()
    await the_lease(world)
    await world.move(TOO_LATE)

    assert await world.queue.reap(crashes_allowed=3) == 1

    seen = await world.look(run_id)
    assert (seen.state, seen.error) == (RunState.RETRYING, "worker_lost")
    [again] = await claimed(world, BOB)
    assert (again.attempt, again.failures, again.crashes) == (2, 0, 1)


async def test_a_lease_that_still_holds_is_not_reaped(world: World) -> None:
    run_id = await world.add()
    await the_lease(world)
    await world.move(29 * SECOND)

    assert await world.queue.reap(crashes_allowed=3) == 0
    assert (await world.look(run_id)).state is RunState.RUNNING


async def test_the_third_crash_makes_a_dead_letter(world: World) -> None:
    run_id = await world.add()
    for crash in range(3):
        assert await claimed_ids(world) == [run_id], f"after {crash} crashes"
        await world.move(TOO_LATE)
        assert await world.queue.reap(crashes_allowed=3) == 1
        await world.move(10 * SECOND)

    seen = await world.look(run_id)
    assert (seen.state, seen.error, seen.attempt) == (RunState.FAILED, "worker_lost", 3)
    assert await claimed_ids(world) == []
    assert await world.queue.reap(crashes_allowed=3) == 0


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda one: type(one).__name__)
async def test_a_former_holder_can_settle_nothing(world: World, outcome: Outcome) -> None:
    run_id = await world.add()
    former = await the_lease(world, ANN)
    await world.move(TOO_LATE)
    await world.queue.reap(crashes_allowed=3)
    current = await the_lease(world, BOB)

    assert not await settled(world.queue, former, outcome)

    assert (await world.look(run_id)).state is RunState.RUNNING
    assert await settled(world.queue, current, Succeeded("mine"))
    assert (await world.look(run_id)).output == "mine"


async def test_a_run_is_settled_once(world: World) -> None:
    run_id = await world.add()
    lease = await the_lease(world)
    assert await settled(world.queue, lease, Succeeded(1))

    assert not await settled(world.queue, lease, Failed(WRONG))
    assert not await begun(world.queue, lease, a_step())
    assert (await world.look(run_id)).output == 1
