"""A worker over the queue in memory, whose attempts wait until a test lets them finish."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import anyio

from ordinaut_mcp.domain.run import (
    ClaimedRun,
    JournalLine,
    Outcome,
    ProcessId,
    RunId,
    Succeeded,
)
from ordinaut_mcp.runtime.clockwork import Clockwork
from ordinaut_mcp.runtime.heartbeat import Heartbeat
from ordinaut_mcp.runtime.worker import Begin, Worker
from tests.doubles.memory_queue import MemoryCancels, MemoryQueue

PROCESS = ProcessId(1)
SHORT = timedelta(milliseconds=30)


class Attempts:
    """Executes runs as a test lets it: each attempt waits until it may finish."""

    def __init__(self) -> None:
        self.begun: list[RunId] = []
        self.interrupted: list[RunId] = []
        self.most_at_once = 0
        self.may_finish = anyio.Event()
        self._at_once = 0
        self._news = anyio.Condition()

    async def __call__(self, claimed: ClaimedRun) -> Outcome:
        self.begun.append(claimed.lease.run_id)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        async with self._news:
            self._news.notify_all()
        try:
            await self.may_finish.wait()
        except anyio.get_cancelled_exc_class():
            self.interrupted.append(claimed.lease.run_id)
            raise
        finally:
            self._at_once -= 1
        return Succeeded("done")

    def hold(self) -> None:
        """From now on attempts wait again."""
        self.may_finish = anyio.Event()

    async def until_begun(self, number: int) -> None:
        """Wait until so many attempts have begun."""
        async with self._news:
            while len(self.begun) < number:
                await self._news.wait()


class Waiting:
    """An attempt that waits for what `execute` waits for, or computes its outcome at once."""

    def __init__(
        self,
        execute: Callable[[ClaimedRun], Awaitable[Outcome]],
        claimed: ClaimedRun,
        is_held: Callable[[], bool],
    ) -> None:
        self._execute = execute
        self._claimed = claimed
        self.is_held = is_held
        self.lines: list[JournalLine] = []

    def compute(self) -> Outcome | None:
        return None

    async def carry_out(self) -> Outcome:
        return await self._execute(self._claimed)


@dataclass(frozen=True, slots=True)
class Working:
    """A worker with its clock and its heartbeat."""

    worker: Worker
    clockwork: Clockwork
    heartbeat: Heartbeat


@asynccontextmanager
async def working(worker: Worker, house: Working) -> AsyncGenerator[anyio.CancelScope, None]:
    """The worker at work; on leaving it is stopped and waited for."""
    with anyio.fail_after(5), house.clockwork.running():
        async with anyio.create_task_group() as heart:
            await heart.start(house.heartbeat.run)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(worker.run)
                yield tasks.cancel_scope
                worker.stop()
            heart.cancel_scope.cancel()


def a_worker(
    queue: MemoryQueue,
    execute: Callable[[ClaimedRun], Awaitable[Outcome]],
    *,
    slots: int = 16,
    lease_for: timedelta = timedelta(seconds=30),
    cancels: MemoryCancels | None = None,
) -> tuple[Worker, Working]:
    """A worker whose attempts all wait."""
    return a_worker_that_begins(
        queue,
        lambda claimed, is_held: Waiting(execute, claimed, is_held),
        slots=slots,
        lease_for=lease_for,
        cancels=cancels,
    )


def a_worker_that_begins(
    queue: MemoryQueue,
    begin: Begin,
    *,
    slots: int = 16,
    lease_for: timedelta = timedelta(seconds=30),
    cancels: MemoryCancels | None = None,
    on_settled: Callable[[], None] | None = None,
) -> tuple[Worker, Working]:
    """A worker with these attempts, and what is around it."""
    clockwork = Clockwork()
    worker = Worker(
        PROCESS,
        queue,
        begin,
        clockwork,
        slots=slots,
        lease_for=lease_for,
        cancels=cancels,
        on_settled=on_settled,
    )
    heartbeat = Heartbeat(PROCESS, queue, worker.leases, lease_for=lease_for)
    return worker, Working(worker, clockwork, heartbeat)


async def until(met: Callable[[], bool]) -> None:
    while not met():
        await anyio.lowlevel.checkpoint()
