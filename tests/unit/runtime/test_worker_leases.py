"""The worker's promises about leases, and about a database that is away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ordinaut_mcp.domain.run import (
    ClaimedRun,
    Outcome,
    RunState,
    Succeeded,
)
from ordinaut_mcp.runtime.persistence import LeaseLost
from tests.doubles.memory_queue import MemoryQueue
from tests.unit.runtime.attempts import SHORT, Attempts, a_worker, until, working

pytestmark = pytest.mark.anyio


async def test_heartbeats_keep_a_run_that_takes_several_leases() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    queue.add()
    worker, clockwork = a_worker(queue, attempts, lease_for=SHORT * 15)

    async with working(worker, clockwork):
        await until(lambda: queue.calls.count("beat") >= 6)
        attempts.may_finish.set()

    assert [outcome for _, outcome in queue.settled] == [Succeeded("done")]
    assert attempts.interrupted == []


async def test_an_attempt_whose_lease_is_lost_is_interrupted_and_settles_nothing() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    run_id = queue.add()
    worker, clockwork = a_worker(queue, attempts, lease_for=SHORT)

    async with working(worker, clockwork):
        await attempts.until_begun(1)
        queue.works[run_id].epoch += 1
        await until(lambda: attempts.interrupted == [run_id])

    assert queue.settled == []
    assert "settle" not in queue.calls


async def test_a_run_that_comes_back_to_the_worker_that_lost_it_is_attempted_once() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    run_id = queue.add()
    worker, clockwork = a_worker(queue, attempts)

    async with working(worker, clockwork):
        await attempts.until_begun(1)
        queue.now += timedelta(seconds=31)
        await queue.reap(crashes_allowed=3)
        worker.doorbell.ring()
        await attempts.until_begun(2)
        await until(lambda: attempts.interrupted == [run_id])
        attempts.may_finish.set()

    assert queue.settled == [(run_id, Succeeded("done"))]


async def test_an_attempt_ends_with_its_lease_when_the_database_stays_away() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    run_id = queue.add()
    worker, clockwork = a_worker(queue, attempts, lease_for=SHORT)

    async with working(worker, clockwork):
        await attempts.until_begun(1)
        queue.is_away = True
        await until(lambda: attempts.interrupted == [run_id])
        queue.is_away = False

    assert queue.settled == []


async def test_a_short_absence_of_the_database_costs_no_run() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    run_id = queue.add()
    worker, clockwork = a_worker(queue, attempts, lease_for=timedelta(milliseconds=900))

    async with working(worker, clockwork):
        await attempts.until_begun(1)
        queue.is_away = True
        renewals = queue.calls.count("beat")
        await until(lambda: queue.calls.count("beat") > renewals)
        queue.is_away = False
        renewals = queue.calls.count("beat")
        await until(lambda: queue.calls.count("beat") > renewals)
        attempts.may_finish.set()

    assert queue.settled == [(run_id, Succeeded("done"))]


async def test_a_worker_without_a_database_waits_and_comes_back() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    queue.is_away = True
    attempts.may_finish.set()
    worker, clockwork = a_worker(queue, attempts)

    async with working(worker, clockwork):
        await until(lambda: queue.calls.count("claim") >= 1)
        queue.is_away = False
        run_id = queue.add()
        worker.doorbell.ring()
        await attempts.until_begun(1)

    assert attempts.begun == [run_id]


async def test_a_result_is_settled_as_soon_as_the_database_is_back() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    run_id = queue.add()
    worker, clockwork = a_worker(queue, attempts)

    async with working(worker, clockwork):
        await attempts.until_begun(1)
        queue.is_away = True
        attempts.may_finish.set()
        await until(lambda: queue.calls.count("settle") >= 1)
        queue.is_away = False

    assert queue.settled == [(run_id, Succeeded("done"))]


async def test_a_result_that_cannot_be_settled_for_long_is_left_to_the_reaper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ordinaut_mcp.runtime.worker.SETTLE_WITHIN", SHORT)
    queue, attempts = MemoryQueue(), Attempts()
    run_id = queue.add()
    worker, clockwork = a_worker(queue, attempts)

    async with working(worker, clockwork):
        await attempts.until_begun(1)
        queue.is_away = True
        attempts.may_finish.set()

    assert queue.settled == []
    assert queue.works[run_id].state is RunState.RUNNING


async def test_a_lease_that_an_attempt_found_lost_is_dropped_and_its_slot_is_free() -> None:
    queue = MemoryQueue()
    lost, following = queue.add(), queue.add()

    async def execute(claimed: ClaimedRun) -> Outcome:
        if claimed.lease.run_id == lost:
            queue.works[lost].epoch += 1
            raise LeaseLost
        return Succeeded(None)

    worker, clockwork = a_worker(queue, execute, slots=1)
    async with working(worker, clockwork):
        await until(lambda: len(queue.settled) == 1)

    assert queue.settled == [(following, Succeeded(None))]


async def test_a_settlement_that_comes_too_late_is_dropped() -> None:
    queue = MemoryQueue()
    run_id = queue.add()

    async def execute(claimed: ClaimedRun) -> Outcome:
        queue.works[run_id].epoch += 1
        return Succeeded("late")

    worker, clockwork = a_worker(queue, execute)
    async with working(worker, clockwork):
        await until(lambda: "settle" in queue.calls)

    assert queue.settled == []
    assert queue.works[run_id].state is RunState.RUNNING
