"""The worker's promises about runs that only compute, and about how many it claims."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

import pytest

from ordinaut_mcp.domain.run import (
    ClaimedRun,
    Failed,
    Outcome,
    Released,
    RunState,
    StepState,
    Succeeded,
)
from ordinaut_mcp.runtime.batches import LANES
from ordinaut_mcp.runtime.executor import Attempt, Executor
from ordinaut_mcp.runtime.steps.catalog import builtins
from ordinaut_mcp.runtime.tools import PipelineTools
from ordinaut_mcp.runtime.worker import MOST_AT_ONCE
from tests.doubles.definitions import a_definition
from tests.doubles.scripted_tools import ScriptedTools
from tests.unit.runtime.attempts import (
    SHORT,
    Attempts,
    Waiting,
    a_worker_that_begins,
    until,
    working,
)
from tests.unit.runtime.bench import a_set
from tests.unit.runtime.computing import Computes, CountingQueue, at_once
from tests.unit.runtime.letters import MemoryEvents, MemoryMessages

pytestmark = pytest.mark.anyio

AT_A_STRETCH = "ordinaut_mcp.runtime.worker.AT_A_STRETCH"


@pytest.fixture(autouse=True)
def fast_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch is cut because the machine is slow."""
    monkeypatch.setattr(AT_A_STRETCH, 3600.0)


async def test_runs_that_only_compute_are_settled_in_the_batch_they_were_claimed_in() -> None:
    queue = CountingQueue()
    runs = queue.add_many(5)
    worker, house = a_worker_that_begins(queue, at_once)

    async with working(worker, house):
        await until(lambda: len(queue.settled) == 5)

    assert queue.settled == [(run, Succeeded(run)) for run in runs]
    assert queue.batches == [5]
    assert len(worker.leases) == 0


async def test_a_thousand_runs_of_a_real_pipeline_take_one_write_for_each_claim() -> None:
    queue, tools = CountingQueue(), ScriptedTools()
    own = builtins(None, messages=MemoryMessages(), events=MemoryEvents())
    executor = Executor(queue, PipelineTools(own, tools, tools.specs), Random(1))
    definition = a_definition(a_set("a", 1), a_set("b", "${steps.a}")).to_dict()
    for _ in range(1000):
        queue.add(definition)
    worker, house = a_worker_that_begins(queue, executor.begin)

    async with working(worker, house):
        await until(lambda: len(queue.settled) == 1000)

    # Growing claims, one write for each, and no other write at all.
    assert queue.limits[:5] == [16, 64, 256, MOST_AT_ONCE, MOST_AT_ONCE]
    assert queue.batches == [16, 64, 256, 500, 164]
    assert "journal" not in queue.calls
    assert {outcome for _, outcome in queue.settled} == {Succeeded(1)}
    journals = [work.journal for work in queue.works.values()]
    assert {tuple(journal) for journal in journals} == {("a", "b")}
    states = {step.state for journal in journals for step in journal.values()}
    assert states == {StepState.SUCCEEDED}


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
    assert set(queue.limits[asked:]) <= {1, 2, 3}
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


async def test_after_a_stretch_of_computing_what_is_done_is_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AT_A_STRETCH, -1.0)
    queue, behind = CountingQueue(), list[int]()
    queue.add_many(10)

    def begin(claimed: ClaimedRun, is_held: Callable[[], bool]) -> Computes:
        def compute() -> Outcome:
            behind.append(len(behind) - len(queue.settled))
            return Succeeded(None)

        del is_held
        return Computes(compute)

    worker, house = a_worker_that_begins(queue, begin)
    async with working(worker, house):
        await until(lambda: len(queue.settled) == 10)

    assert queue.batches == [1] * 10
    # Computing waits for the database: it is never far ahead of it.
    assert max(behind) <= LANES + 1
    assert queue.most_at_once == LANES


