"""The `RunQueue` port: many runs settled and journalled at once."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from ordinaut_mcp.domain.run import (
    Cancelled,
    Failed,
    JournalEntry,
    JournalLine,
    Lease,
    Outcome,
    Parked,
    Released,
    RunState,
    Settlement,
    StepRecord,
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
    claimed_ids,
    done,
    the_lease,
)
from tests.contract.worlds import OWNER, PostgresWorld, World, as_of
from tests.leasing import begun

pytestmark = pytest.mark.anyio

ENDS: list[tuple[Outcome, RunState]] = [
    (Succeeded({"n": 1}), RunState.SUCCEEDED),
    (Failed(WRONG), RunState.FAILED),
    (Failed(WRONG, 5.0), RunState.RETRYING),
    (Released(), RunState.QUEUED),
    (Parked(WRONG), RunState.WAITING),
    (Cancelled("asked"), RunState.CANCELED),
]


def line(step: StepRecord) -> JournalLine:
    now = time.monotonic()
    return JournalLine(step, now, None if step.state is StepState.RUNNING else now)


async def leases(world: World, count: int) -> list[Lease]:
    for _ in range(count):
        await world.add()
    return [run.lease for run in await claimed(world, limit=count)]


async def states(world: World, held: list[Lease]) -> list[RunState]:
    return [(await world.look(lease.run_id)).state for lease in held]


async def test_each_run_of_a_batch_ends_in_its_own_way(world: World) -> None:
    held = await leases(world, 2 * len(ENDS))
    ends = [*ENDS, *reversed(ENDS)]

    lost = await world.queue.settle(
        [Settlement(lease, end) for lease, (end, _) in zip(held, ends, strict=True)]
    )

    assert lost == set()
    assert await states(world, held) == [state for _, state in ends]


async def test_leases_that_are_lost_do_not_keep_the_rest_of_a_batch_from_its_end(
    world: World,
) -> None:
    held = await leases(world, 4)
    await world.queue.settle([Settlement(held[0], Released())])
    [again] = await claimed(world, BOB)
    unknown = replace(held[1], run_id=10**9)

    batch = [held[0], held[1], unknown, held[2], replace(held[3], epoch=7)]
    lost = await world.queue.settle([Settlement(lease, Succeeded(1)) for lease in batch])

    assert lost == {held[0], unknown, replace(held[3], epoch=7)}
    assert again.lease.epoch == 2
    assert await states(world, held) == [
        RunState.RUNNING,
        RunState.SUCCEEDED,
        RunState.SUCCEEDED,
        RunState.RUNNING,
    ]


async def test_of_one_run_in_a_batch_twice_only_the_present_epoch_counts(world: World) -> None:
    [former] = await leases(world, 1)
    await world.queue.settle([Settlement(former, Released())])
    current = await the_lease(world, BOB)

    lost = await world.queue.settle(
        [
            Settlement(former, Succeeded("late"), [line(done("late"))]),
            Settlement(current, Succeeded("mine"), [line(done("mine"))]),
        ]
    )

    seen = await world.look(current.run_id)
    assert (lost, seen.state, seen.output) == ({former}, RunState.SUCCEEDED, "mine")
    assert seen.steps["a"].output == "mine"


async def test_an_empty_batch_changes_nothing(world: World) -> None:
    assert await world.queue.settle([]) == set()
    assert await world.queue.journal([]) == set()


async def test_runs_that_somebody_wants_ended_end_while_the_rest_of_their_batch_comes_back(
    world: World,
) -> None:
    held = await leases(world, 6)
    for lease in held[:3]:
        await world.cancels.cancel(OWNER, lease.run_id, reason="asked")
    backs: list[Outcome] = [Released(), Parked(WRONG), Failed(WRONG, 1.0)]

    lost = await world.queue.settle(
        [Settlement(lease, back) for lease, back in zip(held, [*backs, *backs], strict=True)]
    )

    assert lost == set()
    assert await states(world, held) == [
        *[RunState.CANCELED] * 3,
        RunState.QUEUED,
        RunState.WAITING,
        RunState.RETRYING,
    ]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end[1].value)
async def test_a_settlement_carries_the_lines_that_the_journal_does_not_have(
    world: World, end: tuple[Outcome, RunState]
) -> None:
    [lease] = await leases(world, 1)
    await begun(world.queue, lease, replace(a_step(), input={"text": "hi"}))
    lines = [line(done("said")), line(replace(done(2, "b"), position=1, input={"n": 1}))]

    await world.queue.settle([Settlement(lease, end[0], lines)])

    steps = (await world.look(lease.run_id)).steps
    # The end of a step carries no input: what was journalled before the call stays.
    assert as_of(steps["a"]) == replace(done("said"), input={"text": "hi"})
    assert as_of(steps["b"]) == replace(done(2, "b"), position=1, input={"n": 1})


async def test_lines_of_a_lost_lease_are_not_written(world: World) -> None:
    former, other = await leases(world, 2)
    await world.move(TOO_LATE)
    await world.queue.reap(crashes_allowed=3)
    await the_lease(world, BOB)

    lost = await world.queue.settle(
        [Settlement(lease, Succeeded(1), [line(done(1))]) for lease in (former, other)]
    )

    assert lost == {former, other}
    assert (await world.look(former.run_id)).steps == {}


async def test_a_settlement_writes_no_succeeded_step_over(world: World) -> None:
    [lease] = await leases(world, 1)
    await world.queue.journal([JournalEntry(lease, [line(done("first"))])])
    late = replace(a_step(StepState.FAILED), error=WRONG)

    await world.queue.settle([Settlement(lease, Failed(WRONG), [line(late)])])

    kept = (await world.look(lease.run_id)).steps["a"]
    assert (kept.state, kept.output, kept.error) == (StepState.SUCCEEDED, "first", None)


async def test_lines_of_several_runs_are_journalled_together(world: World) -> None:
    held = await leases(world, 3)
    await world.queue.settle([Settlement(held[2], Released())])

    lost = await world.queue.journal(
        [
            JournalEntry(lease, [line(done(number)), line(a_step(path="b"))])
            for number, lease in enumerate(held)
        ]
    )

    assert lost == {held[2]}
    for number, lease in enumerate(held[:2]):
        steps = (await world.look(lease.run_id)).steps
        assert (steps["a"].output, steps["b"].state) == (number, StepState.RUNNING)
    assert (await world.look(held[2].run_id)).steps == {}


async def test_of_two_lines_of_one_step_the_last_one_is_kept(world: World) -> None:
    [lease] = await leases(world, 1)
    lines = [line(replace(a_step(), input={"n": 1})), line(replace(done(2), input={"n": 1}))]

    await world.queue.journal([JournalEntry(lease, lines)])

    step = (await world.look(lease.run_id)).steps["a"]
    assert as_of(step) == replace(done(2), input={"n": 1})


async def test_one_run_is_journalled_twice_at_once_under_two_epochs(world: World) -> None:
    [former] = await leases(world, 1)
    await world.queue.settle([Settlement(former, Released())])
    current = await the_lease(world, BOB)

    lost = await world.queue.journal(
        [
            JournalEntry(former, [line(done("late"))]),
            JournalEntry(current, [line(done("mine"))]),
        ]
    )

    assert lost == {former}
    assert (await world.look(current.run_id)).steps["a"].output == "mine"


async def test_two_entries_of_one_lease_are_both_journalled(
    world: World, request: pytest.FixtureRequest
) -> None:
    [lease] = await leases(world, 1)

    lost = await world.queue.journal(
        [
            JournalEntry(lease, [line(done(1, "a"))]),
            JournalEntry(lease, [line(done(2, "b"))]),
        ]
    )

    steps = (await world.look(lease.run_id)).steps
    assert (lost, {path: step.output for path, step in steps.items()}) == (set(), {"a": 1, "b": 2})


async def test_of_a_batch_that_cannot_be_stored_nothing_is(world: World) -> None:
    if not isinstance(world, PostgresWorld):
        pytest.skip("memory stores everything")
    held = await leases(world, 3)
    lines = [line(done("kept?"))]

    with pytest.raises(psycopg.DataError):
        await world.queue.settle(
            [
                Settlement(held[0], Released(), lines),
                Settlement(held[1], Succeeded("fine"), lines),
                Settlement(held[2], Succeeded("\x00"), lines),
            ]
        )

    assert await states(world, held) == [RunState.RUNNING] * 3
    assert [dict((await world.look(lease.run_id)).steps) for lease in held] == [{}, {}, {}]


async def test_what_a_gone_process_had_is_taken_back_at_once(world: World) -> None:
    mine, theirs = await world.add(), await world.add()
    [first] = await claimed(world, ANN, 1)
    [second] = await claimed(world, BOB, 1)
    assert (first.lease.run_id, second.lease.run_id) == (mine, theirs)

    assert await world.queue.reap(crashes_allowed=3, gone=[BOB]) == 1

    assert (await world.look(mine)).state is RunState.RUNNING
    seen = await world.look(theirs)
    assert (seen.state, seen.error) == (RunState.RETRYING, "worker_lost")
    assert await claimed_ids(world, ANN) == [theirs]


async def test_a_gone_process_buries_what_crashed_too_often(world: World) -> None:
    run_id = await world.add()
    await the_lease(world, BOB)

    assert await world.queue.reap(crashes_allowed=1, gone=[BOB]) == 1

    assert (await world.look(run_id)).state is RunState.FAILED


async def test_nobody_is_cut_off_as_long_as_nothing_is_known_of_their_connections(
    world: World,
) -> None:
    await world.add()
    await the_lease(world)
    await world.move(timedelta(days=1))

    assert await world.queue.cut_off() == set()
