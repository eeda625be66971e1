"""The worker's promises about runs that only compute, and about how many it claims."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random

import anyio
import pytest

from ordinaut_mcp.domain.run import (
    ClaimedRun,
    Failed,
    Lease,
    Outcome,
    RunState,
    Settlement,
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
    assert queue.limits[:3] == [16, 64, 256]
    assert max(queue.limits) == MOST_AT_ONCE
    assert sum(queue.batches) == 1000
    assert len(queue.batches) <= 6
    assert "journal" not in queue.calls
    assert {outcome for _, outcome in queue.settled} == {Succeeded(1)}
    journals = [work.journal for work in queue.works.values()]
    assert {tuple(journal) for journal in journals} == {("a", "b")}
    states = {step.state for journal in journals for step in journal.values()}
    assert states == {StepState.SUCCEEDED}


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
    queue.answers = anyio.Event()
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
    queue, computed = CountingQueue(), list[int]()
    runs = queue.add_many(21)
    queue.answers = anyio.Event()

    def begin(claimed: ClaimedRun, is_held: Callable[[], bool]) -> Computes:
        computed.append(claimed.lease.run_id)
        return at_once(claimed, is_held)

    worker, house = a_worker_that_begins(queue, begin, slots=1)
    async with working(worker, house) as scope:
        # Two batches are on their way, and a third, computed, waits for its lane.
        await until(lambda: len(computed) == 21)
        assert queue.batches == [1, 4]
        scope.cancel()
        await anyio.lowlevel.cancel_shielded_checkpoint()
        queue.answers.set()

    assert sorted(run for run, _ in queue.settled) == runs
    assert queue.batches == [1, 4, 16]
    assert {work.state for work in queue.works.values()} == {RunState.SUCCEEDED}


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


async def test_whoever_sends_on_what_was_settled_is_told_after_each_write() -> None:
    queue, attempts, told = CountingQueue(), Attempts(), list[int]()
    queue.add_many(3)

    def begin(claimed: ClaimedRun, is_held: Callable[[], bool]) -> Attempt:
        if claimed.lease.run_id > 1:
            return at_once(claimed, is_held)
        return Waiting(attempts, claimed, is_held)

    worker, house = a_worker_that_begins(
        queue, begin, on_settled=lambda: told.append(len(queue.settled))
    )
    async with working(worker, house):
        await until(lambda: told == [2])
        attempts.may_finish.set()

    assert told == [2, 3]


class Refusing(CountingQueue):
    """Refuses whatever has the first run in it, as a database without that partition does."""

    async def settle(self, batch: Sequence[Settlement]) -> set[Lease]:
        await anyio.lowlevel.checkpoint()
        if any(one.lease.run_id == 1 for one in batch):
            raise ZeroDivisionError
        return await super().settle(batch)


async def test_what_the_database_refuses_to_settle_fails_alone() -> None:
    queue = Refusing()
    queue.add_many(3)
    worker, house = a_worker_that_begins(queue, at_once)

    async with working(worker, house):
        await until(lambda: len(queue.settled) == 2)

    assert [run for run, _ in queue.settled] == [2, 3]
