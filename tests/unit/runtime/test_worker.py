"""The worker's promises about slots, stopping and cancelling."""

from __future__ import annotations

from datetime import timedelta

import anyio
import pytest

from ordinaut_mcp.domain.run import (
    Cancelled,
    ClaimedRun,
    Failed,
    Outcome,
    Released,
    RunState,
    Succeeded,
)
from tests.doubles.memory_queue import MemoryCancels, MemoryQueue
from tests.unit.runtime.attempts import SHORT, Attempts, a_worker, until, working

pytestmark = pytest.mark.anyio


async def test_a_stopped_worker_finishes_the_attempt_it_began() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    run_id = queue.add()
    worker, clockwork = a_worker(queue, attempts)

    async with working(worker, clockwork):
        await attempts.until_begun(1)
        worker.stop()
        queue.add()
        attempts.may_finish.set()

    assert queue.settled == [(run_id, Succeeded("done"))]
    assert attempts.begun == [run_id]


async def test_a_cancelled_worker_gives_its_runs_back_uncounted() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    runs = [queue.add(), queue.add()]
    worker, clockwork = a_worker(queue, attempts)

    async with working(worker, clockwork) as scope:
        await attempts.until_begun(2)
        scope.cancel()

    assert sorted(queue.settled) == [(run_id, Released()) for run_id in runs]
    assert {queue.works[run_id].attempt for run_id in runs} == {0}
    assert {queue.works[run_id].state for run_id in runs} == {RunState.QUEUED}


async def test_a_claim_is_not_torn_by_a_cancel() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    run_id = queue.add()
    worker, clockwork = a_worker(queue, attempts)

    async with working(worker, clockwork) as scope:
        await until(lambda: "claim" in queue.calls)
        scope.cancel()

    assert queue.works[run_id].state is RunState.QUEUED


async def test_a_claim_asks_for_as_many_runs_as_there_are_free_slots() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    for _ in range(5):
        queue.add()
    worker, clockwork = a_worker(queue, attempts, slots=3)

    async with working(worker, clockwork):
        await attempts.until_begun(3)
        assert queue.calls.count("claim") == 1
        attempts.may_finish.set()
        await attempts.until_begun(5)

    assert attempts.most_at_once <= 3
    assert len(queue.settled) == 5


async def test_a_free_slot_claims_the_next_run_at_once() -> None:
    queue = MemoryQueue()
    for _ in range(20):
        queue.add()

    async def execute(claimed: ClaimedRun) -> Outcome:
        await anyio.lowlevel.checkpoint()
        return Succeeded(None)

    worker, clockwork = a_worker(queue, execute, slots=1)
    async with working(worker, clockwork):
        await until(lambda: len(queue.settled) == 20)

    assert [run_id for run_id, _ in queue.settled] == sorted(queue.works)


async def test_the_doorbell_wakes_an_idle_worker() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    worker, clockwork = a_worker(queue, attempts)
    attempts.may_finish.set()

    async with working(worker, clockwork):
        await until(lambda: "next_due_in" in queue.calls)
        queue.add()
        worker.doorbell.ring()
        await attempts.until_begun(1)

    assert len(queue.settled) == 1


async def test_an_idle_worker_sleeps_until_the_next_run_is_due() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    run_id = queue.add(due_in=timedelta(milliseconds=40))
    worker, clockwork = a_worker(queue, attempts)
    attempts.may_finish.set()

    async with working(worker, clockwork):
        await until(lambda: "next_due_in" in queue.calls)
        queue.now += timedelta(milliseconds=40)
        await attempts.until_begun(1)

    assert attempts.begun == [run_id]
    assert queue.calls.count("claim") <= 4


async def test_a_due_run_that_cannot_be_claimed_is_no_reason_to_poll_busily() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    queue.add(serial=True)
    queue.add(serial=True)
    worker, clockwork = a_worker(queue, attempts)

    async with working(worker, clockwork):
        await attempts.until_begun(1)
        with anyio.move_on_after(0.25):
            await anyio.sleep_forever()
        assert queue.calls.count("claim") <= 5
        attempts.may_finish.set()
        await attempts.until_begun(2)


async def test_an_attempt_that_crashes_fails_alone() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    broken, well = queue.add(task_id=1), queue.add(task_id=2)

    async def execute(claimed: ClaimedRun) -> Outcome:
        if claimed.lease.run_id == broken:
            raise ZeroDivisionError
        return await attempts(claimed)

    worker, clockwork = a_worker(queue, execute)
    async with working(worker, clockwork):
        await until(lambda: queue.works[broken].state is RunState.FAILED)
        attempts.may_finish.set()

    outcomes = dict(queue.settled)
    assert outcomes[well] == Succeeded("done")
    assert isinstance(outcomes[broken], Failed)
    assert (queue.works[broken].error or {})["code"] == "internal_error"


async def test_a_run_that_somebody_wants_ended_is_interrupted_and_settled_so() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    unwanted, wanted = queue.add(), queue.add()
    cancels = MemoryCancels(queue)
    worker, clockwork = a_worker(queue, attempts, cancels=cancels)

    async with working(worker, clockwork):
        await attempts.until_begun(2)
        await cancels.cancel("local", unwanted, reason="asked")
        worker.cancel_bell.ring()
        await until(lambda: queue.works[unwanted].state is RunState.CANCELED)
        attempts.may_finish.set()

    assert attempts.interrupted == [unwanted]
    assert dict(queue.settled) == {unwanted: Cancelled("asked"), wanted: Succeeded("done")}


async def test_a_ring_that_was_lost_costs_a_wish_to_cancel_a_third_of_a_lease() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    run_id = queue.add()
    cancels = MemoryCancels(queue)
    worker, clockwork = a_worker(queue, attempts, lease_for=SHORT * 10, cancels=cancels)

    async with working(worker, clockwork):
        await attempts.until_begun(1)
        queue.is_away = True
        await until(lambda: cancels.looks >= 1)
        queue.is_away = False
        await cancels.cancel("local", run_id, reason="asked")
        await until(lambda: bool(queue.settled))

    assert queue.settled == [(run_id, Cancelled("asked"))]
