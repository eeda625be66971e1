"""Runs claimed a little ahead: only while attempts are short, and never for long."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import timedelta

import anyio
import pytest

from ordinaut_mcp.domain.run import ClaimedRun, Lease, ProcessId, Released, RunId, RunState
from ordinaut_mcp.runtime.backlog import Backlog
from ordinaut_mcp.runtime.leases import Held
from tests.doubles.definitions import NOON
from tests.doubles.memory_queue import MemoryCancels, MemoryQueue
from tests.unit.runtime.attempts import Attempts, a_worker, until, working
from tests.unit.runtime.computing import at_once

LONG = 10**9


def held(number: int, *, deadline: float | None = None) -> Held:
    lease = Lease(run_id=RunId(number), created_at=NOON, epoch=1)
    return Held(lease, time.monotonic() + 60 if deadline is None else deadline)


def waiting(backlog: Backlog, *numbers: int) -> None:
    for number in numbers:
        backlog.put(at_once, held(number))  # pyright: ignore[reportArgumentType] — only carried


def test_nothing_is_claimed_ahead_before_an_attempt_has_ended() -> None:
    assert Backlog(4).room == 0


def test_as_many_wait_as_there_are_slots_while_attempts_are_short() -> None:
    backlog = Backlog(4)
    backlog.took(0.01)
    assert backlog.room == 4

    waiting(backlog, 1, 2, 3)

    assert (backlog.room, len(backlog)) == (1, 3)


def test_long_attempts_end_it_and_short_ones_bring_it_back() -> None:
    backlog = Backlog(4)
    backlog.took(0.01)
    for _ in range(5):
        backlog.took(10)
    assert backlog.room == 0

    for _ in range(50):
        backlog.took(0.01)

    assert backlog.room == 4


def test_what_waits_longest_is_next_and_a_lost_lease_is_passed_over() -> None:
    backlog = Backlog(4)
    backlog.put(at_once, held(1, deadline=0))  # pyright: ignore[reportArgumentType]
    waiting(backlog, 2, 3)

    found = backlog.take()

    assert found is not None
    assert found[1].lease.run_id == 2
    assert backlog.take() is not None
    assert backlog.take() is None


def test_leases_that_ended_while_they_waited_are_told_once() -> None:
    backlog = Backlog(4)
    backlog.put(at_once, held(1, deadline=0))  # pyright: ignore[reportArgumentType]
    waiting(backlog, 2)

    assert [lease.run_id for lease in backlog.lost()] == [1]
    assert (backlog.lost(), len(backlog)) == ([], 1)


def test_who_has_waited_too_long_is_taken_out() -> None:
    backlog = Backlog(4)
    waiting(backlog, 1, 2)

    assert backlog.impatient(after=LONG) == []
    assert [one.lease.run_id for _, one in backlog.impatient(after=0)] == [1, 2]
    assert len(backlog) == 0


async def quick(queue: MemoryQueue, attempts: Attempts) -> None:
    """Let a first run end quickly, so that the worker claims ahead."""
    queue.add()
    attempts.may_finish.set()
    await until(lambda: len(queue.settled) == 1)


@pytest.mark.anyio
async def test_a_worker_starts_what_it_claimed_ahead_without_asking_again() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    worker, house = a_worker(queue, attempts, slots=2)
    async with working(worker, house):
        await quick(queue, attempts)
        for _ in range(8):
            queue.add()
        worker.doorbell.ring()
        await until(lambda: len(queue.settled) == 9)

    assert attempts.most_at_once == 2
    assert {work.attempt for work in queue.works.values()} == {1}


@pytest.mark.anyio
async def test_what_was_claimed_ahead_goes_back_uncounted_when_the_worker_stops() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    worker, house = a_worker(queue, attempts, slots=2)
    async with working(worker, house):
        await quick(queue, attempts)
        attempts.hold()
        for _ in range(4):
            queue.add()
        worker.doorbell.ring()
        await attempts.until_begun(3)
        await until(lambda: sum(w.state is RunState.RUNNING for w in queue.works.values()) == 4)
        worker.stop()
        await until(lambda: [outcome for _, outcome in queue.settled[1:]] == [Released()] * 2)
        attempts.may_finish.set()

    states = [queue.works[number].state for number in sorted(queue.works)]
    assert states.count(RunState.QUEUED) == 2
    assert states.count(RunState.SUCCEEDED) == 3


@pytest.mark.anyio
async def test_what_was_claimed_ahead_and_is_unwanted_is_not_carried_out() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    cancels = MemoryCancels(queue)
    worker, house = a_worker(queue, attempts, slots=1, cancels=cancels)
    async with working(worker, house):
        await quick(queue, attempts)
        attempts.hold()
        queue.add()
        unwanted = queue.add()
        worker.doorbell.ring()
        await until(lambda: queue.works[unwanted].state is RunState.RUNNING)
        await cancels.cancel("local", unwanted, reason="asked")
        looks = cancels.looks
        worker.cancel_bell.ring()
        await until(lambda: cancels.looks > looks)
        attempts.may_finish.set()
        await until(lambda: queue.works[unwanted].state is RunState.CANCELED)

    assert unwanted not in attempts.begun


class SlowClaims(MemoryQueue):
    """A queue whose answers to a claim come when a test lets them."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_answer = anyio.Event(), anyio.Event()
        self.may_answer.set()

    async def claim(
        self, process: ProcessId, *, limit: int, lease_for: timedelta
    ) -> Sequence[ClaimedRun]:
        claimed = await super().claim(process, limit=limit, lease_for=lease_for)
        if claimed:
            self.asked.set()
            await self.may_answer.wait()
        return claimed


@pytest.mark.anyio
@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_a_claim_on_its_way_strands_nothing_when_the_worker_ends(is_cancelled: bool) -> None:
    queue, attempts = SlowClaims(), Attempts()
    worker, house = a_worker(queue, attempts, slots=1)
    async with working(worker, house) as scope:
        await quick(queue, attempts)
        attempts.hold()
        queue.asked, queue.may_answer = anyio.Event(), anyio.Event()
        runs = [queue.add(), queue.add()]
        worker.doorbell.ring()
        await queue.asked.wait()
        scope.cancel() if is_cancelled else worker.stop()
        queue.may_answer.set()
        attempts.may_finish.set()

    assert RunState.RUNNING not in {queue.works[run].state for run in runs}
    assert {queue.works[run].crashes for run in runs} == {0}
    assert len(worker.leases) == 0
