"""The worker's promises about how many runs it claims, and about those it has to wait for."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from ordinaut_mcp.domain.run import ClaimedRun, Outcome, Released, RunState, Succeeded
from ordinaut_mcp.runtime.executor import Attempt
from tests.unit.runtime.attempts import (
    SHORT,
    Attempts,
    Waiting,
    a_worker_that_begins,
    until,
    working,
)
from tests.unit.runtime.computing import CountingQueue, at_once, compute_for

pytestmark = pytest.mark.anyio


async def test_what_needs_a_slot_and_finds_none_goes_back_uncounted_and_claims_shrink() -> None:
    queue, attempts = CountingQueue(), Attempts()
    queue.add_many(3)

    def begin(claimed: ClaimedRun, is_held: Callable[[], bool]) -> Attempt:
        if claimed.lease.run_id <= 3:
            return at_once(claimed, is_held)
        return Waiting(attempts, claimed, is_held)

    worker, house = a_worker_that_begins(queue, begin, slots=3)
    async with working(worker, house):
        await until(lambda: "next_due_in" in queue.calls)
        assert set(queue.limits[1:]) == {12}
        queue.add_many(5)
        worker.doorbell.ring()
        await attempts.until_begun(3)
        await until(lambda: len(queue.settled) == 5)
        back = [work for work in queue.works.values() if work.state is RunState.QUEUED]
        assert [(work.attempt, work.failures, work.crashes) for work in back] == [(0, 0, 0)] * 2
        assert [outcome for _, outcome in queue.settled[3:]] == [Released(), Released()]
        asked = len(queue.limits)
        attempts.may_finish.set()
        await attempts.until_begun(5)

    assert attempts.most_at_once == 3
    assert max(queue.limits[asked:]) <= 6  # the slots, and as many claimed ahead
    assert [work.attempt for work in queue.works.values()] == [1] * 8


async def test_claims_do_not_grow_while_something_waits() -> None:
    queue, attempts = CountingQueue(), Attempts()
    queue.add_many(9)

    def begin(claimed: ClaimedRun, is_held: Callable[[], bool]) -> Attempt:
        if claimed.lease.run_id > 1:
            return at_once(claimed, is_held)
        return Waiting(attempts, claimed, is_held)

    worker, house = a_worker_that_begins(queue, begin, slots=4)
    async with working(worker, house):
        await until(lambda: len(queue.settled) == 8)
        attempts.may_finish.set()

    assert set(queue.limits) == {4}
    assert len(queue.settled) == 9


async def test_a_run_that_waits_for_its_turn_in_the_batch_is_kept_too() -> None:
    queue, lease_for = CountingQueue(), SHORT * 10
    first, second = queue.add_many(2)

    async def execute(claimed: ClaimedRun) -> Outcome:
        await anyio.lowlevel.checkpoint()
        return Succeeded(claimed.lease.run_id)

    def begin(claimed: ClaimedRun, is_held: Callable[[], bool]) -> Attempt:
        if claimed.lease.run_id == first:
            compute_for(lease_for * 1.5)
            return at_once(claimed, is_held)
        return Waiting(execute, claimed, is_held)

    worker, house = a_worker_that_begins(queue, begin, lease_for=lease_for)
    with anyio.move_on_after(2):
        async with working(worker, house):
            await until(lambda: len(queue.settled) == 2)

    assert dict(queue.settled) == {first: Succeeded(first), second: Succeeded(second)}
