"""The `RunQueue` port: the journal, and its fences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ordinaut_mcp.domain.run import (
    Released,
    RunState,
    StepState,
    Succeeded,
)
from tests.contract.asking import (
    ANN,
    BOB,
    TOO_LATE,
    WRONG,
    a_step,
    claimed,
    done,
    lost_runs,
    the_lease,
)
from tests.contract.worlds import World, as_of
from tests.leasing import begun, finished, settled

pytestmark = pytest.mark.anyio


async def test_the_step_under_way_in_a_dead_letter_has_an_unknown_outcome(world: World) -> None:
    run_id = await world.add()
    lease = await the_lease(world)
    await begun(world.queue, lease, a_step(path="a"))
    await finished(world.queue, lease, done(1, "a"))
    await begun(world.queue, lease, a_step(path="b"))
    await world.move(TOO_LATE)

    await world.queue.reap(crashes_allowed=1)

    steps = (await world.look(run_id)).steps
    assert (steps["a"].state, steps["b"].state) == (StepState.SUCCEEDED, StepState.UNKNOWN)


async def test_the_journal_holds_the_input_before_and_the_output_after_the_call(
    world: World,
) -> None:
    run_id = await world.add()
    lease = await the_lease(world)

    assert await begun(world.queue, lease, replace(a_step(), input={"text": "hi"}))
    intent = (await world.look(run_id)).steps["a"]
    assert as_of(intent) == replace(a_step(), input={"text": "hi"})

    assert await finished(world.queue, lease, done({"text": "hi"}))
    ended = (await world.look(run_id)).steps["a"]
    assert as_of(ended) == replace(done({"text": "hi"}), input={"text": "hi"})
    assert ended.started_at is not None
    assert ended.finished_at is not None


async def test_a_step_that_was_not_begun_can_end(world: World) -> None:
    run_id = await world.add()
    lease = await the_lease(world)

    assert await finished(world.queue, lease, a_step(StepState.SKIPPED))

    seen = (await world.look(run_id)).steps["a"]
    assert as_of(seen) == a_step(StepState.SKIPPED)


async def test_the_next_attempt_is_given_the_journal(world: World) -> None:
    await world.add()
    lease = await the_lease(world)
    await finished(world.queue, lease, done([1, 2], "a"))
    await begun(world.queue, lease, replace(a_step(path="b"), input={"x": None}))
    await settled(world.queue, lease, Released())

    [again] = await claimed(world, BOB)

    journal = {path: as_of(step) for path, step in again.journal.items()}
    assert journal == {
        "a": done([1, 2], "a"),
        "b": replace(a_step(path="b"), input={"x": None}),
    }


async def test_a_first_attempt_has_an_empty_journal(world: World) -> None:
    await world.add()

    [run] = await claimed(world)

    assert (run.attempt, dict(run.journal)) == (1, {})


async def test_a_succeeded_step_is_never_written_over(world: World) -> None:
    run_id = await world.add()
    lease = await the_lease(world)
    await begun(world.queue, lease, a_step())
    await finished(world.queue, lease, done("first"))

    assert await begun(world.queue, lease, a_step())
    assert await finished(world.queue, lease, replace(a_step(StepState.FAILED), error=WRONG))

    kept = (await world.look(run_id)).steps["a"]
    assert (kept.state, kept.output, kept.error) == (StepState.SUCCEEDED, "first", None)


async def test_a_result_that_is_written_twice_is_no_lost_lease(world: World) -> None:
    await world.add()
    lease = await the_lease(world)
    await begun(world.queue, lease, a_step())
    await finished(world.queue, lease, done("once"))

    # The answer of the first write was lost on the way, so the worker writes it again.
    assert await finished(world.queue, lease, done("once"))


async def test_a_failed_step_is_begun_anew(world: World) -> None:
    run_id = await world.add()
    lease = await the_lease(world)
    await begun(world.queue, lease, a_step())
    await finished(world.queue, lease, replace(a_step(StepState.FAILED), error=WRONG))

    assert await begun(
        world.queue, lease, replace(a_step(), attempt=2, input={"n": 2}, error=WRONG)
    )

    intent = (await world.look(run_id)).steps["a"]
    assert (intent.state, intent.attempt, intent.input) == (StepState.RUNNING, 2, {"n": 2})
    # The failures before it are counted by their error, also when this attempt's worker dies.
    assert (intent.error, intent.finished_at) == (WRONG, None)


async def test_a_former_holder_can_neither_renew_nor_journal(world: World) -> None:
    run_id = await world.add()
    former = await the_lease(world, ANN)
    await begun(world.queue, former, replace(a_step(), input={"by": "ann"}))
    await world.move(TOO_LATE)
    await world.queue.reap(crashes_allowed=3)
    current = await the_lease(world, ANN)
    await begun(world.queue, current, replace(a_step(), input={"by": "bob"}))

    # The same process id: the epoch alone must tell the two apart.
    assert await lost_runs(world, ANN, [former]) == {run_id}
    assert not await begun(world.queue, former, a_step(path="b"))
    assert not await begun(world.queue, former, replace(a_step(), input={"by": "late"}))
    assert not await finished(world.queue, former, done("late"))

    steps = (await world.look(run_id)).steps
    assert list(steps) == ["a"]
    assert (steps["a"].state, steps["a"].input) == (StepState.RUNNING, {"by": "bob"})


async def test_after_its_lease_was_reaped_a_worker_writes_nothing_even_before_the_next_claim(
    world: World,
) -> None:
    run_id = await world.add()
    former = await the_lease(world)
    await world.move(TOO_LATE)
    await world.queue.reap(crashes_allowed=3)

    assert not await begun(world.queue, former, a_step())
    assert not await finished(world.queue, former, done(1))
    assert not await settled(world.queue, former, Succeeded(1))

    seen = await world.look(run_id)
    assert (seen.state, dict(seen.steps)) == (RunState.RETRYING, {})
