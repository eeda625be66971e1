"""The `CancelStore` port, and what the queue makes of a run that somebody wants ended."""

from __future__ import annotations

import pytest

from ordinaut_mcp.domain.run import (
    Cancelled,
    Failed,
    Outcome,
    Parked,
    Released,
    RunId,
    RunState,
    StepState,
    Succeeded,
)
from ordinaut_mcp.errors import NotFound
from tests.contract.asking import ANN, BOB, TOO_LATE, WRONG, a_step, claimed_ids, done, the_lease
from tests.contract.worlds import OWNER, World
from tests.leasing import begun, finished, settled

pytestmark = pytest.mark.anyio


async def test_a_queued_run_ends_at_once(world: World) -> None:
    run_id = await world.add()

    await world.cancels.cancel(OWNER, run_id, reason="asked")

    seen = await world.look(run_id)
    assert (seen.state, seen.reason, seen.attempt) == (RunState.CANCELED, "asked", 0)
    assert await claimed_ids(world) == []


@pytest.mark.parametrize("outcome", [Parked(WRONG), Failed(WRONG, 5.0)], ids=["parked", "retrying"])
async def test_a_run_that_rests_ends_at_once(world: World, outcome: Outcome) -> None:
    run_id = await world.add()
    await settled(world.queue, await the_lease(world), outcome)

    await world.cancels.cancel(OWNER, run_id, reason="asked")

    seen = await world.look(run_id)
    assert (seen.state, seen.reason, seen.error) == (RunState.CANCELED, "asked", "tool_error")


async def test_a_running_run_is_ended_by_its_worker(world: World) -> None:
    run_id = await world.add()
    lease = await the_lease(world, ANN)

    await world.cancels.cancel(OWNER, run_id, reason="asked")

    assert (await world.look(run_id)).state is RunState.RUNNING
    assert await world.cancels.wanted(BOB) == {}
    assert await world.cancels.wanted(ANN) == {run_id: "asked"}
    assert await settled(world.queue, lease, Cancelled("asked"))
    assert (await world.look(run_id)).state is RunState.CANCELED
    assert await world.cancels.wanted(ANN) == {}


async def test_the_step_under_way_of_a_cancelled_run_has_an_unknown_outcome(world: World) -> None:
    run_id = await world.add()
    lease = await the_lease(world)
    await begun(world.queue, lease, a_step(path="a"))
    await finished(world.queue, lease, done(1, "a"))
    await begun(world.queue, lease, a_step(path="b"))

    await settled(world.queue, lease, Cancelled("asked"))

    steps = (await world.look(run_id)).steps
    assert (steps["a"].state, steps["b"].state) == (StepState.SUCCEEDED, StepState.UNKNOWN)


@pytest.mark.parametrize(
    "outcome", [Released(), Parked(WRONG), Failed(WRONG, 0.0)], ids=["released", "parked", "failed"]
)
async def test_a_run_that_somebody_wants_ended_does_not_come_back_to_the_queue(
    world: World, outcome: Outcome
) -> None:
    run_id = await world.add()
    lease = await the_lease(world)
    await world.cancels.cancel(OWNER, run_id, reason="asked")

    assert await settled(world.queue, lease, outcome)

    seen = await world.look(run_id)
    assert (seen.state, seen.reason) == (RunState.CANCELED, "asked")
    assert await claimed_ids(world) == []


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Succeeded(1), RunState.SUCCEEDED), (Failed(WRONG), RunState.FAILED)],
    ids=["succeeded", "failed"],
)
async def test_a_run_that_ended_by_itself_before_it_was_told_stays_what_it_is(
    world: World, outcome: Outcome, state: RunState
) -> None:
    run_id = await world.add()
    lease = await the_lease(world)
    await world.cancels.cancel(OWNER, run_id, reason="asked")

    assert await settled(world.queue, lease, outcome)

    assert (await world.look(run_id)).state is state


async def test_a_run_that_somebody_wants_ended_and_whose_worker_died_ends(world: World) -> None:
    run_id = await world.add()
    lease = await the_lease(world)
    await begun(world.queue, lease, a_step())
    await world.cancels.cancel(OWNER, run_id, reason="asked")
    await world.move(TOO_LATE)

    assert await world.queue.reap(crashes_allowed=3) == 1

    seen = await world.look(run_id)
    assert (seen.state, seen.reason, seen.executed) == (RunState.CANCELED, "asked", None)
    assert seen.steps["a"].state is StepState.UNKNOWN
    assert await claimed_ids(world) == []


async def test_a_finished_run_stays(world: World) -> None:
    run_id = await world.add()
    await settled(world.queue, await the_lease(world), Succeeded(1))

    await world.cancels.cancel(OWNER, run_id, reason="asked")

    seen = await world.look(run_id)
    assert (seen.state, seen.reason) == (RunState.SUCCEEDED, None)


async def test_a_run_of_another_or_of_nobody_is_not_found(world: World) -> None:
    run_id = await world.add()

    with pytest.raises(NotFound):
        await world.cancels.cancel("eve", run_id, reason="asked")
    with pytest.raises(NotFound):
        await world.cancels.cancel(OWNER, RunId(10**9), reason="asked")

    assert (await world.look(run_id)).state is RunState.QUEUED
