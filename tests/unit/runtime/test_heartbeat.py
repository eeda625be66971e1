"""The heartbeat keeps leases from a thread of its own, whatever the event loop does."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

import anyio
import pytest

from ordinaut_mcp.domain.run import ClaimedRun, Lease, Outcome, ProcessId, RunId, Succeeded
from ordinaut_mcp.runtime.heartbeat import Heartbeat
from ordinaut_mcp.runtime.leases import Leases
from tests.doubles.definitions import NOON
from tests.doubles.memory_queue import MemoryQueue
from tests.unit.runtime.attempts import PROCESS, SHORT, Attempts, a_worker, until, working
from tests.unit.runtime.computing import compute_for

pytestmark = pytest.mark.anyio

LEASE = SHORT * 30


async def test_a_run_is_kept_while_the_event_loop_is_blocked_for_longer_than_its_lease() -> None:
    queue, beats = MemoryQueue(), list[int]()
    run_id = queue.add()

    async def execute(claimed: ClaimedRun) -> Outcome:
        await until(lambda: "beat" in queue.calls)
        before = queue.calls.count("beat")
        compute_for(LEASE * 1.5)
        beats.append(queue.calls.count("beat") - before)
        # Whatever would end the attempt has its turn now.
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        return Succeeded("kept")

    worker, house = a_worker(queue, execute, lease_for=LEASE)
    async with working(worker, house):
        await until(lambda: bool(queue.settled))

    assert queue.settled == [(run_id, Succeeded("kept"))]
    assert beats[0] >= 2


async def test_the_neighbours_of_a_run_that_blocks_are_kept_too() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    blocking, other = queue.add(), queue.add()

    async def execute(claimed: ClaimedRun) -> Outcome:
        if claimed.lease.run_id == other:
            return await attempts(claimed)
        await attempts.until_begun(1)
        compute_for(LEASE * 1.5)
        return Succeeded(None)

    worker, house = a_worker(queue, execute, lease_for=LEASE)
    async with working(worker, house):
        await until(lambda: blocking in dict(queue.settled))
        attempts.may_finish.set()

    assert dict(queue.settled) == {blocking: Succeeded(None), other: Succeeded("done")}
    assert attempts.interrupted == []


async def started(heartbeat: Heartbeat) -> None:
    """The heartbeat from its start to its end, each within a bound."""
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            await tasks.start(heartbeat.run)
            tasks.cancel_scope.cancel()


async def test_it_is_started_after_its_first_beat_and_its_end_waits_for_no_rest() -> None:
    queue = MemoryQueue()

    await started(Heartbeat(PROCESS, queue, Leases(), lease_for=timedelta(hours=1)))

    assert queue.calls == ["beat", "close"]


async def test_a_database_that_is_away_keeps_nobody_from_starting() -> None:
    queue = MemoryQueue()
    queue.is_away = True

    await started(Heartbeat(PROCESS, queue, Leases(), lease_for=timedelta(hours=1)))

    assert queue.calls[0] == "beat"
    assert queue.calls[-1] == "close"


async def test_a_database_that_is_away_is_asked_again_soon_and_costs_no_lease() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    run_id = queue.add()
    worker, house = a_worker(queue, attempts, lease_for=timedelta(seconds=3))

    async with working(worker, house):
        await attempts.until_begun(1)
        [held] = worker.leases.all()
        queue.is_away = True
        queue.wake()
        tried = queue.calls.count("beat")
        await until(lambda: queue.calls.count("beat") >= tried + 2)
        deadline = held.deadline
        queue.is_away = False
        await until(lambda: held.deadline > deadline)
        attempts.may_finish.set()

    assert queue.settled == [(run_id, Succeeded("done"))]
    assert attempts.interrupted == []


async def test_a_lease_that_a_beat_found_lost_ends_its_attempt_and_no_other() -> None:
    queue, attempts = MemoryQueue(), Attempts()
    lost, kept = queue.add(), queue.add()
    worker, house = a_worker(queue, attempts)

    async with working(worker, house):
        await attempts.until_begun(2)
        queue.works[lost].epoch += 1
        queue.wake()
        await until(lambda: attempts.interrupted == [lost])
        attempts.may_finish.set()

    assert queue.settled == [(kept, Succeeded("done"))]


class Resting(MemoryQueue):
    """Remembers how long each rest was to be; none of them is long."""

    def __init__(self) -> None:
        super().__init__()
        self.rests: list[float] = []

    def rest(self, at_most: float) -> None:
        self.rests.append(at_most)
        super().rest(0.01)


@pytest.mark.parametrize(
    ("lease_seconds", "rest", "after_trouble"),
    [(3600, 5.0, 0.5), (30, 5.0, 0.5), (6, 2.0, 0.5), (0.6, 0.2, 0.1)],
)
async def test_it_beats_at_each_third_of_the_lease_and_soon_after_trouble(
    lease_seconds: float, rest: float, after_trouble: float
) -> None:
    queue, lease_for = Resting(), timedelta(seconds=lease_seconds)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            await tasks.start(Heartbeat(PROCESS, queue, Leases(), lease_for=lease_for).run)
            await until(lambda: len(queue.rests) >= 2)
            assert set(queue.rests) == {rest}
            queue.is_away = True
            await until(lambda: queue.rests[-1] == after_trouble)
            queue.is_away = False
            await until(lambda: queue.rests[-1] == rest)
            tasks.cancel_scope.cancel()

    assert set(queue.rests) == {rest, after_trouble}


class Stuck(MemoryQueue):
    """A database that takes the question and does not answer before it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Event()
        self.let_go = threading.Event()
        self.closed = threading.Event()

    def beat(
        self, process: ProcessId, leases: Sequence[Lease], *, lease_for: timedelta
    ) -> set[Lease]:
        self.asked.set()
        self.let_go.wait(5)
        return super().beat(process, leases, lease_for=lease_for)

    def close(self) -> None:
        super().close()
        self.closed.set()


def test_a_beat_without_an_answer_keeps_nobody_from_starting_or_from_stopping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ordinaut_mcp.runtime.heartbeat.LAST_BEAT", SHORT)
    queue, leases = Stuck(), Leases()
    held = leases.take(Lease(run_id=RunId(1), created_at=NOON, epoch=1), 1.0)

    anyio.run(started, Heartbeat(PROCESS, queue, leases, lease_for=timedelta(hours=1)))

    # The answer comes when there is no event loop any more: the thread ends in peace.
    assert queue.asked.is_set()
    assert not queue.closed.is_set()
    queue.let_go.set()
    assert queue.closed.wait(5)
    assert queue.calls == ["beat", "close"]
    assert held.deadline == 0.0


class Faulty(MemoryQueue):
    """Its first answer is a fault that nobody foresaw, as psycopg's DiskFull is none of ours."""

    def beat(
        self, process: ProcessId, leases: Sequence[Lease], *, lease_for: timedelta
    ) -> set[Lease]:
        lost = super().beat(process, leases, lease_for=lease_for)
        if self.calls.count("beat") == 1:
            raise ZeroDivisionError
        return lost


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_fault_in_one_beat_does_not_end_the_heartbeat_unheard() -> None:
    queue, is_heard = Faulty(), False
    with anyio.move_on_after(1):
        try:
            async with anyio.create_task_group() as tasks:
                await tasks.start(Heartbeat(PROCESS, queue, Leases(), lease_for=SHORT).run)
                await until(lambda: queue.calls.count("beat") >= 2)
                is_heard = True
                tasks.cancel_scope.cancel()
        except ExceptionGroup:
            is_heard = True  # it tells of its end: as good

    assert is_heard