async def test_settlements_are_on_their_way_while_the_next_runs_are_claimed() -> None:
    queue = CountingQueue()
    queue.add_many(6)
    queue.answers = type(queue.answers)()
    worker, house = a_worker_that_begins(queue, at_once, slots=1)

    async with working(worker, house):
        # One run, then four; the third claim has to wait until a lane is free.
        await until(lambda: queue.batches == [1, 4])
        await until(lambda: len(queue.limits) == 3)
        assert queue.settled == []
        queue.answers.set()
        await until(lambda: len(queue.settled) == 6)

    assert queue.batches == [1, 4, 1]
    assert queue.most_at_once == LANES


async def test_an_attempt_that_crashes_while_computing_is_a_dead_letter_and_fails_alone() -> None:
    queue = CountingQueue()
    broken, well = queue.add_many(2)

    def begin(claimed: ClaimedRun, is_held: Callable[[], bool]) -> Computes:
        def crash() -> Outcome:
            raise ZeroDivisionError

        del is_held
        return Computes(crash if claimed.lease.run_id == broken else lambda: Succeeded("well"))

    worker, house = a_worker_that_begins(queue, begin)
    async with working(worker, house):
        await until(lambda: len(queue.settled) == 2)

    outcomes = dict(queue.settled)
    failed = outcomes[broken]
    assert isinstance(failed, Failed)
    assert (failed.error["code"], failed.retry_in_seconds) == ("internal_error", None)
    assert queue.works[broken].state is RunState.FAILED
    assert outcomes[well] == Succeeded("well")


async def test_a_cancel_while_batches_are_on_their_way_loses_none() -> None:
    queue = CountingQueue()
    runs = queue.add_many(21)
    queue.answers = type(queue.answers)()
    worker, house = a_worker_that_begins(queue, at_once)

    async with working(worker, house) as scope:
        # Two batches are on their way, and a third waits for its lane.
        await until(lambda: queue.batches == [16, 5] or len(queue.batches) == 2)
        queue.add_many(3)
        scope.cancel()
        queue.answers.set()

    assert [run for run, _ in queue.settled] == runs
    assert {queue.works[run].state for run in runs} == {RunState.SUCCEEDED}
    assert not [work for work in queue.works.values() if work.state is RunState.RUNNING]


async def test_a_computed_run_whose_lease_was_lost_is_settled_by_nobody() -> None:
    queue = CountingQueue()
    lost, well = queue.add_many(2)

    def begin(claimed: ClaimedRun, is_held: Callable[[], bool]) -> Computes:
        queue.works[lost].epoch = 7
        return at_once(claimed, is_held)

    worker, house = a_worker_that_begins(queue, begin)
    async with working(worker, house):
        await until(lambda: len(queue.settled) == 1)

    assert queue.settled == [(well, Succeeded(well))]
    assert queue.works[lost].state is RunState.RUNNING
    assert len(worker.leases) == 0


async def test_computed_runs_that_cannot_be_settled_for_long_are_left_to_the_reaper(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ordinaut_mcp.runtime.worker.SETTLE_WITHIN", SHORT)
    queue = CountingQueue()
    [run] = queue.add_many(1)

    def begin(claimed: ClaimedRun, is_held: Callable[[], bool]) -> Computes:
        queue.is_away = True
        return at_once(claimed, is_held)

    worker, house = a_worker_that_begins(queue, begin)
    async with working(worker, house):
        await until(lambda: "settle" in queue.calls)
        await until(lambda: len(worker.leases) == 0)
        queue.is_away = False

    # Nobody keeps its lease any more.
    assert queue.works[run].state is RunState.RUNNING
    queue.now += timedelta(seconds=31)
    assert await queue.reap(crashes_allowed=3) == 1


async def test_a_short_absence_of_the_database_costs_no_computed_run() -> None:
    queue = CountingQueue()
    runs = queue.add_many(3)
    begun = list[int]()

    def begin(claimed: ClaimedRun, is_held: Callable[[], bool]) -> Computes:
        queue.is_away = True
        begun.append(claimed.lease.run_id)
        return at_once(claimed, is_held)

    worker, house = a_worker_that_begins(queue, begin)
    async with working(worker, house):
        await until(lambda: queue.calls.count("settle") >= 2)
        queue.is_away = False
        await until(lambda: len(queue.settled) == 3)

    assert begun == runs
    assert {work.state for work in queue.works.values()} == {RunState.SUCCEEDED}
